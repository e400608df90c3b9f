#!/bin/sh
# A model makes videos: kinds of files, parameters, bad pictures, full disks, Ctrl-C. $3 makes a tiny model.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
export SORA_MODEL
fast="--steps 2 --frames 5"

expect 0 "" "$sora" "a dog walks left" $fast
printed '^out.mp4: 5 frames of [0-9]+x[0-9]+, '
only out.mp4
cp out.mp4 first.mp4
expect 0 "" "$sora" generate -p "a dog walks left" $fast --seed 0 -o out.mp4
cmp -s first.mp4 out.mp4 || fail "the same numbers gave another file"
expect 0 "" "$sora" generate -p "a dog walks left" $fast --seed 1 -o out.mp4
cmp -s first.mp4 out.mp4 && fail "another seed gave the same file"
rm first.mp4 out.mp4

for kind in webm gif; do
    expect 0 "" "$sora" "a dog walks left" $fast -o "a.$kind"
    only "a.$kind"
    rm "a.$kind"
done
expect 0 "" "$sora" "a dog walks left" $fast -o a.png
only a-0001.png a-0002.png a-0003.png a-0004.png a-0005.png
mv a-0001.png keep
rm a-*.png
expect 0 "" "$sora" "a dog walks left" --steps 2 --frames 1 -o a.png --json --seed 18446744073709551615
printed '^\{.*"output": ?"a.png".*"seed": ?"18446744073709551615".*"frames": ?1.*"parameters": ?\{.*"prompt": ?"a dog walks left".*"seed": ?"18446744073709551615".*\}$'
only a.png keep
grep -q 'a dog walks left' a.png || fail "a.png lacks the prompt"
expect 0 "" "$sora" "a dog walks left" $fast --image keep -o b.mp4
rm a.png b.mp4 keep

# Japanese words have no spaces; a prompt may be as long as 32,000 bytes.
expect 0 "" "$sora" 犬が歩く $fast
expect 0 "" "$sora" generate -p "$(head -c 32000 /dev/zero | tr '\0' x)" $fast
rm out.mp4

# Sizes and counts that the model cannot make; the message says what works.
expect 2 '[0-9]' "$sora" "a dog" --size 129x128 --steps 1
expect 2 '[0-9]' "$sora" "a dog" --frames 6 --steps 1
expect 2 'frames a second' "$sora" "a dog" $fast --fps 60 -o a.gif

# Pictures that are none.
echo "not a picture" >text.png
expect 2 'text.png: not a picture' "$sora" "a dog" --image text.png $fast
printf '\211PNG\r\n\032\n' >cut.png
expect 2 'cut.png: ' "$sora" "a dog" --image cut.png $fast
rm text.png cut.png

# A disk that is full: files may not grow beyond one block of 512 bytes.
for kind in mp4 webm gif png; do
    expect 4 "cannot write: File too large" sh -c 'trap "" XFSZ; ulimit -f 1; shift; exec "$@"' - - \
        "$sora" "a dog walks left" $fast -o "a.$kind"
    only
done

# Ctrl-C and kill: no file, code 130.
for signal in INT TERM; do
    checks=$((checks + 1))
    # A background job of a script ignores SIGINT unless it is asked not to.
    (trap - INT; exec "$sora" "a dog walks left" --steps 1000 --size 256x256 --frames 65 -o a.mp4) 2>"$work.err" >"$work.out" &
    sleep 1
    kill -s $signal $!
    wait $!
    code=$?
    [ $code = 130 ] || fail "SIG$signal: exit code $code"
    [ "$(wc -l <"$work.err")" = 1 ] && grep -q cancelled "$work.err" || fail "SIG$signal: $(cat "$work.err")"
    only
done
finish
