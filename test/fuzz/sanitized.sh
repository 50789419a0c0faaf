#!/usr/bin/env bash
# The same under sanitizers (script/fuzz), which compiles all parsers once more.
# builds: nothing
# ctest: TIMEOUT 2400
. "$(dirname "$0")/../lib.sh"
exhaustive || { echo "takes a quarter of an hour of compiling: set FLOX_TEST_EXHAUSTIVE=1, or run script/fuzz"; exit 77; }
command -v clang++-16 >/dev/null || { echo "needs clang++-16 (packages clang-16 and libclang-rt-16-dev)"; exit 77; }
exec "$PROJECT/script/fuzz" --runs 5000
