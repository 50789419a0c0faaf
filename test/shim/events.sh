#!/usr/bin/env bash
# containerd hears what happens, in the order in which it happens, and once.
. "$(dirname "$0")/support.sh"
record_events

step "a short life: create, start, exit, delete"
for i in 1 2 3 4 5; do
  run_container --rm "short$i" true
  wait_until 10 "the delete event" event_seen "short$i" delete
  equal "$(events_of "short$i")" "create start exit delete"
done

step "an exec: added, started, exit, between the container's own"
run_container -d box sleep 1000
ctr task exec --exec-id quick box true
ctr task pause box
ctr task resume box
end_container box
wait_until 10 "the delete event" event_seen box delete
equal "$(events_of box)" "create start exec-added exec-started exit paused resumed exit delete"
contains "$(grep /tasks/exit "$EVENTS" | grep quick)" '"container_id":"box"'
contains "$(grep /tasks/exit "$EVENTS" | tail -1)" '"exit_status":137'

step "a container that is never started: create, then its end"
ctr container create "${RUNTIME_OPTIONS[@]}" --env PATH=/bin --rootfs "$ROOTFS" unstarted true
ctr run --help >/dev/null
ctr container delete unstarted
equal "$(events_of unstarted | tr ' ' '\n' | grep -c start || true)" 0
expect_nothing_left
