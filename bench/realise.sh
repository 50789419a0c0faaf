#!/usr/bin/env bash
# Realising a closure from a binary cache into an empty store: floxd's engine against Nix 2.8's `nix copy`, the same
# closure and cache (zstd NARs, served over HTTP by flox-catalog on loopback), the same file system, alternating runs.
# Prints the medians and the ratio (below 1: we are faster).
. "$(dirname "$0")/../script/lib.sh"
. "$PROJECT/script/world.sh"
RUNS=${RUNS:-5}
enter_world "$@"

start_catalog
step "publishing python3 and its libraries"
flox --root "$LAPTOP_ROOT" import deb python3 --publish >&2
path=$(flox show python3 --json | jq -r '.[0].outputs.out')
bytes=$(flox --root "$LAPTOP_ROOT" store closure --json "$path" | jq '[.[].narSize] | add')
paths=$(flox --root "$LAPTOP_ROOT" store closure --json "$path" | jq length)

export NIX_CONFIG="experimental-features = nix-command
trusted-public-keys = $PUBLIC_KEY
narinfo-cache-negative-ttl = 0
narinfo-cache-positive-ttl = 0"

milliseconds() {  # COMMAND…: how long it took
  local start end
  start=$(date +%s%N)
  "$@" >"$WORLD/logs/bench.log" 2>&1 || { cat "$WORLD/logs/bench.log" >&2; die "failed: $*"; }
  end=$(date +%s%N)
  echo $(((end - start) / 1000000))
}
ours() { flox --root "$WORLD/ours" store realise "$path"; }
peer() { XDG_CACHE_HOME=$WORLD/nix-cache nix copy --from "$CATALOG_URL/cache" --to "$WORLD/peer" "$path"; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for ((run = 0; run < RUNS; run++)); do
  rm -rf "$WORLD/ours" "$WORLD/peer" "$WORLD/nix-cache"
  mkdir -p "$WORLD/ours" "$WORLD/peer"
  milliseconds ours >>"$WORLD/ours.ms"
  milliseconds peer >>"$WORLD/peer.ms"
done
a=$(median <"$WORLD/ours.ms") b=$(median <"$WORLD/peer.ms")
printf 'realise: %d paths, %d MB, median of %d runs: flox %d ms, nix copy 2.8 %d ms, ratio %s\n' \
  "$paths" $((bytes / 1000000)) "$RUNS" "$a" "$b" "$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", a / b }')"
