#!/bin/sh
# Checks that what the documents repeat of the tree is so. Usage: docs.sh [ROOT]
cd "${1:-$(dirname "$0")/..}" || exit 1
wrong=0
say() {
    echo "$1"
    wrong=$((wrong + 1))
}

# Files that are named with their folder are there: tensor/graph.h, tests/docs.sh.
for file in $(grep -ohE '\b[a-z_0-9]+(/[a-z_0-9]+)*/[a-z_0-9-]+\.(c|h|sh|json|md)\b' README.md docs/*.md | sort -u); do
    case $file in
    */config.json | model/* | tokenizer/* | train-out/* | transformer/* | text_encoder/* | vae/* | sora.json) continue ;; # a model's
    esac
    [ -e "$file" ] || [ -e "src/$file" ] || [ -e "docs/$file" ] || say "the documents name $file, which is not there"
done

# Every folder has its line in the table of layers.
for folder in src/*/; do
    grep -q "^    $folder " docs/architecture.md || say "docs/architecture.md: no line for $folder"
done

# Decisions stand in their order.
numbers=$(sed -n 's/^\*\*\([0-9]*\)\([a-z]*\)\. .*/\1 \2/p' docs/decisions.md)
[ "$numbers" = "$(echo "$numbers" | sort -s -k1,1n -k2,2)" ] || say "docs/decisions.md: numbers out of order"

# The example of a model.json is the shipped one.
example=$(sed -n '/^## model.json/,/^More keys/p' docs/model-format.md | sed -n '/^```json/,/^```$/p' | grep -v '^```' | tr -d ' \n')
[ "$example" = "$(tr -d ' \n' <models/nano/model.json)" ] || say "docs/model-format.md: the example is not models/nano/model.json"

# What bench/readme.sh prints are rows of README's table.
sed -n 's/^row "\([^$]*\)" ".*/\1/p' bench/readme.sh | tr -d '\\' > "${TMPDIR:-/tmp}/sora-rows-$$"
[ "$(wc -l < "${TMPDIR:-/tmp}/sora-rows-$$")" -ge 7 ] || say "bench/readme.sh: its rows are not to be found"
while read -r label; do
    grep -qF "| $label |" README.md || say "README.md: no row \"$label\", which bench/readme.sh prints"
done < "${TMPDIR:-/tmp}/sora-rows-$$"
rm -f "${TMPDIR:-/tmp}/sora-rows-$$"

# Every fuzzer is built.
for harness in tests/fuzz/*_fuzz.c; do
    name=$(basename "$harness" _fuzz.c)
    grep -q "'$name'" tests/meson.build || say "$harness is not in tests/meson.build"
done

[ "$wrong" = 0 ] || echo "$wrong things are wrong"
[ "$wrong" = 0 ]
