#!/bin/sh
# generate keeps a fingerprint and trace finds it; what happens when the index cannot be written or read; the visible
# watermark.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
export SORA_MODEL
fast="--steps 2 --frames 9"
index=$XDG_DATA_HOME/sora/trace.sqlite

# Without an index nothing is from here; one that was named must be there.
expect 0 "" "$sora" "a dog" $fast --no-trace -o a.mp4
[ ! -e "$index" ] || fail "--no-trace made an index"
expect 1 "" "$sora" trace a.mp4
printed '^a.mp4: not from here: the index is empty$'
expect 3 'no index there' "$sora" trace --index missing.sqlite a.mp4

expect 0 "" "$sora" "a dog" $fast --seed 1 -o b.mp4 --json
id=$(sed -n 's/.*"id": *"\([0-9a-f-]*\)".*/\1/p' "$work.out")
expect 0 "" "$sora" "a dog" $fast --seed 2 -o c.webm
expect 0 "" "$sora" "a dog" --steps 2 --frames 1 --seed 3 -o d.png
[ "$(stat -c %a "$index")" = 600 ] || fail "others may read the index"
grep -q "a dog" "$index" && fail "the prompt is in the index"
cp b.mp4 renamed
expect 0 "" "$sora" trace renamed c.webm d.png
printed "^renamed: generation $id of 20[0-9-]*T[0-9:]*Z, model .*, file b.mp4, score (1|0.9[5-9])"
printed '^c.webm: generation .* file c.webm'
printed '^d.png: generation .* file d.png'
expect 0 "" "$sora" trace --json renamed
printed "^\{\"file\": \"renamed\", \"found\": true, \"matches\": \[\{\"id\": \"$id\""
expect 1 "" "$sora" trace renamed a.mp4
printed '^a.mp4: none of the 3 generations here; the nearest has score -?0\.[0-9]+$'
expect 1 "" "$sora" trace --json a.mp4
printed '"found": false, "matches": \[\], "nearest": \{'
expect 0 "" "$sora" trace --add a.mp4
expect 0 "" "$sora" trace a.mp4
printed 'model unknown, file a.mp4'
if command -v ffmpeg >/dev/null; then
    ffmpeg -nostdin -v error -i b.mp4 -map_metadata -1 -vf hflip -crf 16 changed.mp4 # it is all noise
    expect 0 "" "$sora" trace changed.mp4
    printed "^changed.mp4: generation $id .*, mirrored$"
else
    echo "skipped: changed copies: no ffmpeg"
fi

# What is no index, and one that cannot be written: the video is there all the same.
echo "no database" >bad.sqlite
expect 2 'bad.sqlite: not an index of generations' "$sora" trace --index bad.sqlite b.mp4
rm -f b.mp4
expect 0 'warning: .* will not know b.mp4: bad.sqlite: not an index' "$sora" "a dog" $fast --trace-index bad.sqlite -o b.mp4
[ -s b.mp4 ] || fail "no video"
expect 0 'warning: .* will not know b.mp4' "$sora" "a dog" $fast --trace-index /dev/null/x/i.sqlite -o b.mp4
SORA_TRACE_INDEX= expect 0 "" "$sora" "a dog" $fast -o b.mp4
expect 2 'neither a video nor a picture' "$sora" trace bad.sqlite
expect 3 'none.mp4' "$sora" trace none.mp4
# A video of one frame is looked at as a picture is; a file that cannot be read is no answer.
for kind in gif webp png; do
    expect 0 "" "$sora" "a dog" --steps 2 --frames 1 --seed 3 -o "one.$kind"
    expect 0 "" "$sora" trace "one.$kind"
    printed "^one.$kind: generation "
done
expect 0 "" "$sora" "a dog" --steps 2 --frames 1 --seed 3 --no-trace -o one.mp4
"$sora" trace one.mp4 >out 2>&1
grep -q 'generation\|the nearest has score 0.9' out || fail "one.mp4: $(cat out)"
rm out
head -c 300 one.png >cut.png
expect 2 'cut.png: cannot decode the picture' "$sora" trace cut.png
printf 'RIFF\152\002\000\000WEBPVP8 \377\377\377\377' >bad.webp
head -c 606 /dev/zero >>bad.webp
expect 2 'bad.webp: ' "$sora" trace bad.webp
rm -f one.* cut.png bad.webp
expect 2 'FILE... is missing' "$sora" trace

# The mark is in the picture and in the parameters.
expect 0 "" "$sora" "a dog" --steps 2 --frames 1 --seed 3 --watermark -o e.png --json
printed '"watermark": ?true'
cmp -s d.png e.png && fail "--watermark changes nothing"
finish
