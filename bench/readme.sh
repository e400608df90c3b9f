#!/bin/sh
# The rows of speed of README's table, for this machine: medians of five videos and of `sora bench`. Leave the machine alone
# meanwhile. SORA_CPU=avx2 shows what a processor without AVX-512 would do. bench/readme.sh [BUILD]
root=$(cd "$(dirname "$0")/.." && pwd)
sora=${1:-$root/build}/sora
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-readme-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

echo "| | $("$sora" bench --part transformer --repeats 1 | head -1) |"
echo "|---|---|"
for i in 1 2 3 4 5; do
    "$sora" generate -m "$root/models/nano" "a rocket flies up past a ringed planet in space" --no-credentials --no-trace \
        -o a.mp4 | sed -n 's/.*made in \([0-9.]*\) s.*/\1/p'
    rm -f a.mp4
done | sort -n | sed -n '3s/.*/| a video of 17 frames, 128x128, default steps | & s |/p'
# row NAME ROW ARGUMENTS...: seconds and per cent of oneDNN's rate of one row of `sora bench`.
row() {
    name=$1 pattern=$2
    shift 2
    "$sora" bench "$@" | awk -v name="$name" -v row="$pattern" \
        'index($0, row) == 1 { printf "| %s | %s s, %s %% |\n", name, $(NF - 3), $NF; exit }'
}
row "one transformer step of it, without guidance" "transformer step  " --part transformer --repeats 5
row "decoding it" "autoencoder decode  " --part decoder --repeats 5
for tokens in 1280 3120 7800; do
    row "a step of Wan 2.1 1.3B's size, three layers, $tokens tokens" "transformer step  " --config wan2.1-t2v-1.3b --layers 3 \
        --part transformer --tokens $tokens
done
row "Wan 2.1's autoencoder at 256x256, 17 frames: decode" "autoencoder decode  " --config wan2.1-vae --part decoder --repeats 1
row "the same: encode" "autoencoder encode  " --config wan2.1-vae --part encoder --repeats 1
