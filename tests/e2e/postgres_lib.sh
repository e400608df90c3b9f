# Sourced after serve_lib.sh: a PostgreSQL cluster of the test's own at $port, with a database "sora"; its address is $database.
# What lacks PostgreSQL is skipped.
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)
[ -n "$bin" ] || bin=$(dirname "$(command -v initdb || echo /nothing/initdb)")
[ -x "$bin/initdb" ] && command -v curl >/dev/null || { echo "SKIPPED: PostgreSQL's server or curl is not installed"; exit 77; }
"$sora" serve --store postgres://127.0.0.1:1/none --data "$work.data/x" --model "$work.model" 2>&1 | grep -q 'has no PostgreSQL' && {
    echo "SKIPPED: this build has no PostgreSQL"
    exit 77
}
cluster=$work.cluster
mkdir "$cluster"
as_user=
if [ "$(command id -u)" = 0 ]; then # it refuses to run as root
    command id postgres >/dev/null 2>&1 || { echo "SKIPPED: as root, and there is no user postgres"; exit 77; }
    chown postgres "$cluster"
    as_user="su postgres -c"
fi
as() {
    if [ -n "$as_user" ]; then su postgres -s /bin/sh -c "cd / && $*"; else sh -c "$*"; fi
}
port=$((20000 + $$ % 20000))
pids=
clean() {
    kill -KILL $pids 2>/dev/null
    stop_server -KILL
    as "$bin/pg_ctl -D $cluster/data -m immediate stop" >/dev/null 2>&1
    rm -rf "$work" "$work".*
}
trap clean EXIT
as "$bin/initdb -D $cluster/data -A trust -U postgres -N" >"$work.log" 2>&1 &&
    as "$bin/pg_ctl -D $cluster/data -w -l $cluster/log -o '-p $port -k $cluster -c listen_addresses=127.0.0.1' start" >"$work.log" 2>&1 || {
    echo "SKIPPED: PostgreSQL does not start here: $(tail -1 "$work.log")"
    exit 77
}
as "$bin/createdb -h 127.0.0.1 -p $port -U postgres sora" || fail "no database"
database=postgres://postgres@127.0.0.1:$port/sora
# sql STATEMENT: its rows.
sql() {
    as "$bin/psql -h 127.0.0.1 -p $port -U postgres -qAt -c \"$1\" sora"
}
# cut: every connection to the database.
cut_connections() {
    sql "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'sora' AND pid <> pg_backend_pid()" >/dev/null 2>&1
}
