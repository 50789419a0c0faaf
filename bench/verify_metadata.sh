#!/usr/bin/env bash
# Verifying all signed metadata of an environment among 25,000 names, one thread: ours, which also follows the proof, compares
# versions with what was seen and hashes manifest and lock; and python-tuf's signatures of the same files. Microseconds, medians.
. "$(dirname "$0")/../script/lib.sh"
venv=$("$PROJECT/script/tuf-venv") || die "no python-tuf to compare with: PyPI cannot be reached"
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
ours=$("$BUILD_DIR/bench/verify_metadata" "$work")
first=$(awk '$1 == "first" { print $2 }' <<<"$ours") again=$(awk '$1 == "again" { print $2 }' <<<"$ours")
peer=$("$venv/bin/python" "$PROJECT/test/security/tuf/owner.py" time "$work")
awk -v first="$first" -v again="$again" -v peer="$peer" 'BEGIN {
  printf "%-42s%8s%12s%8s\n", "", "ours", "python-tuf", "ratio"
  printf "%-42s%8d%12d%8.2f\n", "nothing was verified before", first, peer, first / peer
  printf "%-42s%8d\n", "only the timestamp is new (floxd)", again }'
