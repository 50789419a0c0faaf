#!/usr/bin/env bash
# flox-pause holds a sandbox open, reaps what is left to it, and ends when told, though it is the first process.
. "$(dirname "$0")/support.sh"
mkdir -p "$WORLD/sandbox"
cp "$BUILD_DIR/bin/flox-pause" "$WORLD/sandbox/pause"
cp "$ROOTFS/bin/busybox" "$WORLD/sandbox/busybox"
ROOTFS=$WORLD/sandbox

step "it waits, and reaps orphans"
run_container -d sandbox /pause
pid=$(task_pid sandbox)
ctr task exec --exec-id e sandbox /busybox sh -c '/busybox sh -c "/busybox true & /busybox true" & wait'
wait_until 5 "no zombie to be left" eval '! ps -o stat= --ppid '"$pid"' | grepq Z'
equal "$(task_status sandbox)" RUNNING

step "SIGTERM ends it"
ctr task kill --signal TERM sandbox
wait_until 5 "the sandbox to stop" is_status sandbox STOPPED
equal "$(exit_code_of sandbox)" 0
ctr container delete sandbox
expect_nothing_left
