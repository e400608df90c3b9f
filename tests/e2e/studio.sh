#!/bin/sh
# The studio's commands: how many frames come out, what they are called, what their credentials name, and what is refused. $3 makes
# a tiny model.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
export SORA_MODEL
pictures=$source_dir/tests/data/pictures
fast="--steps 2 --no-trace"

expect 0 "" "$sora" "a dog walks left" --steps 2 --frames 5 --fps 10 -o in.mp4
expect 0 "" "$sora" "a cat" --steps 2 --frames 1 -o a.png
expect 0 "" "$sora" "a bus" --steps 2 --frames 1 -o b.png --seed 1

# frames COUNT COMMAND...: makes a video of so many frames.
frames() {
    count=$1
    shift
    expect 0 "" "$@"
    printed "^[a-z.0-9-]+: $count frames of [0-9]+x[0-9]+, 10 a second"
}
# A video of harmless steps is judged by all words that led to it, also behind a step in between, from a picture, and live.
expect 0 "" "$sora" "a portrait of Taylor" --steps 1 --frames 5 --fps 10 -o step.mp4
expect 0 "" "$sora" "a portrait of Taylor" --steps 1 --frames 1 -o step.png
expect 0 "" "$sora" "ピカチ" --steps 1 --frames 1 -o ja.png
expect 2 'refused \(brands\).*led to the given files' "$sora" interpolate ja.png step.png -p "ュウが走る" $fast -o refused.mp4
expect 0 "" "$sora" remix step.mp4 -p "a hat" --steps 1 --json -o step2.mp4
printed '"earlier": ?\[ *"a portrait of Taylor" *\]'
expect 2 'refused \(people\).*led to the given files' "$sora" extend step.mp4 -p "Swift on a stage" $fast --seconds 1 -o refused.mp4
expect 2 'refused \(people\).*led to the given files' "$sora" remix step2.mp4 -p "Swift on a stage" $fast -o refused.mp4
expect 2 'refused \(people\).*led to the given files' "$sora" interpolate step.png ja.png -p "Swift on a stage" $fast -o refused.mp4
expect 2 'refused \(people\).*led to the given files' "$sora" live "Swift on a stage" --begin step.mp4 --steps 1 -o refused.mp4
expect 2 'refused \(people\)' "$sora" live "a portrait of Taylor Swift" --steps 1 -o refused.mp4
expect 0 "" "$sora" remix step.mp4 -p "a man on a stage" --steps 1 -o step2.mp4
[ ! -e refused.mp4 ] || fail "a refused video was written"
rm step.mp4 step2.mp4 step.png ja.png

frames 16 "$sora" generate -p "a dog" $fast --fps 10 --seconds 1.6 -o x.mp4
frames 58 "$sora" generate -p "a dog" $fast --fps 10 --seconds 5.77 -o x.mp4
frames 20 "$sora" generate -p "a dog" $fast --fps 10 --seconds 2 --loop -o x.mp4
expect 0 'note: there is no preview of a video that closes on itself' "$sora" generate -p "a dog" $fast --fps 10 --seconds 2 --loop \
    --preview p.png -o x.mp4
frames 17 "$sora" extend in.mp4 -p "a dog" $fast --seconds 1.2 -o x.mp4
"$sora" verify x.mp4 >"$work.verified"
grep -q 'c2pa.opened' "$work.verified" && grep -q 'extended by 1.2 s' "$work.verified" || fail "the credentials of extend: $(cat "$work.verified")"
grep -q 'in.mp4' "$work.verified" || fail "the credentials do not name the input"
frames 12 "$sora" extend in.mp4 $fast --seconds 0.7 --before -o x.mp4
frames 25 "$sora" loop in.mp4 $fast -o x.mp4
frames 20 "$sora" blend in.mp4 in.mp4 $fast --seconds 1 -o x.mp4
frames 5 "$sora" blend in.mp4 a.png $fast --curve smooth -o x.mp4
expect 2 'strength is of a mix' "$sora" blend in.mp4 a.png $fast --strength 0.3 -o y.mp4
"$sora" verify x.mp4 | grep -q 'c2pa.placed' || fail "the credentials of blend"
frames 5 "$sora" remix in.mp4 -p "a cat" $fast --strength mild -o x.mp4
frames 5 "$sora" remix in.mp4 -p "a cat" $fast --strength 0.33 -o x.mp4
frames 5 "$sora" fill in.mp4 -p "a cat" $fast --size 96x96 -o x.mp4
frames 5 "$sora" fill in.mp4 -p "a cat" $fast --mask in.mp4 -o x.mp4
frames 20 "$sora" interpolate a.png b.png $fast --fps 10 -o x.mp4
frames 11 "$sora" interpolate a.png b.png a.png $fast --fps 10 --at 0,0.2,1 -o x.mp4
frames 17 "$sora" recut in.mp4 $fast --from 0.2 --before 1 --after 0.4 -o x.mp4
frames 30 "$sora" storyboard --card 0:"a dog" --card 1:"a cat" --card 2.5:a.png $fast --fps 10 --seconds 3 -o x.mp4
mkdir boards
cp a.png boards
echo '{"fps": 10, "cards": [{"at": 0, "prompt": "a dog"}, {"at": 0.6, "file": "a.png"}, {"at": 1, "file": "../in.mp4", "from": 0.2}]}' \
    >boards/b.json
frames 30 "$sora" storyboard boards/b.json $fast -o x.mp4
"$sora" verify x.mp4 >"$work.verified"
grep -q 'in.mp4' "$work.verified" && grep -q 'a.png' "$work.verified" || fail "the credentials of a storyboard: $(cat "$work.verified")"
rm x.mp4

# What videos that people bring have besides their frames. The sound comes along, packet for packet, where the video begins as its
# input does and the container takes it; else a note says why not.
videos=$source_dir/tests/data/videos
has_sound() { grep -aq mp4a "$1"; }
frames 10 "$sora" extend "$videos/sound.mp4" -p "a dog" $fast --seconds 0.5 -o x.mp4
has_sound x.mp4 || fail "extend lost the sound"
grep -q sound "$work.err" && fail "a note of a sound that is kept: $(cat "$work.err")"
"$sora" verify x.mp4 >"$work.verified"
grep -q '^x.mp4: valid' "$work.verified" || fail "a signed video with sound: $(cat "$work.verified")"
for edit in "remix --strength mild" "fill --size 96x96" "loop --seconds 0.5"; do
    expect 0 "" "$sora" $edit "$videos/sound.mp4" -p "a dog" $fast -o x.mp4
    has_sound x.mp4 || fail "$edit lost the sound"
done
expect 0 'note: .*has sound, which is left out: the video begins before it' "$sora" extend "$videos/sound.mp4" -p "a dog" $fast \
    --seconds 0.5 --before -o x.mp4
has_sound x.mp4 && fail "a sound at another time"
expect 0 'note: the sound is left out: x.gif: a .gif has no sound' "$sora" remix "$videos/sound.mp4" -p "a dog" $fast -o x.gif
expect 0 'note: the sound is left out: x.webm: webm takes no sound of aac' "$sora" remix "$videos/sound.mp4" -p "a dog" $fast -o x.webm
expect 0 'note: .*alpha.mov has transparent places' "$sora" remix "$videos/alpha.mov" -p "a dog" $fast -o x.mp4
expect 0 'note: .*hdr.mp4 is HDR' "$sora" remix "$videos/hdr.mp4" -p "a dog" $fast -o x.mp4
expect 0 'note: .*variable.mp4 has no even rate' "$sora" remix "$videos/variable.mp4" -p "a dog" $fast --fps 10 -o x.mp4
expect 0 'is 64x96 and becomes' "$sora" remix "$videos/rotated.mp4" -p "a dog" $fast -o x.mp4 # upright
expect 2 'only-sound.mp4: no video in this file' "$sora" remix "$videos/only-sound.mp4" -p "a dog" $fast -o y.mp4
rm x.mp4 x.gif x.webm

# A board that is wrong: the card is named.
board() {
    echo "$2" >boards/b.json
    expect "${3:-2}" "^sora storyboard: boards/b.json: $1" "$sora" storyboard boards/b.json $fast -o x.mp4
}
board 'card 2: unknown key "promt"' '{"cards": [{"at": 0, "prompt": "a"}, {"at": 0.5, "promt": "b"}]}'
board 'card 3: is at 1 s, and card 2 at 2: cards go in their order' \
    '{"cards": [{"at": 0, "prompt": "a"}, {"at": 2, "prompt": "b"}, {"at": 1, "prompt": "c"}]}'
board 'card 1: is at 1 s, the first one is at 0' '{"cards": [{"at": 1, "prompt": "a"}]}'
board 'card 2: boards/none.png: no such picture' '{"cards": [{"at": 0, "prompt": "a"}, {"at": 1, "file": "none.png"}]}' 3
board 'card 1: has neither' '{"cards": [{"at": 0}]}'
board 'card 1: has no "at"' '{"cards": [{"prompt": "a"}]}'
board 'card 1: "at" is no number' '{"cards": [{"at": "0", "prompt": "a"}]}'
board '"cards" is no list' '{"seconds": 3}'
board 'unknown key "second"' '{"second": 3, "cards": []}'
board '"size": "4x" is not' '{"size": "4x", "cards": [{"at": 0, "prompt": "a"}]}'
expect 2 'card "fox": SECONDS:WORDS' "$sora" storyboard --card fox
expect 2 'a board is missing' "$sora" storyboard
expect 2 'no card has words' "$sora" storyboard --card 0:a.png
expect 3 'none.json' "$sora" storyboard none.json
rm -r boards

# A sequence of pictures has the input's own pixels.
expect 0 "" "$sora" interpolate a.png b.png $fast --fps 10 --seconds 1 --no-credentials -o x.png
for end in "x-0001.png a.png" "x-0010.png b.png"; do
    set -- $end
    expect 0 "" "$sora" interpolate "$1" "$2" $fast --fps 10 --seconds 0.2 --no-credentials -o y.png
    cmp -s y-0001.png y-0002.png || [ "$(tail -c +1000 y-0001.png | cksum)" = "$(tail -c +1000 y-0002.png | cksum)" ] || fail "$1 is not $2"
done
rm x-*.png y-*.png

# Variations have names and seeds that follow each other, and none is the other.
expect 0 "" "$sora" extend in.mp4 $fast --variations 2 --seed 5 --no-credentials -o v.mp4 --json
printed '"output": ?"v-1.mp4".*"seed": ?5'
printed '"output": ?"v-2.mp4".*"seed": ?6'
cmp -s v-1.mp4 v-2.mp4 && fail "both variations are the same"
rm v-1.mp4 v-2.mp4

# Styles: those that are there, one's own, and none.
expect 0 "" "$sora" styles
printed '^pencil '
echo '{"oil": {"prompt": "an oil painting", "negative": "paper"}}' >styles.json
expect 0 "" env SORA_STYLES=styles.json "$sora" "a dog" $fast --frames 1 --style oil -o x.png --json
printed '"prompt": ?"a dog, an oil painting"'
printed '"negative_prompt": ?"paper"'
expect 2 'style: no style "ink"; there are .*pencil.*oil' env SORA_STYLES=styles.json "$sora" "a dog" --style ink
echo '{"oil": {"promt": "an oil painting"}}' >styles.json
expect 2 'styles.json: "oil" has an unknown key "promt"' env SORA_STYLES=styles.json "$sora" styles
rm styles.json x.png

# What is wrong is named, and no file is there.
expect 3 'none.mp4: no such picture or video' "$sora" extend none.mp4
mkdir folder
expect 2 'folder: not a picture or video: it is a folder' "$sora" loop folder
rmdir folder
expect 2 '\[?VIDEO\]? is missing' "$sora" extend
expect 2 'one argument too many' "$sora" extend in.mp4 a.png
expect 2 'strength: "very" is not a number' "$sora" remix in.mp4 --strength very
expect 2 'seconds: 0 is out of range' "$sora" extend in.mp4 --seconds 0
expect 2 'mask: there is none, and no larger size' "$sora" fill in.mp4
expect 3 'm.png: no such mask' "$sora" fill in.mp4 --mask m.png
expect 2 'corners.jpg: is [0-9]+x[0-9]+, and what it masks' "$sora" fill in.mp4 --mask "$pictures/corners.jpg"
expect 2 'at 0,2: 3 numbers' "$sora" interpolate a.png b.png a.png --at 0,2
expect 2 'at 0,2,1: 1 is not after' "$sora" interpolate a.png b.png a.png --at 0,2,1
expect 2 'a loop of 18 does not close; 20 do' "$sora" "a dog" --loop --frames 18
expect 2 'leave one out' "$sora" "a dog" --seconds 1 --frames 5
expect 2 'in.mp4' "$sora" extend in.mp4 -o in.mp4
head -c 2000 in.mp4 >cut.mp4
expect 2 'cut.mp4: ' "$sora" extend cut.mp4
echo text >text.mp4
expect 2 'text.mp4: not a picture or a video that can be read' "$sora" extend text.mp4
rm cut.mp4 text.mp4
only a.png b.png in.mp4

# Live: into a file, which is signed; into a pipe, whose reader may go; lines are heard; a terminal is refused.
expect 0 'frames in .* a second; the first one after' "$sora" live "a dog" --steps 2 --seconds 4 -o live.mp4
"$sora" verify live.mp4 | grep -q 'made live' || fail "the credentials of live"
rm live.mp4
echo "a red car" | "$sora" live "a dog" --steps 2 --seconds 4 --format rgb >live.rgb 2>"$work.err" || fail "live with a line: $(cat "$work.err")"
grep -q 'from now on: a red car' "$work.err" || fail "the line was not heard: $(cat "$work.err")"
"$sora" live "a dog" --steps 2 --seconds 4 --format rgb </dev/null >other.rgb 2>/dev/null
[ "$(wc -c <live.rgb)" = "$(wc -c <other.rgb)" ] && ! cmp -s live.rgb other.rgb || fail "the line changed nothing"
rm live.rgb other.rgb
echo "a naked woman" | "$sora" live "a dog" --steps 2 --seconds 1 --format rgb 2>"$work.err" >live.rgb || fail "live with a refused line"
grep -q 'refused (sexual).*it is not heard' "$work.err" || fail "live said nothing of a refused line: $(cat "$work.err")"
rm live.rgb
"$sora" live "a dog" --steps 2 </dev/null 2>"$work.err" | head -c 100000 >part.mp4
grep -q 'frames in' "$work.err" || fail "live, whose reader is gone: $(cat "$work.err")"
[ "$(head -c 8 part.mp4 | tail -c 4)" = ftyp ] || fail "live writes no MP4"
rm part.mp4
"$sora" live "a dog" --steps 2 --seconds 2 --format y4m </dev/null 2>/dev/null | head -c 9 | grep -q YUV4MPEG2 || fail "live writes no Y4M"
expect 2 'is of standard output' "$sora" live "a dog" --format rgb -o live.mp4
only a.png b.png in.mp4

# Ctrl-C leaves nothing, or with --keep-partial what was complete.
for keep in "" --keep-partial; do
    "$sora" generate -p "a dog" --steps 2 --no-trace --seconds 4000 --fps 10 $keep -o long.mp4 >"$work.out" 2>"$work.err" &
    pid=$!
    listens $pid
    sleep 2
    kill -INT $pid
    wait $pid
    code=$?
    if [ -z "$keep" ]; then
        [ "$code" = 130 ] || fail "exit code $code after Ctrl-C"
        only a.png b.png in.mp4
    else
        [ "$code" = 0 ] || [ "$code" = 130 ] || fail "exit code $code after Ctrl-C with --keep-partial"
        [ "$code" = 130 ] || grep -q 'stopped after [0-9]* of 40000 frames' "$work.err" || fail "no note: $(cat "$work.err")"
        rm -f long.mp4
    fi
done

finish
