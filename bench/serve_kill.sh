#!/bin/sh
# bench/serve_kill.sh [KILLS] [BUILD] [sqlite|postgres|engine]: a server killed before each step of what it does (tests/e2e/serve_kill_at.sh),
# on SQLite or PostgreSQL; engine: at random, with real videos (tests/e2e/serve_kill.sh). A thousand kills, or as many as are said.
cd "$(dirname "$0")/.." || exit 1
build=${2:-build}
script=serve_kill_at
[ "$3" != engine ] || script=serve_kill
SORA_KILL_STORE=$3 SORA_KILLS=${1:-1000} SORA_KILL_STRIDE=1 exec tests/e2e/$script.sh "$build/sora" "$build/libsora.so" "$build/tests/e2e/tiny_model" - - - \
    "$build/tests/e2e/store_files" - "$build/tests/serve_stub" "$build/tests/e2e/libkill_at.so"
