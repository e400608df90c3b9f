#!/bin/sh
# What the rewriter recovers of a stranger's words, by videos: bench/rewriting.sh MODEL [PROMPTS]
# The 200 prompts of models/probe/strangers.tsv have the plain caption beside the stranger's words. Videos of both, and of the words after
# `sora rewrite`, are made and judged by `sora score` (about 800 videos, some 10 minutes of a processor with nano); what was judged is kept in
# its cache, so that a run that was stopped goes on. REWRITER=URL judges what a chat model makes of them, too; QUICK=N takes N of the
# prompts; SORA is the program. Needs jq.
set -e
model=${1:?a model, such as models/nano}
prompts=${2:-$(dirname "$0")/../models/probe/strangers.tsv}
sora=${SORA:-sora}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A file of prompts whose fourth column is what the command prints for a line's stranger's words and plain caption.
plain() { printf '%s\n' "$2"; }
stranger() { printf '%s\n' "$1"; }
rewritten() { "$sora" rewrite "$1" -m "$model" --json | jq -r .text; }
rewritten_plain() { "$sora" rewrite "$2" -m "$model" --json | jq -r .text; }
chat() { "$sora" rewrite "$1" -m "$model" --rewriter "$REWRITER" || printf '%s\n' "$1"; }
make_prompts() {
    head -n 1 "$prompts" | cut -f1-12 >"$work/$1.tsv"
    tail -n +2 "$prompts" | while IFS= read -r line; do
        words=$(printf '%s\n' "$line" | cut -f4)
        caption=$(printf '%s\n' "$line" | cut -f13)
        text=$("$1" "$words" "$caption" </dev/null)
        printf '%s\t%s\t%s\n' "$(printf '%s\n' "$line" | cut -f1-3)" "$text" "$(printf '%s\n' "$line" | cut -f5-12)"
    done >>"$work/$1.tsv"
}

# What was asked for and is seen in the videos, over all that is asked.
share() {
    jq -r '[.made.right | to_entries[] | select(.key | test("^(thing|colour|count|place|time|weather|action|direction)$")) | .value.all] |
        "\(map(.right) | add) \(map(.asked) | add)"' "$work/$1.json"
}

kinds="plain rewritten_plain stranger rewritten${REWRITER:+ chat}"
for kind in $kinds; do
    make_prompts "$kind"
    "$sora" score "$model" --prompts "$work/$kind.tsv" --no-real ${QUICK:+--quick "$QUICK"} --json >"$work/$kind.json"
    echo "$kind $(share "$kind")"
done | awk '{ share[$1] = 100 * $2 / $3; printf "%-16s %4d of %4d asked for and seen, %5.1f %%\n", $1, $2, $3, share[$1] }
    END { lost = share["plain"] - share["stranger"]
        for (kind in share)
            if (lost > 0 && (kind == "rewritten" || kind == "chat"))
                printf "%s recovers %.0f %% of the %.1f points lost\n", kind, 100 * (share[kind] - share["stranger"]) / lost, lost
        printf "plain prompts change by %+.1f points\n", share["rewritten_plain"] - share["plain"] }'
