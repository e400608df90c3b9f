#!/bin/sh
# The Debian packages are built from what is committed or changed here, and hold what they should. Minutes, so with SORA_SWEEP alone.
# package.sh SORA
source_dir=$(realpath "$(dirname "$0")/..")
[ -n "$SORA_SWEEP" ] || { echo "SKIPPED: building the Debian packages takes minutes; SORA_SWEEP=1 does it"; exit 77; }
command -v dpkg-buildpackage >/dev/null && [ -d /usr/share/doc/debhelper ] && [ -d /usr/share/perl5/Debian ] &&
    (cd "$source_dir" && dpkg-checkbuilddeps) || { echo "SKIPPED: dpkg-dev, debhelper or what the packages are built with is not installed"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-package-XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}
mkdir "$work/tree"
(cd "$source_dir" && git ls-files -z --cached --others --exclude-standard | tar -c --null -T - -f -) | tar -x -C "$work/tree" -f - || exit 1
cd "$work/tree" || exit 1
[ ! -d /usr/lib/ccache ] || PATH=/usr/lib/ccache:$PATH
dpkg-buildpackage -us -uc -b >"$work/log" 2>&1 || fail "dpkg-buildpackage: $(tail -5 "$work/log")"
cd "$work" || exit 1
# has PACKAGE FILE...
has() {
    package=$(ls "$1"_*.deb 2>/dev/null)
    [ -n "$package" ] || { fail "there is no package $1"; return; }
    dpkg-deb -c "$package" >list
    shift
    for file in "$@"; do
        grep -q " \./$file\(\$\| ->\)" list || fail "$package lacks $file"
    done
}
has sora usr/bin/sora usr/share/man/man1/sora.1.gz usr/share/bash-completion/completions/sora.bash lib/systemd/system/sora.service \
    usr/lib/sysusers.d/sora.conf usr/share/doc/sora/examples/nginx.conf
grep -q 'usr/share/doc/sora/examples/grafana.json' list || fail "sora lacks grafana.json"
has sora-nano usr/share/sora/models/nano/model.json
has libsora-dev usr/include/sora.h
has libsora0.2 "usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/libsora.so.0.2.0"
dpkg-deb -e sora_*.deb control 2>/dev/null
# Enabled is only what was enabled before.
grep -q 'deb-systemd-helper enable' control/postinst && ! grep -q 'deb-systemd-helper debian-installed' control/postinst &&
    fail "installing sora enables the server"
dpkg-deb -x sora_*.deb root && dpkg-deb -x sora-nano_*.deb root
root/usr/bin/sora --version | grep -q '^sora 0' || fail "the packaged program does not run"
if command -v lintian >/dev/null; then
    lintian --fail-on error --suppress-tags initial-upload-closes-no-bugs,bogus-mail-host,bogus-mail-host-in-debian-changelog *.changes >lint 2>&1 ||
        fail "lintian: $(grep '^E' lint | head -3)"
fi
echo "$(ls *.deb | wc -l) packages, $failures failed"
[ "$failures" = 0 ]
