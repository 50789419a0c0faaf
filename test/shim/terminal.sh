#!/usr/bin/env bash
# Containers and execs with a terminal.
. "$(dirname "$0")/support.sh"
command -v script >/dev/null || skip "needs script(1) for a terminal"
# in_terminal COMMAND…: runs it on a terminal of 40 rows and 90 columns; its output without carriage returns.
in_terminal() { script -qec "stty rows 40 cols 90; exec timeout -s KILL 30 $*" /dev/null </dev/null | tr -d '\r'; }
CTR=$(type -P ctr)
RUN="$CTR run --rm ${RUNTIME_OPTIONS[*]} --env PATH=/bin -t --rootfs $ROOTFS"

step "the process has a terminal, and its exit code comes back"
contains "$(in_terminal "$RUN" t1 "sh -c 'test -t 0 && test -t 1 && echo terminal'")" terminal
equal "$(code in_terminal "$RUN" t2 true)" 0
script -qec "$RUN t3 sh -c 'exit 9'" /dev/null </dev/null >/dev/null && die "exit code was lost" || equal $? 9

step "much output through a terminal arrives whole"
equal "$(in_terminal "$RUN" t4 "sh -c 'for i in \$(seq 2000); do echo line \$i of a text; done'" | grep -c 'of a text')" 2000

step "its size follows the client's"
script -qec "$CTR run -d --runtime $SHIM --env PATH=/bin -t --rootfs $ROOTFS sized sh -c 'while :; do stty size >/tmp/size; sleep 0.1; done'" /dev/null </dev/null >/dev/null
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE
equal "$("$PROJECT/test/shim/task_call.py" "$(sed 's|^unix://||' "$bundle/sized/address")" ResizePty id=sized width=123 height=45)" ok
wait_until 10 "the new size to arrive" grep -qx "45 123" "$ROOTFS/tmp/size"
end_container sized

step "an exec can have one, too, while the container has none"
run_container -d box sleep 1000
contains "$(in_terminal "$CTR" task exec -t --exec-id e1 box "sh -c 'test -t 0 && echo terminal'")" terminal
shim=$(shims | head -1)
# The reference of 1.6 keeps the terminal of a process that has ended.
[ -n "${FLOX_TEST_SHIM:-}" ] || wait_until 10 "the terminal to be closed" eval "! ls -l /proc/$shim/fd | grepq ptmx"
end_container box
expect_nothing_left
