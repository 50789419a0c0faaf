#!/usr/bin/env bash
# What is broken stays where it broke: OCI runtimes that fail, hang or lie, containerd killed in the middle, a full disk,
# clients that vanish or send garbage. Nothing hangs, nothing is left, and the other containers never notice.
. "$(dirname "$0")/support.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || skip "the reference shim takes no other OCI runtime under this name, and hangs with one that hangs"
CTR=$(type -P ctr)
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE
call() { timeout 60 "$PROJECT/test/shim/task_call.py" "$(sed 's|^unix://||' "$bundle/$1/address")" "${@:2}"; }

# A runtime that does to one verb what $WORLD/fault says ("VERB ACTION"), and is runc otherwise.
cat >"$WORLD/faulty-runc" <<'SH'
#!/bin/bash
read -r fault action <"$FAULT" || true
log=/dev/stderr
for ((i = 1; i <= $#; i++)); do [ "${!i}" != --log ] || { j=$((i + 1)); log=${!j}; }; done
for word; do
  case $word in create | start | exec | kill | delete | pause | resume | update | ps) verb=$word; break ;; esac
done
if [ "$verb" = "$fault" ]; then
  case $action in
    fail) echo "{\"level\": \"error\", \"msg\": \"runc says no to $verb\"}" >>"$log"; exit 1 ;;
    silent) exit 1 ;;
    killed) kill -9 $$ ;;
    hang) exec sleep 1000 ;;
    after) runc "$@"; echo "too late for $verb" >&2; exit 1 ;;  # it did it, and says that it failed
    nopid) for ((i = 1; i <= $#; i++)); do [ "${!i}" != --pid-file ] || { j=$((i + 1)); runc "$@"; rm -f "${!j}"; exit 0; }; done ;;
    initdies) runc "$@" || exit; for ((i = 1; i <= $#; i++)); do [ "${!i}" != --pid-file ] || { j=$((i + 1)); kill -9 "$(cat "${!j}")"; exit 0; }; done ;;
  esac
fi
exec runc "$@"
SH
sed -i "s|\$FAULT|$WORLD/fault|" "$WORLD/faulty-runc"
chmod +x "$WORLD/faulty-runc"
printf 'BinaryName = "%s"\n' "$WORLD/faulty-runc" >"$WORLD/faulty.toml"
fault() { echo "$*" >"$WORLD/fault"; }
faulty() { run_container --runtime-config-path "$WORLD/faulty.toml" "$@"; }
fault none
run_container -d neighbour sh -c 'sleep 1000'
neighbour_is_well() { equal "$(ctr task exec --exec-id check neighbour echo well)" well; }

step "create fails: its reason is told, and nothing is left"
for action in fail silent killed after nopid; do
  fault create $action
  refused "OCI runtime create failed" faulty --rm "create-$action" true
  ctr container delete "create-$action" >/dev/null 2>&1 || true
  [ ! -e "/run/containerd/runc/$CONTAINERD_NAMESPACE/create-$action" ] || die "runc still knows create-$action"
done
fault create fail
refused "runc says no to create" faulty --rm told true
ctr container delete told >/dev/null 2>&1 || true

step "a runtime that is not there is named"
printf 'BinaryName = "no-runc"\n' >"$WORLD/none.toml"
refused 'exec: "no-runc"' run_container --rm --runtime-config-path "$WORLD/none.toml" without true
ctr container delete without >/dev/null 2>&1 || true

step "init dies before it is started: the task is stopped, and can be deleted"
fault create initdies
faulty -d early sleep 1000 >/dev/null 2>&1 || true
ctr task delete early >/dev/null 2>&1 || true
ctr container delete early >/dev/null 2>&1 || true

step "start fails: the container can be deleted and made again"
for action in fail killed; do
  fault start $action
  refused "OCI runtime start failed" faulty -d unstarted sleep 1000
  fault none
  ctr task delete --force unstarted >/dev/null 2>&1 || true
  ctr container delete unstarted
done
equal "$(faulty --rm unstarted echo started)" started

step "exec, pause, resume, update and ps fail: the container runs on"
faulty -d box sleep 1000
for action in fail silent killed; do
  fault exec $action
  refused "OCI runtime exec failed" ctr task exec --exec-id e box true
  fault pause $action
  refused "OCI runtime pause failed" ctr task pause box
  equal "$(task_status box)" RUNNING
  fault ps $action
  refused "" ctr task ps box
  fault none
  equal "$(ctr task exec --exec-id f box echo well)" well
done
ctr task pause box
fault resume fail
refused "OCI runtime resume failed" ctr task resume box
equal "$(task_status box)" PAUSED
fault none
ctr task resume box
jq .process "$bundle/box/config.json" >"$WORLD/process.json"
fault update fail
contains "$(call box Update id=box resources='{}')" "runc says no to update"
fault none

step "kill of all fails, is told, and works the next time; delete too"
fault kill fail
contains "$(call box Kill id=box signal=9 all=1)" "runc says no to kill"
fault none
ctr task kill --all --signal KILL box
wait_until 10 "box to stop" is_status box STOPPED
fault delete fail
refused "runc says no to delete" ctr task delete box
fault none
equal "$(exit_code_of box)" 137
ctr container delete box
neighbour_is_well

step "a client that gives up: what it asked for is undone"
run_container -d hung-pod sleep 1000  # a shim to talk to
mkdir -p "$WORLD/late/rootfs"
jq --arg root "$ROOTFS" '.root.path = $root' "$bundle/hung-pod/config.json" >"$WORLD/late/config.json"
fault create hang
call hung-pod Create id=late bundle="$WORLD/late" binary="$WORLD/faulty-runc" timeout=1000 >"$WORLD/late.answer" &
wait $!
contains "$(cat "$WORLD/late.answer")" "did not end within 1 s and was killed"
contains "$(call hung-pod State id=late)" NotFound
[ ! -e "/run/containerd/runc/$CONTAINERD_NAMESPACE/late" ] || die "runc still knows the container that came too late"
fault none

step "clients that vanish in the middle of a call, and garbage, disturb nobody"
for method in State Wait Pids Stats Pause Resume; do call hung-pod vanish $method id=hung-pod; done
call hung-pod vanish Exec id=hung-pod exec_id=gone spec="$WORLD/process.json"
for seed in 1 2 3; do equal "$(call hung-pod garbage seed=$seed)" ok; done
wait_until 5 "it to run again" is_status hung-pod RUNNING
equal "$(ctr task exec --exec-id e hung-pod echo well)" well
# 4 GiB are announced and never come: the shim must not have taken them.
shim=$(pgrep -f "containerd-shim.* -id hung-pod")
[ "$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$shim/status")" -lt 20000 ] || die "garbage made the shim grow"
end_container hung-pod

step "a shim that is stopped for a while answers afterwards"
run_container -d frozen sleep 1000
shim=$(pgrep -f "containerd-shim.* -id frozen")
kill -STOP "$shim"
ctr task exec --exec-id e frozen echo thawed >"$WORLD/thawed" &
client=$!
neighbour_is_well
kill -CONT "$shim"
wait $client
equal "$(cat "$WORLD/thawed")" thawed
end_container frozen

step "a shim killed with an exec under way: the container ends and can be made again"
run_container -d victim sleep 1000
ctr task exec --exec-id e victim sleep 1000 >/dev/null 2>&1 &
client=$!
wait_until 10 "the exec to run" eval '[ "$(ctr task ps victim | wc -l)" = 3 ]'
pid=$(task_pid victim)
kill -9 "$(pgrep -f "containerd-shim.* -id victim")"
wait $client || true
wait_until 10 "its processes to end" eval "! kill -0 $pid 2>/dev/null"
wait_until 10 "containerd to forget it" eval '[ -z "$(task_status victim)" ]'
ctr container delete victim
equal "$(run_container --rm victim echo again)" again
neighbour_is_well

step "containerd killed while it creates and while it executes: found again, and nothing half-made stays"
fault create hang
faulty -d halfway sleep 1000 >/dev/null 2>&1 &
client=$!
wait_until 10 "the runtime to be called" pgrep -f "faulty-runc.*create|sleep 1000$"
kill -9 "$(cat "$WORLD/containerd.pid")"
pkill -9 -f "ctr run .*halfway" || true  # it would wait for containerd
wait $client || true
pkill -f "sleep 1000$" || true  # the runtime that hangs
start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
wait_until 20 "containerd to answer" ctr version
fault none
neighbour_is_well
wait_until 20 "the half-made task to go" eval '[ -z "$(task_status halfway)" ] || ctr task delete --force halfway'
ctr container delete halfway >/dev/null 2>&1 || true  # the client may have come to it
equal "$(run_container --rm halfway echo whole)" whole

end_container neighbour
rm -f /run/containerd/s/*  # the sockets of shims that were killed stay; the next start of the same id replaces them
expect_nothing_left

step "a bundle on a full disk: an error that says so, and nothing stays"
size=$(du -s --block-size=1 "$WORLD/containerd/state" | cut -f1)
mount -o remount,size=$((size + 65536)) "$WORLD/containerd/state"
head -c 10000000 /dev/zero >"$WORLD/containerd/state/filler" 2>/dev/null || true
refused "no space left on device" run_container --rm full true
ctr container delete full >/dev/null 2>&1 || true
rm "$WORLD/containerd/state/filler"
equal "$(run_container --rm full echo room)" room
expect_nothing_left
