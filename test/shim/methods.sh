#!/usr/bin/env bash
# Every method of the Task service in every state, asked without containerd between: answers, and codes of refusals.
# Where containerd relies on a message's text, it is expected too.
. "$(dirname "$0")/support.sh"
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE
call() { timeout 60 "$PROJECT/test/shim/task_call.py" "$SOCKET" "$@"; }
socket_of() { sed 's|^unix://||' "$bundle/$1/address"; }
# answers EXPECTED METHOD FIELD=VALUE…: what it answers, by its beginning
answers() {
  local expected=$1 said
  shift
  said=$(call "$@")
  [[ $said == "$expected"* ]] || die "$*: expected '$expected…', got '$said'"
}
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }  # field NUMBER <answer
CREATED=1 RUNNING=2 STOPPED=3 PAUSED=4
status_is() { [ "$(call State "${@:2}" | field 4)" = "$1" ] || die "State ${*:2}: $(call State "${@:2}"), expected status $1"; }

run_container -d box sh -c 'sleep 1000'
SOCKET=$(socket_of box)
pid=$(task_pid box)
jq .process "$bundle/box/config.json" >"$WORLD/sleep.json"
jq '.args = ["sleep", "1000"]' "$WORLD/sleep.json" >"$WORLD/process.json"

step "a container that nobody knows"
for method in State Start Delete Wait Pids Pause Resume Stats Exec; do answers "NotFound: " $method id=nobody; done
answers "NotFound: " Kill id=nobody signal=9
answers "NotFound: " ResizePty id=nobody width=1 height=1
answers "NotFound: " CloseIO id=nobody stdin=1
answers "NotFound: " Update id=nobody resources='{}'
answers "NotFound: " Checkpoint id=nobody path=/nowhere
answers "ok " Connect id=nobody
equal "$(call Connect id=nobody | field 2)" ""
answers "ok" Shutdown id=nobody
status_is $RUNNING id=box  # a shim that has containers does not shut down

step "methods and services that nobody knows"
answers "Unimplemented: " NoSuchMethod
answers "Unimplemented: " State id=box service=no.such.Service

step "a running container"
status_is $RUNNING id=box
equal "$(call State id=box | field 3)" "$pid"
equal "$(call Connect id=box | field 2)" "$pid"
[ -n "${FLOX_TEST_SHIM:-}" ] || answers "AlreadyExists: " Create id=box bundle="$bundle/box"  # the reference lets runc find out
answers "Unknown: " Start id=box
answers "Unknown: " Delete id=box
answers "Unknown: " Resume id=box
answers "ok" ResizePty id=box width=80 height=25  # without a terminal there is nothing to do
answers "ok" CloseIO id=box stdin=1
answers "ok 1=" Stats id=box
answers "ok" Update id=box resources='{"pids": {"limit": 100}}'
equal "$(cat /sys/fs/cgroup/pids"$CGROUP_PARENT"/box/pids.max 2>/dev/null || cat /sys/fs/cgroup"$CGROUP_PARENT"/box/pids.max)" 100
answers "DeadlineExceeded: " Wait id=box timeout=300

step "its further processes"
answers "NotFound: " State id=box exec_id=e
answers "NotFound: " Start id=box exec_id=e
answers "ok" Exec id=box exec_id=e spec="$WORLD/process.json"
answers "AlreadyExists: " Exec id=box exec_id=e spec="$WORLD/process.json"
status_is $CREATED id=box exec_id=e
answers "FailedPrecondition: " Kill id=box exec_id=e signal=9
answers "ok 1=" Start id=box exec_id=e
answers "Unknown: " Start id=box exec_id=e
status_is $RUNNING id=box exec_id=e
exec_pid=$(call State id=box exec_id=e | field 3)
contains "$(ctr task ps box)" "$exec_pid"
answers "Unknown: " Delete id=box exec_id=e
answers "ok" Kill id=box exec_id=e signal=15
answers "ok 1=143" Wait id=box exec_id=e
status_is $STOPPED id=box exec_id=e
answers "NotFound: process already finished" Kill id=box exec_id=e signal=9
answers "Unknown: cannot start a stopped process" Start id=box exec_id=e
answers "Unknown: " ResizePty id=box exec_id=e width=1 height=1
answers "ok 1=$exec_pid 2=143" Delete id=box exec_id=e
answers "NotFound: " Delete id=box exec_id=e
answers "ok" Exec id=box exec_id=e spec="$WORLD/process.json"
answers "ok" Delete id=box exec_id=e  # never started

step "an exec that cannot start can be waited for and deleted"
jq '.args = ["no-such-program"]' "$WORLD/sleep.json" >"$WORLD/missing.json"
answers "ok" Exec id=box exec_id=bad spec="$WORLD/missing.json"
answers "Unknown: OCI runtime exec failed" Start id=box exec_id=bad
answers "ok" Wait id=box exec_id=bad
answers "ok" Delete id=box exec_id=bad

step "a paused container"
answers "ok" Pause id=box
status_is $PAUSED id=box
answers "Unknown: " Pause id=box
answers "ok 1=" Stats id=box
answers "ok 1=" Pids id=box
answers "ok" Resume id=box
status_is $RUNNING id=box

step "the other version of the service is the same"
answers "ok" State id=box service=containerd.task.v3.Task || [ -n "${FLOX_TEST_SHIM:-}" ]

step "a stopped container"
answers "ok" Kill id=box signal=9 all=1
answers "ok 1=137" Wait id=box
status_is $STOPPED id=box
answers "NotFound: process already finished" Kill id=box signal=9
answers "FailedPrecondition: " Start id=box
answers "Unknown: " Pause id=box
answers "Unknown: " Update id=box resources='{}'
answers "Unknown: " ResizePty id=box width=1 height=1
answers "ok 1=137" Wait id=box

step "a deleted one"
equal "$(exit_code_of box)" 137
ctr container delete box
wait_until 5 "the shim to end" eval '[ -z "$(shims)" ]'
expect_nothing_left
