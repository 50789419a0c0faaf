#!/usr/bin/env bash
# One large path from a directory of NARs into an empty store: in a single zstd frame, which one thread decodes, in frames of 16 MiB,
# as Nix has written them since 2.35 (without saying what comes out), and in ours, which several threads decode. Alternating runs;
# medians, and the ratio to the single frame.
#   bench/frames.sh     MEGABYTES=1000 RUNS=3
. "$(dirname "$0")/../script/lib.sh"
RUNS=${RUNS:-3} MEGABYTES=${MEGABYTES:-1000}
command -v zstd >/dev/null || die "needs zstd: run script/bootstrap"
WORK=$(mktemp -d "${BENCH_DIR:-/var/tmp}/flox-bench-XXXXXX")
trap 'chmod -R u+w "$WORK"; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS
export FLOX_CONFIG=/dev/null HOME=$WORK XDG_CACHE_HOME=$WORK/.cache
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

step "a path of $MEGABYTES MB of this machine's files"
mkdir "$WORK/tree"
bytes=0
while read -r size name && [ $bytes -lt $((MEGABYTES * 1000000)) ]; do
  mkdir -p "$WORK/tree$(dirname "$name")"
  cp --no-preserve=ownership "$name" "$WORK/tree$name" 2>/dev/null && bytes=$((bytes + size))
done < <(find /usr/lib /usr/bin /usr/share -xdev -type f -readable -printf '%s %p\n' 2>/dev/null | awk '$2 !~ /[^A-Za-z0-9+._?=\/-]/' | sort -k2)
SUBJECT=$(flox --root "$WORK/publisher" store add --name tool-1.0 "$WORK/tree")
rm -rf "$WORK/tree"
KEY=$(flox store keygen bench-1 --out "$WORK/key")
flox --root "$WORK/publisher" store copy --to "file://$WORK/ours" --key "$WORK/key" "$SUBJECT" >/dev/null
chmod -R u+w "$WORK/publisher" && rm -rf "$WORK/publisher"
NARINFO=$(basename "$(ls "$WORK"/ours/*.narinfo)")
URL=$(sed -n 's/^URL: //p' "$WORK/ours/$NARINFO")
other() {  # NAME COMMAND…: the same path, as the command compresses it
  mkdir -p "$WORK/$1/nar"
  cp "$WORK/ours/nix-cache-info" "$WORK/$1/"
  zstd -qdc "$WORK/ours/$URL" | "${@:2}" >"$WORK/$1/$URL"
  sed -e '/^FileHash/d; /^FloxIndex/d' -e "s|^FileSize: .*|FileSize: $(stat -c %s "$WORK/$1/$URL")|" "$WORK/ours/$NARINFO" >"$WORK/$1/$NARINFO"
}
other single zstd -q -c
other sixteen split -b 16M --filter 'zstd -q -c' -
run() {  # NAME
  local start
  rm -rf "$WORK/root"
  sync
  start=$(date +%s%N)
  flox --root "$WORK/root" store realise --cache "file://$WORK/$1" --trusted-key "$KEY" "$SUBJECT" >"$WORK/log" 2>&1 || die "$(cat "$WORK/log")"
  echo $((($(date +%s%N) - start) / 1000000)) >>"$WORK/times-$1"
  chmod -R u+w "$WORK/root"
}
step "$RUNS runs of each, on $(nproc) processors"
for ((i = 0; i < RUNS; i++)); do for name in single sixteen ours; do run $name; done; done
for name in single sixteen ours; do
  awk -v name=$name -v file="$(stat -c %s "$WORK/$name/$URL")" -v a="$(median <"$WORK/times-$name")" -v b="$(median <"$WORK/times-single")" \
    'BEGIN { printf "%-8s %8.1f MB %8d ms   %.2f\n", name, file / 1e6, a, b / a }'
done
