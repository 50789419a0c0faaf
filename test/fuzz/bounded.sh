#!/usr/bin/env bash
# Every parser of bytes from outside, with the kept corpus and a few thousand inputs made from it, under sanitizers.
# script/fuzz does it at length.
# builds: nothing
# ctest: TIMEOUT 2400
# ctest: COST 330
. "$(dirname "$0")/../lib.sh"
command -v clang++-16 >/dev/null || { echo "needs clang++-16 (packages clang-16 and libclang-rt-16-dev)"; exit 77; }
exec "$PROJECT/script/fuzz" --runs 5000
