#!/bin/sh
# Two servers and a worker on one PostgreSQL: any of them answers for any job, a worker that is killed loses none, and connections
# that are cut are made anew. The database is a cluster of this test's own; skipped where PostgreSQL is not installed.
test_store=$(realpath "$8")
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
. "$source_dir/tests/e2e/postgres_lib.sh"
as "$bin/createdb -h 127.0.0.1 -p $port -U postgres unit"
checks=$((checks + 1))
SORA_TEST_POSTGRES=postgres://postgres@127.0.0.1:$port/unit "$test_store" >"$work.out" 2>&1 || fail "the store's test on PostgreSQL: $(grep ERROR "$work.out" | head -3)"

expect 2 'without keys' "$sora" serve --store "$database" --data "$work.data/shared" --host 0.0.0.0 --model "$work.model" --jobs 0
start() {
    "$sora" "$@" --store "$database" --data "$work.data/serve" --model "$work.model" --log errors >"$work.url.$1" 2>>"$work.log" &
    last_pid=$!
    pids="$pids $last_pid"
}
start_server --store "$database" --jobs 0 --log errors
first=$url
server_one=$server_pid
rm -f "$work.url"
start_server --store "$database" --jobs 0 --log errors
second=$url
pids="$pids $server_one"
start worker
worker=$last_pid

# made on one, seen on the other
url=$first
ask 200 "$first/v1/videos" -F prompt="a fox" -F seconds=1 -F size=64x48
one=$(id)
url=$second
until_status "$one" completed
ask 200 "$second/v1/videos/$one/content"
ask 200 "$first/v1/videos/$one/content"

# a worker is killed in the middle: its lease runs out, and another one makes it
ask 200 "$first/v1/videos" -F prompt="a bear" -F seconds=4 -F steps=60 -F size=256x256
two=$(id)
until_status "$two" in_progress
kill -KILL $worker
start worker
until_status "$two" completed failed
has '"status":"completed"'

# every connection is cut while jobs are asked for and made
for n in 1 2 3 4 5 6; do
    tries=0
    until [ "$(curl -s -o "$work.body" -w '%{http_code}' "$first/v1/videos" -F prompt="job $n" -F seconds=1 -F size=64x48 \
        -H "Idempotency-Key: cut-$n")" = 200 ] || [ $tries = 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    echo "$(id)" >>ids
    cut_connections
done
[ "$(sort -u ids | wc -l)" = 6 ] || fail "six requests did not make six videos: $(cat ids)"
while read -r three; do
    tries=0
    while [ $tries -lt 3000 ]; do # an answer may be an error while the connection is made anew
        curl -s "$second/v1/videos/$three" >"$work.body"
        [ "$(member status)" = completed ] && break
        tries=$((tries + 1))
        sleep 0.1
    done
    checks=$((checks + 1))
    [ "$(member status)" = completed ] || fail "after the cuts: $(head -c 300 "$work.body")"
done <ids

# a key that is revoked on one ends on the other, with its job
admin=$("$sora" keys create --data "$work.data/serve" --store "$database" --scopes "videos admin" 2>/dev/null)
sleep 0.3
key=$("$sora" keys create --data "$work.data/serve" --store "$database" 2>/dev/null)
ask 200 "$first/v1/videos" -H "Authorization: Bearer $key" -F prompt=long -F seconds=4 -F steps=1000 -F size=256x256
four=$(id)
until_status "$four" in_progress
key_id=$(curl -s "$second/v1/key" -H "Authorization: Bearer $key" | sed -n 's/^{"id":"\([^"]*\)".*/\1/p')
ask 200 -X DELETE "$second/v1/admin/keys/$key_id" -H "Authorization: Bearer $admin"
sleep 1
ask 401 "$first/v1/videos/$four" -H "Authorization: Bearer $key"
ask 200 "$first/metrics"
has '^sora_requests_running 0'
finish
