#!/bin/sh
# The store and sora serve with their files in a bucket of S3: made, read by ranges, deleted; and while S3 is away, jobs wait and
# nothing is lost.
test_store=$(realpath "$8")
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
command -v curl >/dev/null || { echo "SKIPPED: curl is not installed"; exit 77; }
. "$source_dir/tests/e2e/s3_lib.sh"

checks=$((checks + 1))
SORA_TEST_FILES=s3://sora/unit "$test_store" >"$work.out" 2>&1 || fail "the store's test on S3: $(grep -m3 'ERROR\|FAILED' "$work.out")"

# --- what cannot begin ---
wrong() {
    expect "$1" "$2" "$sora" serve --data "$work.data/none" -p 0 --model "$work.model" --files "$3"
}
wrong 4 's3://nothing-there: s3: PUT .*404, NoSuchBucket' s3://nothing-there
wrong 2 's3://BUCKET/PREFIX is expected' 's3://so ra'
wrong 2 's3://BUCKET/PREFIX is expected' 's3://sora/a/../b'
(AWS_SECRET_ACCESS_KEY= wrong 2 'AWS_SECRET_ACCESS_KEY are not set' s3://sora
    AWS_ENDPOINT_URL=127.0.0.1 wrong 2 'does not begin with https' s3://sora
    [ $s3_server != radosgw ] || AWS_SECRET_ACCESS_KEY=x wrong 4 'SignatureDoesNotMatch' s3://sora
    [ $failures = 0 ]) || failures=$((failures + 1))

start_server --files s3://sora/videos
objects() {
    s3 "$AWS_ENDPOINT_URL/sora?list-type=2&prefix=videos%2F" | grep -o '<Key>[^<]*' | grep -vc was-here
}
ask 200 "$url/v1/videos" -F prompt="a fox" -F seconds=1 -F size=64x48
video=$(id)
until_status "$video" completed failed
has '"status":"completed"'
ask 200 "$url/v1/videos/$video/content"
head_has '^content-type: video/mp4'
cp "$work.body" video.mp4
expect 0 '' "$sora" verify video.mp4
size=$(wc -c <video.mp4)
ask 206 "$url/v1/videos/$video/content" -H 'Range: bytes=4-11'
head_has "^content-range: bytes 4-11/$size"
[ "$(wc -c <"$work.body")" = 8 ] && [ "$(head -c 4 "$work.body")" = ftyp ] || fail "bytes 4 to 11 of the video are others"
ask 206 "$url/v1/videos/$video/content" -H 'Range: bytes=-10'
tail -c 10 video.mp4 | cmp -s - "$work.body" || fail "not the last 10 bytes"
ask 416 "$url/v1/videos/$video/content" -H "Range: bytes=$size-"
ask 200 "$url/v1/videos/$video/content" -I
head_has "^content-length: $size"
ask 200 "$url/v1/videos/$video/content?variant=thumbnail"
cp "$work.body" reference.webp
ask 200 "$url/v1/videos" -F prompt="so" -F seconds=1 -F size=64x48 -F input_reference=@reference.webp
until_status "$(id)" completed failed
has '"status":"completed"'
ask 200 "$url/v1/videos/$video/remix" -H 'content-type: application/json' -d '{"prompt": "a bear"}'
until_status "$(id)" completed failed
has '"status":"completed"'
remix=$(id)
ask 200 "$url/v1/images/generations" -H 'content-type: application/json' -d '{"prompt": "a house", "size": "64x48"}'
has '"b64_json":"iVBOR'

# --- away when a video is made: its job waits, and is finished when it is back ---
stop_gateway
ask 503 "$url/v1/videos/$video/content"
has '"code":"storage_unavailable"'
ask 503 "$url/v1/videos" -F prompt="so" -F seconds=1 -F input_reference=@reference.webp
has '"code":"storage_unavailable"'
ask 200 "$url/readyz"
ask 200 "$url/v1/videos" -F prompt="wait" -F seconds=4 -F steps=30 -F size=128x128
waiting=$(id)
until_status "$waiting" in_progress
tries=0
until grep -q "\"waits\": *\"to store what was made\"" "$work.log" || [ $tries = 1200 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
checks=$((checks + 1))
grep -q '"waits": *"to store what was made"' "$work.log" || fail "the log does not say that a job waits: $(tail -2 "$work.log")"
ask 200 "$url/v1/videos/$waiting"
has '"status":"in_progress"'
start_gateway || fail "$s3_server does not start again"
until_status "$waiting" completed failed
has '"status":"completed"'
ask 200 "$url/v1/videos/$waiting/content"

# --- a job that waits can be cancelled ---
ask 200 "$url/v1/videos" -F prompt="wait" -F seconds=1 -F size=64x48
stop_gateway
cancelled=$(id)
ask 200 -X POST "$url/v1/videos/$cancelled/cancel"
until_status "$cancelled" failed completed
start_gateway || fail "$s3_server does not start again"

# --- what is deleted goes from the bucket ---
for one in $(curl -s "$url/v1/videos?limit=100" | grep -o '"id":"video_[0-9a-f]*"' | cut -d'"' -f4); do
    ask 200 -X DELETE "$url/v1/videos/$one"
done
tries=0
until [ "$(objects)" = 0 ] || [ $tries = 300 ]; do
    sleep 0.2
    tries=$((tries + 1))
done
checks=$((checks + 1))
left=$(objects)
[ "$left" -le 6 ] || fail "$left objects are left" # a result whose storing was broken off is due in an hour
stop_server
echo "on $s3_server"
finish
