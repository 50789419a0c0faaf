#!/usr/bin/env bash
# floxd is killed, fails or is frozen at the calls of the system that the start of a pod makes, and the catalog is frozen: the next
# attempt succeeds, the pod can restart without the catalog, no lease is without its pod, and all goes with the pods.
#   FAULT_STEP=1 test/node/start_faults.sh    at every call instead of some of them
# ctest: TIMEOUT 900
# ctest: COST 140
export FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: makes namespaces"; exit 77; }
enter_world "$@"
FAULT_STEP=${FAULT_STEP:-13}
start_catalog
publish_tool hello 1.0
export FLOX_NODE_SOCKET=$WORLD/run/node.sock FLOX_KUBELET_DIR=$WORLD/kubelet
cc -shared -fPIC -O1 -o "$WORLD/fault_at.so" "$PROJECT/test/catalog/fault_at.c" -ldl
export FAULT_AT=$WORLD/fault_at
set_fault() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("qqq", 0, int(sys.argv[2]), int(sys.argv[3])))' "$FAULT_AT" "$1" "$2"; }
calls() { python3 -c 'import struct, sys; print(struct.unpack("q", open(sys.argv[1], "rb").read(8))[0])' "$FAULT_AT"; }
head -c 24 /dev/zero >"$FAULT_AT"
start_watched() { LD_PRELOAD=$WORLD/fault_at.so start_floxd; }
start_watched
kept=$NODE_ROOT/var/lib/flox/kept/pods leases=$NODE_ROOT/nix/var/nix/gcroots/flox

# prepare CONTAINER POD: as the shim asks for a container of the pod. It gives up after 30 s, or after GIVES_UP seconds.
prepare() {
  timeout "${GIVES_UP:-30}" "$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Prepare container_id="$1" pod_id="sandbox-$2" \
    pod_uid="uid-$2" pod_namespace=shop pod_name="$2" container_name=main environment=hello args=hello
}
release() { "$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Release container_id="$1"; }
floxd_pid() { cat "$WORLD/floxd.pid"; }
floxd_is() { [ "$(awk '/^State:/ { print $2 }' "/proc/$(floxd_pid)/status" 2>/dev/null || echo Z)" = "$1" ]; }
descendants() {
  local child
  echo "$1"
  for child in $(pgrep -P "$1" 2>/dev/null || true); do descendants "$child"; done
}
revive() {  # whatever was stopped goes on, and floxd runs
  local pid
  for pid in $(descendants "$(floxd_pid)"); do kill -CONT "$pid" 2>/dev/null || true; done
  if floxd_is Z; then
    wait "$(floxd_pid)" 2>/dev/null || true
    start_watched
  fi
}
# Of each lease that is kept for a pod there is the pod, and what it was answered is whole or not there.
whole() {
  local lease file
  for lease in "$leases"/kept-*; do
    [ -d "$lease" ] || continue
    # Both may go while we look.
    jq -e .sandbox "$kept/${lease##*/kept-}/pod.json" >/dev/null 2>&1 || [ ! -d "$lease" ] || die "call $1: $lease is of no pod"
  done
  for file in "$kept"/*/*.answer; do
    [ -e "$file" ] || continue
    cp "$file" "$WORLD/answer" 2>/dev/null || continue
    [ "$(head -1 "$WORLD/answer" | jq -r .sha256)" = "$(tail -n +2 "$WORLD/answer" | sha256sum | cut -d' ' -f1)" ] || die "call $1: $file is not whole"
  done
}

# at_calls ACTION: for N = 1, 1 + FAULT_STEP, …: a new pod starts while its N-th call is killed, fails or stops.
at_calls() {
  local action=$1 call made answer reached=0
  for ((call = 1; ; call += FAULT_STEP)); do
    local pod=$2-$call
    set_fault $call "$action"
    if [ "$action" = 2 ]; then answer=$(GIVES_UP=1 prepare "$pod-a" "$pod" 2>&1) || true; else answer=$(prepare "$pod-a" "$pod" 2>&1) || true; fi
    made=$(calls)
    set_fault 0 0
    revive
    if [ "$made" -lt $call ]; then
      contains "$answer" "ok "
      break
    fi
    reached=$call
    whole $call
    contains "$(prepare "$pod-b" "$pod")" "ok "
    whole $call
    ls "$leases" | grepq '^kept-' || die "call $call: nothing is leased for the pod"
    last=$pod
  done
  [ "$reached" -gt 20 ] || die "a start made only $reached calls: is floxd watched?"
  echo "  $reached calls"
}

step "killed"
at_calls 0 killed
step "each call fails"
at_calls 1 failed
step "frozen, while the shim gives up"
at_calls 2 frozen

step "a container that nobody waits for any more leaves no lease, and its pod what was fetched"
kill -STOP "$(cat "$WORLD/catalog.pid")"
GIVES_UP=1 prepare left-a left || true
kill -CONT "$(cat "$WORLD/catalog.pid")"
goes_on() {  # as far as the pod's lease, which comes after the container's; a sweep that was faster has said so
  local file
  awk '/prepared container main of pod shop\/left:/ { prepared = 1 } prepared && /what was kept for the pod .* is gone/ { gone = 1 } END { exit !gone }' \
    "$WORLD/logs/floxd.log" && return
  file=$(grep -lF '"name": "left"' "$kept"/*/pod.json) && [ -d "$leases/kept-$(basename "$(dirname "$file")")" ]
}
left_nothing() { [ ! -e "$leases/left-a" ] && jq -e 'all(.[]; .id != "left-a")' "$NODE_ROOT/var/lib/flox/containers.json"; }
wait_until 60 "floxd to go on" goes_on
wait_until 20 "the container that was given up, and its lease, to go" left_nothing


step "each of them restarts without the catalog, frozen or away"
kill -STOP "$(cat "$WORLD/catalog.pid")"
contains "$(prepare again "$last")" "ok "
step "a pod that is new waits for the catalog, and is told so"
(GIVES_UP=200 prepare early new >"$WORLD/early" 2>&1; true) &
early=$!
contains "$(prepare third "$last")" "ok "
wait $early
contains "$(cat "$WORLD/early")" "cannot be reached"
contains "$(cat "$WORLD/early")" "timed out"
kill -CONT "$(cat "$WORLD/catalog.pid")"
contains "$(prepare later new)" "ok "

step "all goes with the pods, which have no process here"
for container in $(jq -r '.[].id' "$NODE_ROOT/var/lib/flox/containers.json"); do contains "$(release "$container")" ok; done
nothing_kept() { [ -z "$(ls "$kept")" ] && [ -z "$(ls "$leases")" ]; }
wait_until 30 "all that was kept to go" nothing_kept
