# Sourced after lib.sh by the tests of sora serve: starts and stops it, asks it, and looks at what it answers.
SORA_TRACE_INDEX=
export SORA_TRACE_INDEX
server_pid=
url=

# Faces are not looked for: the program that finds them need not be there.
echo "set faces allow" >"$work.policy"

# start_server ARGUMENT...: on a free port, with the tiny model and $work.policy; the log is in ./log.
start_server() {
    rm -f "$work.url" # or the last one's line would be taken for this one's
    "$sora" serve --data "$work.data/serve" -p 0 --model "$work.model" --policy "$work.policy" "$@" >"$work.url" 2>"$work.log" &
    server_pid=$!
    tries=0
    until grep -qs '^sora serve: http' "$work.url" || ! kill -0 $server_pid 2>/dev/null || [ $tries = 3000 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    url=$(sed -n 's/^sora serve: \(http[^ ]*\).*/\1/p' "$work.url")
    [ -n "$url" ] && return 0
    fail "the server did not start: $(head -c 300 "$work.log")"
    finish
    exit 1
}

stop_server() {
    kill "${1:--TERM}" $server_pid 2>/dev/null
    wait $server_pid 2>/dev/null
    stopped=$?
    server_pid=
}

# ask STATUS CURL-ARGUMENT...: the answer is in $work.body, its headers in $work.head.
ask() {
    wanted=$1
    shift
    checks=$((checks + 1))
    got=$(curl -s -o "$work.body" -D "$work.head" -w '%{http_code}' "$@")
    [ "$got" = "$wanted" ] || fail "status $got, not $wanted: $(echo "$*" | cut -c1-150): $(head -c 400 "$work.body")"
}

# has PATTERN: in the last answer; head_has: in its headers.
has() {
    checks=$((checks + 1))
    grep -Eq -e "$1" "$work.body" || fail "the answer lacks \"$1\": $(head -c 600 "$work.body")"
}
lacks() {
    checks=$((checks + 1))
    grep -Eq -e "$1" "$work.body" && fail "the answer has \"$1\": $(head -c 600 "$work.body")"
}
head_has() {
    checks=$((checks + 1))
    tr -d '\r' <"$work.head" | grep -Eiq -e "$1" || fail "the headers lack \"$1\": $(cat "$work.head")"
}

# member NAME: the value of the first member of that name in the last answer, without its quotes.
member() {
    sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" "$work.body" | head -1
}
id() {
    sed -n 's/^{"id":"\([^"]*\)".*/\1/p' "$work.body"
}

# until_status ID STATUS...: polls, at most five minutes; STATUS... are those that end it.
until_status() {
    wanted_id=$1
    shift
    tries=0
    while [ $tries -lt 6000 ]; do
        curl -s ${key:+-H "Authorization: Bearer $key"} "$url/v1/videos/$wanted_id" >"$work.body"
        status=$(member status)
        for wanted_status in "$@"; do
            [ "$status" = "$wanted_status" ] && return 0
        done
        sleep 0.05
        tries=$((tries + 1))
    done
    fail "$wanted_id is $status, not $*"
    return 1
}

# Sets $seen: how many videos all pages of the list have together.
count_listed() {
    after=
    seen=0
    while :; do
        curl -s "$url/v1/videos?limit=100${after:+&after=$after}" >"$work.body"
        seen=$((seen + $(grep -o '"object":"video"' "$work.body" | wc -l)))
        after=$(sed -n 's/.*"last_id":"\([^"]*\)".*/\1/p' "$work.body")
        grep -q '"has_more":true' "$work.body" || break
    done
}

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
trap 'stop_server -KILL; rm -rf "$work" "$work".*' EXIT
