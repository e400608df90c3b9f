#!/bin/sh
# What commands write: never onto what they read, never in place of what is no file, said where it is, and nothing is left when
# they are stopped. $3 makes a tiny model.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
export SORA_MODEL

# Converting a file onto itself, under its name or another.
cp "$work.model/vae/model.safetensors" a.safetensors
ln a.safetensors hard.safetensors
ln -s a.safetensors soft.safetensors
for name in a hard soft ./a; do
    expect 2 "^sora convert: $name.safetensors: it is what is converted; name another file" \
        "$sora" convert a.safetensors "$name.safetensors" --type f16
done
cmp -s a.safetensors "$work.model/vae/model.safetensors" || fail "the input has changed"
# Onto one of its shards.
mkdir shards
cp a.safetensors shards/part.safetensors
printf '{"weight_map": {%s}}' "$(head -c 60000 a.safetensors | grep -ao '"[a-z0-9_.]*":{"dtype"' | sed 's/:{"dtype"/: "part.safetensors"/' |
    paste -sd,)" >shards/model.safetensors.index.json
expect 2 '^sora convert: shards/part.safetensors: it is what is converted' "$sora" convert shards shards/part.safetensors --type f16
# Another file is replaced, and that is said; a link stays one.
expect 0 "" "$sora" convert a.safetensors b.safetensors --type f16
printed '^b.safetensors: [0-9.]+ MB$'
ln -s b.safetensors c.safetensors
expect 0 '^sora convert: c.safetensors is there and will be replaced$' "$sora" convert a.safetensors c.safetensors --type f32
[ -h c.safetensors ] && [ "$(stat -c %s b.safetensors)" -ge "$(stat -c %s a.safetensors)" ] || fail "the link is gone"
mkfifo pipe.safetensors
expect 4 '^sora convert: pipe.safetensors: cannot write: it is not a regular file$' "$sora" convert a.safetensors pipe.safetensors
[ -p pipe.safetensors ] || fail "the pipe is gone"
rm -r ./*

# A pipe is refused wherever a file is read, and nobody waits for it.
mkfifo pipe
for command in "verify pipe" "trace pipe" "trace --index pipe pipe" "sheet --prompts pipe a.png" "convert pipe a.gguf" "inspect pipe" \
    "generate -p dog -m pipe" "generate -p dog --transformer pipe" "generate -p dog --lora pipe" "generate -p dog --vae pipe" \
    "generate -p dog --tokenizer pipe" "generate -p dog --image pipe" "generate -p dog --last-image pipe" \
    "credentials import pipe --key pipe" "train autoencoder pipe --out out" "stage nouns --pack pipe"; do
    checks=$((checks + 1))
    # shellcheck disable=SC2086
    timeout 100 "$sora" $command >"$work.out" 2>"$work.err" </dev/null
    code=$?
    [ $code -gt 0 ] && [ $code -lt 7 ] && [ "$(wc -l <"$work.err")" = 1 ] || fail "$command: $code, $(cat "$work.err")"
done
rm -r ./*

# A video without a name gets a free one; with one it replaces what is there, which is said.
fast="--steps 1 --frames 5 --no-credentials"
expect 0 "" "$sora" "a dog" $fast
printed '^out.mp4: 5 frames'
expect 0 "" "$sora" "a dog" $fast --json
printed '"output": ?"out-2.mp4"'
only out-2.mp4 out.mp4
cp out.mp4 keep
expect 0 '^sora: out.mp4 is there and will be replaced$' "$sora" "a cat" $fast -o out.mp4
cmp -s keep out.mp4 && fail "out.mp4 was not replaced"
# Two at once: neither loses its video.
rm ./*
checks=$((checks + 1))
"$sora" "a dog" $fast >"$work.out" & "$sora" "a dog" $fast >"$work.out2"
wait $!
only out-2.mp4 out.mp4
rm ./*

# A picture is never replaced by the video that it begins, under whatever name.
expect 0 "" "$sora" "a dog" --steps 1 --frames 1 -o a.png
ln a.png b.png
mkdir sub
ln -s ../a.png sub/c-0003.png
expect 2 '^sora: a.png: it is an input as well; name another output$' "$sora" "a dog" --frames 1 --image a.png -o a.png
expect 2 '^sora: b.png: it is an input as well' "$sora" "a dog" --frames 1 --image a.png -o b.png
expect 2 '^sora: sub/c-0003.png: it is an input as well' "$sora" "a dog" $fast --image a.png -o sub/c.png
expect 2 '^sora sheet: a.png: it is an input as well' "$sora" sheet --prompts b.png a.png
rm -r ./*

# A series of pictures is named as it is, also by trace; longer ones before it are mentioned.
expect 0 "" "$sora" "a dog" --steps 1 --frames 9 -o a.jpg
printed '^a-0001.jpg to a-0009.jpg: 9 frames of'
expect 0 "" "$sora" trace a-0001.jpg
printed ', file a-0001.jpg,'
expect 0 "" "$sora" "a dog" --steps 1 --frames 5 -o b.jpg
expect 0 '^sora: a-0006.jpg to a-0009.jpg were there before and are no part of this video$' "$sora" "a cat" $fast -o a.jpg
expect 0 "" "$sora" "a cat" $fast -o b.jpg --json
printed '"output": ?"b-%04d.jpg"'
expect 0 'sora sheet: b-0001.jpg is there and will be replaced' \
    sh -c 'echo "a dog" >prompts; exec "$0" sheet --prompts prompts --steps 1 b-0001.jpg' "$sora"
printed '^b-0001.jpg: 1 video$'
rm ./*

# Names that are as long as they can be, signed too; one more is found before the work.
long=$(printf '%0251d' 0)
for name in "$long.mp4" "$(printf '%0236d' 0).mp4" "$long.png"; do
    expect 0 "" "$sora" "a dog" --steps 1 --frames 1 -o "$name"
    expect 0 "" "$sora" verify "$name"
    rm "$name"
done
expect 4 'cannot write: File name too long$' "$sora" "a dog" -o "0$long.mp4"
expect 4 '-0005.png: cannot write: File name too long$' "$sora" "a dog" --steps 1 --frames 5 -o "$long.png"
only

# Training, on a video: where the result is, a line without a terminal, and what is left of it at any signal.
expect 0 "" "$sora" "a dog" --steps 1 --frames 5 --no-credentials -o clips.mp4
mkdir clips
mv clips.mp4 clips/a.mp4
echo "a dog" >clips/a.txt
cat >codec.json <<END
{"model": {"dim": 12, "dec_dim": 12, "z_dim": 8, "dim_mult": [1, 1, 1], "num_res_blocks": 1,
  "temperal_downsample": [true, true], "patchify": 2}, "linear_start": false, "width": 32, "height": 32, "frames": 5, "fps": 12,
 "crop": 16, "crop_frames": 5, "batch": 1, "log_every": 1000, "optimizer": {"steps": 3}, "data": {"folder": "clips"}}
END
expect 0 '^training 0/3$' "$sora" train autoencoder codec.json --out done
printed '^done/model: after 3 of 3 steps$'
expect 2 'checkpoint.safetensors is there: give --resume' "$sora" train autoencoder codec.json --out done
expect 0 '^training 3/3' "$sora" train autoencoder codec.json --out done --resume
sed 's/"steps": 3/"steps": 1000000/' codec.json >long.json
# trains: waits until the job in the background does.
trains() {
    tries=0
    until grep -qs '^training' "$work.err" || [ $tries = 600 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
}
for signal in HUP TERM QUIT XCPU; do
    checks=$((checks + 1))
    : >"$work.err"
    "$sora" train autoencoder long.json --out "$signal" >"$work.out" 2>"$work.err" &
    trains
    kill -s $signal $!
    wait $!
    code=$?
    [ $code = 130 ] && tail -1 "$work.err" | grep -q 'stopped; go on with --resume$' || fail "$signal: $code $(cat "$work.err")"
    [ "$(ls -A "$signal" | tr '\n' ' ')" = "checkpoint.safetensors log.tsv model " ] || fail "$signal left $(ls -A "$signal")"
done
# nohup's stays ignored; whoever reads what is said may be gone.
checks=$((checks + 1))
: >"$work.err"
(trap '' HUP; exec "$sora" train autoencoder long.json --out nohup) >"$work.out" 2>"$work.err" &
trains
kill -s HUP $!
sleep 0.5
kill -s TERM $!
wait $!
code=$?
[ $code = 130 ] || fail "nohup: $code $(cat "$work.err")"
checks=$((checks + 1))
{ "$sora" train autoencoder codec.json --out unread; echo $? >"$work.code"; } 2>&1 >/dev/null | true
[ "$(cat "$work.code")" = 0 ] || fail "nobody reads stderr: $(cat "$work.code")"
[ -f unread/model/vae/model.safetensors ] || fail "nobody reads stderr: no model"
rm -r ./*

# What is emerging: a signed PNG in one piece, and none of another video.
expect 0 "" "$sora" "a dog" --steps 2 --frames 5 -o a.mp4 --preview seen.png
only a.mp4 seen.png
expect 0 "" "$sora" verify seen.png
head -c 4 seen.png | grep -aq PNG || fail "no PNG"
expect 0 '^sora: seen.png is there and will be replaced$' "$sora" "a dog" --steps 1 --frames 1 -o b.mp4 --preview seen.png
expect 0 "" "$sora" "a dog" --steps 1 --frames 1 -o c.mp4 --preview plain.png --no-credentials
expect 2 "" "$sora" verify plain.png
only a.mp4 b.mp4 c.mp4 plain.png seen.png
expect 2 '^sora: --preview seen.jpg: it is a PNG, call it NAME.png$' "$sora" "a dog" -o d.mp4 --preview seen.jpg
expect 2 '^sora: --preview d.png: that is the output$' "$sora" "a dog" -o d.png --preview d.png
expect 2 '^sora: ./seen.png: it is an input as well' "$sora" "a dog" -o d.mp4 --image seen.png --preview ./seen.png
expect 3 '^sora: none/seen.png: cannot write' "$sora" "a dog" -o d.mp4 --preview none/seen.png
only a.mp4 b.mp4 c.mp4 plain.png seen.png
rm -r ./*

# What the stage writes: not onto its pack, and what is replaced is said.
"$make_model" - stage.pack pack || fail "no pack"
cp stage.pack pack.png
expect 2 '^sora stage preview: pack.png: it is an input as well' "$sora" stage preview pack.png --pack pack.png
cmp -s stage.pack pack.png || fail "the pack was replaced"
rm pack.png
expect 0 "" "$sora" stage preview a.png --pack stage.pack --count 1
expect 0 '^sora stage preview: a.png is there and will be replaced$' "$sora" stage preview a.png --pack stage.pack --count 1
expect 0 "" "$sora" stage export clips --pack stage.pack --count 1 --frames 5
only a.png clips stage.pack
expect 0 '^sora stage export: clips: 3 files of these clips are there and will be replaced$' \
    "$sora" stage export clips --pack stage.pack --count 2 --frames 5
rm clips/000000.json clips/000000.txt clips/000001.*
expect 0 '^sora stage export: clips: 1 file of these clips is there and will be replaced$' \
    "$sora" stage export clips --pack stage.pack --count 1 --frames 5
rm -r ./*

# A request for a certificate replaces no key, and makes none that would be lost.
keys=$XDG_CONFIG_HOME/sora/credentials
cp "$keys/signer.pem" keep
expect 2 'signer.pem: it is an input as well' "$sora" credentials request -o "$keys/signer.pem"
expect 3 'none/a.csr: cannot write: No such file' "$sora" credentials request -o none/a.csr
cmp -s keep "$keys/signer.pem" || fail "the signer was replaced"
[ ! -e "$keys/request.key" ] || fail "a key without a request"
rm keep

# What killed processes left is swept by the next that writes there, and nothing else is.
mkdir .sora-0123456789ab.part .sora-other.part .sora-0123456789ab.parts
echo x >.sora-0123456789ab.part/model.safetensors
mkdir "$keys/.sora-abcdefghijkl.part"
cp "$keys/signer.pem" "$keys/.sora-abcdefghijkl.part/signer.pem"
expect 0 "" "$sora" "a dog" --steps 1 --frames 1 -o a.png
only .sora-0123456789ab.parts .sora-other.part a.png
[ "$(ls -A "$keys" | tr '\n' ' ')" = "lock root.key root.pem signer.pem " ] || fail "left: $(ls -A "$keys")"
finish
