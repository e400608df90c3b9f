#!/bin/sh
# sora serve killed again and again, at whatever it is doing: no job is lost, none is done twice, no file is half or left behind.
# Ten kills; as many as SORA_KILLS says: bench/serve_kill.sh has a thousand.
files_tool=$(realpath "$7")
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
command -v curl >/dev/null || { echo "SKIPPED: curl is not installed"; exit 77; }
kills=${SORA_KILLS:-10}
engines=2 # of each job's three tries, so many may be lost to kills of its process
jobs=0
killed=0

# pause N: of a spread of lengths that hits every step of a job: the claim, the making, the storing, the last write.
pause() {
    sleep "0.$(printf %03d $((($1 * 137 + 11) % 700)))"
}

start_server --log errors
while [ $killed -lt "$kills" ]; do
    for n in 1 2; do
        # Who is not answered asks again with the same token, and has one video in the end.
        token=job-$killed-$n
        curl -s "$url/v1/videos" -F prompt="job $token" -F seconds=1 -F size=64x48 -H "Idempotency-Key: $token" >/dev/null &
    done
    pause $killed
    if [ $((killed % 5)) = 4 ] && [ $engines -gt 0 ]; then
        pkill -KILL -P $server_pid
        engines=$((engines - 1))
        pause $((killed + 3))
    fi
    kill -KILL $server_pid
    wait
    killed=$((killed + 1))
    start_server --log errors
    for n in 1 2; do
        token=job-$((killed - 1))-$n
        ask 200 "$url/v1/videos" -F prompt="job $token" -F seconds=1 -F size=64x48 -H "Idempotency-Key: $token"
        echo "$(id)" >>ids
        jobs=$((jobs + 1))
    done
done
while read -r one; do
    until_status "$one" completed failed
    has '"status":"completed"'
done <ids
[ "$(sort -u ids | wc -l)" = $jobs ] || fail "two tokens have the same video"
count_listed
[ $seen = $jobs ] || fail "$jobs jobs were asked for, there are $seen"
checked=0
while read -r one; do
    [ $checked -lt 40 ] || break
    checked=$((checked + 1))
    ask 200 "$url/v1/videos/$one/content"
    cp "$work.body" one.mp4
    expect 0 '' "$sora" verify one.mp4
done <ids
stop_server
checks=$((checks + 1))
"$files_tool" "$work.data/serve" || fail "files and database differ"
[ "$(find "$work.data/serve" -maxdepth 1 -name '.sora-*' | wc -l)" = 0 ] || fail "scratch folders are left"
echo "$killed kills, $jobs jobs"
finish
