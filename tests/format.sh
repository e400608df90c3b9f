#!/bin/sh
# Checks the form of C sources: lines of at most 150 characters, no tabs, no spaces at the end of a line. Between
# "clang-format off" and "clang-format on" lines may be longer, and so may those of tables.c, which is made by a program.
# Every file is as clang-format leaves it, where that is of version 14 as in Debian 12, but for the files named in unformatted.txt, and
# ranges between those two lines. unformatted.txt is to shrink: new files do not go in. Usage: format.sh [ROOT]; format.sh --unformatted prints what unformatted.txt has to have.
case $1 in
--unformatted) root= list=yes ;;
*) root=$1 list= ;;
esac
cd "${root:-$(dirname "$0")/..}" || exit 1
sources() {
    find src include tests bench -name '*.[ch]' ! -name tables.c | LC_ALL=C sort
}
# What clang-format would change.
unformatted() {
    sources | xargs -n 50 clang-format --dry-run 2>&1 | sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: warning: code should be clang-formatted.*/\1/p' |
        LC_ALL=C sort -u
}
if [ -n "$list" ]; then
    unformatted
    exit
fi
wrong=0
case $(clang-format --version 2>/dev/null) in
*"version 14."*)
    changed=$(mktemp)
    unformatted >"$changed"
    LC_ALL=C comm -23 "$changed" tests/unformatted.txt | sed 's/$/: clang-format -i changes it/' | grep . && wrong=1
    LC_ALL=C comm -13 "$changed" tests/unformatted.txt | sed 's/$/: is formatted, or gone, and can be taken out of tests\/unformatted.txt/'
    rm -f "$changed"
    ;;
*) echo "SKIPPED: clang-format 14 is not there, so only lines were looked at" ;;
esac
sources | xargs awk '
    FNR == 1 { off = 0 }
    /clang-format off/ { off = 1 }
    /clang-format on/ { off = 0 }
    /\t/ { print FILENAME ":" FNR ": a tab"; wrong++ }
    / $/ { print FILENAME ":" FNR ": a space at the end"; wrong++ }
    {
        line = $0
        gsub(/[\200-\277]/, "", line) # the rest of a character in UTF-8
        if (length(line) > 150 && !off) {
            print FILENAME ":" FNR ": " length(line) " characters"
            wrong++
        }
    }
    END { exit wrong > 0 }' && [ $wrong = 0 ]
