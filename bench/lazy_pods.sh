#!/usr/bin/env bash
# A container whose program is Python of Debian with NumPy, beside a path of $MEGABYTES MB that it does not read, on a node that has
# none of it: waiting for all of its files, with flox.dev/lazy, with that and what an earlier start on the node has read, and with that of
# another node, which the catalog has of the package. The cache
# gives all its answers together at most $RATE bytes a second. From `ctr run` to its end, which is right after the program's one line; how
# much the cache gave until then; until all is whole; how many reads waited for what they read.
#   RUNS=3 RATE=125000000 MEGABYTES=200   CGROUP=/NAME: where the containers are, if a cgroup keeps other work off the processors
. "$(dirname "$0")/../test/lib.sh"
RUNS=${RUNS:-3} RATE=${RATE:-125000000} MEGABYTES=${MEGABYTES:-200}
enter_world "$@"
mkdir -p "$WORLD/run" && mount -t tmpfs -o mode=755 tmpfs "$WORLD/run"  # as /run is
start_containerd
start_catalog
now() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

step "python3 and python3-numpy from Debian, and $MEGABYTES MB that nobody reads, in a cache with indexes"
laptop import deb python3-numpy python3 --no-smoke-run --json -q >"$WORLD/imported"
NUMPY=$(jq -r '.[0].outputs.out' "$WORLD/imported") PYTHON=$(jq -r '.[1].outputs.out' "$WORLD/imported")
PACKAGES=$(cd "$LAPTOP_ROOT$NUMPY" && find -L . -maxdepth 6 -type d -path '*dist-packages' | sed -n 1p)
mkdir -p "$WORLD/program/bin" "$WORLD/program/share"
head -c "${MEGABYTES}000000" /dev/urandom >"$WORLD/program/share/data"
cat >"$WORLD/program/bin/program" <<PROGRAM
#!$PYTHON/bin/python3
import sys
sys.path.insert(0, "$NUMPY/$PACKAGES")
import numpy
print("ready", numpy.dot(numpy.ones((64, 64)), numpy.ones((64, 64)))[0][0], flush=True)
PROGRAM
chmod 755 "$WORLD/program/bin/program"
PROGRAM=$(laptop store add "$WORLD/program" --scan)
laptop publish --store-path "$PROGRAM" --name program --version 1.0 >/dev/null
laptop store copy --to "file://$WORLD/cache" --key "$KEY_FILE" "$PROGRAM" >/dev/null

CACHE_PLACE=127.0.0.1:$((30000 + RANDOM % 2000))
start_server cache python3 "$PROJECT/test/node/counting_cache.py" "$WORLD/cache" "$CACHE_PLACE" "$WORLD/gave" "$RATE"
wait_until 10 "the cache" curl -fs "http://$CACHE_PLACE/nix-cache-info"
given() { awk '/ \/nar\// { sum += $1 } END { print sum + 0 }' "$WORLD/gave"; }

export FLOX_CACHES=http://$CACHE_PLACE FLOX_PREFETCH_RATE=0
start_floxd  # makes the runtime closure
import_images
stop_server floxd
cp -a "$NODE_ROOT" "$WORLD/fresh"
is_whole() { flox --root "$NODE_ROOT" store info "$PROGRAM" >/dev/null 2>&1; }
run() {  # NAME LAZY ENVIRONMENT [PROFILES]: appends "READY-MS READY-BYTES WHOLE-MS WHOLE-BYTES READS-WAITED"
  local begin ready bytes times waited id=bench$RANDOM
  rm -rf "$NODE_ROOT"
  cp -a "$WORLD/fresh" "$NODE_ROOT"
  [ -z "${4:-}" ] || cp -a "$4" "$NODE_ROOT/var/lib/flox/"
  start_floxd
  : >"$WORLD/gave"
  begin=$(now)
  ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation "flox.dev/environment=$3" \
    --annotation "flox.dev/lazy=$2" ${CGROUP:+--cgroup "$CGROUP/$id"} docker.io/flox/empty:1.0.0 "$id" program >"$WORLD/said"
  ready=$(($(now) - begin)) bytes=$(given)
  grep -q '^ready 64' "$WORLD/said" || die "the program said: $(<"$WORLD/said")"
  wait_until 120 "the closure to be whole" is_whole
  times="$(($(now) - begin)) $(given)"
  waited=$(flox node starts --json | jq '.starts[-1].lazy_start.reads_waited // 0')
  echo "$ready $bytes $times $waited" | tee -a "$WORLD/$1"
  if [ "$1" = published ]; then equal "$(flox node starts --json | jq -r '.starts[-1].lazy_start.profile_from')" catalog; fi
  if [ "$1" = lazy ]; then
    rm -rf "$WORLD/lazy-profiles" && cp -a "$NODE_ROOT/var/lib/flox/lazy-profiles" "$WORLD/"
    flox --root "$NODE_ROOT" node profile export "$(flox --root "$NODE_ROOT" node profile list --json | jq -r '.profiles[0].key')" |
      flox node profile publish - program
  fi
  # Its mount goes with the next floxd's sweep; what is in it is not used again.
  stop_server floxd
  kill -KILL "$(pgrep -f "flox-lazy-keeper .*$NODE_ROOT/")" 2>/dev/null || true
}
for ((i = 0; i < RUNS; i++)); do
  run whole false "$PROGRAM"
  run lazy true "$PROGRAM"
  run profile true "$PROGRAM" "$WORLD/lazy-profiles"
  run published true program
done
column() { awk -v n="$2" '{ print $n }' "$WORLD/$1" | median; }
printf '%s bytes/s, closure of %s MB in NARs; ratios to "whole"\n%-9s %18s %20s %18s %10s %14s\n' "$RATE" \
  "$(du -smL "$WORLD/cache/nar" | cut -f1)" '' 'ready, ms' 'ready, MB' 'whole, ms' 'MB' 'reads waited'
for kind in whole lazy profile published; do
  awk -v kind=$kind -v a="$(column $kind 1)" -v b="$(column $kind 2)" -v c="$(column $kind 3)" -v d="$(column $kind 4)" -v e="$(column $kind 5)" \
    -v wa="$(column whole 1)" -v wb="$(column whole 2)" -v wc="$(column whole 3)" \
    'BEGIN { printf "%-9s %10d (%.2f) %12.1f (%.3f) %10d (%.2f) %10.1f %14d\n", kind, a, a / wa, b / 1e6, b / wb, c, c / wc, d / 1e6, e }'
done
