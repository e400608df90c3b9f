#!/bin/sh
# A server is killed before its first call that changes the disk or leaves the machine, then before the second, and so on through
# everything that it does: its beginning, requests, the claim of a job, its end, the removal of files. Then no job is lost, none is
# there twice, no file is half, missing or left behind. Its engines make nothing, so that many kills take little time.
# SORA_KILLS: how many (24), at every SORA_KILL_STRIDEth step (13), which hits others in each life; SORA_KILL_STORE=postgres: on PostgreSQL, whose connections are cut too.
files_tool=$(realpath "$7")
stub=$(realpath "$9")
kill_at=$(realpath "${10}")
. "$(dirname "$0")/lib.sh"
. "$source_dir/tests/e2e/serve_lib.sh"
ln -s "$source_dir/models" models # the judge of pictures is there
command -v curl >/dev/null || { echo "SKIPPED: curl is not installed"; exit 77; }
[ -f "$kill_at" ] || { echo "SKIPPED: with a sanitizer nothing can be put before its library"; exit 77; }
database=
[ "$SORA_KILL_STORE" != postgres ] || . "$source_dir/tests/e2e/postgres_lib.sh"
kills=${SORA_KILLS:-24}
killed=0
stride=${SORA_KILL_STRIDE:-13}
step=$stride
most=0 # steps of one life

# live [N]: a server that ends before its Nth step; false: before it listened.
live() {
    rm -f "$work.url"
    env ${1:+LD_PRELOAD="$kill_at" SORA_KILL_AT=$1} "$stub" "$work.data/serve" 2 $database >"$work.url" 2>>"$work.log" &
    server_pid=$!
    until grep -qs '^sora serve: http' "$work.url"; do
        kill -0 $server_pid 2>/dev/null || return 1
        sleep 0.02
    done
    url=$(sed -n 's/^sora serve: \(http[^ ]*\).*/\1/p' "$work.url")
}

# make TOKEN: true when it was answered. Who is not answered asks again with the same token, and has one video in the end.
make() {
    curl -s -m 20 "$url/v1/videos" -F prompt="job $1" -F seconds=1 -F size=64x48 -H "Idempotency-Key: $1" >"$work.body"
    [ -n "$(id)" ] || return 1
    case $1 in
    d-*) echo "$(id)" >>doomed ;;
    *) echo "$(id)" >>ids ;;
    esac
}

# Every request of the list that is not answered yet.
: >ids
: >doomed
: >asked
: >gone
work_off() {
    for token in $(cat asked); do
        make "$token" || return 1
        grep -vx "$token" asked >rest
        mv rest asked
    done
    for one in $(cat doomed); do
        got=$(curl -s -m 20 -o "$work.body" -w '%{http_code}' -X DELETE "$url/v1/videos/$one")
        case $got in
        200 | 404) ;;
        *) return 1 ;;
        esac
        echo "$one" >>gone
        grep -vx "$one" doomed >rest
        mv rest doomed
    done
}

while [ $killed -lt "$kills" ]; do
    if live $step; then
        for token in j-$killed-1 j-$killed-2 d-$killed; do echo $token >>asked; done
        [ -z "$database" ] || [ $((killed % 7)) != 3 ] || cut_connections &
        work_off
        tries=0
        while kill -0 $server_pid 2>/dev/null && [ $tries -lt 40 ]; do # a sweep comes after a second
            sleep 0.05
            tries=$((tries + 1))
        done
    fi
    if kill -KILL $server_pid 2>/dev/null; then # it has fewer steps than that
        [ $step -gt 20 ] || fail "a server lived through all of $step steps"
        most=$((step - 1))
        step=$((killed % stride + 1 - stride))
    fi
    wait $server_pid 2>/dev/null
    killed=$((killed + 1))
    step=$((step + stride))
done
live || fail "it does not start: $(tail -1 "$work.log")"
until work_off; do sleep 0.2; done
jobs=$(wc -l <ids)
given_up=0
while read -r one; do
    until_status "$one" completed failed
    if [ "$status" = failed ] && [ -n "$database" ] && grep -q 'ended several times' "$work.body"; then
        given_up=$((given_up + 1)) # three of its workers were killed
    else
        has '"status":"completed"'
    fi
done <ids
[ "$(sort -u ids | wc -l)" = "$jobs" ] || fail "two tokens have the same video"
while read -r one; do
    ask 404 "$url/v1/videos/$one"
done <gone
count_listed
[ $seen = "$jobs" ] || fail "$jobs jobs were asked for, there are $seen"
sleep 6 # a sweep
stop_server
checks=$((checks + 1))
if [ -n "$database" ]; then
    sql "SELECT video FROM jobs WHERE video IS NOT NULL UNION SELECT thumbnail FROM jobs WHERE thumbnail IS NOT NULL UNION SELECT spritesheet FROM jobs WHERE spritesheet IS NOT NULL" | sort >named
    sql "SELECT file FROM removals" | sort >noted
    find "$work.data/serve/files" -type f -size +0 -printf '%f\n' | sort >there
    comm -13 there named | head -1 | grep . && fail "a file that is named is not there"
    sort -u named noted | comm -13 - there | head -1 | grep . && fail "a file is there that nothing names"
else
    "$files_tool" "$work.data/serve" || fail "files and database differ"
fi
[ "$(find "$work.data/serve" -maxdepth 1 -name '.sora-*' | wc -l)" = 0 ] || fail "scratch folders are left"
echo "$killed kills, $most steps in the longest life, $jobs jobs${given_up:+, $given_up of them given up after three workers}"
finish
