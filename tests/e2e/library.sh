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
# The trainer, the stage and the benchmark are the program's alone.
if [ -n "$library" ] && command -v nm >/dev/null; then
    checks=$((checks + 1))
    inside=$(nm "$library" | awk '{print $3}' | grep -E '^(train_run|adamw_step|stage_open|stage_render|bench_run)$')
    [ -z "$inside" ] || fail "in the library: $inside"
fi
# The example, built against an installation that was moved, far from the source tree: the library finds nano by its name.
if [ -n "$library" ] && [ -d "$source_dir/models/nano" ] && ! nm -D "$library" | grep -Eq '__(a|t|ub)san_'; then
    mkdir -p moved/lib/x86 moved/share/sora/models elsewhere
    cp "$library" moved/lib/x86/libsora.so
    cp -r "$source_dir/models/nano" moved/share/sora/models/nano
    soname=$(readelf -d "$library" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
    [ -n "$soname" ] && ln -sf libsora.so "moved/lib/x86/$soname"
    expect 0 "" ${CC:-cc} -std=c11 -I "$source_dir/include" example.c -L moved/lib/x86 -Wl,-rpath,"$PWD/moved/lib/x86" \
        -o elsewhere/example -lsora
    (cd elsewhere && env -u SORA_MODEL LD_LIBRARY_PATH="$OLDPWD/moved/lib/x86" ./example) || fail "the example does not run"
    checks=$((checks + 1))
    ls elsewhere/*.mp4 >/dev/null || fail "the example wrote no video"
    # Without the model it says what is missing.
    rm -r moved/share
    (cd elsewhere && env -u SORA_MODEL LD_LIBRARY_PATH="$OLDPWD/moved/lib/x86" ./example) 2>said && fail "no model, and it runs"
    checks=$((checks + 1))
    grep -q 'no model "nano" in ./models or' said || fail "said: $(cat said)"
fi
finish
