#!/bin/sh
# What decoding a video into an MP4 costs in time and memory, for Wan 2.1's and 2.2's decoder at real sizes with random
# weights. Frames go to the file as they are complete.
# With a limit in bytes as first argument and a memory cgroup that may be made, the kernel enforces it.
#
#     bench/decode.sh [LIMIT [SIZE FRAMES ...]]
set -eu
cd "$(dirname "$0")/.."
limit=${1:-0}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- 256x256 17 832x480 81 1280x720 81
folder=$(mktemp -d "${TMPDIR:-/var/tmp}/sora-decode-XXXXXX")
trap 'rm -rf "$folder"' EXIT
group=/sys/fs/cgroup/memory/sora-decode
if [ "$limit" != 0 ] && mkdir "$group" 2>/dev/null; then
    trap 'rm -rf "$folder"; rmdir "$group"' EXIT
    echo "$limit" > "$group/memory.limit_in_bytes"
    [ ! -e "$group/memory.memsw.limit_in_bytes" ] || echo "$limit" > "$group/memory.memsw.limit_in_bytes"
    echo "limit enforced: $(cat "$group/memory.limit_in_bytes") bytes"
    run() { sh -c 'echo $$ > "$0/cgroup.procs"; exec build/tests/decode "$@"' "$group" "$@"; }
else
    run() { build/tests/decode "$@"; }
fi
while [ $# -gt 1 ]; do
    run "$1" "$2" wan2.1 0 "$folder/video.mp4"
    shift 2
done
