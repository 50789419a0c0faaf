#!/usr/bin/env bash
# Every reader of bytes from outside, as the programs have it, with the kept corpus and a thousand inputs made from it.
# builds: fuzz_replay
. "$(dirname "$0")/../lib.sh"
# Files of the targets are many and short-lived: in memory they cost a tenth of the time.
scratch=$(mktemp -d -p "$(memory_place)" flox-fuzz-XXXXXX)
trap 'rm -rf "$scratch"' EXIT
export TMPDIR=$scratch
mkdir -p "$BUILD_DIR/fuzz/finding"
"$BUILD_DIR/unit/fuzz_replay" "$PROJECT/fuzz/corpus" "$(exhaustive && echo 50000 || echo 1000)" "$BUILD_DIR/fuzz/finding" 2>"$scratch/errors" || {
  sort "$scratch/errors" | uniq -c | tail -20 >&2
  die "a target found something; build/unit/fuzz_replay DIRECTORY 0 /tmp TARGET runs an input again from DIRECTORY/TARGET/"
}
