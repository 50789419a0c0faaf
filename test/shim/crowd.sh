#!/usr/bin/env bash
# Many containers at once, and one after the other, leave nothing behind.
. "$(dirname "$0")/support.sh"

step "24 containers, 8 at a time"
one_of_many() { [ "$(run_container --rm "many$1" sh -c "echo $1; exit 0")" = "$1" ]; }
for round in 0 1 2; do
  pids=()
  for i in 1 2 3 4 5 6 7 8; do one_of_many $((round * 8 + i)) & pids+=($!); done
  for pid in "${pids[@]}"; do wait "$pid" || die "one of many containers failed"; done
done
expect_nothing_left

step "containers of one group share a shim, which outlives all but the last"
for i in 1 2 3; do run_container -d --annotation io.containerd.runc.v2.group=together "group$i" sleep 1000; done
run_container -d alone sleep 1000
equal "$(shims | wc -l)" 2
end_container group1
end_container group2
equal "$(task_status group3)" RUNNING
equal "$(shims | wc -l)" 2
end_container group3
wait_until 5 "the group's shim to end" eval '[ "$(shims | wc -l)" = 1 ]'
end_container alone
expect_nothing_left
