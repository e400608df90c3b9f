#!/bin/sh
# bench/serve_kill.sh [KILLS] [BUILD]: tests/e2e/serve_kill.sh with a thousand kills, or as many as are said: an hour.
cd "$(dirname "$0")/.." || exit 1
build=${2:-build}
SORA_KILLS=${1:-1000} exec tests/e2e/serve_kill.sh "$build/sora" "$build/libsora.so" "$build/tests/e2e/tiny_model" - - - \
    "$build/tests/e2e/store_files"
