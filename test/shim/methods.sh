#!/usr/bin/env bash
# Every method of the Task service in every state, asked without containerd between: answers, and codes of refusals.
# Where containerd relies on a message's text, it is expected too.
. "$(dirname "$0")/support.sh"
ask() { timeout 60 "$PROJECT/test/shim/task_call.py" "$SOCKET" "$@"; }
# answers EXPECTED METHOD FIELD=VALUE…: what it answers, by its beginning
answers() {
  local expected=$1 said
  shift
  said=$(ask "$@") || die "$*: no answer"
  [[ $said == "$expected"* ]] || die "$*: expected '$expected…', got '$said'"
}
field() { tr ' ' '\n' | sed -n "s/^$1=//p"; }  # field NUMBER <answer
CREATED=1 RUNNING=2 STOPPED=3 PAUSED=4
status_is() { [ "$(ask State "${@:2}" | field 4)" = "$1" ] || die "State ${*:2}: $(ask State "${@:2}"), expected status $1"; }
NEVER=0x088092b8c398feffffff01  # year 1, Go's zero time: containerd 2.x takes an absent one for 1970
PER_CONTAINER=(State Start Delete Wait Pids Pause Resume Stats Exec "Kill signal=9" "ResizePty width=1 height=1"
  "CloseIO stdin=1" "Update resources={}" "Checkpoint path=/nowhere")
# unknown ID: no method knows the container
unknown() {
  local method
  for method in "${PER_CONTAINER[@]}"; do answers "NotFound: container not created" $method id="$1"; done
  answers "ok 1=" Connect id="$1"
  equal "$(ask Connect id="$1" | field 2)" ""
}
# create ID FIELD=VALUE…: a container in box's shim, which containerd does not know of
create() {
  mkdir -p "$WORLD/bundles/$1"
  jq --arg id "$1" --arg root "$ROOTFS" '.root.path = $root | .linux.cgroupsPath |= sub("/box$"; "/" + $id)' \
    "$bundle/box/config.json" >"$WORLD/bundles/$1/config.json"
  ask Create id="$1" bundle="$WORLD/bundles/$1" "${@:2}"
}

run_container -d box sh -c 'sleep 1000'
SOCKET=$(socket_of box)
pid=$(task_pid box)
jq .process "$bundle/box/config.json" >"$WORLD/sleep.json"
jq '.args = ["sleep", "1000"]' "$WORLD/sleep.json" >"$WORLD/process.json"
process="spec=$WORLD/process.json"

step "a container that nobody knows"
unknown nobody
unknown ""
answers "ok" Shutdown id=nobody
answers "ok" Shutdown id=nobody now=1
status_is $RUNNING id=box  # a shim that has containers does not shut down

step "methods and services that nobody knows, messages that are none"
answers "Unimplemented: " NoSuchMethod
answers "Unimplemented: " State id=box service=no.such.Service
reference || answers "ok" State id=box service=containerd.task.v3.Task  # 1.6 knows the one version only
for method in State Create Exec Kill Shutdown; do answers "$(or_reference InvalidArgument Internal): " $method raw=ffffff; done

step "containers that cannot be created leave no trace"
answers "NotFound: " Create id=bad bundle=/no/such/bundle
mkdir -p "$WORLD/bundles"/{empty,broken}
echo '{' >"$WORLD/bundles/broken/config.json"
answers "$(or_reference "NotFound: reading" "Unknown: OCI runtime create failed")" Create id=bad bundle="$WORLD/bundles/empty"
answers "$(or_reference "InvalidArgument: reading" "Unknown: OCI runtime create failed")" Create id=bad bundle="$WORLD/bundles/broken"
# The reference would write where the ids lead.
reference || for id in "" a/b ../up; do answers "InvalidArgument: " Create id="$id" bundle="$WORLD/bundles/empty"; done
answers "$(or_reference "InvalidArgument: unsupported runtime options" Unknown)" Create id=bad bundle="$WORLD/bundles/empty" options=no.such.Options
unknown bad

step "a created container"
created=$(create other | field 1)
[ "$created" -gt 0 ] || die "Create gave no process id"
status_is $CREATED id=other
equal "$(ask State id=other)" "ok 1=other 2=$WORLD/bundles/other 3=$created 4=$CREATED 10=$NEVER"
equal "$(ask Connect id=other | field 2)" "$created"
# The reference lets the OCI runtime find out.
answers "$(or_reference AlreadyExists Unknown): " Create id=other bundle="$WORLD/bundles/other"
answers "ok 1=" Stats id=other
answers "ok 1=" Pids id=other
answers "Unknown: cannot pause" Pause id=other
answers "Unknown: cannot resume" Resume id=other
answers "Unknown: cannot checkpoint" Checkpoint id=other path=/nowhere
answers "ok" Update id=other resources='{"pids": {"limit": 50}}'
answers "ok" ResizePty id=other width=1 height=1
answers "ok" CloseIO id=other stdin=1
answers "ok" Exec id=other exec_id=e $process
answers "ok" Delete id=other exec_id=e
answers "ok" Kill id=other signal=0
reference || answers "DeadlineExceeded: " Wait id=other timeout=200  # the reference lets the client find out
answers "ok 1=$created" Start id=other
status_is $RUNNING id=other
answers "ok" Kill id=other signal=9
answers "ok 1=137" Wait id=other
answers "ok 1=$created 2=137" Delete id=other
unknown other

step "a created container can be killed, and deleted, without a start"
created=$(create other | field 1)
answers "ok" Kill id=other signal=9
answers "ok 1=137" Wait id=other
answers "$(or_reference FailedPrecondition Unknown): cannot start a stopped process" Start id=other
answers "ok 1=$created 2=137" Delete id=other
created=$(create other | field 1)
answers "ok 1=$created" Delete id=other
[ ! -e "/proc/$created" ] || die "a deleted container's process lives"
unknown other

step "a container that waits to be restored has no process, and no signal goes elsewhere"
answers "ok" Connect id=box
create other checkpoint=/no/such/checkpoint >/dev/null
status_is $CREATED id=other
equal "$(ask State id=other | field 3)" ""
answers "$(or_reference FailedPrecondition NotFound): " Kill id=other signal=9
answers "NotFound: " Kill id=other signal=9 all=1
status_is $RUNNING id=box  # the shim lives
answers "Unknown: cannot pause" Pause id=other
answers "Unknown: " Start id=other
status_is $CREATED id=other
answers "ok" Delete id=other
unknown other

step "a running container"
status_is $RUNNING id=box
equal "$(ask State id=box | field 3)" "$pid"
equal "$(ask State id=box | field 10)" $NEVER
equal "$(ask Connect id=box | field 2)" "$pid"
answers "$(or_reference AlreadyExists Unknown): " Create id=box bundle="$bundle/box"
answers "Unknown: cannot start a running process" Start id=box
answers "Unknown: cannot delete a running process" Delete id=box
answers "Unknown: cannot resume" Resume id=box
answers "ok" ResizePty id=box width=80 height=25  # without a terminal there is nothing to do
answers "ok" CloseIO id=box stdin=1
answers "ok" CloseIO id=box stdin=1
answers "ok 1=" Stats id=box
answers "ok" Update id=box resources='{"pids": {"limit": 100}}'
equal "$(cat /sys/fs/cgroup/pids"$CGROUP_PARENT"/box/pids.max 2>/dev/null || cat /sys/fs/cgroup"$CGROUP_PARENT"/box/pids.max)" 100
answers "Unknown: " Update id=box resources='[]'
answers "ok" Kill id=box signal=0
answers "Unknown: " Kill id=box signal=999
reference || answers "DeadlineExceeded: " Wait id=box timeout=300

step "its further processes"
for method in State Start Delete Wait "Kill signal=9" "ResizePty width=1 height=1"; do answers "NotFound: " $method id=box exec_id=e; done
answers "$(or_reference NotFound Unknown): " CloseIO id=box exec_id=e stdin=1
answers "ok" Exec id=box exec_id=e $process
answers "AlreadyExists: " Exec id=box exec_id=e $process
equal "$(ask State id=box exec_id=e)" "ok 1=e 2=$bundle/box 4=$CREATED 10=$NEVER"
answers "FailedPrecondition: " Kill id=box exec_id=e signal=9
answers "ok" CloseIO id=box exec_id=e stdin=1
answers "ok" ResizePty id=box exec_id=e width=1 height=1
answers "ok 1=" Start id=box exec_id=e
answers "Unknown: cannot start a running process" Start id=box exec_id=e
status_is $RUNNING id=box exec_id=e
exec_pid=$(ask State id=box exec_id=e | field 3)
contains "$(ctr task ps box)" "$exec_pid"
contains "$(ask Pids id=box)" "$(printf containerd.runc.v1.ProcessDetails | od -An -tx1 | tr -d ' \n')"  # says which exec it is
answers "Unknown: cannot delete a running process" Delete id=box exec_id=e
answers "ok" Kill id=box exec_id=e signal=0
answers "Unknown: " Kill id=box exec_id=e signal=999
answers "ok" Kill id=box exec_id=e signal=15
answers "ok 1=143" Wait id=box exec_id=e
answers "ok 1=143" Wait id=box exec_id=e
status_is $STOPPED id=box exec_id=e
answers "NotFound: process already finished" Kill id=box exec_id=e signal=9
answers "Unknown: cannot start a stopped process" Start id=box exec_id=e
answers "$(or_reference "Unknown: cannot resize" "Unknown: ")" ResizePty id=box exec_id=e width=1 height=1
answers "ok" CloseIO id=box exec_id=e stdin=1
answers "AlreadyExists: " Exec id=box exec_id=e $process  # until it is deleted
answers "ok 1=$exec_pid 2=143" Delete id=box exec_id=e
answers "NotFound: " Delete id=box exec_id=e
answers "ok" Exec id=box exec_id=e $process
answers "ok" Delete id=box exec_id=e  # never started

step "an exec that cannot start can be waited for and deleted"
jq '.args = ["no-such-program"]' "$WORLD/sleep.json" >"$WORLD/missing.json"
answers "ok" Exec id=box exec_id=bad spec="$WORLD/missing.json"
answers "Unknown: OCI runtime exec failed" Start id=box exec_id=bad
answers "ok" Wait id=box exec_id=bad
answers "ok" Delete id=box exec_id=bad

step "an exec that is no process is refused, and the shim lives on"
if ! reference; then  # it takes any id, and a missing spec is the end of it and its containers
  for id in "" a/b; do answers "InvalidArgument: " Exec id=box exec_id="$id" $process; done
  answers "InvalidArgument: " Exec id=box exec_id=none
  echo '[]' >"$WORLD/list.json"
  answers "InvalidArgument: " Exec id=box exec_id=none spec="$WORLD/list.json"
  answers "NotFound: " State id=box exec_id=none
fi

step "a paused container"
answers "ok" Exec id=box exec_id=e $process
answers "ok 1=" Start id=box exec_id=e
answers "ok" Pause id=box
status_is $PAUSED id=box
status_is $PAUSED id=box exec_id=e
answers "Unknown: cannot pause" Pause id=box
answers "Unknown: cannot start" Start id=box
answers "Unknown: cannot delete" Delete id=box
answers "$(or_reference FailedPrecondition Unknown): cannot exec in a paused" Exec id=box exec_id=late $process
answers "NotFound: " State id=box exec_id=late
answers "ok 1=" Stats id=box
answers "ok 1=" Pids id=box
answers "ok" Update id=box resources='{"pids": {"limit": 90}}'
status_is $PAUSED id=box  # runc update freezes and thaws for devices; not for this
answers "ok" Kill id=box exec_id=e signal=9  # takes effect when it runs again
answers "ok" Resume id=box
answers "Unknown: cannot resume" Resume id=box
status_is $RUNNING id=box
answers "ok 1=137" Wait id=box exec_id=e
answers "ok" Delete id=box exec_id=e

step "a stopped container"
answers "ok" Exec id=box exec_id=unstarted $process
answers "ok" Kill id=box signal=9 all=1
answers "ok 1=137" Wait id=box
answers "ok 1=137" Wait id=box
status_is $STOPPED id=box
equal "$(ask State id=box | field 9)" 137
[ "$(ask State id=box | field 10)" != $NEVER ] || die "the end has no time"
answers "NotFound: process already finished" Kill id=box signal=9
answers "$(or_reference FailedPrecondition Unknown): cannot start a stopped process" Start id=box
answers "$(or_reference FailedPrecondition Unknown): cannot exec in a stopped" Exec id=box exec_id=late $process
reference || answers "FailedPrecondition: " Start id=box exec_id=unstarted  # 1.6 lets the OCI runtime find out
answers "ok" Delete id=box exec_id=unstarted
answers "Unknown: " Pause id=box
answers "Unknown: " Resume id=box
answers "Unknown: " Checkpoint id=box path=/nowhere
answers "Unknown: " Update id=box resources='{}'
answers "$(or_reference "Unknown: cannot resize" ok)" ResizePty id=box width=1 height=1
answers "ok" CloseIO id=box stdin=1
equal "$(ask Connect id=box | field 2)" "$pid"
answers "$(or_reference AlreadyExists Unknown): " Create id=box bundle="$bundle/box"

step "a deleted one"
equal "$(exit_code_of box)" 137
ctr container delete box
wait_until 5 "the shim to end" eval '[ -z "$(shims)" ]'
expect_nothing_left
