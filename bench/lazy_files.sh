#!/usr/bin/env bash
# Python of Debian starts and uses NumPy, 46 store paths that this machine does not have: fetched whole before (flox store
# realise), and mounted, so that files come when they are read (flox store mount). The cache gives all its answers together at
# most so many bytes a second. From the first command to the program's end, and how much the cache gave.
#   RUNS=3                         runs of each, in turns
#   RATES="0 125000000 12500000 1250000"   bytes a second; 0: no limit
#   BEFORE=                        what stands before each measured command: "chrt --rr 1" on a machine that is busy
. "$(dirname "$0")/../script/lib.sh"
RUNS=${RUNS:-3} RATES=${RATES:-0 125000000 12500000 1250000} BEFORE=${BEFORE:-}
need_root
if [ -z "${FLOX_BENCH_MOUNTS:-}" ]; then FLOX_BENCH_MOUNTS=1 exec unshare --mount --propagation private "$0" "$@"; fi
WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/flox-bench-XXXXXX")
STARTED=()
trap '[ ${#STARTED[@]} = 0 ] || { kill "${STARTED[@]}"; wait "${STARTED[@]}"; } 2>/dev/null || true; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS http_proxy
export FLOX_CONFIG=/dev/null HOME=$WORK PYTHONDONTWRITEBYTECODE=1
now() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

step "importing python3 and python3-numpy from Debian, and publishing them into a cache with indexes"
flox --root "$WORK/laptop" import deb python3-numpy python3 --no-smoke-run --json -q >"$WORK/imported"
NUMPY=$(jq -r '.[0].outputs.out' "$WORK/imported") PYTHON=$(jq -r '.[1].outputs.out' "$WORK/imported")
PACKAGES=$(cd "$WORK/laptop$NUMPY" && find -L . -maxdepth 6 -type d -path '*dist-packages' | sed -n 1p)
export PYTHONPATH=$NUMPY/$PACKAGES
flox store keygen bench-1 --out "$WORK/key" >"$WORK/pub"
flox --root "$WORK/laptop" store copy --to "file://$WORK/cache" --key "$WORK/key" "$NUMPY" "$PYTHON" >/dev/null
program() { $BEFORE chroot "$WORK/root" "$PYTHON/bin/python3" -c 'import numpy; numpy.dot(numpy.ones((64, 64)), numpy.ones((64, 64)))'; }
given() { awk '/ \/nar\// { sum += $1 } END { print sum + 0 }' "$WORK/given"; }
mkdir -p "$WORK"/root/{nix/store,usr,etc,dev,proc,tmp}

# Both print "MILLISECONDS BYTES".
eager() {
  local begin
  : >"$WORK/given"
  begin=$(now)
  $BEFORE flox --root "$WORK/node" store realise --cache "$URL" --trusted-key "$(<"$WORK/pub")" "$NUMPY" "$PYTHON" >/dev/null
  mount --bind "$WORK/node/nix/store" "$WORK/root/nix/store"
  program
  echo "$(($(now) - begin)) $(given)"
  program  # once more: the steady state
  umount "$WORK/root/nix/store"
  rm -rf "$WORK/node"
}
lazy() {
  local begin mounted
  : >"$WORK/given"
  begin=$(now)
  $BEFORE flox --root "$WORK/node" store mount "$WORK/root/nix/store" --cache "$URL" --trusted-key "$(<"$WORK/pub")" "$NUMPY" "$PYTHON" >/dev/null &
  mounted=$!
  until mountpoint -q "$WORK/root/nix/store"; do sleep 0.005; done
  program
  echo "$(($(now) - begin)) $(given)"
  kill $mounted
  wait $mounted || true
}

printf '%-14s %10s %10s %8s %12s %12s %8s\n' 'bytes/s' 'whole, ms' 'lazy, ms' ratio 'whole, MB' 'lazy, MB' ratio
for rate in $RATES; do
  port=$(free_port)
  PYTHONPATH='' python3 "$PROJECT/test/node/counting_cache.py" "$WORK/cache" "127.0.0.1:$port" "$WORK/given" "$rate" &
  STARTED+=($!)
  URL=http://127.0.0.1:$port
  until curl -fs "$URL/nix-cache-info" >/dev/null; do sleep 0.05; done
  for ((run = 0; run < RUNS; run++)); do
    eager >>"$WORK/eager-$rate"
    lazy >>"$WORK/lazy-$rate"
  done
  whole=$(awk '{ print $1 }' "$WORK/eager-$rate" | median) came=$(awk '{ print $1 }' "$WORK/lazy-$rate" | median)
  awk -v rate="$rate" -v a="$whole" -v b="$came" -v c="$(awk '{ print $2 }' "$WORK/eager-$rate" | median)" -v d="$(awk '{ print $2 }' "$WORK/lazy-$rate" | median)" \
    'BEGIN { printf "%-14s %10d %10d %8.2f %12.1f %12.1f %8.2f\n", rate ? rate : "no limit", a, b, b / a, c / 1e6, d / 1e6, d / c }'
done
