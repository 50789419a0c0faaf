#!/usr/bin/env bash
# Looking after a store, against Nix 2.8 on the same stores, on the same file system, in alternating runs: verifying all
# contents, asking for a closure, collecting half of a store, publishing to zstd and xz caches; and how long a lease takes.
# Prints the medians and the ratio (above 1: so many times faster than Nix).
#   bench/store_care.sh [verify closure gc push xz lease]     MEGABYTES=400 sets the store's size, RUNS=5 how often
. "$(dirname "$0")/../script/lib.sh"
RUNS=${RUNS:-5} MEGABYTES=${MEGABYTES:-400}
parts=${*:-verify closure gc push xz lease}
WORK=$(mktemp -d "${BENCH_DIR:-/var/tmp}/flox-bench-XXXXXX")
LOG=$(mktemp -p "$([ -w /dev/shm ] && echo /dev/shm || echo "$WORK")")  # emptying a file on a disk that discards takes 10 ms
trap 'rm -rf --one-file-system "$WORK" "$LOG"' EXIT
unset FLOX_ROOT FLOX_CONFIG
export HOME=$WORK XDG_CACHE_HOME=$WORK/cache-of-nix
export NIX_CONFIG=$'experimental-features = nix-command\nbuild-users-group ='
ROOT=$WORK/store

step "a store of directories of this machine, $MEGABYTES MB, and a path that refers to all"
names=() bytes=0
while read -r size name; do
  [ $bytes -lt $((MEGABYTES * 1000)) ] || break
  bytes=$((bytes + size))
  names+=("$name")
done < <(du -s --apparent-size -k /usr/share/* /usr/lib/*/* /usr/lib/python3/dist-packages/* /usr/include/* 2>/dev/null |
  awk '$1 >= 20 && $1 < 60000 && $2 !~ /[^A-Za-z0-9+._?=\/-]/ && NF == 2' | sort -k2)
mkdir "$WORK/trees"
for name in "${names[@]}"; do
  target=$WORK/trees/$(basename "$name")
  [ -e "$target" ] || cp -r --no-preserve=ownership "$name" "$target" 2>/dev/null || true
done
# What a store cannot hold, and names that it cannot have.
find "$WORK/trees" ! -type d ! -type f ! -type l -delete
find "$WORK/trees" -maxdepth 1 -type l -delete
rm -rf "$WORK"/trees/.[!.]*
flox --root "$ROOT" store add "$WORK"/trees/* >"$WORK/paths"
mkdir "$WORK/whole" && cp "$WORK/paths" "$WORK/whole/"
WHOLE=$(flox --root "$ROOT" store add "$WORK/whole" --scan)
awk 'NR % 2' "$WORK/paths" >"$WORK/whole/paths"
HALF=$(flox --root "$ROOT" store add "$WORK/whole" --name half --scan)
printf '%s paths, %s MB, %s files\n' "$(wc -l <"$WORK/paths")" $((bytes / 1000)) "$(find "$ROOT/nix/store" -type f | wc -l)"
rm -rf "$WORK/trees"

timed() {  # COMMAND…: prints how long it took, in milliseconds
  "$BUILD_DIR/bench/stopwatch" "$LOG" "$@" | awk '{ printf "%.2f\n", $1 / 1000 }' || { cat "$LOG" >&2; die "failed: $*"; }
}
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
# compare NAME RUNS PREPARE OURS PEER: alternating runs of two functions that print milliseconds, each after PREPARE.
compare() {
  local run a b
  rm -f "$WORK/ours.ms" "$WORK/peer.ms"
  for ((run = 0; run < $2; run++)); do
    $3 ours && $4 >>"$WORK/ours.ms"
    $3 peer && $5 >>"$WORK/peer.ms"
  done
  a=$(median <"$WORK/ours.ms") b=$(median <"$WORK/peer.ms")
  printf '%-34s flox %9s ms   Nix %9s ms   %s times as fast (medians of %d)\n' "$1" "$a" "$b" "$(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.2f", b / a }')" "$2"
}
nothing() { :; }

our_verify() { timed flox --root "$ROOT" store verify; }
nix_verify() { timed nix-store --store "$ROOT" --verify --check-contents; }
our_closure() { timed flox --root "$ROOT" store closure "$WHOLE"; }
nix_closure() { timed nix-store --store "$ROOT" -qR "$WHOLE"; }
no_cache() { rm -rf "$WORK/cache"; }
our_push() { timed flox --root "$ROOT" store copy --to "file://$WORK/cache" --key "$WORK/key" "$WHOLE"; }
nix_push() { timed nix --store "$ROOT" copy --to "file://$WORK/cache?compression=zstd&secret-key=$WORK/key" "$WHOLE"; }
our_xz() { timed flox --root "$ROOT" store copy --to "file://$WORK/cache" --compression xz --key "$WORK/key" $XZ_PATHS; }
nix_xz() { timed nix --store "$ROOT" copy --to "file://$WORK/cache?compression=xz&secret-key=$WORK/key" $XZ_PATHS; }
copy_store() {
  rm -rf "$WORK/copy"
  cp -a "$ROOT" "$WORK/copy"
  ln -s "$HALF" "$WORK/copy/nix/var/nix/gcroots/half"
  sync
}
our_gc() { timed flox --root "$WORK/copy" store gc -q; }
nix_gc() { timed nix-store --store "$WORK/copy" --gc; }

flox store keygen bench-1 --out "$WORK/key" >/dev/null
for part in $parts; do
  case $part in
    verify) compare "verify --check-contents" "$RUNS" nothing our_verify nix_verify ;;
    closure)
      compare "closure, whole processes" $((RUNS * 4)) nothing our_closure nix_closure
      "$BUILD_DIR/bench/make_closure" "$WORK/tiny" 5000 >"$WORK/tiny-path"
      TINY=$(<"$WORK/tiny-path")
      our_tiny() { timed flox --root "$WORK/tiny" store closure "$TINY"; }
      nix_tiny() { timed nix-store --store "$WORK/tiny" -qR "$TINY"; }
      compare "closure of 5000 tiny paths" "$RUNS" nothing our_tiny nix_tiny
      ;;
    push) compare "push to a zstd cache" "$RUNS" no_cache our_push nix_push ;;
    xz)
      XZ_PATHS=$(flox --root "$ROOT" store closure --json "$WHOLE" | jq -r --arg whole "$WHOLE" '[.[] | select(.path != $whole and .narSize < 30000000)] | sort_by(-.narSize) | [limit(3; .[])] | .[].path')
      compare "push to an xz cache" 3 no_cache our_xz nix_xz
      ;;
    gc) compare "collect half of the store" "$RUNS" copy_store our_gc nix_gc ;;
    lease) printf '%-34s %s us (median of 2000; the aim is under 200)\n' "a lease taken and given back" "$("$BUILD_DIR/bench/lease_time" "$ROOT" "$WHOLE")" ;;
    *) die "unknown part $part" ;;
  esac
done
