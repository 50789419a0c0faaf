#!/usr/bin/env bash
# The shim is killed, containerd is restarted, memory runs out: nothing hangs and nothing stays.
. "$(dirname "$0")/support.sh"
record_events

step "a killed shim: containerd learns of it, and the container is taken away"
run_container -d orphan sleep 1000
pid=$(task_pid orphan)
kill -9 "$(shims)"
wait_until 10 "the exit event" event_seen orphan exit
wait_until 10 "the container's process to end" eval "! kill -0 $pid"
ctr container delete orphan
forget_sockets_of_reference
expect_nothing_left

step "the socket of a killed shim does not keep its container from starting again"
run_container -d again sleep 1000
kill -9 "$(shims)"
wait_until 10 "the exit event" event_seen again exit
ctr container delete again
equal "$(run_container --rm again echo back)" back
expect_nothing_left

step "containerd restarts: the shim lives on and is found again"
run_container -d survivor sleep 1000
run_container -d ender sh -c "while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 4"
stop_server containerd
touch "$ROOTFS/tmp/go"
wait_until 10 "ender to end" eval '[ -z "$(pgrep -f "while .*tmp/go")" ]'
start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
wait_until 20 "containerd to answer" ctr version
equal "$(task_status survivor)" RUNNING
equal "$(ctr task exec --exec-id e survivor echo alive)" alive
if [[ $(ctr version) == *"Version:  v2."* ]]; then  # it takes away a task that has ended meanwhile
  wait_until 10 "ender to go" eval '! ctr task ls | grepq "^ender "'
else
  wait_until 10 "ender's exit to be known" is_status ender STOPPED
  equal "$(exit_code_of ender)" 4
fi
ctr container delete ender
end_container survivor
expect_nothing_left

step "memory runs out: an event, and exit code 137"
record_events
run_container -d --memory-limit 16777216 greedy sh -c 'x=xxxxxxxx; while :; do x=$x$x; done'
wait_until 30 "greedy to stop" is_status greedy STOPPED
wait_until 10 "the exit event" event_seen greedy exit || die "$(cat "$EVENTS")"
equal "$(exit_code_of greedy)" 137
event_seen greedy oom || die "no event said that memory ran out: $(cat "$EVENTS")"
ctr container delete greedy
expect_nothing_left
