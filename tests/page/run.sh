#!/bin/sh
# run.sh SORA: the studio page in Chromium, on sora serve with nano. What is wanted of npm is fetched from its registry the first
# time, into $SORA_TEST_CACHE or the user's cache. Skipped, by name, without Node, npm, Chromium or nano.
here=$(cd "$(dirname "$0")" && pwd)
sora=$1
model=$here/../../models/nano
skip() {
    echo "SKIPPED: the page: $1"
    exit 77
}
for program in node npm; do
    command -v $program >/dev/null || skip "$program is not installed"
done
[ "$(node -p 'process.versions.node.split(".")[0] >= 20')" = true ] || skip "node is older than 20"
browser=
for name in chromium chromium-browser google-chrome; do
    [ -n "$browser" ] || browser=$(command -v $name)
done
[ -n "$browser" ] || skip "chromium is not installed"
[ -f "$model/words.json" ] || skip "there is no models/nano"
packages=${SORA_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sora-tests}/page
mkdir -p "$packages" || exit 1
wanted="playwright-core@1.65.1 axe-core@4.14.1 typescript@7.0.2"
if [ "$(cat "$packages/wanted" 2>/dev/null)" != "$wanted" ]; then
    # shellcheck disable=SC2086
    (cd "$packages" && echo '{}' >package.json && npm install --no-package-lock --no-audit --no-fund --ignore-scripts $wanted) \
        >"$packages/log" 2>&1 || skip "npm install failed: $(tail -1 "$packages/log")"
    echo "$wanted" >"$packages/wanted"
fi
node "$packages/node_modules/typescript/bin/tsc" -p "$here/tsconfig.json" || exit 1
PAGE_PACKAGES=$packages PAGE_SORA=$sora PAGE_MODEL=$model PAGE_BROWSER=$browser exec node --test ${PAGE_ONLY:+--test-name-pattern="$PAGE_ONLY"} "$here/page.test.mjs"
