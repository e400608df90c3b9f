#!/bin/sh
# What docs/studio.md says, measured with nano: about ten minutes on two quiet cores. Usage: bench/studio.sh [BUILD]
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
SORA_MODEL=${SORA_MODEL:-models/nano}
export SORA_MODEL
ninja -C "$build" tests/bench_studio sora >/dev/null || exit 1
bench=$build/tests/bench_studio
sha256sum "$SORA_MODEL"/transformer/*.safetensors
"$bench" counts 200
"$bench" seams 40
"$bench" remix 12
"$bench" words 20
"$bench" drift 3
"$bench" minute 15
"$bench" minute 60
# First frame, frames a second, memory; as fast as it plays is 12.
for cpu in '' avx2; do
    SORA_CPU=$cpu timeout -s INT 60 "$build/sora" live -p "a dog runs on a beach" --format rgb </dev/null >/dev/null
done
