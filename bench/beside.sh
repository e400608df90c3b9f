#!/bin/sh
# bench/beside.sh [JOBS [ROUNDS [BUILD]]]: what nano's default video costs beside JOBS (4) programs that keep a processor busy
# each, with all threads and with one, by turns; medians of ROUNDS (5) and their ratio. Threads that waited busily for each other
# would make the first many times the second.
root=$(cd "$(dirname "$0")/.." && pwd)
jobs=${1:-4} rounds=${2:-5} sora=${3:-$root/build}/sora
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-beside-XXXXXX")
busy=
trap 'kill $busy; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
for i in $(seq "$jobs"); do
    sh -c 'while :; do :; done' &
    busy="$busy $!"
done
# video NAME ARGUMENTS...: a video; its seconds to the file NAME.
video() {
    name=$1
    shift
    "$sora" generate -m "$root/models/nano" "a rocket flies up past a ringed planet in space" --no-credentials --no-trace \
        -o "$work/a.mp4" "$@" | sed -n 's/.*made in \([0-9.]*\) s.*/\1/p' >> "$work/$name"
    rm -f "$work/a.mp4"
}
for i in $(seq "$rounds"); do
    video all
    video one --threads 1
done
all=$(sort -n "$work/all" | sed -n "$(((rounds + 1) / 2))p") one=$(sort -n "$work/one" | sed -n "$(((rounds + 1) / 2))p")
echo "beside $jobs busy jobs on $(nproc) processors: all threads $all s, one thread $one s, ratio $(awk -v a="$all" -v b="$one" \
    'BEGIN { printf "%.2f", a / b }')"
