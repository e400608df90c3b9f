#!/bin/sh
# sora rewrite, generate --rewrite and caption as a user meets them.
. "$(dirname "$0")/lib.sh"
nano=$source_dir/models/nano
make_captioner=$(dirname "$make_model")/tiny_captioner
"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1

# Every step is shown, the same for programs; what cannot be mapped is named.
expect 0 "" "$sora" rewrite -m "$nano" "PLEASE SHOW ME A CORGI THAT RUNS LEFT ON THE BEACH!!!"
printed '^words +a dog that runs left on the beach +\(corgi: dog\)$'
printed '^open +a dog runs left on the beach$'
expect 0 "" "$sora" rewrite -m "$nano" "a dog and a wizard"
printed '^unknown, and nothing known is near: "wizard"$'
expect 0 "" "$sora" rewrite -m "$nano" "hound, running" --seed 5 --json
printed '"changed": true'
cp "$work.out" first
expect 0 "" "$sora" rewrite -m "$nano" "hound, running" --seed 5 --json
checks=$((checks + 1))
cmp -s "$work.out" first || fail "the same text and seed are rewritten otherwise"
expect 6 "does not say what it knows" "$sora" rewrite -m "$work.model" "a dog"
expect 2 "not UTF-8" "$sora" rewrite -m "$nano" "$(printf 'a d\377g')"
rm first

# What was asked is kept beside what was made of it; without --rewrite nothing is.
small="--frames 1 --steps 1 --size 64x64 --no-trace --json"
expect 0 'rewritten: "a dog runs right on the beach"' "$sora" generate -m "$nano" "corgi, running, right, beach" --rewrite auto $small -o dog.png
printed '"prompt": "a dog runs right on the beach"'
printed '"asked": "corgi, running, right, beach"'
expect 0 "" "$sora" generate -m "$nano" "a dog runs right on the beach" --rewrite auto $small -o plain.png
checks=$((checks + 1))
grep -q asked "$work.out" && fail "a plain prompt has something that was asked"
expect 2 "leave one out" "$sora" generate -m "$nano" "a dog" --rewrite auto --style pencil $small -o dog2.png
rm -f dog.png plain.png

# A captioner of random weights, beside nano's autoencoder and tokenizer: what it says means nothing, but it is said, kept and skipped.
cp -r "$nano" "$work.described" && rm -rf "$work.described/train"
mkdir clips
"$make_captioner" "$work.described/captioner" || exit 1
"$sora" generate -m "$nano" "a dog" --frames 1 --steps 1 --size 64x64 --no-trace -o frame.png >/dev/null 2>&1
expect 0 "" "$sora" caption frame.png -m "$work.described" --json
printed '"confidence": 0'
mv frame.png "$work.frame.png"
echo "no video" >clips/broken.mp4
cp clips/broken.mp4 clips/there.mp4
echo "a caption that was there" >clips/there.txt
"$sora" caption clips -m "$work.described" >out 2>err
code=$?
checks=$((checks + 5))
[ $code = 2 ] || fail "caption of a broken video exits with $code"
grep -q "clips/broken.mp4.*skipped" err || fail "the broken video is not named: $(head -c 300 err)"
grep -q "0 captions written, 1 were there, 0 videos of another world, 1 not read" out || fail "counts: $(cat out)"
[ "$(cat clips/there.txt)" = "a caption that was there" ] || fail "a caption that was there is another one"
[ ! -e clips/broken.txt ] || fail "a broken video has a caption"
rm clips/broken.mp4
"$sora" caption clips -m "$work.described" --again >out 2>err
code=$?
checks=$((checks + 2))
[ $code = 2 ] && grep -q "there.mp4.*skipped" err || fail "--again does not look at what has a caption"
[ "$(cat clips/there.txt)" = "a caption that was there" ] || fail "a caption is gone although there is no new one"
expect 3 "none.mp4" "$sora" caption -m "$work.described" none.mp4
expect 2 "latents of 47 channels" sh -c "sed -i 's/48/47/' '$work.described/captioner/config.json'; exec '$sora' caption -m '$work.described' '$work.frame.png'"
expect 3 "has no captioner" "$sora" caption -m "$nano" "$work.frame.png"
finish
