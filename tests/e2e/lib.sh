# Sourced by the scripts here, which get the program as $1, the library as $2 and the maker of a tiny model as $3.
# Each runs in an empty folder of its own.
sora=$(realpath "$1")
library=${2:+$(realpath "$2")}
make_model=${3:+$(realpath "$3")}
source_dir=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-e2e-XXXXXX")
trap 'rm -rf "$work" "$work".*' EXIT
cd "$work" || exit 1
# Keys and index of the tests' own; nobody's are touched.
unset SORA_CREDENTIALS SORA_TRACE_INDEX
XDG_CONFIG_HOME=$work.config XDG_DATA_HOME=$work.data
export XDG_CONFIG_HOME XDG_DATA_HOME
# The first run would make them and say so, which is what a script with own_keys looks at.
[ -n "$own_keys" ] || "$sora" credentials init >/dev/null || exit 1
failures=0
checks=0

fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# expect CODE PATTERN COMMAND...: the exit code; PATTERN (grep -E) in the one line on stderr, or "" for none. That a file is
# replaced is one only if PATTERN says so. What it prints is left in ./stdout, ./stderr of the folder above.
expect() {
    code=$1
    pattern=$2
    shift 2
    checks=$((checks + 1))
    "$@" >"$work.out" 2>"$work.err" </dev/null
    got=$?
    case $pattern in
    *replaced*) ;;
    *) sed -i '/^sora[a-z ]*: .* is there and will be replaced$/d' "$work.err" ;;
    esac
    lines=$(wc -l <"$work.err")
    [ "$got" = "$code" ] || fail "exit code $got, not $code: $(echo "$*" | cut -c1-100): $(head -c 300 "$work.err")"
    if [ -z "$pattern" ]; then
        [ "$lines" = 0 ] || fail "unexpected on stderr: $(head -c 300 "$work.err")"
    else
        [ "$lines" = 1 ] || fail "$lines lines on stderr: $(echo "$*" | cut -c1-100): $(head -c 300 "$work.err")"
        grep -Eq -e "$pattern" "$work.err" || fail "stderr lacks \"$pattern\": $(head -c 300 "$work.err")"
    fi
}

# printed PATTERN: it is in the standard output of the last expect.
printed() {
    checks=$((checks + 1))
    grep -Eq -e "$1" "$work.out" || fail "stdout lacks \"$1\": $(head -c 300 "$work.out")"
}

# only FILE...: the folder holds these and nothing else.
only() {
    checks=$((checks + 1))
    found=$(ls -A | tr '\n' ' ')
    [ "$found" = "${*:+$* }" ] || fail "files: \"$found\", expected: \"$*\""
}

# listens PID: waits until that program catches SIGTERM, which is bit 14 of the mask.
listens() {
    tries=0
    until grep -Eq '^SigCgt:.*[4567cdef]...$' "/proc/$1/status" || [ $tries = 6000 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" = 0 ]
}
