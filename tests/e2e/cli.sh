#!/bin/sh
# What the program says before any model is loaded: help, mistakes in the command line, bad prompts and outputs.
. "$(dirname "$0")/lib.sh"

expect 0 "" "$sora" --help
printed '^  generate '
printed '^    0  done$'
expect 0 "" "$sora" -h
expect 0 "" "$sora" --version
printed '^sora [0-9]+\.[0-9]+\.[0-9]+$'
expect 0 "" "$sora" generate --help
printed '^Examples:'
cp "$work.out" "$work.help"
expect 0 "" "$sora" help generate
cmp -s "$work.out" "$work.help" || fail "help generate and generate --help differ"
rm "$work.help"
# Every command that the help lists has help with an example, in 80 columns but for long examples.
commands() {
    "$@" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'
}
check_help() {
    expect 0 "" "$@" --help
    printed '^Usage: sora '
    printed '^Examples:'
    if awk 'length > 80 && !/^  sora / { long = 1 } END { exit !long }' "$work.out"; then
        fail "$* --help has long lines"
    fi
}
for command in $(commands "$sora"); do
    check_help "$sora" "$command"
    for subcommand in $(commands "$sora" "$command"); do
        check_help "$sora" "$command" "$subcommand"
    done
done

# The first example is what a stranger meets everywhere else.
"$sora" --help >"$work.out"
example=$(sed -n '/^Examples:/{n;s/^  sora "\(.*\)"$/\1/p;}' "$work.out")
for place in demo README.md include/sora.h; do
    checks=$((checks + 1))
    [ -n "$example" ] && grep -qF "$example" "$source_dir/$place" || fail "$place has another example than --help: $example"
done

# The verdict on a text, or on the text in a file.
expect 0 "" "$sora" check "a killer whale jumps" --explain
printed '^allowed$'
printed 'innocent: "killer whale" \(innocent.txt:[0-9]+\), as written'
expect 1 "" "$sora" check "a nak3d woman" --json
printed '"allowed": false'
printed '"category": "sexual"'
printed '"form": "normalised"'
printf 'a man stabs\nanother man' >judged.txt
expect 1 "" "$sora" check judged.txt
printed '^refused \(violence\): '
printf 'a\377' >judged.txt
expect 2 '^sora check: judged.txt: byte 2 \(0xff\) of the text is not UTF-8' "$sora" check judged.txt
printf 'off violence\noff nothing\n' >rules.txt
expect 2 '^sora check: rules.txt:2: there is no category "nothing"' "$sora" check x --policy rules.txt
printf 'off violence\n' >rules.txt
expect 0 "" "$sora" check "a man stabs another man" --policy rules.txt
expect 3 'norules.txt' "$sora" check x --policy norules.txt
expect 0 "" "$sora" check ""
rm judged.txt rules.txt

# No arguments: the help, as an error.
"$sora" >"$work.out" 2>"$work.err"
[ $? = 2 ] && grep -q Usage "$work.err" && [ ! -s "$work.out" ] || fail "sora alone"

expect 2 'unknown command "genrate"; did you mean generate\?' "$sora" genrate
expect 2 'unknown command "wombat"' "$sora" wombat
expect 2 'a prompt of several words needs quotes' "$sora" wombats dig holes
expect 2 'unknown command "nothing"' "$sora" help nothing
expect 2 'unknown option --stesp; did you mean --steps\?' "$sora" generate --stesp 5
expect 2 '^sora: unknown option --colour; see --help' "$sora" "a dog" --colour red
expect 2 '--steps needs a value' "$sora" "a dog" --steps
expect 2 '--steps: 0 is out of range: 1 to 1000' "$sora" "a dog" --steps 0
expect 2 '--steps: "many" is not a whole number' "$sora" "a dog" --steps=many
expect 2 '--frames: -3 is out of range' "$sora" "a dog" --frames -3
expect 2 '--fps: 1000 is out of range: 1 to 120' "$sora" "a dog" --fps 1000
expect 2 '--size: "128" is not WIDTHxHEIGHT' "$sora" "a dog" --size 128
expect 2 '--size: 0x128 is out of range' "$sora" "a dog" --size 0x128
expect 2 '--size: "99999999999x1" is not' "$sora" "a dog" --size 99999999999x1
expect 2 '--seed: "-1" is not a whole number' "$sora" "a dog" --seed -1
expect 2 '--solver: "magic" is none of auto\|unipc' "$sora" "a dog" --solver magic
expect 2 '--guidance: "nan" is not a number' "$sora" "a dog" --guidance nan
expect 2 'two prompts' "$sora" generate -p one "two dogs"
expect 2 '"walks" is one argument too many' "$sora" generate dog walks
expect 2 'a prompt is missing' "$sora" generate
expect 2 'a prompt is missing' "$sora" --steps 3

# Prompts.
expect 2 'the prompt is empty' "$sora" ""
expect 2 'the prompt is empty' "$sora" generate -p "  "
long=$(head -c 100000 /dev/zero | tr '\0' x)
expect 2 'unknown command "x+"' "$sora" "$long"
expect 2 'unknown option' "$sora" generate "--$long"
expect 2 'unknown option --\?\[31m; see' "$sora" generate "$(printf -- '--\033[31m')"

# Outputs.
expect 2 'unknown extension; known are .mp4 .webm .gif .png .jpg .webp' "$sora" "a dog" -o dog.avi
expect 2 'no extension' "$sora" "a dog" -o dog
expect 3 'none/dog.mp4: cannot write: No such file or directory' "$sora" "a dog" -o none/dog.mp4
mkdir folder.mp4
expect 4 'folder.mp4: cannot write: it is a folder' "$sora" "a dog" -o folder.mp4
rmdir folder.mp4
expect 3 'none.png: no such picture' "$sora" "a dog" --image none.png
expect 3 'none/model: no such model folder' "$sora" "a dog" -m none/model
expect 3 'no model "none"' "$sora" "a dog" -m none
expect 3 'none: no such model folder|no model "none"' env SORA_MODEL=none "$sora" "a dog"
mkdir empty
SORA_MODEL=$work/empty expect 3 'empty' "$sora" "a dog"
rmdir empty
only

# Commands beside generate.
expect 2 'PROMPTS|--prompts FILE is missing' "$sora" sheet sheet.png
expect 2 '--out DIR is missing' "$sora" train transformer none.json
for what in autoencoder transformer; do
    expect 3 "^sora train $what: none.json: cannot open: No such file" "$sora" train $what none.json --out run
    echo '{"optimizer": {"steps": "many"}}' >bad.json
    expect 2 "^sora train $what: bad.json: \"steps\" is not a number" "$sora" train $what bad.json --out run
    echo '{' >bad.json
    expect 2 "^sora train $what: bad.json:[0-9]+: " "$sora" train $what bad.json --out run
    rm -r bad.json run
done
expect 3 'none/config.json: cannot open' "$sora" train score none
expect 2 'config "none": unknown, try nano' "$sora" bench --config none
expect 2 'size: 17x3, expected multiples of 16' "$sora" bench --size 17x3
expect 2 'clock processor: it needs one thread, --threads 1' "$sora" bench --clock processor --threads 2
for what in preview bench captions; do
    argument=$([ $what = preview ] && echo sheet.png)
    expect 3 'run .sora stage fetch. first: none: cannot open' "$sora" stage $what --pack none $argument
    echo "this is no pack" >pack
    expect 2 'pack: not a stage pack' "$sora" stage $what --pack pack $argument
    rm pack
done
expect 3 'none: no picture' "$sora" stage fetch --art none --pack art.pack
expect 3 'npm: this program is needed and not installed' env PATH=/nowhere "$sora" stage fetch --pack art.pack
only

# Printing that fails is a failure.
for arguments in --help --version completion; do
    checks=$((checks + 1))
    "$sora" $arguments >/dev/full 2>"$work.err"
    [ $? = 4 ] && grep -q 'cannot write to standard output' "$work.err" || fail "$arguments >/dev/full"
done

expect 2 'no completion for "csh"; there is one for bash, zsh and fish' "$sora" completion csh
expect 0 "" "$sora" completion bash
if command -v bash >/dev/null; then
    cp "$work.out" completion.bash
    complete() {
        bash -c '. ./completion.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sora; echo "${COMPREPLY[*]}"' - "$@"
    }
    checks=$((checks + 3))
    [ "$(complete sora gen)" = generate ] || fail "completion of gen: $(complete sora gen)"
    [ "$(complete sora generate --sol)" = --solver ] || fail "completion of --sol"
    [ "$(complete sora generate --solver d)" = dpmpp ] || fail "completion of --solver d"
    rm completion.bash
fi
only
expect 0 "" "$sora" inspect "$source_dir/models/nano"
printed '^model: nano, by its model.json; its sizes are of no published model$'

# What nano knows, and what it does not.
expect 0 "" "$sora" words -m "$source_dir/models/nano"
printed '^nouns \(35\)$'
printed '^  dog / 犬$'
expect 0 "" "$sora" words -m "$source_dir/models/nano" --json
printed '^\{"format":1,"nouns":\[\{"en":\["dog","dogs","puppy"\]'
expect 0 'note: the model does not know "playing" and "piano" \(known: "drum"\); it knows 35 nouns, such as dog, car,' \
    "$sora" "a cat playing piano" -m "$source_dir/models/nano" --steps 1 -o words.mp4 --json
printed '"notes": \[\{"about": "words", "text": "the model does not know'
rm words.mp4

finish
