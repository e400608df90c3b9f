#!/bin/sh
# What is installed, and that everything which says a version or names a package says the same. packaging.sh SORA BUILD
sora=$(realpath "$1")
build=$(realpath "$2")
source_dir=$(realpath "$(dirname "$0")/..")
meson=${MESON:-meson}
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-packaging-XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$source_dir" || exit 1
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

version=$("$sora" --version)
version=${version#sora }
says() {
    [ "$2" = "$version" ] || fail "$1 is of version \"$2\", sora --version says $version"
}
says meson.build "$(sed -n "s/^project(.* version: '\([^']*\)'.*/\1/p" meson.build)"
says include/sora.h "$(sed -n 's/^#define SORA_VERSION "\([^"]*\)".*/\1/p' include/sora.h)"
says CHANGELOG.md "$(sed -n 's/^## //p' CHANGELOG.md | head -1)"
says debian/changelog "$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)"
library=libsora${version%.*}
for file in control "$library.install"; do
    grep -qs "libsora" "debian/$file" || fail "debian/$file is not there, or is another library's than $library"
done
grep -q "^Package: $library\$" debian/control || fail "debian/control has no $library"

# Building a package needs what ./demo installs, but for the compiler and the tests' library.
. tools/packages.sh
for package in $debian_packages; do
    case $package in build-essential | libcmocka-dev) continue ;; esac
    sed -n '/^Build-Depends/,/^$/p' debian/control | tr ',' '\n' | grep -q "^ *$package\( \|\$\|(\)" ||
        grep -qE "[ ,]$package(,| |\$)" debian/control || fail "debian/control does not build-depend on $package"
done

# --- installed files ---
if ! DESTDIR=$work/root "$meson" install -C "$build" --no-rebuild >"$work/log" 2>&1; then
    fail "meson install: $(tail -3 "$work/log")"
fi
(cd "$work/root" && find . -type f -o -type l) >"$work/files"
for file in bin/sora include/sora.h 'lib/.*libsora\.so' "lib/.*libsora\.so\.$version" lib/.*pkgconfig/sora.pc share/man/man1/sora.1 \
    share/bash-completion/completions/sora.bash share/zsh/site-functions/_sora share/fish/vendor_completions.d/sora.fish \
    share/doc/sora/LICENSE share/doc/sora/NOTICE share/sora/models/nano/model.json share/sora/models/pictures/model.safetensors; do
    grep -q "/$file\$" "$work/files" || fail "$file is not installed"
done
grep -E 'log\.tsv|/train/' "$work/files" && fail "logs of a training are installed"
prefix=$(sed -n 's|/bin/sora$||p' "$work/files" | head -1)
prefix=$work/root/$prefix
library=$(dirname "$(find "$prefix" -name libsora.so)")
if ! ${CC:-cc} -std=c11 -o "$work/app" tests/e2e/example.c -I "$prefix/include" -L "$library" -lsora \
    -Wl,-rpath-link,"$library" 2>"$work/log"; then
    grep -q 'asan\|ubsan' "$work/log" || fail "a program with the installed library: $(head -3 "$work/log")"
fi

# --- the manual page ---
page=$prefix/share/man/man1/sora.1
for command in $("$sora" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    grep -q "^\.SS \"sora $command" "$page" || fail "sora.1 lacks sora $command"
done
for option in $("$sora" generate --help | grep -o '^ .*--[a-z0-9-]*' | sed 's/.*--/--/' | grep -v help); do
    tr -d '\\' <"$page" | grep -q "fB$option" || fail "sora.1 lacks $option"
done
for variable in $(grep -rhoE 'getenv\("SORA_[A-Z_]*"' src | sed 's/.*("//; s/"//' | sort -u); do
    grep -q "^\.B $variable\$" "$page" || fail "sora.1 lacks $variable"
done
if command -v man >/dev/null && command -v troff >/dev/null; then
    LC_ALL=C.UTF-8 man --warnings -l "$page" >"$work/page" 2>"$work/log" || fail "man -l sora.1"
    [ ! -s "$work/log" ] || fail "sora.1: $(head -3 "$work/log")"
    grep -q 'turn a sentence into a video' "$work/page" || fail "sora.1 shows nothing"
else
    echo "SKIPPED: sora.1 is not shown, for man is not installed"
fi

# --- completion ---
if command -v fish >/dev/null; then
    complete() {
        fish --no-config -c "source $prefix/share/fish/vendor_completions.d/sora.fish; complete -C '$1'" | cut -f1 | tr '\n' ' '
    }
    [ "$(complete 'sora gen')" = "generate " ] || fail "fish: gen: $(complete 'sora gen')"
    [ "$(complete 'sora generate --sol')" = "--solver " ] || fail "fish: --sol"
    [ "$(complete 'sora generate --solver d')" = "dpmpp " ] || fail "fish: --solver d"
    [ "$(complete 'sora stage pre')" = "preview " ] || fail "fish: stage pre"
else
    echo "SKIPPED: completion in fish, which is not installed"
fi
if command -v zsh >/dev/null; then
    zsh -n "$prefix/share/zsh/site-functions/_sora" || fail "zsh does not read _sora"
else
    echo "SKIPPED: completion in zsh, which is not installed"
fi

# --- without tests, cmocka is not asked for ---
if "$meson" setup "$work/build" "$source_dir" -Dtests=disabled -Dwerror=false >"$work/log" 2>&1; then
    "$meson" introspect "$work/build" --targets >"$work/targets"
    grep -q '"test_base"' "$work/targets" && fail "-Dtests=disabled builds tests"
    "$meson" introspect "$work/build" --dependencies | grep -q '"cmocka"' && fail "-Dtests=disabled asks for cmocka"
else
    fail "meson setup -Dtests=disabled: $(tail -3 "$work/log")"
fi
# --- another oneDNN is refused by name, not by the compiler ---
mkdir "$work/other"
echo '#define DNNL_VERSION_MAJOR 4' >"$work/other/dnnl_version.h"
CFLAGS="-I$work/other" "$meson" setup "$work/build4" "$source_dir" -Dtests=disabled >"$work/log" 2>&1 &&
    fail "oneDNN 4 is taken"
grep -q 'oneDNN 2 or 3 is needed' "$work/log" || fail "oneDNN 4: $(tail -3 "$work/log")"
# Each version has its file.
echo '#define DNNL_VERSION_MAJOR 3' >"$work/other/dnnl_version.h"
CFLAGS="-I$work/other" "$meson" setup "$work/build3" "$source_dir" -Dtests=disabled >"$work/log" 2>&1 ||
    fail "oneDNN 3: $(tail -3 "$work/log")"
"$meson" introspect "$work/build3" --targets | grep -q 'onednn_api_3.c' || fail "oneDNN 3 has no file"
"$meson" introspect "$work/build3" --targets | grep -q 'onednn_api_2.c' && fail "oneDNN 3 has that of 2"
[ "$failures" = 0 ] || echo "$failures failed"
[ "$failures" = 0 ]
