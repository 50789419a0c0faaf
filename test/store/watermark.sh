#!/usr/bin/env bash
# floxd keeps the disk from filling up: below gc_min_free it collects in the background, longest unused first, and stops at
# gc_target_free; metrics tell of it. What is rooted stays.
. "$(dirname "$0")/support.sh"
. "$PROJECT/test/metrics.sh"
ROOT=$WORK/node
store() { flox --root "$ROOT" store "$@"; }
make_trees 6 20000
PATHS=$(store add "$WORK"/trees/*)
KEPT=$(head -1 <<<"$PATHS")
ln -s "$KEPT" "$ROOT/nix/var/nix/gcroots/runtime"

start_floxd() {  # VARIABLE=VALUE…
  PORT=$(free_port)
  env "$@" FLOX_CONFIG=/dev/null floxd --root "$ROOT" --node-socket "$WORK/run/node.sock" --pod-socket-dir "$WORK/run/pod" \
    --registry "" --metrics "127.0.0.1:$PORT" --runtime "$KEPT" >"$WORK/floxd.log" 2>&1 &
  STARTED+=($!)
  wait_until 20 "floxd" curl -fs "http://127.0.0.1:$PORT/readyz"
}
metric() { metric_of "http://127.0.0.1:$PORT/metrics" "$1"; }

step "with enough free nothing is collected"
start_floxd FLOX_GC_MIN_FREE=1K FLOX_GC_TARGET_FREE=1K
equal "$(metric flox_gc_total)" 0 "collections"
equal "$(metric flox_store_damaged_paths)" 0 "damaged paths"
stop_all
STARTED=()
equal "$(sqlite3 "$ROOT/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths')" 6 "paths"

step "with too little free everything goes that is not rooted"
start_floxd FLOX_GC_MIN_FREE=100% FLOX_GC_TARGET_FREE=100%
collected() { [ "$(metric flox_gc_paths_removed_total)" = 5 ]; }
wait_until 30 "five paths to be collected" collected
equal "$(store closure "$KEPT")" "$KEPT" "the rooted path"
equal "$(sqlite3 "$ROOT/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths')" 1 "paths"
[ "$(metric flox_gc_bytes_freed_total)" -gt 100000 ] || die "freed: $(metric flox_gc_bytes_freed_total)"
contains "$(cat "$WORK/floxd.log")" "under gc_min_free"
equal "$(metric flox_gc_failures_total)" 0 "failures"

step "the keys are explained, and nonsense is refused"
contains "$(flox config --explain)" "gc_min_free"
FLOX_GC_MIN_FREE=20G flox config --json | jq -e '.gc_min_free == "20.0 GiB"' >/dev/null || die "flox config"
FLOX_GC_MIN_FREE=much refused "FLOX_GC_MIN_FREE" flox config
printf 'gc_keep_newer = "1h"\ngc_min_fre = "20G"\n' >"$WORK/config.toml"
FLOX_CONFIG=$WORK/config.toml refused "config.toml:2:" flox config
FLOX_CONFIG=$WORK/config.toml refused "Did you mean gc_min_free?" floxd --root "$ROOT"
