#!/bin/sh
# sora serve as its clients meet it: the ten operations of the Videos API, errors, limits, keys.
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
command -v curl >/dev/null || { echo "SKIPPED: curl is not installed"; exit 77; }

# --- what cannot begin ---
expect 2 'without keys' "$sora" serve --host 0.0.0.0 --data "$work.data/none" --model "$work.model"
expect 2 'NAME=DIR' "$sora" serve --data "$work.data/none" --model =x
expect 3 'no model .nothing-there' "$sora" serve --data "$work.data/none" --model nothing-there
expect 2 'not an address' "$sora" serve --data "$work.data/none" --model "$work.model" --host 127.0.0.999
expect 2 '--store' "$sora" worker --data "$work.data/none"

start_server
grep -q 'without keys: for this machine alone' "$work.url" || fail "it does not say that there are no keys"
expect 2 'another sora serve uses this folder' "$sora" serve --data "$work.data/serve" -p 0 --model "$work.model"

# --- create, retrieve, list, content, delete ---
ask 200 "$url/v1/videos" -F prompt="a fox runs" -F seconds=4 -F size=64x48 -F model=sora-2
for key_of_video in id object model status progress created_at completed_at expires_at prompt size seconds remixed_from_video_id error; do
    has "\"$key_of_video\":"
done
has '"status":"queued"'
has '"seconds":"4"'
head_has '^x-request-id: req_'
video=$(id)
until_status "$video" completed failed
has '"status":"completed"'
has '"progress":100'
ask 200 "$url/v1/videos/$video/content" -H 'Accept: application/binary'
head_has '^content-type: video/mp4'
head_has '^accept-ranges: bytes'
cp "$work.body" video.mp4
expect 0 '' "$sora" verify video.mp4
printed 'valid'
size=$(wc -c <video.mp4)
ask 206 "$url/v1/videos/$video/content" -H 'Range: bytes=4-11'
head_has "^content-range: bytes 4-11/$size"
[ "$(head -c 4 "$work.body")" = ftyp ] || fail "bytes 4 to 7 of the video are not ftyp"
ask 206 "$url/v1/videos/$video/content" -H 'Range: bytes=-10'
[ "$(wc -c <"$work.body")" = 10 ] || fail "not the last 10 bytes"
ask 416 "$url/v1/videos/$video/content" -H "Range: bytes=$size-"
head_has "^content-range: bytes \*/$size"
etag=$(tr -d '\r' <"$work.head" | sed -n 's/^etag: //Ip')
ask 200 "$url/v1/videos/$video/content"
etag=$(tr -d '\r' <"$work.head" | sed -n 's/^etag: //Ip')
ask 304 "$url/v1/videos/$video/content" -H "If-None-Match: $etag"
ask 200 "$url/v1/videos/$video/content" -I
ask 200 "$url/v1/videos/$video/content?variant=thumbnail"
head_has '^content-type: image/webp'
cp "$work.body" thumbnail.webp
expect 0 '' "$sora" verify thumbnail.webp
ask 200 "$url/v1/videos/$video/content?variant=spritesheet"
head_has '^content-type: image/jpeg'
cp "$work.body" sheet.jpg
expect 0 '' "$sora" verify sheet.jpg
ask 400 "$url/v1/videos/$video/content?variant=other"
ask 200 "$url/v1/videos" -H 'content-type: application/json' -d '{"prompt": "a bear", "seconds": "1", "seed": 5}'
second=$(id)
until_status "$second" completed
ask 200 "$url/v1/videos?limit=1"
has "\"first_id\":\"$second\""
has '"has_more":true'
ask 200 "$url/v1/videos?limit=1&after=$second"
has "\"first_id\":\"$video\""
has '"has_more":false'
ask 200 "$url/v1/videos?order=asc&limit=1"
has "\"first_id\":\"$video\""
ask 400 "$url/v1/videos?limit=101"
ask 400 "$url/v1/videos?order=up"
ask 400 "$url/v1/videos?after=video_none"
ask 200 -X DELETE "$url/v1/videos/$second"
has '"object":"video.deleted","deleted":true'
ask 404 "$url/v1/videos/$second"
ask 404 -X DELETE "$url/v1/videos/$second"

# --- what is wrong is said ---
for wrong in '-F seconds=4' '-F prompt= -F seconds=4' '-F prompt=a -F seconds=x' '-F prompt=a -F seconds=0' '-F prompt=a -F size=12' \
    '-F prompt=a -F size=0x0' '-F prompt=a -F model=none' '-F prompt=a -F colour=red' '-F prompt=a -F seed=-1' '-F prompt=a -F steps=1.5' \
    '-F prompt=a -F seconds=1e9' '-F prompt=a -F input_reference[file_id]=file_1' '-F prompt=a -F input_reference[image_url]=data:nothing' \
    '-F prompt[x]=a' '-F prompt=a -F characters=x'; do
    ask 400 "$url/v1/videos" $wrong
    has '"error":\{"message":"([^"\\]|\\.)+","type":"invalid_request_error","param":("[^"]+"|null),"code":"[^"]+"\}'
done
for wrong in '{' '[]' '"x"' '{"prompt": 5}' '{"prompt": "a", "prompt": "b"}' '{"prompt": "a", "input_reference": {"image_url": 5}}'; do
    ask 400 "$url/v1/videos" -H 'content-type: application/json' -d "$wrong"
    has '"error":'
done
ask 400 "$url/v1/videos" -F prompt="$(head -c 33000 /dev/zero | tr '\0' a)"
has 'string_above_max_length'
ask 415 "$url/v1/videos" -H 'content-type: text/plain' -d 'x'
ask 404 "$url/v1/nothing"
ask 404 "$url/v1/videos/video_123"
ask 404 "$url/v1/videos/..%2f..%2fetc%2fpasswd/content"
ask 405 -X PUT "$url/v1/videos"
printf 'no picture' >bad.png
ask 400 "$url/v1/videos" -F prompt=a -F input_reference=@bad.png
has '"param":"input_reference","code":"invalid_file"'
lacks "$work"
ask 400 "$url/v1/videos" -F prompt=a -F "input_reference[image_url]=http://127.0.0.1:1/x.png"
has 'not a public one'
ask 400 "$url/v1/videos" -F prompt=a -F "input_reference[image_url]=file:///etc/passwd"

# --- the policy ---
ask 400 "$url/v1/videos" -F prompt="a naked woman"
has '"code":"moderation_blocked"'
ask 200 "$url/metrics"
has '^sora_moderation_refusals_total\{category="sexual",stage="prompt"\} 1'

# Words that are refused only together, and what may not be kept away.
ask 400 "$url/v1/videos" -H 'content-type: application/json' \
    -d '{"passages": [{"prompt": "a portrait of Taylor", "from": 0}, {"prompt": "Swift on a stage", "from": 2}], "seconds": 4}'
has '"param":"passages","code":"moderation_blocked"'
ask 400 "$url/v1/videos" -F prompt=a -F negative_prompt=clothes
has '"param":"negative_prompt","code":"moderation_blocked"'

# A video of harmless steps is judged by all words that led to it, also behind a step in between.
ask 200 "$url/v1/videos" -F prompt="a portrait of Taylor" -F seconds=1 -F size=64x48
first_step=$(id)
until_status "$first_step" completed failed
has '"policy":"1-[0-9a-f]{8}"'
ask 200 "$url/v1/videos/$first_step/remix" -H 'content-type: application/json' -d '{"prompt": "a hat"}'
second_step=$(id)
until_status "$second_step" completed failed
has '"status":"completed"'
ask 400 "$url/v1/videos/$first_step/remix" -H 'content-type: application/json' -d '{"prompt": "Swift on a stage"}'
has '"param":"prompt","code":"moderation_blocked"'
ask 400 "$url/v1/videos/extensions" -H 'content-type: application/json' \
    -d "{\"prompt\": \"Swift on a stage\", \"seconds\": \"1\", \"video\": {\"id\": \"$second_step\"}}"
has '"param":"prompt","code":"moderation_blocked"'
ask 200 "$url/v1/videos" -F prompt="Swift on a stage" -F seconds=1 -F size=64x48
ask 400 -X POST "$url/v1/videos/$first_step/publish" -H 'content-type: application/json' -d '{"title": "a naked woman"}'
has '"param":"title","code":"moderation_blocked"'

# A picture that was signed and then changed: a byte of its pixels, near the end.
"$sora" "a dog walks left" -m "$work.model" --steps 1 --frames 1 -o forged.jpg >/dev/null 2>&1 || fail "no signed picture was made"
size=$(wc -c <forged.jpg)
byte=$(od -An -tu1 -j $((size - 30)) -N1 forged.jpg | tr -d ' ')
printf "\\$(printf %o $((byte ^ 1)))" | dd of=forged.jpg bs=1 seek=$((size - 30)) conv=notrunc 2>/dev/null
ask 400 "$url/v1/videos" -F prompt=a -F input_reference=@forged.jpg
has '"param":"input_reference","code":"invalid_credentials"'
has "The file.s content credentials are invalid: [^\"]"

# --- a picture to begin with ---
cp thumbnail.webp reference.webp
ask 200 "$url/v1/videos" -F prompt="it goes on" -F seconds=1 -F size=64x48 -F input_reference=@reference.webp
until_status "$(id)" completed failed
has '"status":"completed"'
ask 200 "$url/v1/videos" -H 'content-type: application/json' \
    -d "{\"prompt\": \"so\", \"seconds\": 1, \"input_reference\": {\"image_url\": \"data:image/webp;base64,$(base64 -w0 reference.webp)\"}}"
until_status "$(id)" completed failed
has '"status":"completed"'

# --- once only ---
ask 200 "$url/v1/videos" -F prompt=once -F seconds=1 -H 'Idempotency-Key: k1'
first=$(id)
ask 200 "$url/v1/videos" -F seconds=1 -F prompt=once -H 'Idempotency-Key: k1'
[ "$(id)" = "$first" ] || fail "the same Idempotency-Key made another video"
ask 422 "$url/v1/videos" -F prompt=other -F seconds=1 -H 'Idempotency-Key: k1'

# --- one frame, models, what is there ---
ask 200 "$url/v1/images/generations" -H 'content-type: application/json' -d '{"prompt": "a house", "size": "64x48"}'
has '"b64_json":"iVBOR'
sed 's/.*"b64_json":"\([^"]*\)".*/\1/' "$work.body" | base64 -d >image.png
expect 0 '' "$sora" verify image.png
ask 200 "$url/v1/models"
has '"id":"sora-2"'
has '"id":"sora-2-pro"'
ask 200 "$url/v1/models/sora-2-2025-10-06"
ask 404 "$url/v1/models/gpt"
ask 200 "$url/healthz"
ask 200 "$url/readyz"
ask 200 "$url/openapi.json"
has '"/v1/videos/\{video_id\}/content":\{"get"'
ask 200 "$url/metrics"
has '^sora_request_success_total\{model="sora-2",finished_reason="completed"\} [1-9]'
has '^sora_requests_waiting 0'
ask 200 "$url/"
head_has "^content-security-policy: default-src 'none'"
ask 404 "$url/../etc/passwd" --path-as-is
ask 200 "$url/v1/verify" -F file=@video.mp4
has '"valid":true'

# --- pages of others ---
ask 403 "$url/v1/videos" -F prompt=a -H 'Origin: https://example.com'
ask 403 "$url/v1/videos" -H 'Host: example.com'

# --- publishing ---
ask 200 -X POST "$url/v1/videos/$video/publish" -H 'content-type: application/json' -d '{"title": "mine"}'
ask 200 "$url/v1/feed"
has "$video"
ask 200 -X POST "$url/v1/videos/$video/like"
ask 200 -X POST "$url/v1/videos/$video/report" -H 'content-type: application/json' -d '{"reason": "not nice"}'
report=$(id)
ask 200 "$url/v1/admin/reports"
has "$report"
ask 200 "$url/v1/admin/reports/$report" -H 'content-type: application/json' -d '{"decision": "removed"}'
ask 200 "$url/v1/feed"
lacks "$video"

# --- characters ---
ask 200 "$url/v1/videos/characters" -F name=Fox -F video=@video.mp4
ask 200 "$url/v1/videos/characters/$(id)"
has '"name":"Fox"'
fox=$(id)
ask 200 "$url/v1/videos" -F prompt="Fox runs" -F seconds=1 -F size=64x48 -F "characters[][id]=$fox"
character_video=$(id)
until_status "$character_video" completed failed
has '"status":"completed"'
ask 200 "$url/v1/videos/$character_video/content"
cp "$work.body" character.mp4
for wrong in '-F prompt=Fox -F characters[][id]=char_1:404' "-F prompt=bear -F characters[][id]=$fox:400" "-F prompt=Fox -F characters[]=$fox:400" \
    "-F prompt=Fox -F characters[][id]=$fox -F characters[][id]=$fox:400" "-F prompt=Fox -F characters[][id]=$fox -F input_reference=@reference.webp:400"; do
    ask "${wrong##*:}" "$url/v1/videos" ${wrong%:*}
done
ask 400 "$url/v1/videos/characters" -F name=Fox -F video=@bad.png
ask 400 "$url/v1/videos/characters" -F name="Taylor Swift" -F video=@video.mp4
has '"param":"name","code":"moderation_blocked"'

# --- videos of videos ---
for operation in loop recut extend; do
    ask 200 "$url/v1/videos/studio" -H 'content-type: application/json' \
        -d "{\"operation\": \"$operation\", \"videos\": [{\"id\": \"$video\"}], \"seconds\": 1, \"prompt\": \"so\"}"
    has "\"remixed_from_video_id\":\"$video\""
    until_status "$(id)" completed failed
    has '"status":"completed"'
    lacks "$work"
done
ask 200 "$url/v1/videos" -F prompt="a long one" -F seconds=9 -F size=64x48
until_status "$(id)" completed failed
has '"frames":108,"fps":12.0'
for wrong in '{"operation": "fly"}' '{"operation": "loop", "videos": [{"id": 5}]}' '{"operation": "loop", "strength": 2}'; do
    ask 400 "$url/v1/videos/studio" -H 'content-type: application/json' -d "$wrong"
done
ask 404 "$url/v1/videos/video_none/remix" -H 'content-type: application/json' -d '{"prompt": "a"}'
ask 400 "$url/v1/videos/extensions" -F "video[id]=$video" -F prompt=a
ask 400 "$url/v1/videos/extensions" -F "video[id]=$video" -F prompt=a -F seconds=119

# --- live: frames come until it is ended, and it hears what is said ---
ask 200 "$url/v1/live" -H 'content-type: application/json' -d '{"prompt": "a fox", "size": "64x48"}'
has '"object":"live"'
live=$(id)
curl -s -D "$work.head" -o frames "$url/v1/live/$live/frames" &
watcher=$!
frames_there() {
    grep -ac '^--sora-frame' frames 2>/dev/null
}
tries=0
until [ "$(frames_there)" -ge 20 ] 2>/dev/null || [ $tries = 1200 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
[ "$(frames_there)" -ge 20 ] || fail "few live frames came: $(frames_there)"
head_has '^content-type: multipart/x-mixed-replace; boundary=sora-frame'
grep -aq 'JFIF' frames || fail "live frames are no JPEG pictures"
ask 200 "$url/v1/live/$live" -H 'content-type: application/json' -d '{"prompt": "a bear"}'
ask 400 "$url/v1/live/$live" -H 'content-type: application/json' -d '{"prompt": "a naked woman"}'
has 'moderation_blocked'
ask 400 "$url/v1/live/$live" -H 'content-type: application/json' -d '{"words": "a bear"}'
ask 400 "$url/v1/live/$live/frames"
ask 429 "$url/v1/live" -H 'content-type: application/json' -d '{"prompt": "another"}'
ask 200 -X DELETE "$url/v1/live/$live"
wait $watcher || fail "the frames did not end well: $?"
tries=0
until [ "$(curl -s -o "$work.body" -w '%{http_code}' -X DELETE "$url/v1/live/$live")" = 404 ] || [ $tries = 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
ask 404 "$url/v1/live/$live/frames"
ask 400 "$url/v1/live" -H 'content-type: application/json' -d '{"prompt": "a", "seconds": 5}'
# one that nobody watches any more ends by itself, so that there is room for another
ask 200 "$url/v1/live" -H 'content-type: application/json' -d '{"prompt": "a fox", "size": "64x48"}'
tries=0
until [ "$(curl -s -o "$work.body" -w '%{http_code}' "$url/v1/live" -H 'content-type: application/json' -d '{"prompt": "b"}')" = 200 ] || [ $tries = 300 ]; do
    sleep 0.2
    tries=$((tries + 1))
done
has '"object":"live"'
ask 200 -X DELETE "$url/v1/live/$(id)"

# --- cancelling within a step, deleting what runs ---
ask 200 "$url/v1/videos" -F prompt=long -F seconds=4 -F steps=1000 -F size=256x256
long=$(id)
until_status "$long" in_progress
ask 200 -X POST "$url/v1/videos/$long/cancel"
until_status "$long" failed
has '"code":"cancelled"'
ask 200 "$url/v1/videos" -F prompt=long -F seconds=4 -F steps=1000 -F size=256x256
long=$(id)
until_status "$long" in_progress
ask 200 -X DELETE "$url/v1/videos/$long"
ask 404 "$url/v1/videos/$long"
ask 200 "$url/v1/videos" -F prompt=after -F seconds=1
until_status "$(id)" completed

# --- a crash hurts one job, and that is tried again ---
ask 200 "$url/v1/videos" -F prompt=crash -F seconds=4 -F steps=400 -F size=256x256
crash=$(id)
until_status "$crash" in_progress
kill -SEGV "$(pgrep -o -P $server_pid)"
until_status "$crash" in_progress queued
until_status "$crash" completed failed
has '"status":"completed"'
ask 200 "$url/metrics"
has '^sora_engine_crashes_total 1'

# --- keys ---
key_admin=$("$sora" keys create --data "$work.data/serve" --scopes "videos admin" --name boss 2>/dev/null)
sleep 0.3 # what was found counts for a quarter of a second
ask 401 "$url/v1/videos"
has '"type":"authentication_error"'
ask 200 "$url/v1/videos" -H "Authorization: Bearer $key_admin"
lacks "$video"
ask 200 "$url/v1/admin/keys" -H "Authorization: Bearer $key_admin" -H 'content-type: application/json' -d '{"name": "guest", "plan": "free"}'
key=$(member key)
key_id=$(id)
ask 403 "$url/v1/admin/keys" -H "Authorization: Bearer $key"
ask 200 "$url/v1/videos" -H "Authorization: Bearer $key"
head_has '^x-ratelimit-limit-requests: 120'
head_has '^x-ratelimit-remaining-requests: 1[01]'
ask 404 "$url/v1/videos/$video" -H "Authorization: Bearer $key"
ask 403 "$url/v1/videos" -H "Authorization: Bearer $key" -F prompt=a -F seconds=5
has 'plan_limit'
ask 200 "$url/v1/videos" -H "Authorization: Bearer $key" -F prompt=a -F seconds=4 -F steps=1000 -F size=256x256
running=$(id)
until_status "$running" in_progress
ask 200 "$url/v1/videos" -H "Authorization: Bearer $key" -F prompt=a -F seconds=1
ask 429 "$url/v1/videos" -H "Authorization: Bearer $key" -F prompt=a -F seconds=1
has 'too_many_jobs'
ask 400 "$url/v1/videos" -H "Authorization: Bearer $key" -F prompt="a naked woman" -F seconds=1
ask 200 "$url/v1/key" -H "Authorization: Bearer $key"
has '"videos":2'
expect 0 '' "$sora" keys revoke --data "$work.data/serve" "$key_id"
sleep 1
ask 401 "$url/v1/videos/$running" -H "Authorization: Bearer $key"
ask 200 "$url/metrics"
has '^sora_requests_running 0'
has '^sora_requests_waiting 0'
expect 3 'no key' "$sora" keys revoke --data "$work.data/serve" "$key_id"
expect 0 '' "$sora" keys list --data "$work.data/serve"
printed 'guest  \(revoked\)'
expect 0 '' "$sora" keys show --data "$work.data/serve" "$key_id"
printed '0 videos, 0 credits' # neither was finished; what the policy refused was never counted
ask 200 "$url/v1/admin/audit" -H "Authorization: Bearer $key_admin"
has '"action":"key.revoked"'

# --- a stop finishes what runs ---
key=$key_admin
ask 200 "$url/v1/videos" -H "Authorization: Bearer $key" -F prompt=last -F seconds=1
last=$(id)
until_status "$last" in_progress completed
stop_server
[ "$stopped" = 0 ] || fail "stopped with $stopped"
start_server
until_status "$last" completed queued in_progress
has '"status":"completed"'
stop_server
finish
