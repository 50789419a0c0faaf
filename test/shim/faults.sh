#!/usr/bin/env bash
# OCI runtimes that fail, hang or lie, at every step: the reason is told, nothing is left, the next try succeeds, and the
# other containers of the pod and of the node never notice.
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/faulty_runtime.sh"
run_container -d neighbour sleep 1000
neighbour_is_well() { equal "$(ctr task exec --exec-id check neighbour echo well)" well; }

step "create fails: its reason is told, and nothing is left"
for action in fail silent killed after no-pid; do
  ! reference || [[ $action != after && $action != no-pid ]] || continue  # it leaves the container that was made
  fault create $action
  # The reference passes an unreadable pid file's error on as it is.
  refused "OCI runtime create failed" faulty --rm "create-$action" true
  expect_nothing_left_of "create-$action"
  forget "create-$action"
done
fault create fail
refused "runc says no to create" faulty --rm told true
forget told
fault none
equal "$(faulty --rm told echo made)" made

step "a runtime that is not there is named"
with_binary no-runc
refused 'exec: "no-runc": executable file not found in $PATH' faulty --rm without true
expect_nothing_left_of without
forget without
with_binary "$WORLD/faulty-runc"

step "init dies before it is started: the task has stopped and can be deleted"
fault create init-dies
faulty -d early sleep 1000 >/dev/null 2>&1 || true  # whether Start still finds it is the OCI runtime's matter
wait_until 10 "early to be stopped" is_status early STOPPED
fault none
equal "$(exit_code_of early)" 137
ctr container delete early
expect_nothing_left_of early

step "start fails: the container can be deleted and made again"
for action in fail silent killed; do
  fault start $action
  refused "OCI runtime start failed" faulty -d unstarted sleep 1000
  equal "$(task_status unstarted)" CREATED
  ctr task delete --force unstarted >/dev/null 2>&1
  ctr container delete unstarted
  expect_nothing_left_of unstarted
done
fault none
equal "$(code faulty --rm unstarted true)" 0

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
contains "$(call box Update id=box resources='{}')" "$(or_reference "runc says no to update" "did not terminate successfully")"
fault none

step "an exec that the runtime has made, though it says that it failed, is not left running"
fault exec after
refused "OCI runtime exec failed" ctr task exec --exec-id late box sleep 2000
fault none
reference || wait_until 10 "the exec to be gone" eval '[ "$(ctr task ps box | wc -l)" = 2 ]'

step "kill of all fails, is told, and works the next time; delete too"
fault kill fail
contains "$(call box Kill id=box signal=9 all=1)" "$(or_reference "runc says no to kill" "did not terminate successfully")"
fault none
ctr task kill --all --signal KILL box
wait_until 10 "box to stop" is_status box STOPPED
fault delete fail
refused "$(or_reference "runc says no to delete" "")" ctr task delete box
fault none
equal "$(exit_code_of box)" 137
ctr container delete box
expect_nothing_left_of box
neighbour_is_well

step "two containers of one pod: while the runtime hangs with one, the other answers"
pod=(--annotation io.containerd.runc.v2.group=pod)
faulty -d "${pod[@]}" sick sleep 1000
faulty -d "${pod[@]}" sound sleep 1000
equal "$(shims | wc -l)" 2
sound_is_well() {
  equal "$(ctr task exec --exec-id check sound echo well)" well
  contains "$(ctr task metrics sound)" pids.current
  equal "$(task_status sound)" RUNNING
}
jq .process "$bundle/sick/config.json" >"$WORLD/process.json"
call sick Exec id=sick exec_id=stuck spec="$WORLD/process.json" >/dev/null
hang_in() {  # VERB METHOD FIELD=VALUE…
  local verb=$1
  shift
  fault "$verb" hang sick
  call sick "$@" >"$WORLD/answer" &
  local asking=$!
  wait_until 10 "the runtime to hang in $verb" runtime_hangs
  sound_is_well
  neighbour_is_well
  unhang
  wait $asking
  contains "$(cat "$WORLD/answer")" Unknown
}
if ! reference; then  # which holds up the whole pod
  hang_in pause Pause id=sick
  wait_until 10 "it to run" is_status sick RUNNING
  ctr task pause sick
  hang_in resume Resume id=sick
  wait_until 10 "it to be paused" is_status sick PAUSED
  ctr task resume sick
  hang_in update Update id=sick resources='{}'
  hang_in ps Pids id=sick
  hang_in exec Start id=sick exec_id=stuck
  equal "$(call sick Delete id=sick exec_id=stuck | cut -c1-2)" ok
  hang_in kill Kill id=sick signal=9 all=1
  equal "$(task_status sick)" RUNNING
  equal "$(ctr task exec --exec-id after sick echo well)" well
fi

step "the runtime hangs in create, start and delete: the pod's other container answers, and the next try succeeds"
if ! reference; then
  for verb in create start; do
    fault $verb hang third
    launch -d "${pod[@]}" third sleep 1000
    wait_until 10 "the runtime to hang in $verb" runtime_hangs
    sound_is_well
    unhang
    ! wait $client || die "$verb was killed, and nobody told the client"
    contains "$(cat "$WORLD/launch.out")" "OCI runtime $verb failed"
    ctr task delete --force third >/dev/null 2>&1 || true
    ctr container delete third >/dev/null 2>&1 || true
    expect_nothing_left_of third
  done
fi
equal "$(faulty --rm "${pod[@]}" third echo made)" made
ctr task kill --signal KILL sick
wait_until 10 "it to stop" is_status sick STOPPED
if ! reference; then
  fault delete hang sick
  ctr task delete sick >"$WORLD/deleted" 2>&1 &
  client=$!
  wait_until 10 "the runtime to hang in delete" runtime_hangs
  sound_is_well
  unhang
  ! wait $client || die "delete was killed, and nobody told the client"
fi
equal "$(exit_code_of sick)" 137
ctr container delete sick
expect_nothing_left_of sick

step "a pod's container that uses up its memory and one that floods its output leave the other alone"
faulty -d "${pod[@]}" --memory-limit 16777216 greedy sh -c 'x=xxxxxxxx; while :; do x=$x$x; done'
launch "${pod[@]}" flood sh -c 'while :; do echo a line that nobody will read; done'
wait_until 20 "it to run" is_status flood RUNNING
kill -STOP $client  # nobody reads from now on
wait_until 30 "greedy to end" is_status greedy STOPPED
sound_is_well
equal "$(exit_code_of greedy)" 137
ctr container delete greedy
kill -CONT $client
ctr task kill --signal KILL flood
wait $client || true  # it deletes the task
ctr container delete flood
rm "$WORLD/launch.out"
end_container sound
expect_nothing_left_of sound

if ! reference; then  # which waits as long as the runtime does
  step "a runtime that hangs in create is killed when the client's time is over, and what it made is undone"
  faulty -d pod sleep 1000
  mkdir -p "$WORLD/late/rootfs"
  jq --arg root "$ROOTFS" '.root.path = $root | .linux.cgroupsPath |= sub("/pod$"; "/late")' "$bundle/pod/config.json" >"$WORLD/late/config.json"
  for action in hang hang-after; do
    fault create $action
    contains "$(call pod Create id=late bundle="$WORLD/late" binary="$WORLD/faulty-runc" timeout=2000)" "and was killed"
    contains "$(call pod State id=late)" NotFound
    expect_nothing_left_of late
  done
  fault none
  contains "$(call pod Create id=late bundle="$WORLD/late" binary="$WORLD/faulty-runc" timeout=20000)" "ok 1="
  contains "$(call pod Delete id=late)" "ok 1="
  end_container pod
fi
neighbour_is_well
end_container neighbour
expect_nothing_left
