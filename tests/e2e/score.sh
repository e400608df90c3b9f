#!/bin/sh
# sora score as a user meets it: with a tiny model of random weights, whose videos have nothing that they were asked for.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
probe=$source_dir/models/probe
model=$work.model
score() {
    "$sora" score "$model" --probe "$probe" --cache cache "$@"
}
lines() {
    [ -f cache/sights.tsv ] && wc -l <cache/sights.tsv || echo 0
}
# seen N: so many videos are in the cache, none of them twice.
seen() {
    checks=$((checks + 1))
    [ "$(lines)" = "$1" ] || fail "$(lines) sights, expected $1"
    [ -z "$(cut -f 1 cache/sights.tsv | sort | uniq -d)" ] || fail "a sight was taken twice"
}

# Three prompts, then six, of which three are there.
printf 'id\tlang\tprompt\tthing\tplace\n' >asks.tsv
for i in 1 2 3 4 5 6; do
    printf '%s\ten\ta dog in place %s\tdog\tmeadow\n' $i $i >>asks.tsv
done
expect 0 "" score --prompts asks.tsv --quick 3 --no-real
printed 'tiny|model: 3 prompts, 1 seed, 3 videos'
printed '^thing +3 '
printed '^place +3 '
seen 3
expect 0 "" score --prompts asks.tsv --no-real --json
printed '"videos": 6'
printed '"asked": 6'
seen 6
# Videos that were kept are judged again where nothing is known of them.
expect 0 "" "$sora" score "$model" --probe "$probe" --prompts asks.tsv --quick 2 --no-real --videos videos --cache other
cp "$work.out" first
rm other/sights.tsv
touch -d 2001-01-01 videos/*.png
expect 0 "" "$sora" score "$model" --probe "$probe" --prompts asks.tsv --quick 2 --no-real --videos videos --cache other
checks=$((checks + 1))
cmp -s first "$work.out" || fail "kept videos are judged otherwise"
[ "$(find videos -name '*.png' -newermt 2002-01-01 | wc -l)" = 0 ] || fail "a video that was kept is made again"
# Half a line, as a program leaves it that was killed while writing.
printf '0123456789abcdef\t1\t2' >>cache/sights.tsv
expect 0 "" score --prompts asks.tsv --no-real --seeds 2
printed '6 prompts, 2 seeds, 12 videos'
checks=$((checks + 1))
[ "$(lines)" = 13 ] || fail "$(lines) lines, expected 13"
# Without the art of the stage, a line says so.
expect 0 'the judge is not measured: .*sora stage fetch' score --prompts asks.tsv
# The probe's own prompts.
expect 0 "" score --quick 2 --no-real
printed '^thing '

# What is wrong has one line.
expect 3 'none.tsv: cannot open' score --prompts none.tsv
printf 'prompt\tthing\na dgo\tdgo\n' >wrong.tsv
expect 2 'wrong.tsv:2: "thing" cannot be "dgo"' score --prompts wrong.tsv
expect 3 'none/such: no such model folder' "$sora" score none/such --cache cache
expect 3 'none/such: no such model folder' "$sora" score "$model" --probe none/such --cache cache
expect 2 'config.json: .*"model_type" is not "probe"' "$sora" score "$model" --probe "$model/vae" --cache cache
: >file
expect 4 'file' "$sora" score "$model" --probe "$probe" --cache file/below --no-real
mkdir broken
cp "$probe/config.json" broken
head -c 100000 "$probe/model.safetensors" >broken/model.safetensors
expect 2 'broken/model.safetensors: ' "$sora" score "$model" --probe broken --prompts asks.tsv --cache cache
expect 2 'seeds' score --seeds 0
expect 3 'pack' score --prompts asks.tsv --stage none.pack

finish
