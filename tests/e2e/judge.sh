#!/bin/sh
# The judge of pictures against the package that it is from, run by Node: SORA_NSFWJS is a node_modules with nsfwjs 4.4.0,
# @tensorflow/tfjs 4.22.0 and buffer 6. Usage: judge.sh SORA TEST_SCREEN
[ -n "$SORA_NSFWJS" ] && command -v node >/dev/null || {
    echo "skipped: without node, or SORA_NSFWJS is not set"
    exit 77
}
test_screen=$(realpath "$2")
. "$(dirname "$0")/lib.sh"
mkdir raw
expect 0 "" "$sora" convert "$SORA_NSFWJS/nsfwjs/dist/models/mobilenet_v2" judge
for file in config.json model.safetensors; do
    cmp judge/$file "$source_dir/models/pictures/$file" || fail "models/pictures/$file is not what sora convert makes of the package"
done
expect 2 "is there already" "$sora" convert "$SORA_NSFWJS/nsfwjs/dist/models/mobilenet_v2" judge
"$test_screen" --write raw || fail "no pictures"
node "$source_dir/tests/e2e/judge.mjs" "$SORA_NSFWJS" raw >said || fail "nsfwjs did not run"
cmp said "$source_dir/tests/data/judge.json" || fail "nsfwjs says otherwise than tests/data/judge.json"
finish
