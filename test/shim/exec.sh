#!/usr/bin/env bash
# Further processes run in a container: exit codes, output, errors, and what happens to them when init ends.
. "$(dirname "$0")/support.sh"
run_container -d box sh -c 'sleep 1000'

step "an exec has output and an exit code of its own"
equal "$(ctr task exec --exec-id one box sh -c 'echo hello; echo oops >&2; exit 0' 2>/dev/null)" hello
equal "$(code ctr task exec --exec-id two box sh -c 'exit 5')" 5
equal "$(ctr task exec --exec-id three box sh -c 'echo $PPID')" 0

step "ids can be used again once the process is deleted"
equal "$(code ctr task exec --exec-id two box true)" 0

step "a missing program is an error, and the container lives on"
refused_program nothing ctr task exec --exec-id bad box nothing
equal "$(task_status box)" RUNNING

step "a paused container takes no exec"
ctr task pause box
refused "paused" ctr task exec --exec-id paused box true
ctr task resume box

step "50 execs, 10 at a time, leave no descriptor behind"
shim=$(shims | head -1)
ctr task exec --exec-id warm box true
before=$(ls /proc/$shim/fd | wc -l)
for round in 1 2 3 4 5; do
  pids=()
  for i in 1 2 3 4 5 6 7 8 9 10; do ctr task exec --exec-id "x$round-$i" box sh -c "exit $i" & pids+=($!); done
  for i in 1 2 3 4 5 6 7 8 9 10; do
    got=0
    wait "${pids[$((i - 1))]}" || got=$?
    equal $got $i
  done
done
wait_until 10 "the descriptors to be closed" eval "[ \$(ls /proc/$shim/fd | wc -l) -le $before ]"
equal "$(ps -o stat= --ppid "$shim" | grep -c Z || true)" 0

step "when init ends, execs end first, and no new one starts"
record_events
ctr task exec --detach --exec-id lasting box sleep 1000
ctr task kill --signal KILL box
wait_until 10 "box to stop" is_status box STOPPED
refused "" ctr task exec --exec-id late box true
wait_until 10 "both exits" eval '[ "$(grep -c /tasks/exit "$EVENTS")" = 2 ]'
contains "$(grep /tasks/exit "$EVENTS" | head -1)" '"id":"lasting"'
contains "$(grep /tasks/exit "$EVENTS" | tail -1)" '"id":"box"'
ctr task delete --exec-id lasting box >/dev/null 2>&1 || true
ctr task delete box >/dev/null 2>&1 || true
ctr container delete box
expect_nothing_left
