#!/usr/bin/env bash
# floxd is stopped, killed and replaced while containers start one after the other, with the rights that its unit leaves it and its
# socket kept as systemd keeps it: no start fails, and what runs goes on. (test/node/upgrade.sh does it with systemd itself.)
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
start_catalog
publish_tool hello 1.0
mkdir -p "$WORLD/run/pod" "$WORLD/empty" "$WORLD/root/etc/systemd/system" "$WORLD/root/etc/containerd"
flox --root "$NODE_ROOT" node runtime >"$WORLD/logs/runtime.log"

step "floxd with the rights of its unit, and a socket that is kept"
unit=$(flox node install --target "$WORLD/root" --dry-run)
contains "$unit" "+ListenStream=$FLOX_NODE_SOCKET"
rights=$(sed -n 's/^+CapabilityBoundingSet=//p' <<<"$unit" | sed 's/CAP_\([A-Z_]*\)/+\L\1/g; s/ /,/g')
[ -n "$rights" ] || die "the unit says nothing of capabilities"
ln -s "$BUILD_DIR/bin/floxd" "$WORLD/floxd"
METRICS_ADDRESS=127.0.0.1:$((20000 + RANDOM % 10000))
start_server keeper "$PROJECT/test/node/socket_keeper.py" "$FLOX_NODE_SOCKET" "$WORLD/floxd.pid" \
  setpriv --no-new-privs --bounding-set "-all,$rights" --inh-caps "-all" \
  "$WORLD/floxd" --root "$NODE_ROOT" --node-socket "$FLOX_NODE_SOCKET" --pod-socket-dir "$WORLD/run/pod" --catalog-url "$CATALOG_URL" \
  --trusted-key "$PUBLIC_KEY" --trust-state-dir "$WORLD/node-trust-state" --metrics "$METRICS_ADDRESS" --registry ""
ready() { curl -fs "http://$METRICS_ADDRESS/readyz"; }
wait_until 20 "floxd to be ready" ready
floxd_pid() { cat "$WORLD/floxd.pid"; }
grep -q "the store is read-only for floxd" "$WORLD/logs/keeper.log" || die "floxd could not guard the store with these rights"

# starter NAME: until $WORLD/enough is there.
starter() {
  local n said
  for ((n = 1; ; n++)); do
    [ ! -e "$WORLD/enough" ] || return 0
    if said=$(timeout 100 ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation flox.dev/environment=hello \
      --rootfs "$WORLD/empty" "$1-$n" hello 2>&1 </dev/null) && [ "$said" = "hello 1.0" ]; then echo "$1-$n" >>"$WORLD/started"; else echo "$1-$n: $said" >>"$WORLD/failed"; fi
  done
}
started() { wc -l <"$WORLD/started"; }
more_start() {
  local until=$(($(started) + $1))
  enough() { [ "$(started)" -ge $until ] || [ -s "$WORLD/failed" ]; }
  wait_until 100 "$1 more containers to start" enough
  [ ! -s "$WORLD/failed" ] || die "a container did not start: $(cat "$WORLD/failed")"
}
touch "$WORLD/started" "$WORLD/failed"
ctr -n k8s.io run -d --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation flox.dev/environment=hello --rootfs "$WORLD/empty" steady sleep 100000
steady=$(ctr -n k8s.io task ls | awk '$1 == "steady" { print $2 }')
starters=()
for name in a b; do starter $name & starters+=($!); done
more_start 4

for how in TERM KILL TERM KILL; do
  step "ended by SIG$how"
  old=$(floxd_pid)
  kill -$how "$old"
  is_new() { [ "$(floxd_pid)" != "$old" ]; }
  wait_until 30 "another floxd" is_new
  more_start 4
done

step "replaced by another program"
cp "$BUILD_DIR/bin/floxd" "$WORLD/newer-floxd"
ln -sfn "$WORLD/newer-floxd" "$WORLD/floxd"
kill -TERM "$(floxd_pid)"
runs_newer() { [ "$(readlink "/proc/$(floxd_pid)/exe")" = "$WORLD/newer-floxd" ]; }
wait_until 30 "the newer floxd" runs_newer
more_start 4

touch "$WORLD/enough"
wait "${starters[@]}"
[ ! -s "$WORLD/failed" ] || die "containers did not start: $(cat "$WORLD/failed")"
equal "$(cat "/proc/$steady/comm")" sleep
equal "$(ctr -n k8s.io task exec --exec-id look steady hello)" "hello 1.0"
step "$(started) containers have started, none has failed"
