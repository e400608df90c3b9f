#!/bin/sh
# Checks the form of C sources: lines of at most 150 characters, no tabs, no spaces at the end of a line. Between
# "clang-format off" and "clang-format on" lines may be longer, and so may those of tables.c, which is made by a program.
# Files in formatted.txt are as clang-format leaves them, where it is of version 14 as in Debian 12; the list grows: old files
# that are not in it keep their form. Usage: format.sh [ROOT]
cd "${1:-$(dirname "$0")/..}" || exit 1
unformatted=0
case $(clang-format --version 2>/dev/null) in
*"version 14."*)
    for file in $(cat tests/formatted.txt); do
        clang-format --dry-run -Werror "$file" 2>&1 | head -1 | sed 's/code should be clang-formatted.*/clang-format -i changes it/' |
            grep . && unformatted=1
    done
    ;;
*) echo "clang-format 14 is not there: the files in formatted.txt were not looked at" ;;
esac
find src include tests bench -name '*.[ch]' ! -name tables.c | sort | LC_ALL=C xargs awk '
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
    END { exit wrong > 0 }' && [ $unformatted = 0 ]
