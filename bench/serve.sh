#!/bin/sh
# bench/serve.sh [BUILD [JOBS]]: what sora serve bears. Prints the rows of the table in docs/server.md. Needs wrk; everything runs on this
# machine, clients too.
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}
jobs=${2:-10000}
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-serve-bench-XXXXXX")
export SORA_CREDENTIALS=$work/credentials SORA_TRACE_INDEX=
pid=
trap '[ -z "$pid" ] || kill -KILL $pid; rm -rf "$work"' EXIT

start() {
    "$@" >"$work/url" 2>"$work/log" &
    pid=$!
    until grep -q http "$work/url"; do
        kill -0 $pid || { cat "$work/log"; exit 1; }
        sleep 0.1
    done
    url=$(sed -n 's/^sora serve: \(http[^ ]*\).*/\1/p' "$work/url")
}
stop() {
    kill $pid
    wait $pid
    pid=
}
memory() { awk '/^VmRSS/ { printf "%.1f MB", $2 / 1000 }' "/proc/$pid/status"; }
peak() { awk '/^VmHWM/ { printf "%.1f MB", $2 / 1000 }' "/proc/$pid/status"; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) / hz }' "/proc/$pid/stat"; }
new_id() { sed -n 's/^{"id":"\([^"]*\)".*/\1/p'; }
wait_for() {
    until curl -s "$url/v1/videos/$1" | grep -q '"status":"\(completed\|failed\)"'; do sleep 0.05; done
}
took() { curl -s "$url/v1/videos/$1" | sed -n 's/.*"took":\([0-9.]*\).*/\1/p'; }

echo "-- 1,000 clients ask once a second each for a video that nano makes"
start "$build/sora" serve --data "$work/real" -p 0 --log errors
one=$(curl -s "$url/v1/videos" -F prompt="a rocket flies up" -F seconds=2.7 -F size=256x256 -F steps=1000 | new_id)
until curl -s "$url/v1/videos/$one" | grep -q in_progress; do sleep 0.1; done
before=$(cpu)
"$build/tests/serve_load" poll "$url/v1/videos/$one" 1000 10
echo "$(cpu) $before" | awk -v cores="$(nproc)" '{ printf "the server took %.2f s of processor: %.1f %% of %d cores in 10 s\n", $1 - $2, ($1 - $2) / cores * 10, cores }'
curl -s -X DELETE "$url/v1/videos/$one" >/dev/null
stop

start "$build/tests/serve_stub" "$work/stub" 2
"$build/tests/serve_load" create "$url/v1/videos" 4 200 >/dev/null
sleep 5
one=$(curl -s "$url/v1/videos?limit=1" | grep -o '"id":"video_[0-9a-f]*"' | head -1 | cut -d'"' -f4)
echo "-- from create to in_progress, one at a time"
curl -s "$url/metrics" | grep -E '^sora_request_queue_time_seconds_(bucket\{le="0.05"|count)' >"$work/before"
for n in $(seq 100); do wait_for "$(curl -s "$url/v1/videos" -F prompt=a -F seconds=1 | new_id)"; done
curl -s "$url/metrics" | grep -E '^sora_request_queue_time_seconds_(bucket\{le="0.05"|count)' | paste "$work/before" - |
    awk '{ print $1, $4 - $2 }'
echo "-- status requests a second: the video, /healthz (no database), and nginx' own page if it is there"
wrk -t1 -c32 -d5 "$url/v1/videos/$one" | grep Requests/sec
wrk -t1 -c32 -d5 "$url/healthz" | grep Requests/sec
echo "-- 1,000 uploads of 1 MB at once"
stop
start "$build/tests/serve_stub" "$work/stub" 2
head -c 100000 /dev/urandom >"$work/noise"
ffmpeg -v error -f rawvideo -pixel_format rgb24 -video_size 620x560 -i /dev/urandom -frames:v 1 "$work/noise.png"
ls -l "$work/noise.png" | awk '{ print "the file has", $5, "bytes; memory before:" }'
memory; echo
"$build/tests/serve_load" upload "$url/v1/videos" 1000 "$work/noise.png"
echo "at most: $(peak)"
stop

start "$build/tests/serve_stub" "$work/stub2" 2
echo "-- $jobs jobs by an engine that makes nothing"
"$build/tests/serve_load" create "$url/v1/videos" 4 200 >/dev/null
sleep 10
echo "memory after 200: $(memory)"
"$build/tests/serve_load" create "$url/v1/videos" 4 "$jobs"
began=$(date +%s)
until curl -s "$url/metrics" | grep -q '^sora_requests_waiting 0'; do sleep 0.5; done
echo "the rest took $(($(date +%s) - began)) s"
sleep 6
echo "memory after all: $(memory); scratch folders: $(find "$work/stub" -maxdepth 2 -name '.sora-*' | wc -l) (1 is the server's own)"
curl -s "$url/metrics" | grep -E '^sora_request_queue_time_seconds_(bucket\{le="(0.005|0.01|0.05|0.25)"\}|count)|finished_reason="completed"'
echo "files: $(find "$work/stub2/files" -type f | wc -l), of which three are each job's"
stop
