#!/usr/bin/env bash
# The store is read-only for floxd itself, and stays writable for the machine; a floxd that cannot have that, or whose
# fetchers cannot be isolated, does not start unless it is told to.
. "$(dirname "$0")/../../script/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: floxd makes a mount namespace"; exit 77; }
command -v setpriv >/dev/null || { echo "needs setpriv (package util-linux)"; exit 77; }
[ "${1:-}" = inside ] || exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" inside
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
floxd_pid=
trap '[ -z "$floxd_pid" ] || { kill "$floxd_pid" && wait "$floxd_pid"; } 2>/dev/null || true; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG FLOX_ISOLATION
export HOME=$WORK
STORE=$WORK/node/nix/store
mkdir -p "$WORK/tree" "$WORK/run"
echo x >"$WORK/tree/file"
PATH_IN_STORE=$(flox store add "$WORK/tree" --root "$WORK/node")
start() {  # COMMAND…: floxd with the test's directories
  "$@" --root "$WORK/node" --node-socket "$WORK/run/node.sock" --pod-socket-dir "$WORK/run/pod" --registry "" \
    --metrics 127.0.0.1:0 --runtime "$PATH_IN_STORE"
}
ready() { [ -S "$WORK/run/node.sock" ]; }
wait_until_ready() {
  local end=$((SECONDS + 60 * PATIENCE))
  until ready; do
    kill -0 "$floxd_pid" 2>/dev/null || die "floxd ended: $(cat "$WORK/log")"
    [ $SECONDS -lt $end ] || die "floxd does not come: $(cat "$WORK/log")"
    sleep 0.05
  done
}

step "no thread of floxd can write to the store by a path"
floxd --root "$WORK/node" --node-socket "$WORK/run/node.sock" --pod-socket-dir "$WORK/run/pod" --registry "" \
  --metrics 127.0.0.1:0 --runtime "$PATH_IN_STORE" >"$WORK/log" 2>&1 &
floxd_pid=$!
wait_until_ready
for task in /proc/"$floxd_pid"/task/*; do
  options=$(awk -v store="$STORE" '$5 == store { print $6 }' "$task/mountinfo")
  case ,$options, in *,ro,*) ;; *) die "the store is not read-only for thread ${task##*/}: '$options'" ;; esac
done
! output=$(nsenter --target "$floxd_pid" --mount touch "$STORE/stray" 2>&1) || die "a stray file was written"
case $output in *"Read-only file system"*) ;; *) die "refused for another reason: $output" ;; esac
! nsenter --target "$floxd_pid" --mount rm -rf "$STORE/$(basename "$PATH_IN_STORE")" 2>/dev/null || die "a path was removed"

step "what the machine does with its store goes on"
echo y >"$WORK/tree/file"
flox store add "$WORK/tree" --root "$WORK/node" >/dev/null
grep -q "the store is read-only for floxd" "$WORK/log" || die "floxd does not say so: $(cat "$WORK/log")"
kill "$floxd_pid"
wait "$floxd_pid" 2>/dev/null || true
floxd_pid=
rm -f "$WORK/run/node.sock"

step "without the right to a mount namespace floxd does not start, unless it is told to"
! output=$(start setpriv --bounding-set -sys_admin --inh-caps -sys_admin floxd 2>&1) || die "floxd ran: $output"
case $output in *"isolation = \"best-effort\""*) ;; *) die "the advice is missing: $output" ;; esac
FLOX_ISOLATION=best-effort setpriv --bounding-set -sys_admin --inh-caps -sys_admin \
  floxd --root "$WORK/node" --node-socket "$WORK/run/node.sock" --pod-socket-dir "$WORK/run/pod" --registry "" \
  --metrics 127.0.0.1:0 --runtime "$PATH_IN_STORE" >"$WORK/log" 2>&1 &
floxd_pid=$!
wait_until_ready
grep -q "the store is writable for floxd" "$WORK/log" || die "floxd does not say so: $(cat "$WORK/log")"
echo "passed"
