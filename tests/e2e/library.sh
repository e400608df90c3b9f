#!/bin/sh
# The example at the top of sora.h compiles with nothing but the header, and so does the header as C++.
. "$(dirname "$0")/lib.sh"
header=$source_dir/include/sora.h
sed -n '/#include <sora.h>/,/^ \*     }$/s/^ \*  \{0,4\} \{0,1\}//p' "$header" >example.c
grep -q "^int main" example.c || fail "no example found in sora.h"
expect 0 "" ${CC:-cc} -std=c11 -Wall -Wextra -Werror -I "$source_dir/include" -c example.c -o example.o
echo '#include <sora.h>' >header.c
expect 0 "" ${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$source_dir/include" -c header.c -o header.o
if command -v c++ >/dev/null; then
    cp header.c header.cpp
    expect 0 "" c++ -Wall -Wextra -Werror -I "$source_dir/include" -c header.cpp -o header.o
fi
# The shared library exports what the header declares, and nothing else.
if [ -n "$library" ] && command -v nm >/dev/null; then
    grep -Eo '\bsora_[a-z_]+\(' "$header" | tr -d '(' | sort -u >declared
    nm -D --defined-only "$library" | awk '{print $3}' | grep -v '^_' | sort -u >exported
    checks=$((checks + 1))
    cmp -s declared exported || fail "exported: $(diff declared exported | tr '\n' ' ')"
fi
finish
