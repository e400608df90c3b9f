#!/bin/sh
# OpenAI's own library for node, of two versions, against sora serve. Fetched from npm's registry the first time, into
# $SORA_TEST_CACHE or the user's cache; skipped where there is no node or no registry.
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
for program in node npm curl; do
    command -v $program >/dev/null || { echo "SKIPPED: $program is not installed"; exit 77; }
done
cache=${SORA_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sora-tests}
start_server --private-urls --log errors
ask 200 "$url/v1/videos" -F prompt="a fox" -F seconds=1 -F size=64x48
first=$(id)
until_status "$first" completed
ask 200 "$url/v1/videos/$first/content?variant=thumbnail"
cp "$work.body" reference.webp
ask 200 -X DELETE "$url/v1/videos/$first"
for version in 6.49.0 7.57.0; do
    folder=$cache/openai-$version
    if [ ! -f "$folder/node_modules/openai/package.json" ]; then
        mkdir -p "$folder" && (cd "$folder" && echo '{"private": true}' >package.json &&
            npm install --no-audit --no-fund --ignore-scripts "openai@$version") >"$work.npm" 2>&1 || {
            echo "SKIPPED: openai $version cannot be fetched: $(grep -m1 'npm' "$work.npm")"
            exit 77
        }
    fi
    checks=$((checks + 1))
    node "$source_dir/tests/e2e/serve_sdk.mjs" "$folder" "$url" reference.webp || fail "the scenario with openai $version"
    for rest in $(curl -s "$url/v1/videos?limit=100" | grep -o '"id":"video_[0-9a-f]*"' | cut -d'"' -f4); do
        curl -s -X DELETE "$url/v1/videos/$rest" >/dev/null
    done
done
stop_server
finish
