#!/bin/sh
# bench/memory.sh [LIMIT] [TYPE] [SIZE] [FRAMES]: peak memory of one step of a model with 14 billion parameters under
# --memory LIMIT. The files are as long as the published ones and hold zeros (a hole: they take no space on disk).
# Needs wan_keys.tsv beside the fixtures ($SORA_FIXTURES) and GNU time.
limit=${1:-6G} type=${2:-bf16} size=${3:-832x480} frames=${4:-17}
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/sora-memory-XXXXXX")
trap 'rm -rf "$dir"' EXIT
"$root/build/tests/sparse_model" "$dir" Wan2.1-T2V-14B "$type" || exit 1
cp "$root/models/nano/tokenizer.model" "$dir"
/usr/bin/time -f 'peak memory %M kB, %e s' "$root/build/sora" generate -p "a dog walks left" -m "$dir" \
    --memory "$limit" --size "$size" --frames "$frames" --steps 1 --guidance 1 --no-credentials --no-trace -o "$dir/out.mp4"
