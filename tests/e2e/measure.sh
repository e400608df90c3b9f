#!/bin/sh
# sora measure as a user meets it: with a tiny model of random weights, and with a folder of somebody's videos.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
probe=$source_dir/models/probe
measure() {
    "$sora" measure --probe "$probe" --no-real "$@"
}
# true COMMAND...
true_that() {
    checks=$((checks + 1))
    "$@" || fail "not so: $*"
}
printf 'id\tlang\tprompt\tthing\tplace\taction\tdirection\tcamera\n' >asks.tsv
printf 'a\ten\ta <dog> & a "cat"\tdog\tmeadow\tidle\t\tpan left\n' >>asks.tsv
printf 'b\tja\tball\tball\troom\tfall\tdown\t\n' >>asks.tsv

expect 0 "" measure "$work.model" --prompts asks.tsv --out out --seeds 2
printed '2 prompts, 2 seeds, 4 videos'
printed '^camera +2 .* blocks$'
printed '^gravity +2 .* track$'
printed '^thing +4 .* probe$'
printed 'captioner is no eye'
printed 'out/report.html'
true_that [ "$(ls out/videos | wc -l)" = 4 ]
# The page needs no other file, and what a prompt says is text in it.
true_that grep -q 'a &lt;dog&gt; &amp; a &quot;cat&quot;' out/report.html
true_that grep -q '<svg' out/report.html
true_that grep -q 'src="data:image/jpeg;base64,' out/report.html
checks=$((checks + 1))
grep -Eq '(src|href)="(http|[^d])|<script' out/report.html && fail "the page asks for other files"
# It goes on with what is there.
cp out/report.html first.html
rm out/report.html
touch -d 2001-01-01 out/videos/*.png
expect 0 "" measure "$work.model" --prompts asks.tsv --out out --seeds 2 --json
printed '"eyes"'
printed '"gravity": "track"'
true_that cmp -s first.html out/report.html
true_that [ "$(find out/videos -name '*.png' -newermt 2002-01-01 | wc -l)" = 0 ]

# Somebody's videos, by name and by the text beside them; a damaged one is named, and the exit code says so.
mkdir theirs
for name in a b-1 other; do
    "$sora" generate -m "$work.model" -p x --no-credentials -o theirs/$name.mp4 >/dev/null 2>&1 || exit 1
done
printf 'ball\nanother line\n' >theirs/other.txt
expect 0 "" measure --videos theirs --prompts asks.tsv --out folder --seeds 2
printed 'theirs, suite asks.tsv: 2 prompts, 2 seeds, 3 videos'
head -c 300 theirs/a.mp4 >half && mv half theirs/a.mp4
checks=$((checks + 1))
measure --videos theirs --prompts asks.tsv --out folder --seeds 2 >out.txt 2>err.txt
[ $? = 2 ] || fail "a damaged video is not in the exit code"
true_that grep -q 'theirs/a.mp4.*: skipped' err.txt
true_that grep -q 'theirs: 1 of 3 videos could not be read' err.txt
true_that grep -q '2 videos' out.txt
printf 'stranger\n' >theirs/other.txt
checks=$((checks + 1))
measure --videos theirs --prompts asks.tsv --out folder --seeds 2 >out.txt 2>err.txt
grep -q 'theirs/other.mp4: not looked at: it has no prompt' err.txt || fail "a stranger is not named"

# What is wrong has one line.
expect 2 'theirs: .*name no model' measure "$work.model" --videos theirs --out folder
expect 2 'no effect with --videos' measure --videos theirs --steps 3 --out folder
expect 3 'none: ' measure --videos none --prompts asks.tsv --out folder
expect 2 'suite' measure "$work.model" --suite none
expect 3 'none/such: no such model folder' measure none/such --out folder
printf 'prompt\tcamera\nx\tup\n' >wrong.tsv
expect 2 'wrong.tsv:2: "camera" cannot be "up"' measure "$work.model" --prompts wrong.tsv --out folder

finish
