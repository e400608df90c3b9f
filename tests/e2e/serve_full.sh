#!/bin/sh
# sora serve when its disk is full: what cannot be kept is refused with a reason, what was taken is made in the end, and the server
# goes on answering. The disk is a small one in memory, in a name space of this test's own; skipped where that is not permitted.
if [ -z "$SORA_TEST_SPACE" ]; then
    unshare -rm sh -c 'mount -t tmpfs -o size=1m none /mnt' 2>/dev/null || { echo "SKIPPED: no file system may be mounted here"; exit 77; }
    SORA_TEST_SPACE=1 exec unshare -rm "$0" "$@"
fi
files_tool=$(realpath "$7")
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
command -v curl >/dev/null || { echo "SKIPPED: curl is not installed"; exit 77; }
disk=$work.data/serve
mkdir -p "$disk"
mount -t tmpfs -o size=6m none "$disk" || exit 1
trap 'stop_server -KILL; umount -l "$disk"; rm -rf "$work" "$work".*' EXIT

fill() {
    cat /dev/zero >"$disk/filler" 2>/dev/null
}
start_server
first_pid=$server_pid
ask 200 "$url/v1/videos" -F prompt="a fox" -F seconds=1 -F size=64x48
video=$(id)
until_status "$video" completed failed
has '"status":"completed"'
ask 200 "$url/v1/videos/$video/content?variant=thumbnail"
cp "$work.body" reference.webp
head -c 200000 /dev/urandom | od -An -tx1 | tr -d ' \n' >noise

# --- full while a video is made ---
ask 200 "$url/v1/videos" -F prompt="at hand" -F seconds=4 -F steps=400 -F size=256x256
at_hand=$(id)
until_status "$at_hand" in_progress
fill

# --- full: what needs room is refused, all else is answered ---
refused=0
: >ids
for n in 1 2 3 4 5 6 7 8; do
    got=$(curl -s -o "$work.body" -w '%{http_code}' "$url/v1/videos" -F prompt="job $n" -F seconds=1 -F size=64x48)
    case $got in
    200) echo "$(id)" >>ids ;;
    503)
        refused=$((refused + 1))
        has '"code":"storage_unavailable"'
        ;;
    *) fail "status $got of a full disk: $(head -c 300 "$work.body")" ;;
    esac
done
[ $refused -gt 0 ] || fail "a full disk refused nothing"
ask 503 "$url/v1/videos" -F prompt="so" -F seconds=1 -F input_reference=@noise
has 'disk is full|storage_unavailable|cannot store'
ask 503 "$url/v1/videos" -F prompt="so" -F seconds=1 -F input_reference=@reference.webp
ask 200 "$url/healthz"
ask 200 "$url/readyz"
ask 200 "$url/metrics"
ask 200 "$url/v1/videos"
ask 200 "$url/v1/videos/$video"
ask 200 "$url/v1/videos/$video/content"
cp "$work.body" video.mp4
expect 0 '' "$sora" verify video.mp4
sleep 8 # what was at hand meets the full disk, and so does a sweep
ask 200 "$url/v1/videos/$at_hand"
has '"status":"(in_progress|failed|queued)"'
grep -q 'full\|No space left' "$work.log" || fail "the log does not say that the disk is full: $(tail -2 "$work.log")"

# --- room again ---
rm "$disk/filler"
until_status "$at_hand" completed failed
has '"status":"completed"|"code":"storage_error"'
echo "what was at hand is $status"
[ "$status" = failed ] || { ask 200 "$url/v1/videos/$at_hand/content"; cp "$work.body" video.mp4; expect 0 '' "$sora" verify video.mp4; }
ask 200 "$url/v1/videos" -F prompt="after" -F seconds=1 -F size=64x48
echo "$(id)" >>ids
while read -r one; do
    until_status "$one" completed failed
    has '"status":"completed"'
done <ids
ask 200 "$url/v1/videos" -F prompt="so" -F seconds=1 -F input_reference=@reference.webp
until_status "$(id)" completed failed
has '"status":"completed"'
[ "$server_pid" = "$first_pid" ] && kill -0 "$first_pid" || fail "the server has ended"

# --- a server that begins on a full disk says so, and loses nothing ---
stop_server
fill
"$sora" serve --data "$disk" -p 0 --model "$work.model" >"$work.out" 2>"$work.err"
code=$?
checks=$((checks + 1))
[ $code = 4 ] && grep -q 'No space left\|full' "$work.err" || fail "on a full disk it begins, or says: $code, $(cat "$work.err")"
rm "$disk/filler"
start_server
ask 200 "$url/v1/videos/$video/content"
stop_server
"$files_tool" "$disk" || fail "files and database differ"
finish
