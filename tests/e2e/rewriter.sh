#!/bin/sh
# --rewriter: what is sent to a chat model and what becomes of its answers, against a small server; $3 makes a tiny model.
. "$(dirname "$0")/lib.sh"

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
export SORA_MODEL
fast="--steps 1 --frames 1 --no-trace"
python3 "$source_dir/tests/e2e/chat_server.py" port asked.log &
server=$!
trap 'kill $server 2>/dev/null; rm -rf "$work" "$work".*' EXIT
for i in $(seq 100); do
    [ -s port ] && break
    sleep 0.1
done
url=http://127.0.0.1:$(cat port)
requests() {
    [ "$(wc -l <asked.log)" = "$1" ] || fail "$(wc -l <asked.log) requests, expected $1"
}

# The prompt and the instructions go there, and the answer becomes the prompt: without thoughts, quotes and line ends.
SORA_REWRITER_KEY=secret
export SORA_REWRITER_KEY
expect 0 'the prompt is rewritten: "a dog runs left on the beach"' "$sora" "a corgi zooms past" $fast --json --rewriter "$url/good/v1/" --rewriter-model m1 --seed 7 -o x.png
printed '"prompt": ?"a dog runs left on the beach"'
printed '"asked": ?"a corgi zooms past"'
requests 1
grep -q '^/good/v1/chat/completions Bearer secret {' asked.log || fail "the request: $(cat asked.log)"
for part in '"model":"m1"' '"seed":7' '"role":"user","content":"a corgi zooms past"' '80 to 100 words'; do
    grep -qF "$part" asked.log || fail "the request lacks $part"
done
unset SORA_REWRITER_KEY
expect 0 "" "$sora" rewrite "a corgi" --rewriter "$url/good/v1/chat/completions"
printed '^a dog runs left on the beach$'
expect 0 "" "$sora" rewrite "a corgi" --json --rewriter "$url/good"
printed '"asked": ?"a corgi", ?"text": ?"a dog runs left on the beach"'
requests 3
expect 0 "" "$sora" rewrite "a corgi" --instructions -m "$source_dir/models/nano"
printed 'Use only the words listed below.*nouns: dog 犬, car 車'
requests 3

# What it answers is judged like what is typed.
checks=$((checks + 1))
"$sora" "a corgi" $fast --rewriter "$url/refused" -o refused.png 2>"$work.err"
[ $? = 2 ] && grep -q 'refused (sexual)' "$work.err" || fail "a refused answer: $(cat "$work.err")"
[ ! -e refused.png ] || fail "a refused picture was written"

# Whatever goes wrong is said, and the prompt is used as it is.
plain() {
    "$sora" "a corgi" $fast --json --rewriter "$1" -o y.png --rewriter-timeout 2 >"$work.out" 2>"$work.err" || fail "$1: $(cat "$work.err")"
    checks=$((checks + 1))
    printed '"prompt": ?"a corgi"'
    grep -Eq "$2.*the prompt is used as it is" "$work.err" || fail "$1: $(cat "$work.err")"
    rm y.png
}
plain "$url/empty" 'the answer is empty'
plain "$url/long" 'the answer has 7999 bytes'
plain "$url/cut" 'the answer is cut off'
plain "$url/thinks" 'ends within its thoughts'
plain "$url/html" 'no chat completion'
plain "$url/other" 'no chat completion'
plain "$url/bytes" 'no chat completion'
plain "$url/huge" 'more than 1048576 bytes'
plain "$url/broken" 'status 500'
plain "$url/late" 'no answer within 2 s'
before=$(wc -l <asked.log)
plain "$url/elsewhere" 'status 302'
requests $((before + 1)) # the other address was not asked
plain http://127.0.0.1:1 'connect'
expect 2 'no chat completion' "$sora" rewrite "a corgi" --rewriter "$url/html"

# No address, no request; an address that is none, and options that lack one.
before=$(wc -l <asked.log)
expect 0 "" "$sora" "a corgi" $fast -o z.png
requests "$before"
expect 2 'no address that begins with http' "$sora" "a corgi" $fast --rewriter file:///etc/passwd -o z2.png
expect 2 'no address that begins with http' "$sora" "a corgi" $fast --rewriter nonsense -o z2.png
expect 2 'need --rewriter URL' "$sora" "a corgi" $fast --rewriter-timeout 5 -o z2.png
expect 2 'leave one out' "$sora" "a corgi" $fast --rewriter "$url" --style noir -o z2.png

finish
