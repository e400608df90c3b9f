#!/bin/sh
# The reference implementation of C2PA (c2pa-rs, as WebAssembly in Node) judges what sora signs, whole and changed
# region by region and bit by bit, and must agree with sora code by code; and sora judges what the reference signs.
# Skipped, by name, without Node or npm's package. With SORA_SWEEP set every change is tried (`make sweep`), else a tenth of
# the single bits and, in files of others, an eighth of the regions.
sign_file=$(realpath "$4")
. "$(dirname "$0")/lib.sh"
pictures=$source_dir/tests/data/pictures

skip() {
    echo "SKIPPED: the reference validator did not judge our files: $1"
    exit 77
}
command -v node >/dev/null || skip "node is not installed"
command -v npm >/dev/null || skip "npm is not installed"
[ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] || skip "node is older than 20"
reference=${SORA_C2PA_REFERENCE:-$(dirname "$sora")/c2pa-reference}
mkdir -p "$reference"
cp "$source_dir/tests/c2pa/package.json" "$reference"
if [ ! -f "$reference/node_modules/@contentauth/c2pa-wasm/c2pa.wasm" ]; then
    (cd "$reference" && npm install --ignore-scripts --no-audit --no-fund) >"$work.out" 2>&1 ||
        skip "npm install failed: $(tail -1 "$work.out")"
fi

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
SORA_CREDENTIALS=$work.keys
export SORA_MODEL SORA_CREDENTIALS
"$sora" credentials init >"$work.out" || fail "credentials init"
"$sora" "a dog" --steps 1 --frames 5 -o video.mp4 >"$work.out" || fail "video.mp4"
"$sora" "a dog" --steps 1 --frames 1 -o picture.png >"$work.out" || fail "picture.png"
for kind in jpg webp; do
    "$sora" "a dog" --steps 1 --frames 1 -o picture.$kind >"$work.out" || fail "picture.$kind"
done

bits=10 regions=8
[ -z "$SORA_SWEEP" ] || bits=1 regions=1
judge() {
    checks=$((checks + 1))
    (cd "$reference" && node "$source_dir/tests/c2pa/reference.mjs" "$sora" "${anchors:-$SORA_CREDENTIALS/root.pem}" "$@") ||
        fail "$*"
}
judge --tamper "$work/video.mp4" "$work/picture.png" "$work/picture.jpg" "$work/picture.webp"
judge --dense=200 --every=$bits "$work/video.mp4" "$work/picture.png"
judge --dense=100 --every=$bits "$work/picture.jpg" "$work/picture.webp"

# Made from others, the prompt told, long stores in several JPEG segments.
"$sora" "a dog" --steps 1 --frames 5 --image picture.png --tell-prompt signed -o from.mp4 >"$work.out" || fail "from.mp4"
"$sora" "a dog" --steps 1 --frames 1 --image "$pictures/corners.jpg" -o plain.png >"$work.out" || fail "plain.png"
cp "$pictures/corners.webp" blend.webp
"$sign_file" --input from.mp4 --input picture.jpg blend.webp >"$work.out" || fail "blend.webp"
cp "$pictures/corners.jpg" long.jpg
"$sign_file" --prompt "$(head -c 90000 /dev/zero | tr '\0' x)" --parent blend.webp long.jpg >"$work.out" || fail "long.jpg"
sed 's/trainedAlgorithmicMedia/humanAlgorithmicMedia00/' picture.png >changed.png
"$sora" "a dog" --steps 1 --frames 5 --no-credentials -o changed.mp4 >"$work.out"
"$sign_file" --parent changed.png changed.mp4 >"$work.out" || fail "changed.mp4"
cp "$pictures/corners.webp" placed.webp
"$sign_file" --component from.mp4 --component picture.jpg --operation blended placed.webp >"$work.out" || fail "placed.webp"
cp "$pictures/corners.jpg" extended.jpg
"$sign_file" --parent placed.webp --component picture.jpg --input blend.webp --operation "extended by 3 s" extended.jpg \
    >"$work.out" || fail "extended.jpg"
# The same manifest by two ways: its own ingredients are looked at once.
cp "$pictures/corners.jpg" twice.jpg
"$sign_file" --parent placed.webp --input blend.webp twice.jpg >"$work.out" || fail "twice.jpg"
sed 's/trainedAlgorithmicMedia/humanAlgorithmicMedia00/' from.mp4 >bad.mp4
for name in one two; do
    cp "$pictures/corners.webp" $name.webp
    "$sign_file" --input bad.mp4 $name.webp >"$work.out" || fail "$name.webp"
done
cp "$pictures/corners.jpg" bad.jpg
"$sign_file" --input one.webp --component two.webp bad.jpg >"$work.out" || fail "bad.jpg"
judge --any "$work/twice.jpg" "$work/bad.jpg"
judge "$work/from.mp4" "$work/plain.png" "$work/blend.webp" "$work/long.jpg" "$work/changed.mp4" "$work/placed.webp" \
    "$work/extended.jpg"
judge --tamper "$work/from.mp4"
judge --dense=150 --every=$bits "$work/from.mp4"

# Another file's manifest.
"$sora" "a cat" --steps 1 --frames 1 --seed 2 -o other.png >"$work.out" || fail "other.png"
checks=$((checks + 1))
node -e '
const fs = require("fs"), [a, b] = [fs.readFileSync("picture.png"), fs.readFileSync("other.png")];
const chunk = d => { const at = d.indexOf("caBX") - 4; return [at, at + 12 + d.readUInt32BE(at)]; };
const [a0, a1] = chunk(a), [b0, b1] = chunk(b);
fs.writeFileSync("swapped.png", Buffer.concat([a.subarray(0, a0), b.subarray(b0, b1), a.subarray(a1)]));
fs.writeFileSync("twice.png", Buffer.concat([a.subarray(0, a1), b.subarray(b0, b1), a.subarray(a1)]));' || fail "swap"
judge --any "$work/swapped.png" "$work/twice.png"

# All algorithms, in all kinds of files.
for algorithm in ps256 ed25519; do
    SORA_CREDENTIALS=$work.keys.$algorithm
    "$sora" credentials init --algorithm $algorithm >"$work.out" || fail "$algorithm"
    "$sora" "a dog" --steps 1 --frames 5 -o $algorithm.mp4 >"$work.out" || fail "$algorithm.mp4"
    "$sora" "a dog" --steps 1 --frames 1 -o $algorithm.png >"$work.out" || fail "$algorithm.png"
    for kind in jpg webp; do
        "$sora" "a dog" --steps 1 --frames 1 -o $algorithm.$kind >"$work.out" || fail "$algorithm.$kind"
    done
    judge "$work/$algorithm.mp4" "$work/$algorithm.png" "$work/$algorithm.jpg" "$work/$algorithm.webp"
done

# What the reference signs and sora does not write: compressed manifests, Merkle trees, hashes of boxes, answers about
# revocation.
if command -v openssl >/dev/null && command -v ffmpeg >/dev/null; then
    "$source_dir/tests/c2pa/certificates.sh" "$work.foreign" >"$work.out" 2>&1 || fail "certificates: $(tail -3 "$work.out")"
    "$sora" "a dog" --steps 1 --frames 17 --no-credentials -o bare.mp4 >"$work.out" || fail "bare.mp4"
    "$sora" "a dog" --steps 1 --frames 1 --no-credentials -o bare.png >"$work.out" || fail "bare.png"
    "$sora" "a dog" --steps 1 --frames 1 --no-credentials -o bare.jpg >"$work.out" || fail "bare.jpg"
    ffmpeg -v error -y -i bare.mp4 -c:v libx264 -g 4 -movflags frag_keyframe+empty_moov fragmented.mp4 || fail "ffmpeg"
    (cd "$reference" && node "$source_dir/tests/c2pa/foreign.mjs" "$work.foreign" "$work" "$work.foreign/signed") >"$work.out" ||
        fail "foreign files: $(tail -3 "$work.out")"
    anchors=$work.foreign/root.pem
    count=$(ls "$work.foreign/signed" | wc -l)
    [ "$count" = 18 ] || fail "$count foreign files, not 18: $(grep cannot "$work.out")"
    judge --any --tamper --every=$regions "$work.foreign/signed"/*
    judge --any --dense=100 --every=$bits "$work.foreign/signed/blocks-1.mp4" "$work.foreign/signed/good.png" \
        "$work.foreign/signed/identity.png"
else
    echo "SKIPPED: files that the reference signs, for openssl or ffmpeg is not installed"
fi
finish
