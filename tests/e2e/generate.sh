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
rm out.mp4
# The same numbers give the same file, but for its credentials, which have a name and a time.
expect 0 "" "$sora" "a dog walks left" $fast --no-credentials -o first.mp4
expect 0 "" "$sora" generate -p "a dog walks left" $fast --seed 0 --no-credentials -o out.mp4
cmp -s first.mp4 out.mp4 || fail "the same numbers gave another file"
# A limit on memory changes nothing but time; one that cannot be kept is an error, and so is nonsense.
expect 0 "" "$sora" generate -p "a dog walks left" $fast --no-credentials --memory 2G -o out.mp4
cmp -s first.mp4 out.mp4 || fail "a limit on memory gave another file"
# What may be asked: words, the name of the file, what is kept away; recorded; rules of one's own.
expect 2 'refused \(people\): The text names a real person' "$sora" "Taylor Swift walks left" $fast -o refused.mp4
expect 2 'refused \(people\)' "$sora" "a dog walks left" $fast -o "Taylor Swift.mp4"
expect 2 'refused \(sexual\)' "$sora" "a woman walks left" -n "clothes" $fast -o refused.mp4
expect 3 'no-such-rules.txt' "$sora" "a dog walks left" $fast --policy no-such-rules.txt -o refused.mp4
[ ! -e refused.mp4 ] || fail "a refused video was written"
echo "category dogs No dogs here." >rules.txt
echo "dogs word dog" >>rules.txt
expect 2 'refused \(dogs\): No dogs here.' "$sora" "two dogs walk left" $fast --policy rules.txt -o refused.mp4
# Words that --rewrite brings are judged as if they had been typed; one line says what they are, another one no.
checks=$((checks + 1))
"$sora" "two puppies walk left" -m "$source_dir/models/nano" --steps 1 --frames 1 --rewrite auto --policy rules.txt -o refused.png \
    2>rewritten.txt
[ $? = 2 ] || fail "what --rewrite made of a prompt was not judged"
grep -q 'refused (dogs): No dogs here.' rewritten.txt || fail "a prompt was refused after rewriting without saying why"
[ ! -e refused.png ] || fail "a picture that was refused after rewriting was written"
rm rewritten.txt
expect 0 "" "$sora" "two dogs walk left" $fast --policy off --json -o asked.mp4
grep -q '"policy": "off"' "$work.out" || fail "the parameters do not say that no policy was asked"
expect 0 "" "$sora" "a dog walks left" $fast --json -o asked.mp4
grep -Eq '"policy": "1-[0-9a-f]{8}"' "$work.out" || fail "the parameters do not have the policy's version"
rm asked.mp4 rules.txt
# Frames are looked at before the file gets its name: here nothing passes. A video of many frames, and what is made of others.
echo "set generated 0" >nothing.txt
expect 2 'refused \(explicit\): What was made looks sexually explicit; it is not kept' "$sora" "a dog walks left" $fast --policy nothing.txt -o refused.mp4
expect 2 'refused \(explicit\)' "$sora" "a dog walks left" $fast --policy nothing.txt --keep-partial -o refused.mp4
expect 2 'refused \(explicit\)' "$sora" "a dog walks left" $fast --policy nothing.txt -o refused.png
[ -z "$(ls -A | grep refused)" ] || fail "what was refused when it was looked at was written: $(ls -A)"
expect 2 'nothing.txt:1: a probability from 0 to 1 is expected, "2" is none' sh -c "echo set generated 2 >nothing.txt; '$sora' 'a dog' $fast --policy nothing.txt -o refused.mp4"
rm nothing.txt

expect 2 "a size such as 6G or 800M is expected" "$sora" generate -p "a dog" $fast --memory 6X -o out.mp4
expect 0 "" "$sora" generate -p "a dog walks left" $fast --seed 1 --no-credentials -o out.mp4
cmp -s first.mp4 out.mp4 && fail "another seed gave the same file"
rm first.mp4 out.mp4

# Larger pictures of the same video; a seed that is drawn is said, and makes the video again; slow kernels say so.
expect 0 "" "$sora" "a dog" --steps 2 --frames 1 --scale 3 --no-trace -o large.png --json
printed '"scale": ?3'
expect 0 "" "$sora" "a dog" --steps 2 --frames 1 --no-trace -o small.png --json
side=$(sed 's/.*"width": \([0-9]*\).*/\1/' "$work.out")
wide() {
    printf '%d' "0x$(od -An -tx1 -j16 -N4 "$1" | tr -d ' \n')"
}
[ "$(wide small.png)" = "$side" ] && [ "$(wide large.png)" = $((3 * side)) ] ||
    fail "pictures $(wide small.png) and $(wide large.png) pixels wide, of $side"
expect 2 '--scale: 9 is out of range: 1 to 8' "$sora" "a dog" --scale 9
expect 2 'a video of 131072x131072 pixels cannot be written' "$sora" "a dog" --size 16384x16384 --scale 8
expect 2 'memory does not count what --scale 2 takes' "$sora" "a dog" --memory 1G --scale 2
expect 0 "" "$sora" "a dog" $fast --seed random --no-credentials -o a.gif
seed=$(sed -n 's/.*seed \([0-9]*\),.*/\1/p' "$work.out")
expect 0 "" "$sora" "a dog" $fast --seed "$seed" --no-credentials -o b.gif
cmp -s a.gif b.gif || fail "the seed that was said, $seed, made another video"
expect 0 'note: the plain reference kernels compute' env -u SORA_CPU "$sora" "a dog" --steps 1 --frames 1 --size 64x64 --cpu reference \
    -o small.png
rm large.png small.png a.gif b.gif
only

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
expect 0 '^sora: note: the prompt has 32001 pieces, and the model hears 15; cut off: "xxx' \
    "$sora" generate -p "$(head -c 32000 /dev/zero | tr '\0' x)" $fast
only out-2.mp4 out.mp4
rm out.mp4 out-2.mp4

# Sizes and counts that the model cannot make; the message says what works.
expect 2 'width: 129 is not a multiple of 16; 128 works' "$sora" "a dog" --size 129x128 --steps 1
expect 2 'height: 40 is not a multiple of 16; 48 works' "$sora" "a dog" --size 64x40 --steps 1
expect 2 'width: 1 is too small; 16 works' "$sora" "a dog" --size 1x64 --steps 1
expect 2 'height: 16384 is more than this model makes; 256 works' "$sora" "a dog" --size 64x16384 --steps 1
expect 2 'frames: 6 is not 1 \+ a multiple of 4; 5 works' "$sora" "a dog" --frames 6 --steps 1
expect 2 'frames: 69 is more than this model makes; 65 works' "$sora" "a dog" --frames 69 --steps 1
expect 2 'frames a second' "$sora" "a dog" $fast --fps 60 -o a.gif
expect 2 'prompt: is empty' "$sora" "$(printf '\001')" $fast
expect 2 'byte 3 \(0xff\) of prompt is not UTF-8' "$sora" generate -p "$(printf 'a \377 dog')" $fast
expect 2 'byte 1 \(0xc0\) of negative prompt is not UTF-8' "$sora" generate -p dog -n "$(printf '\300\200')" $fast
expect 2 'prompt: 100000 bytes, at most 32000' "$sora" generate -p "$(head -c 100000 /dev/zero | tr '\0' x)" $fast
only

pictures=$source_dir/tests/data/pictures

# A model that goes from one picture to another, and one with two experts.
"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.flf2v" flf2v || exit 1
"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.experts" experts || exit 1
one=$pictures/corners.jpg
two=$work.two.png
expect 0 "" "$sora" "a dog" --steps 2 --frames 1 -o "$two"
expect 2 'image: this model needs one' "$sora" "a dog" -m "$work.flf2v" $fast
expect 2 'last image: this model needs one' "$sora" "a dog" -m "$work.flf2v" $fast --image "$one"
expect 0 "" "$sora" "a dog" $fast --no-credentials --image "$one" --last-image "$two" -o ends.png
rm ends*.png
expect 0 "" "$sora" "a dog" -m "$work.flf2v" $fast --no-credentials --image "$one" --last-image "$two" --json
printed '"given": ?\[[^]]*\}, ?\{'
mv out.mp4 keep
expect 0 "" "$sora" "a dog" -m "$work.flf2v" $fast --no-credentials --image "$one" --last-image "$one"
cmp -s keep out.mp4 && fail "the last picture does not count"
rm out.mp4
expect 0 "" "$sora" "a dog" -m "$work.experts" --no-credentials --steps 4 --frames 5 --guidance 3 --low-guidance 3
mv out.mp4 keep
expect 0 "" "$sora" "a dog" -m "$work.experts" --no-credentials --steps 4 --frames 5 --guidance 3
cmp -s keep out.mp4 || fail "one number is not for both experts"
rm out.mp4
expect 0 "" "$sora" "a dog" -m "$work.experts" --no-credentials --steps 4 --frames 5 --guidance 3 --low-guidance 9 --json
printed '"low_guidance_scale": ?9'
expect 2 'low-guidance' "$sora" "a dog" -m "$work.experts" --low-guidance 101
rm -r out.mp4 keep

# Pictures that are none, and damaged ones.
mkdir folder.png
expect 2 'folder.png: not a picture: it is a folder' "$sora" "a dog" --image folder.png $fast
rmdir folder.png
bad_picture() {
    expect 2 "^sora: $1: $2" "$sora" "a dog" --image "$1" $fast
    only "$1"
    rm "$1"
}
echo "not a picture" >text.png
bad_picture text.png 'not a picture'
: >empty.png
bad_picture empty.png 'not a picture'
printf '\211PNG\r\n\032\n' >cut.png
bad_picture cut.png 'cannot decode'
# 100,000 x 100,000 pixels
printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\001\206\240\0\001\206\240\010\002\0\0\0' >vast.png
bad_picture vast.png ''
mkfifo pipe.png
expect 3 'pipe.png: no such picture' "$sora" "a dog" --image pipe.png $fast
rm pipe.png
for kind in jpg webp bmp tiff gif; do
    expect 0 "" "$sora" "a dog" --image "$pictures/corners.$kind" $fast
    rm out.mp4
    head -c 60 "$pictures/corners.$kind" >"cut.$kind"
    bad_picture "cut.$kind" 'cannot decode'
done

# A disk that is full: files may not grow beyond one block of 512 bytes.
for kind in mp4 webm gif png; do
    expect 4 "cannot write: File too large" sh -c 'ulimit -f 1; shift; exec "$@"' - - \
        "$sora" "a dog walks left" $fast -o "a.$kind"
    only
    expect 4 "cannot write: File too large" sh -c 'trap "" XFSZ; ulimit -f 1; shift; exec "$@"' - - \
        "$sora" "a dog walks left" $fast -o "a.$kind"
    only
done

# The same on a disk of 4 KiB, where this machine lets us make one.
if unshare -rm mount -t tmpfs none "$work" 2>/dev/null; then
    for kind in mp4 webm gif png; do
        expect 4 'cannot write: No space left on device' unshare -rm sh -c '
            mount -t tmpfs -o size=4k none . && cd "$PWD" || exit 1
            "$@"
            code=$?
            [ -z "$(ls -A)" ] || echo "left: $(ls -A)" >&2
            exit $code' - "$sora" "a dog walks left" --steps 1 --frames 33 -o "a.$kind"
    done
fi

# Ctrl-C and kill: no file, code 130.
for signal in INT TERM HUP QUIT; do
    checks=$((checks + 1))
    # A background job of a script ignores SIGINT unless it is asked not to.
    (trap - INT QUIT; exec "$sora" "a dog walks left" --steps 1000 --size 256x256 --frames 65 -o a.mp4) 2>"$work.err" >"$work.out" &
    listens $!
    sleep 0.3 # on to the steps
    kill -s $signal $!
    wait $!
    code=$?
    [ $code = 130 ] || fail "SIG$signal: exit code $code"
    [ "$(wc -l <"$work.err")" = 1 ] && grep -q cancelled "$work.err" || fail "SIG$signal: $(cat "$work.err")"
    only
done

# At any moment, also before it listens and while the model is loaded: never a file, never more than a line.
for delay in 0 0.01 0.02 0.05 0.1 0.2 0.4; do
    checks=$((checks + 1))
    : >"$work.err" # the signal may come before the job has opened it
    "$sora" "a dog walks left" --steps 1000 --size 256x256 --frames 65 -o a.mp4 2>"$work.err" >"$work.out" &
    sleep $delay
    kill -s TERM $!
    wait $!
    code=$?
    case $code in
    130) [ "$(wc -l <"$work.err")" = 1 ] && grep -q cancelled "$work.err" || fail "TERM after $delay: $(cat "$work.err")" ;;
    143) [ ! -s "$work.err" ] || fail "TERM after $delay: $(cat "$work.err")" ;;
    *) fail "TERM after $delay: exit code $code" ;;
    esac
    only
done

# Sheets of prompts.
printf 'n\tprompt\n1\ta dog\n2\ta cat\n' >prompts.tsv
expect 0 "" "$sora" sheet --prompts prompts.tsv --seeds 2 --steps 1 sheet.png
only prompts.tsv sheet.png
rm sheet.png
expect 3 'none.tsv: cannot open' "$sora" sheet --prompts none.tsv sheet.png
expect 3 'none/sheet.png: cannot write: No such file' "$sora" sheet --prompts prompts.tsv --steps 1 none/sheet.png
mkdir folder.png
expect 4 'folder.png: cannot write: it is a folder' "$sora" sheet --prompts prompts.tsv --steps 1 folder.png
rmdir folder.png
expect 2 'contact sheet' "$sora" sheet --prompts prompts.tsv --seeds 100 --columns 100 --steps 1 sheet.png
expect 4 'cannot write: File too large' sh -c 'ulimit -f 1; exec "$@"' - "$sora" sheet --prompts prompts.tsv --steps 1 sheet.png
: >empty.tsv
expect 2 'empty.tsv: no prompts in it' "$sora" sheet --prompts empty.tsv sheet.png
rm empty.tsv
checks=$((checks + 1))
"$sora" sheet --prompts prompts.tsv --seeds 20 --columns 1 --steps 1000 sheet.png 2>"$work.err" &
listens $!
sleep 0.3
kill -s TERM $!
wait $!
code=$?
[ $code = 130 ] && grep -q 'sora sheet: cancelled' "$work.err" || fail "sheet cancelled: $code $(cat "$work.err")"
only prompts.tsv
finish
