#!/bin/sh
# Checks the form of C sources: lines of at most 150 characters, no tabs, no spaces at the end of a line. Between
# "clang-format off" and "clang-format on" lines may be longer, and so may those of tables.c, which is made by a program.
# (.clang-format wraps at 120 for new code. Old files keep their form: it would change more
# than half of them.) Usage: format.sh [ROOT]
cd "${1:-$(dirname "$0")/..}" || exit 1
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
    END { exit wrong > 0 }'
