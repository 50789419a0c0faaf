#!/usr/bin/env bash
# What stands around the containers breaks in the middle of something: the shim or containerd is killed, clients vanish or
# send garbage, the shim is stopped, the disk is full. Nothing hangs, nothing is left, and the neighbours never notice.
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/faulty_runtime.sh"
run_container -d neighbour sleep 1000
neighbour_is_well() { equal "$(ctr task exec --exec-id check neighbour echo well)" well; }
unknown_to_containerd() { [ -z "$(task_status "$1")" ]; }

step "clients that vanish in the middle of a call, and garbage, disturb nobody"
run_container -d box sleep 1000
jq .process "$bundle/box/config.json" >"$WORLD/process.json"
for method in State Wait Pids Stats Pause Resume; do call box vanish $method id=box; done
call box vanish Exec id=box exec_id=gone spec="$WORLD/process.json"
for seed in 1 2 3; do equal "$(call box garbage seed=$seed)" ok; done
# Pause and Resume of one who does not wait for the answers may come in either order.
wait_until 5 "it to run again" eval 'ctr task resume box 2>/dev/null || is_status box RUNNING'
equal "$(ctr task exec --exec-id e box echo well)" well
# 4 GiB are announced and never come: the shim must not have taken them.
reference || [ "$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$(shim_of box)/status")" -lt 30000 ] || die "garbage made the shim grow"
neighbour_is_well
end_container box

step "a shim that is stopped for a while answers afterwards"
run_container -d frozen sleep 1000
shim=$(shim_of frozen)
kill -STOP "$shim"
( ctr() { exec "$CTR" "$@"; }; ctr task exec --exec-id e frozen echo thawed ) >"$WORLD/thawed" &
client=$!
neighbour_is_well
equal "$(run_container --rm meanwhile echo made)" made
[ ! -s "$WORLD/thawed" ] || die "a stopped shim has answered"
kill -CONT "$shim"
wait $client
equal "$(cat "$WORLD/thawed")" thawed
end_container frozen

for action in hang hang-after; do
  step "the shim is killed in the middle of a create ($action): the client hears of it, and the next try succeeds"
  fault create $action
  launch -d halfway sleep 1000
  wait_until 10 "the runtime to be called" runtime_hangs
  kill -9 "$(shim_of halfway)"
  ! wait $client || die "the client was told that all is well"
  unhang
  # containerd 1.6 knows the shim again, but not that it has nothing to do; ours ends after 30 s without a task.
  wait_until 60 "$(left_of halfway) to go" nothing_left_of halfway
  forget halfway
  equal "$(code faulty --rm halfway true)" 0
  neighbour_is_well
done

step "… of a start, an exec and a delete: its processes end, containerd says so, and the container can be made again"
killed_in() {  # VERB COMMAND…: the shim of `victim` is killed while the runtime does VERB on behalf of COMMAND
  local verb=$1 pid
  shift
  fault "$verb" hang-after victim
  ( "$@" ) >"$WORLD/answer" 2>&1 &
  client=$!
  wait_until 10 "the runtime to be called" runtime_hangs
  pid=$(cat "$bundle/victim/init.pid")
  kill -9 "$(shim_of victim)"
  ! wait $client || die "the client of a killed shim was told that all is well"
  unhang
  wait_until 15 "its processes to end" eval "! kill -0 $pid 2>/dev/null"
  wait_until 15 "containerd to forget it" unknown_to_containerd victim
  expect_nothing_left_of victim
  forget victim
  equal "$(code faulty --rm victim true)" 0
  neighbour_is_well
}
killed_in start faulty -d victim sleep 1000
faulty -d victim sleep 1000
killed_in exec ctr task exec --exec-id e victim sleep 1000
faulty -d victim sleep 1000
ctr task kill --signal KILL victim
wait_until 10 "it to stop" is_status victim STOPPED
killed_in delete ctr task delete victim

step "the shim of a pod is killed: all its containers end, and another pod does not notice"
for i in 1 2 3; do run_container -d --annotation io.containerd.runc.v2.group=pod "pod$i" sleep 1000; done
pids=$(for i in 1 2 3; do task_pid pod$i; done)
kill -9 "$(shim_of pod1)"
for pid in $pids; do wait_until 15 "its containers to end" eval "! kill -0 $pid 2>/dev/null"; done
for i in 1 2 3; do
  wait_until 15 "containerd to forget them" unknown_to_containerd pod$i
  expect_nothing_left_of pod$i
  forget pod$i
done
neighbour_is_well

for action in hang hang-after; do
  reference && break  # its shim stays, and 1.6 holds it for a container: the name is taken for ever
  step "containerd is killed in the middle of a create ($action): nothing half-made stays once it is back"
  fault create $action
  launch -d halfway sleep 1000
  wait_until 10 "the runtime to be called" runtime_hangs
  kill_containerd
  end_client  # it would wait for containerd
  begin_containerd
  neighbour_is_well
  unhang
  wait_until 20 "the half-made task to go" eval 'unknown_to_containerd halfway || ctr task delete --force halfway'
  # containerd 1.6 knows the shim again, but not that it has nothing to do; ours ends after 30 s without a task.
  wait_until 60 "$(left_of halfway) to go" nothing_left_of halfway
  forget halfway
  equal "$(code faulty --rm halfway true)" 0
done

step "… of an exec and of a delete: the container is found again, and does what it is told"
faulty -d survivor sleep 1000
fault exec hang survivor
( ctr() { exec "$CTR" "$@"; }; ctr task exec --exec-id cut survivor sleep 1000 ) >/dev/null 2>&1 &
client=$!
wait_until 10 "the runtime to be called" runtime_hangs
kill_containerd
end_client
unhang
begin_containerd
equal "$(task_status survivor)" RUNNING
equal "$(ctr task exec --exec-id e survivor echo alive)" alive
ctr task kill --signal KILL survivor
wait_until 10 "it to stop" is_status survivor STOPPED
fault delete hang survivor
( ctr() { exec "$CTR" "$@"; }; ctr task delete survivor ) >/dev/null 2>&1 &
client=$!
wait_until 10 "the runtime to be called" runtime_hangs
kill_containerd
end_client
unhang
begin_containerd
wait_until 20 "it to go" eval 'unknown_to_containerd survivor || ctr task delete --force survivor'
expect_nothing_left_of survivor
forget survivor
neighbour_is_well
end_container neighbour
forget_sockets_of_reference
expect_nothing_left

step "a bundle on a disk that is full from the beginning, and at every point on the way: an error or success, and nothing stays"
state=$WORLD/containerd/state
size=$(du -s --block-size=1 "$state" | cut -f1)
mount -o remount,size=$((size + 262144)) "$state"
told=0
for pages in 0 1 2 3 4 5 6 7 8 9 10 12 14 16; do
  head -c 262144 /dev/zero >"$state/filler" 2>/dev/null || true  # takes what there is
  truncate -s "-$((pages * 4096))" "$state/filler"
  if said=$(run_container --rm "full$pages" echo written 2>&1); then
    equal "$said" written
  else
    case ${said,,} in
      *"no space left on device"*) told=$((told + 1)) ;;
      *"oci runtime create failed"* | *"oci runtime start failed"*) ;;  # it had no room for its reason
      *) die "with $pages pages left: $said" ;;
    esac
  fi
  # containerd forgets a shim of which it cannot write down where it is. Ours ends after 30 s without a task.
  if [[ $said == *shim-binary-path* || $said == *bootstrap.json* ]]; then
    ! reference || { shim_of "full$pages" || true; } | xargs -r kill
    wait_until 60 "the forgotten shim to end" eval '[ -z "$(shim_of full$pages)" ]'
    forget_sockets_of_reference
  fi
  rm "$state/filler"
  forget "full$pages"
  expect_nothing_left_of "full$pages"
done
[ $told -gt 0 ] || die "nobody said that the disk is full"
equal "$(run_container --rm full echo room)" room
expect_nothing_left
