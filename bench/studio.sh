#!/bin/sh
# What docs/studio.md says, measured with nano: about half an hour on two cores. Usage: bench/studio.sh [BUILD]
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
SORA_MODEL=${SORA_MODEL:-models/nano}
export SORA_MODEL
ninja -C "$build" tests/bench_studio sora >/dev/null || exit 1
"$build/tests/bench_studio" counts 200
"$build/tests/bench_studio" seams 40
"$build/tests/bench_studio" remix 20
for seconds in 15 60 240; do
    "$build/tests/bench_studio" minute $seconds
done
"$build/sora" live -p "a dog runs on a beach" --seconds 300 --format rgb </dev/null >/dev/null
