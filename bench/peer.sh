#!/bin/sh
# bench/peer.sh MODEL [SIZE FRAMES]: seconds of a step of Wan 2.1 1.3B here and in stable-diffusion.cpp, by turns, with the same
# threads and the same files. MODEL is a folder with transformer.safetensors (BF16 or F16), text.gguf (UMT5-XXL; any type) and
# vae.safetensors; `build/tests/sparse_model MODEL Wan2.1-T2V-1.3B bf16` makes one whose numbers are zeros, which takes as long.
# The peer is taken from its repository at a commit and built with its own defaults for this processor, in $PEER
# (~/.cache/sora-peer): git, cmake and a C++ compiler are needed. 256x256 and 17 frames are 1,280 tokens, 832x480 and 5 frames
# 3,120. Three rounds of two steps without guidance; of each the second counts, since the first reads the file.
set -e
commit=97d2990807fe6d558e395f8764198d7c7e7b411c
root=$(cd "$(dirname "$0")/.." && pwd)
model=$1 size=${2:-256x256} frames=${3:-17} peer=${PEER:-$HOME/.cache/sora-peer}
[ -f "$model/transformer.safetensors" ] || { echo "bench/peer.sh: MODEL is a folder with transformer.safetensors" >&2 && exit 2; }
text=$(ls "$model"/text.* | head -1)
if [ ! -x "$peer/build/bin/sd-cli" ]; then
    [ -d "$peer/.git" ] || git clone https://github.com/leejet/stable-diffusion.cpp "$peer"
    git -C "$peer" checkout -q $commit
    git -C "$peer" submodule update --init ggml
    cmake -S "$peer" -B "$peer/build" -DCMAKE_BUILD_TYPE=Release -DSD_WEBP=OFF -DSD_WEBM=OFF
    cmake --build "$peer/build" --target sd-cli -j "$(nproc)"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-peer-XXXXXX")
trap 'rm -rf "$work"' EXIT

# Seconds of the second step, as it prints them; it is stopped before it decodes.
theirs() {
    "$peer/build/bin/sd-cli" --mode vid_gen --diffusion-model "$model/transformer.safetensors" --t5xxl "$text" \
        --vae "$model/vae.safetensors" --prompt "a red fox runs through deep snow" --width "${size%x*}" --height "${size#*x}" \
        --video-frames "$frames" --steps 2 --cfg-scale 1 --diffusion-fa --threads "$(nproc)" --output "$work/a.avi" "$@" \
        > "$work/log" 2>&1 &
    pid=$!
    while kill -0 $pid 2> "$work/none" && ! grep -q ' 2/2 - [0-9.]*s/it' "$work/log"; do
        sleep 1
    done
    kill $pid 2> "$work/none" || true
    wait $pid 2> "$work/none" || true
    tr '\r' '\n' < "$work/log" | sed -n 's/.* 2\/2 - \([0-9.]*\)s\/it.*/\1/p' | head -1
    grep -q ' 2/2 - [0-9.]*s/it' "$work/log" || tail -3 "$work/log" >&2
}

ours() {
    "$root/build/tests/steps" "$model" "$size" "$frames" 2 1 "$@" | sed -n 's/^step 2 \([0-9.]*\),.*/\1/p'
}

for round in 1 2 3; do
    echo "round $round: sora $(ours) s, int8 $(ours int8) s; stable-diffusion.cpp as the file is $(theirs) s," \
        "f16 $(theirs --type f16) s, q8_0 $(theirs --type q8_0) s"
done
