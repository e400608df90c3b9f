#!/bin/sh
# bench/readme.sh [--one] [BUILD]: the speed rows of README's table, for this machine, as `sora bench` measures them. SORA_CPU=avx2
# shows what a processor without AVX-512 would do. Leave the machine alone meanwhile; where that cannot be, --one takes one
# thread and the processor's time instead of all threads and the clock on the wall. Minutes to half an hour.
root=$(cd "$(dirname "$0")/.." && pwd)
set -f
clock="--clock wall"
[ "$1" != --one ] || { clock="--threads 1 --clock processor" && shift; }
sora=${1:-$root/build}/sora
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-readme-XXXXXX")
trap 'rm -rf "$work"' EXIT

# bench ROW ARGUMENTS...: seconds and per cent of oneDNN's rate of one row of `sora bench`.
bench() {
    name=$1
    shift
    "$sora" bench $clock "$@" | awk -v row="$name  " 'index($0, row) == 1 { print $(NF - 3), $NF; exit }'
}

# step PRECISION TOKENS: of Wan 2.1 1.3B's size. Three layers are a tenth of it; what is around them is less than 1 %.
step() {
    bench "transformer step" --config wan2.1-t2v-1.3b --layers 3 --part transformer --tokens "$2" --precision "$1"
}

# half CONFIG FRAMES PART: of an autoencoder, at 256x256.
half() {
    bench "autoencoder ${3%er}e" --config "$1" --size 256x256 --frames "$2" --part "$3" --repeats 1 | awk '{ print $2 }'
}

row() {
    printf '| %s | %s |\n' "$1" "$2"
}

videos() {
    for i in 1 2 3 4 5; do
        "$sora" generate -m "$root/models/nano" "a rocket flies up past a ringed planet in space" --no-credentials --no-trace \
            -o "$work/a.mp4" | sed -n 's/.*made in \([0-9.]*\) s.*/\1/p'
        rm -f "$work/a.mp4"
    done | sort -n | sed -n 3p
}

row "per cent are of what oneDNN alone reaches" "$("$sora" bench $clock --part transformer --repeats 1 | head -1)"
echo "|---|---|"
row "a video of 17 frames, 256x256, default steps, from start to file" "$(videos) s"
row "a step of nano at 256x256" "$(bench "transformer step" --part transformer --size 256x256 --repeats 5 | awk '{ print $2 }') %"
for tokens in 1280 3120 7800; do
    set -- $(step auto $tokens) $(step int8 $tokens)
    shares="$shares${shares:+, }${2%.*}"
    times="$times${times:+, }$(awk -v a="$1" -v b="$3" 'BEGIN { printf "%.2f", a / b }')"
done
row "a step of Wan 2.1 1.3B's size at 1,280, 3,120 and 7,800 tokens" "$shares %"
row "the same with \`--precision int8\`" "$times times as fast"
row "Wan 2.1's autoencoder at 256x256, 17 frames" "decode $(half wan2.1-vae 17 decoder) %, encode $(half wan2.1-vae 17 encoder) %"
row "Wan 2.2's autoencoder at 256x256, 9 frames" "decode $(half wan2.2-ti2v-5b 9 decoder) %"
