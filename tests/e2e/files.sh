#!/bin/sh
# sora inspect, sora convert, and models made of files in other containers. $3 makes a tiny model.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" model || exit 1

# Inspect.
expect 0 "" "$sora" inspect model
printed '^runs here: yes'
printed '^transformer: model/transformer/model.safetensors'
expect 0 "" "$sora" inspect model/vae/model.safetensors --json
printed '"runs": false'
printed '"a transformer"'
expect 3 '^sora inspect: none: no such model' "$sora" inspect none
expect 2 '^sora inspect: a model.s file or folder is missing' "$sora" inspect
echo "no weights" >text.safetensors
expect 2 '^sora inspect: text.safetensors: header of' "$sora" inspect text.safetensors
rm text.safetensors

# Convert.
expect 0 "" "$sora" convert model/transformer model/t.gguf --type q8_0
expect 0 "" "$sora" inspect model/t.gguf
printed 'GGUF, names: original'
printed 'F16 [0-9]+' # rows of 24 do not fit in blocks of 32
expect 0 "" "$sora" convert model/t.gguf model/t.safetensors --type bf16
expect 2 '^sora convert: x.bin: expected a name that ends in .safetensors or .gguf' "$sora" convert model/t.gguf x.bin
expect 6 '^sora convert: Q4_0 is a type for .gguf files' "$sora" convert model/text_encoder x.safetensors --type q4_0
expect 3 '^sora convert: none: ' "$sora" convert none x.gguf
expect 2 '^sora convert: model: it is a folder' "$sora" convert model/t.gguf model
only model

# A whole model: every part, the tokenizer, the configs; it makes videos; nothing is written over or left behind.
expect 0 "" "$sora" convert model small --type q8_0
cmp -s model/tokenizer.model small/tokenizer.model || fail "another tokenizer"
cmp -s model/vae/config.json small/vae/config.json || fail "another config.json"
expect 0 "" "$sora" inspect small
printed '^transformer: small/transformer/model.gguf'
printed '^autoencoder: small/vae/model.safetensors'
printed '^runs here: yes'
expect 0 "" "$sora" "a dog" --steps 1 -m small -o a.mp4
expect 2 '^sora convert: small: is there already$' "$sora" convert model small --type bf16
expect 0 "" "$sora" convert small/ again/ --type f16
expect 0 "" "$sora" "a dog" --steps 1 -m again -o a.mp4
rm -r small again a.mp4
mkdir empty
expect 3 '^sora convert: empty: no network that is known in it$' "$sora" convert empty new
rmdir empty
cp -r model broken && truncate -s 100 broken/vae/model.safetensors
expect 2 '^sora convert: broken/vae/model.safetensors: ' "$sora" convert broken new
rm -r broken
only model

# A file that is cut short while it is read: 160 tensors of 32 MB, a hole.
header=$(i=0 comma=
    while [ $i -lt 160 ]; do
        printf '%s"t%d":{"dtype":"F32","shape":[4096,2048],"data_offsets":[%d,%d]}' "$comma" $i $((i << 25)) $(((i + 1) << 25))
        i=$((i + 1)) comma=,
    done)
{
    printf "$(printf '\\%03o\\%03o\\0\\0\\0\\0\\0\\0' $((${#header} + 2 & 255)) $((${#header} + 2 >> 8)))"
    printf '{%s}' "$header"
} >big.safetensors
truncate -s $((8 + ${#header} + 2 + (160 << 25))) big.safetensors
(until grep -qs "$PWD/big.safetensors" /proc/[0-9]*/maps; do sleep 0.02; done; sleep 0.2; truncate -s 1M big.safetensors) &
expect 4 '^sora convert: big.safetensors: lost its end while it was being read$' "$sora" convert big.safetensors x.gguf --type q4_k
wait
rm big.safetensors
only model

# Parts from other files.
cp model/transformer/config.json model
for file in model/t.gguf model/t.safetensors; do
    expect 0 "" "$sora" "a dog" --steps 1 -m model --transformer $file -o a.mp4
    rm a.mp4
done
expect 2 '^sora: model/t.gguf: there is no autoencoder in it' "$sora" "a dog" -m model --vae model/t.gguf
expect 3 '^sora: none.safetensors: cannot open' "$sora" "a dog" -m model --lora none.safetensors:0.5
expect 2 '^sora: lora: a strength of "1e9"' "$sora" "a dog" -m model --lora model/t.safetensors:1e9
expect 2 '^sora: model/t.safetensors: tensor ".*" is no part of a LoRA' "$sora" "a dog" -m model --lora model/t.safetensors
"$make_model" "$source_dir/models/nano/tokenizer.model" some.safetensors lora || exit 1
expect 0 '^sora: note: some.safetensors: 1 of 3 changes fit nothing in the transformer, the first is "diffusion_model.blocks.2' \
    "$sora" "a dog" --steps 1 -m model --lora some.safetensors:0.5 -o a.mp4 --json
printed '"loras": \["some.safetensors:0.5"\].*"notes": \[\{"about": "lora", "text": "some.safetensors: 1 of 3'
expect 0 "" "$sora" verify a.mp4
printed 'model tiny, .*, LoRA some.safetensors:0.5'
rm a.mp4
expect 0 '^sora: note: --tell-prompt signed has no effect' "$sora" "a dog" --steps 1 -m model --tell-prompt signed --no-credentials \
    -o a.mp4
expect 0 '^sora: note: --trace-index has no effect' "$sora" "a dog" --steps 1 -m model --trace-index x --no-trace -o a.mp4
rm a.mp4 some.safetensors
only model
finish
