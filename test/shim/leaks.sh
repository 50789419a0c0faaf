#!/usr/bin/env bash
# After hundreds of containers and execs everything is as it was: processes, mounts, cgroups, descriptors, sockets, directories,
# memory. FLOX_TEST_EXHAUSTIVE=1: a thousand containers and ten thousand execs.
. "$(dirname "$0")/support.sh"
if exhaustive; then CONTAINERS=${CONTAINERS:-1000} EXECS=10000; else CONTAINERS=${CONTAINERS:-200} EXECS=500; fi
CTR=$(type -P ctr)
snapshot() {
  local daemon
  daemon=$(cat "$WORLD/containerd.pid")
  # The server was started through nsenter, which became it.
  echo "mounts $(wc -l </proc/self/mounts)"
  echo "cgroups $(find /sys/fs/cgroup -maxdepth 3 -path "*${CGROUP_PARENT}*" -type d | wc -l)"
  echo "zombies $(ps -eo stat= | grep -c '^Z' || true)"
  echo "processes $(ps -eo comm= | grep -cE 'containerd-shim|runc|crun|sleep' || true)"
  echo "pipes of containerd $(ls -l "/proc/$daemon/fd" 2>/dev/null | grep -c pipe: || true)"
  echo "temporary $(find "$XDG_RUNTIME_DIR" /tmp /run -maxdepth 1 -newer "$WORLD/start" \( -name 'pty*' -o -name 'runc-process*' \) | wc -l)"
}
touch "$WORLD/start"
run_container --rm first true
expect_nothing_left
before=$(snapshot)

step "$CONTAINERS containers, 8 at a time"
many() {  # FROM TO: one after the other
  local i
  for ((i = $1; i < $2; i++)); do
    "$CTR" run --rm --runtime "$SHIM" --rootfs "$ROOTFS" "n$i" /bin/true </dev/null || { echo "container $i failed" >>"$WORLD/failures"; return 1; }
  done
}
workers=()
for ((w = 0; w < 8; w++)); do
  many $((w * CONTAINERS / 8)) $(((w + 1) * CONTAINERS / 8)) &
  workers+=($!)
done
for worker in "${workers[@]}"; do wait "$worker" || die "$(cat "$WORLD/failures")"; done
expect_nothing_left
same_as_before() { [ "$(snapshot)" = "$before" ]; }
wait_until 10 "everything to be as before: $(diff <(echo "$before") <(snapshot) || true)" same_as_before

step "$EXECS cycles of exec, start, kill and delete in one container"
run_container -d box sleep 100000
shim=$(shims)
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE/box
jq '.process | .args = ["/bin/sleep", "1000"]' "$bundle/config.json" >"$WORLD/sleep.json"
cycle() { "$PROJECT/test/shim/task_call.py" "$(sed 's|^unix://||' "$bundle/address")" cycle id=box spec="$WORLD/sleep.json" count="$1"; }
cycle 20
of_shim() { echo "$(ls "/proc/$shim/fd" | wc -l) descriptors, $(ls "/proc/$shim/task" | wc -l) threads, $(ls "$bundle" | wc -l) files"; }
anonymous() { awk '$1 == "RssAnon:" { print $2 }' "/proc/$shim/status"; }
before=$(of_shim) memory=$(anonymous)
equal "$(cycle $EXECS)" "ok $EXECS cycles"
[ -n "${FLOX_TEST_SHIM:-}" ] || wait_until 10 "the shim to be as before: $before" eval '[ "$(of_shim)" = "$before" ]'
[ -n "${FLOX_TEST_SHIM:-}" ] || [ "$(anonymous)" -le $((memory + 100)) ] || die "the shim grew from $memory kB to $(anonymous) kB"
equal "$(ps -o stat= --ppid "$shim" | grep -c Z || true)" 0
equal "$(ctr task ps box | wc -l)" 2
end_container box
expect_nothing_left
