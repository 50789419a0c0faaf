#!/usr/bin/env bash
# Realises that are killed at random points leave no path that is valid and not whole; the next one goes on. A disk that
# is full and a store that is read-only are clear errors, after which the next realise works.
#   KILLS=10000 test/store/killed.sh    so many kills instead of 200
. "$(dirname "$0")/../../script/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: it mounts a small file system"; exit 77; }
command -v nix-store >/dev/null || { echo "needs nix (package nix-bin)"; exit 77; }
[ "${1:-}" = inside ] || exec unshare --mount --propagation private "$0" inside
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
trap 'mountpoint -q "$WORK/disk" && umount "$WORK/disk"; rm -rf --one-file-system "$WORK"' EXIT
FLOX=${FLOX:-flox}
KILLS=${KILLS:-200}
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG
export HOME=$WORK NIX_CONFIG='build-users-group ='
PUBLISHER=$WORK/publisher NODE=$WORK/node CACHE=file://$WORK/cache
contains() { case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac; }
realise() { "$FLOX" store realise --root "$1" --cache "$CACHE" --trusted-key "$KEY" "$WHOLE"; }
valid() { sqlite3 "$1/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths' 2>/dev/null || echo 0; }

step "a closure of 40 paths, one of them with 300 files and 12 MB"
mkdir -p "$WORK/large"
for i in $(seq 300); do head -c 40000 /dev/urandom >"$WORK/large/$i"; done
LARGE=$("$FLOX" store add "$WORK/large" --root "$PUBLISHER")
mkdir "$WORK/whole"
echo "$LARGE $("$BUILD_DIR/bench/make_closure" "$PUBLISHER" 39)" >"$WORK/whole/references"
WHOLE=$("$FLOX" store add "$WORK/whole" --scan --root "$PUBLISHER")
KEY=$("$FLOX" store keygen test-1 --out "$WORK/key")
"$FLOX" store copy --root "$PUBLISHER" --to "$CACHE" --key "$WORK/key" "$WHOLE" >/dev/null
PATHS=$("$FLOX" store closure --root "$PUBLISHER" "$WHOLE" | wc -l)

step "$KILLS realises, each killed somewhere"
start=$(date +%s%N)
realise "$NODE" >/dev/null
took=$((($(date +%s%N) - start) / 1000))  # microseconds
rm -rf "$NODE"
finished=0 resumed=0
for ((kill = 0; kill < KILLS; kill++)); do
  "$FLOX" store realise --root "$NODE" --cache "$CACHE" --trusted-key "$KEY" "$WHOLE" >"$WORK/out" 2>&1 &
  sleep "$(printf '0.%06d' $(((RANDOM * 32768 + RANDOM) % took)))"
  kill -9 $! 2>/dev/null || true
  wait $! 2>/dev/null || true
  [ -e "$NODE/nix/var/nix/db/schema" ] || continue
  now=$(valid "$NODE")
  [ "$now" = 0 ] || { report=$("$FLOX" store verify --root "$NODE" 2>&1) || die "after kill $kill: $report"; }
  [ -z "$(ls -A "$NODE/nix/var/nix/flox/staging" 2>/dev/null)" ] || resumed=$((resumed + 1))
  if [ "$now" = "$PATHS" ]; then
    finished=$((finished + 1))
    report=$(nix-store --store "$NODE" --verify --check-contents 2>&1) || die "after kill $kill: nix-store --verify: $report"
    rm -rf "$NODE"
  fi
done
[ "$resumed" -gt 0 ] || die "no kill hit a realise that had staged anything: the test is too quick or too slow"
step "$finished of $KILLS were done before they were killed, $resumed times the next one had something to take up"
realise "$NODE" >/dev/null || die "the last realise failed"
[ "$(valid "$NODE")" = "$PATHS" ] || die "not all paths are valid"
report=$(nix-store --store "$NODE" --verify --check-contents 2>&1) || die "nix-store --verify: $report"
diff -r --no-dereference "$PUBLISHER/nix/store" "$NODE/nix/store" || die "the stores differ"
left=$(find "$NODE/nix/var/nix/flox/scratch" "$NODE/nix/var/nix/flox/staging" -mindepth 1)
[ -z "$left" ] || die "left behind: $left"

step "a full disk"
mkdir "$WORK/disk"
mount -t tmpfs -o size=8m flox-test "$WORK/disk"
! output=$(realise "$WORK/disk/node" 2>&1) || die "12 MB fitted on a disk of 8 MB"
contains "$output" "No space left on device"
contains "$output" "unpacking /nix/store/"  # whichever path finds the disk full first
[ "$(valid "$WORK/disk/node")" = 0 ] || die "something is valid"
[ "$(ls -A "$WORK/disk/node/nix/store")" = .links ] || die "something is in the store"
mount -o remount,size=100m "$WORK/disk"
realise "$WORK/disk/node" >/dev/null || die "there is room now, but it fails"
report=$(nix-store --store "$WORK/disk/node" --verify --check-contents 2>&1) || die "nix-store --verify: $report"

step "a read-only store"
rm -rf "$WORK/disk/node" && mkdir "$WORK/disk/node"
# The kernel closes the files of processes that have ended a moment later.
deadline=$((SECONDS + 20 * PATIENCE))
until mount -o remount,ro "$WORK/disk" 2>/dev/null; do [ $SECONDS -lt $deadline ] || die "the disk stays busy"; done
! output=$(realise "$WORK/disk/node" 2>&1) || die "a read-only store was written"
contains "$output" "Read-only file system"
mount -o remount,rw "$WORK/disk"
realise "$WORK/disk/node" >/dev/null || die "it can be written now, but it fails"
