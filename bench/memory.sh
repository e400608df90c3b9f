#!/bin/sh
# bench/memory.sh [LIMIT] [SIZE] [FRAMES] [TYPE...]: does `sora generate --memory LIMIT` keep its promise with a model of
# 14 billion parameters and UMT5-XXL, one step of it? The files are as long as the published ones and hold zeros (a hole:
# they take no space on disk). Exit code 0: yes, for all types. Needs wan_keys.tsv beside the fixtures ($SORA_FIXTURES)
# and GNU time. `ulimit -v` cannot be used: it counts the 40 GB of address space that the mapped files take.
#
# Counted is the largest resident set (VmHWM): own memory and mapped pages of files. Where the system lets us make a
# cgroup with the memory controller, the kernel enforces the limit as well. MODEL=Wan2.1-T2V-1.3B is a tenth of the work.
limit=${1:-6G} size=${2:-832x480} frames=${3:-17}
[ $# -gt 3 ] && shift 3 && types="$*" || types="bf16 q4_k"
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/sora-memory-XXXXXX")
group=/sys/fs/cgroup/sora-memory-$$
# The kernel lets a group go a moment after its last process.
clean() {
    rm -rf "$dir"
    for _ in 1 2 3 4 5; do
        [ ! -d "$group" ] || rmdir "$group" 2>/dev/null || sleep 1
    done
}
trap clean EXIT
case $limit in
*G) kb=$((${limit%G} * 1000000000 / 1024)) ;;
*M) kb=$((${limit%M} * 1000000 / 1024)) ;;
*) echo "bench/memory.sh: a limit such as 6G or 800M" >&2 && exit 2 ;;
esac

enforced=no
if grep -qs memory /sys/fs/cgroup/cgroup.subtree_control && mkdir "$group" 2>/dev/null; then
    echo $((kb * 1024)) >"$group/memory.max" && enforced=yes
    echo 0 >"$group/memory.swap.max" 2>/dev/null
elif group=/sys/fs/cgroup/memory/sora-memory-$$ && mkdir "$group" 2>/dev/null; then
    echo $((kb * 1024)) >"$group/memory.limit_in_bytes" && enforced=yes
fi

one_step() {
    [ $enforced = yes ] && echo $$ >"$group/cgroup.procs"
    exec /usr/bin/time -o "$dir/peak" -f '%M %e' "$root/build/sora" generate -p "a dog walks left" -m "$dir/model" \
        --memory "$limit" --size "$size" --frames "$frames" --steps 1 --guidance 1 --no-credentials --no-trace \
        -o "$dir/out.mp4"
}

bad=0
printf 'limit %s (%d kB), %s, %s frames, 1 step; enforced by a cgroup: %s\n' "$limit" "$kb" "$size" "$frames" $enforced
for type in $types; do
    rm -rf "$dir/model" && mkdir "$dir/model"
    "$root/build/tests/sparse_model" "$dir/model" "${MODEL:-Wan2.1-T2V-14B}" "$type" >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
    cp "$root/models/nano/tokenizer.model" "$dir/model"
    gb=$(du --apparent-size -sk "$dir/model" | awk '{printf "%.1f", $1 / 1e6}')
    (one_step) >"$dir/log" 2>&1
    code=$?
    read -r peak seconds <<EOF
$(tail -n 1 "$dir/peak")
EOF
    verdict=kept
    [ "$peak" -le "$kb" ] || verdict=broken bad=1
    [ $code = 0 ] || bad=1
    printf '%s: %s GB of files, peak %d kB (%d %% of the limit), %s s, promise %s, exit code %d\n' "$type" "$gb" "$peak" \
        $((peak * 100 / kb)) "$seconds" $verdict $code
    [ $code = 0 ] || tail -n 1 "$dir/log"
done
exit $bad
