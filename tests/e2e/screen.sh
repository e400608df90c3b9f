#!/bin/sh
# What pictures and videos are judged by: sora check, and the server's uploads and results. Nothing explicit is needed: thresholds
# of 0 refuse everything.
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
face=$source_dir/tests/data/face.jpg
echo "set faces allow" >faces.txt
printf 'set faces allow\nset uploads 0\n' >none.txt
printf 'set faces allow\nset credentials allow\n' >forged.txt
printf 'set faces allow\nset generated 0\n' >unmade.txt
"$sora" "a dog walks left" -m "$work.model" --steps 1 --frames 17 -o made.mp4 >/dev/null 2>&1 || fail "no video was made"

# --- sora check ---
expect 0 "" "$sora" check made.mp4 --policy faces.txt --explain
printed '^allowed$'
printed 'content credentials: made by AI by sora.c; signed by sora.c signer .*, whom no anchor vouches for'
printed '[23] frames, the worst at [0-9.]+ s: drawing [01]\.[0-9]{3}, hentai .*; explicit [0-9.]+ of 0.500'
printed 'faces: not looked for'
expect 0 "" "$sora" check "$face" --policy faces.txt --json
printed '"neutral": [0-9.e-]+'
printed '"credentials": null'
expect 1 "" "$sora" check "$face" --policy none.txt
printed '^refused \(explicit\): The upload looks sexually explicit; it is not taken.$'
expect 1 "" "$sora" check made.mp4 --policy none.txt --json
printed '"category": "explicit"'
cp made.mp4 forged.mp4
size=$(wc -c <forged.mp4)
byte=$(od -An -tu1 -j $((size - 30)) -N1 forged.mp4 | tr -d ' ')
printf "\\$(printf %o $((byte ^ 1)))" | dd of=forged.mp4 bs=1 seek=$((size - 30)) conv=notrunc 2>/dev/null
expect 1 "" "$sora" check forged.mp4
printed "^refused \(credentials\): The file's content credentials are invalid: ."
expect 0 "" "$sora" check forged.mp4 --policy forged.txt --explain
printed 'content credentials: invalid content credentials: .'
printf '\211PNG\r\n\032\nnothing' >broken.png
expect 2 'broken.png' "$sora" check broken.png --policy faces.txt
printf 'a\000b' >bytes.bin
expect 2 'bytes.bin' "$sora" check bytes.bin --policy faces.txt
printf 'set faces perhaps\n' >wrong.txt
expect 2 'wrong.txt:1: allow or refuse is expected, not "perhaps"' "$sora" check "$face" --policy wrong.txt
printf 'set weather allow\n' >wrong.txt
expect 2 'wrong.txt:1: "weather" cannot be set' "$sora" check "$face" --policy wrong.txt

# --- faces: without the program nothing is allowed unseen ---
mkdir empty
expect 6 'uploads with people cannot be checked: the program facedetect is not installed' env PATH="$PWD/empty" "$sora" check "$face"
if command -v facedetect >/dev/null; then
    expect 1 "" "$sora" check "$face" --explain
    printed '^refused \(faces\): The upload seems to show the face of a person'
    printed 'faces: 1'
    expect 0 "" "$sora" check made.mp4 --explain
    printed 'faces: 0'
    printf '#!/bin/sh\nexit 3\n' >empty/facedetect
    chmod +x empty/facedetect
    expect 4 'uploads with people cannot be checked: facedetect failed' env PATH="$PWD/empty:$PATH" "$sora" check "$face"
    rm empty/facedetect
else
    echo "facedetect is not installed: faces were not looked for"
fi

# --- the server ---
command -v curl >/dev/null || {
    echo "without curl: the server was not asked"
    finish
    exit
}
stop_all() {
    stop_server
    rm -rf "$work.data/serve"
}
cp none.txt "$work.policy"
start_server
ask 400 "$url/v1/videos" -F prompt=a -F input_reference=@"$face"
has 'The upload looks sexually explicit'
has '"param":"input_reference","code":"moderation_blocked"'
stop_all
cp unmade.txt "$work.policy"
start_server
ask 200 "$url/v1/videos" -F prompt="a fox runs" -F seconds=1 -F size=64x48 -F input_reference=@"$face"
refused=$(id)
until_status "$refused" completed failed
has '"status":"failed"'
has '"code":"moderation_blocked","message":"What was made looks sexually explicit'
has '"preview":false'
ask 404 "$url/v1/videos/$refused/content"
stop_all
cp faces.txt "$work.policy"
start_server
"$sora" "a dog walks left" -m "$work.model" --steps 1 --frames 1 -o made.png >/dev/null 2>&1 || fail "no picture was made"
ask 200 "$url/v1/videos" -F prompt="a fox runs" -F seconds=1 -F size=64x48 -F input_reference=@made.png
until_status "$(id)" completed failed
has '"status":"completed"'
key_admin=$("$sora" keys create --data "$work.data/serve" --scopes "videos admin" --name boss 2>/dev/null)
sleep 0.3
ask 200 "$url/v1/admin/audit" -H "Authorization: Bearer $key_admin"
has '"action":"uploaded"'
has 'made by AI by sora.c; signed by sora.c signer'
stop_all
finish
