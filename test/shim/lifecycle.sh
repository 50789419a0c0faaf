#!/usr/bin/env bash
# A container runs from create to delete: output, exit codes, stdin, signals, states.
. "$(dirname "$0")/support.sh"

step "output and exit code come back"
equal "$(run_container --rm out sh -c 'echo to-stdout; echo to-stderr >&2' 2>"$WORLD/err")" to-stdout
equal "$(cat "$WORLD/err")" to-stderr
equal "$(code run_container --rm seven sh -c 'exit 7')" 7
expect_nothing_left

step "no descriptor of the shim leaks into the container"
equal "$(run_container --rm descriptors sh -c 'ls /proc/$$/fd; :' | xargs)" "0 1 2"
run_container -d holder sleep 1000
equal "$(ctr task exec --exec-id e holder sh -c 'ls /proc/$$/fd; :' | xargs)" "0 1 2"
end_container holder

step "a megabyte of output arrives whole, though the process ends at once"
equal "$(run_container --rm big sh -c 'head -c 1000000 /dev/zero | tr "\0" x' | wc -c)" 1000000

step "stdin reaches the process and ends"
mkfifo "$WORLD/in"
ctr run --rm "${RUNTIME_OPTIONS[@]}" --env PATH=/bin --rootfs "$ROOTFS" reader sh -c 'cat; echo end' <"$WORLD/in" >"$WORLD/read" &
reader=$!
exec 9>"$WORLD/in"
wait_until 10 "the reader to run" is_status reader RUNNING
wait_until 10 "its program to be executed" grep -q cat "/proc/$(task_pid reader)/task/$(task_pid reader)/children" /proc/"$(task_pid reader)"/cmdline
echo hello >&9
exec 9>&-
wait $reader
equal "$(xargs <"$WORLD/read")" "hello end"

step "a program that is not there is named, and nothing stays"
refused_program no-such-program run_container --rm missing no-such-program
expect_nothing_left

step "a running container has a state, processes and numbers"
run_container -d long sh -c 'sleep 1000 & sleep 1000'
equal "$(task_status long)" RUNNING
wait_until 10 "both processes" eval '[ "$(ctr task ps long | wc -l)" -ge 3 ]'
contains "$(ctr task ps long)" "$(task_pid long)"
metrics=$(ctr task metrics long)
contains "$metrics" pids.current
contains "$metrics" memory.usage

step "it pauses and resumes"
ctr task pause long
equal "$(task_status long)" PAUSED
refused "" ctr task pause long
ctr task resume long
equal "$(task_status long)" RUNNING

step "a running container is not deleted; a killed one reports its signal"
refused "" ctr task delete long
ctr task kill --signal KILL long
wait_until 10 "long to stop" is_status long STOPPED
refused "already finished" ctr task kill long
equal "$(exit_code_of long)" 137
refused "not found" ctr task delete long
ctr container delete long

step "SIGTERM can be handled"
run_container -d polite sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done'
wait_until 10 "the trap to be set" grep -q 'SigCgt:.*[4-7c-f]...$' "/proc/$(task_pid polite)/status"
ctr task kill --signal TERM polite
wait_until 10 "polite to stop" is_status polite STOPPED
equal "$(exit_code_of polite)" 3
ctr container delete polite
expect_nothing_left
