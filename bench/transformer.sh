#!/bin/sh
# bench/transformer.sh [PART...]: the tables of docs/performance.md about the transformer, on this machine. PART:
#   rates   steps of Wan 2.1 1.3B's size at 1,280, 3,120 and 7,800 tokens beside oneDNN alone; bf16 and int8
#   files   steps from files in BF16, Q8_0 and Q4_K; Q4_K also under a limit on memory
#   start   from the program's start to the first step, with and without the files in the page cache
# Without PART all of them. files and start need wan_keys.tsv beside the fixtures ($SORA_FIXTURES) and, for start, 7 GB of
# disk; "cold" asks for the right to write to /proc/sys/vm/drop_caches. Nothing else should run: take a quiet machine.
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/sora-bench-XXXXXX")
trap 'rm -rf "$dir"' EXIT
sora=$root/build/sora steps=$root/build/tests/steps
[ $# -gt 0 ] || set -- rates files start

# Three layers are a tenth of the network; what is around them (embeddings, head) is less than 1 % of a step.
rates() {
    for precision in bf16 int8; do
        for tokens in 1280 3120 7800; do
            "$sora" bench --config wan2.1-t2v-1.3b --part transformer --layers 3 --tokens $tokens --repeats 5 --ops \
                --precision $precision || exit 1
        done
    done
}

# model TYPE: a folder with a transformer of that type; the text encoder is in Q4_K.
model() {
    mkdir -p "$dir/$1" "$dir/text"
    [ -f "$dir/text/text.gguf" ] || "$root/build/tests/sparse_model" "$dir/text" Wan2.1-T2V-1.3B q4_k 2> "$dir/log" || exit 1
    "$root/build/tests/sparse_model" "$dir/$1" Wan2.1-T2V-1.3B "$1" 2> "$dir/log" || exit 1
    rm -f "$dir/$1"/text.*
    ln "$dir/text/text.gguf" "$dir/$1/"
    cp "$root/models/nano/tokenizer.model" "$dir/$1"
}

# run NAME MODEL STEPS [ARG...]
run() {
    name=$1 folder=$2 count=$3
    shift 3
    printf '%s\n' "$name"
    "$steps" "$dir/$folder" 256x256 17 "$count" 1 "$@" | sed 's/^/    /'
}

files() {
    model bf16
    model q8_0
    model q4_k
    run bf16 bf16 4
    run q8_0 q8_0 4
    run q4_k q4_k 4
    run "q4_k under 9 GB, widened at every step" q4_k 3 auto 9000
}

start() {
    model bf16
    for file in transformer.safetensors text.gguf; do # real bytes on the disk instead of a hole
        cp --sparse=never "$dir/bf16/$file" "$dir/bytes" && mv -f "$dir/bytes" "$dir/bf16/$file" || exit 1
    done
    sync
    if echo 1 2>&- > /proc/sys/vm/drop_caches; then
        run cold bf16 1
    fi
    run warm bf16 1
}

for part in "$@"; do
    case $part in
    rates | files | start) $part ;;
    *) echo "bench/transformer.sh: no part $part" >&2; exit 2 ;;
    esac
done
