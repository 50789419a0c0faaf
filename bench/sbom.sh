#!/usr/bin/env bash
# A bill of materials from the node: flox sbom of a made closure of 490 paths, each a Debian package, in SPDX and CycloneDX.
# Prints the median of the wall-clock times of the whole command, and its peer's: the same list of paths by nix path-info.
#   bench/sbom.sh        RUNS=30 sets how often
. "$(dirname "$0")/../script/lib.sh"
RUNS=${RUNS:-30} COUNT=490
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/flox-bench-XXXXXX")
trap 'chmod -R u+w "$WORK"; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS
export FLOX_CONFIG=/dev/null HOME=$WORK/home FLOX_ROOT=$WORK/root
mkdir -p "$HOME"

step "a closure of $COUNT paths"
whole=$("$BUILD_DIR/bench/make_closure" "$FLOX_ROOT" packages "$COUNT")
[ "$(flox store closure "$whole" | wc -l)" = "$COUNT" ] || die "the closure has not $COUNT paths"
flox sbom "$whole" | jq -e '[.packages[] | select(.licenseDeclared == "MIT")] | length == '"$COUNT" >/dev/null || die "not every path is a package with a licence"

milliseconds() {  # COMMAND…: the median of its wall-clock times
  python3 - "$RUNS" "$@" <<'PY'
import statistics, subprocess, sys, time
times = []
for _ in range(int(sys.argv[1])):
    start = time.perf_counter()
    subprocess.run(sys.argv[2:], check=True, stdout=subprocess.DEVNULL)
    times.append((time.perf_counter() - start) * 1000)
print(f"{statistics.median(times):.1f}")
PY
}
spdx=$(milliseconds flox sbom "$whole")
cyclonedx=$(milliseconds flox sbom --format cyclonedx "$whole")
printf 'SBOM of %s paths: SPDX 2.3 %s ms, CycloneDX 1.6 %s ms\n' "$COUNT" "$spdx" "$cyclonedx"
if command -v nix >/dev/null; then
  nix=$(milliseconds nix --extra-experimental-features nix-command path-info --store "$FLOX_ROOT" --recursive --json "$whole")
  printf 'nix path-info --recursive --json of the same: %s ms; ours takes %s of it\n' "$nix" \
    "$(awk -v a="$spdx" -v b="$nix" 'BEGIN { printf "%.2f", a / b }')"
fi
