#!/bin/sh
# Model folders that are damaged: each gets one line that names the file, and the right code. $3 makes a tiny model.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
good=$work.model

# broken CODE PATTERN: generates with ./model, and expects no file.
broken() {
    expect "$1" "$2" "$sora" "a dog" --steps 1 -m model -o a.mp4
    only model
}
fresh() {
    rm -rf model
    cp -r "$good" model
}

fresh
expect 0 "" "$sora" "a dog" --steps 1 -m model -o a.mp4
rm a.mp4

# Folders that are none.
fresh
expect 3 '^sora: none/model: no such model folder' "$sora" "a dog" -m none/model
expect 3 'no model "model.json"' "$sora" "a dog" -m model.json
expect 2 '^sora: model/model.json: no weight_map' "$sora" "a dog" -m model/model.json
expect 3 '^sora: "": no such model folder' "$sora" "a dog" -m ""
rm -r model && mkdir model
broken 3 '^sora: model/model.json: cannot open: No such file'

# model.json
fresh && : >model/model.json
broken 2 '^sora: model/model.json:'
fresh && echo '{"format": 1, "name": "a"' >model/model.json
broken 2 '^sora: model/model.json:[0-9]+: '
fresh && echo '[1]' >model/model.json
broken 2 '^sora: model/model.json: no JSON object'
fresh && echo '{"format": 2, "name": "a"}' >model/model.json
broken 2 '^sora: model/model.json: "format" is 2, expected 1 to 1'
fresh && echo '{"format": 1}' >model/model.json
broken 2 '^sora: model/model.json: "name" is missing'
fresh && echo '{"format": 1, "name": "a", "defaults": {"width": 1e300}}' >model/model.json
broken 2 '^sora: model/model.json: defaults: "width" is 1e\+300'
fresh && printf '{"format": 1, "name": \n"\033[31m' >model/model.json
broken 2 '^sora: model/model.json:'
fresh && rm model/model.json && mkfifo model/model.json
broken 2 '^sora: model/model.json: not a regular file'

# tokenizer.model
fresh && rm model/tokenizer.model
broken 3 '^sora: model/tokenizer.model: cannot open: No such file'
fresh && : >model/tokenizer.model
broken 2 '^sora: model/tokenizer.model: '
fresh && echo "this is no model" >model/tokenizer.model
broken 2 '^sora: model/tokenizer.model: '
fresh && head -c 10000 "$good/tokenizer.model" >model/tokenizer.model
broken 2 '^sora: model/tokenizer.model: '
fresh && cp model/vae/model.safetensors model/tokenizer.model
broken 2 '^sora: model/tokenizer.model: '

# Each part's configuration and weights.
for part in transformer text_encoder vae; do
    weights=model/$part/model.safetensors
    fresh && rm -r model/$part
    broken 3 "^sora: model/$part/config.json: cannot open: No such file"
    fresh && echo '{}' >model/$part/config.json
    broken 2 "^sora: model/$part/config.json: "
    fresh && sed 's/"dim": [0-9]*/"dim": 1e9/' $good/$part/config.json >model/$part/config.json
    broken 2 "^sora: model/$part/config.json: "
    fresh && rm $weights
    broken 3 "^sora: model/$part: no .safetensors file in it"
    fresh && rm $weights && mkdir $weights
    broken 2 "^sora: $weights: not a regular file"
    fresh && : >$weights
    broken 2 "^sora: $weights: 0 bytes are no safetensors file"
    for size in 7 100 5000 20000; do # within the header and within the data
        fresh && head -c $size $good/$part/model.safetensors >$weights
        broken 2 "^sora: $weights: .*(truncated|no safetensors file)"
    done
    fresh && echo >>$weights
    broken 2 "^sora: $weights: 1 bytes after the last tensor"
    fresh && printf '\377\377\377\377\377\377\377\177' | dd of=$weights conv=notrunc 2>/dev/null
    broken 2 "^sora: $weights: header of 9223372036854775807 bytes"
    fresh && LC_ALL=C sed -i 's/"F32"/"I32"/' $weights
    broken 2 "^sora: $weights: tensor \".*\" has type I32"
    fresh && LC_ALL=C sed -i 's/"F32"/"Q\\n"/' $weights
    broken 2 "^sora: $weights: tensor \".*\" has the type \"Q\?\", which is not supported"
    fresh && LC_ALL=C sed -i 's/"data_offsets":\[0,/"data_offsets":[4,/' $weights
    broken 2 "^sora: $weights: tensor \".*\" has [0-9]+ bytes, F32 \[.*\] needs [0-9]+"
    fresh && printf 'x' | dd of=$weights bs=1 seek=8 conv=notrunc 2>/dev/null
    broken 2 "^sora: $weights: bad JSON"
done

# Parts that do not belong together.
fresh && cp model/vae/model.safetensors model/transformer/
broken 2 '^sora: model/transformer/model.safetensors: there is no transformer in it'
fresh && sed -i 's/"ffn_dim": 32/"ffn_dim": 64/' model/transformer/config.json
broken 2 '^sora: model/transformer/model.safetensors: tensor ".*" is \[32, 24\], expected \[64, 24\]'

# Shards.
fresh && cp model/vae/model.safetensors model/vae/a.safetensors && mv model/vae/model.safetensors model/vae/b.safetensors
broken 2 '^sora: model/vae: 2 .safetensors files and 0 indexes in it, which one'
fresh && mv model/vae/model.safetensors a.safetensors
echo '{"weight_map": {"conv1.weight": "../../a.safetensors"}}' >model/vae/model.safetensors.index.json
expect 2 'model.safetensors.index.json: .* is no .safetensors file beside it' "$sora" "a dog" -m model
rm a.safetensors
echo '{"weight_map": {"conv1.weight": "a.safetensors"}}' >model/vae/model.safetensors.index.json
broken 3 '^sora: model/vae/a.safetensors: cannot open: No such file'
finish
