#!/usr/bin/env bash
# What a hostile pod costs the others: the start of a container with an environment that the node has, alone and while
# another pod floods floxd with large locks, calls and connections. Medians, and their ratio (target: at most 1.5).
#   RUNS=30 for each median
. "$(dirname "$0")/../test/security/support.sh"
RUNS=${RUNS:-30}
enter_overlay_root "$@"
start_node
publish_tool hello 1.0
SOCKET=$WORLD/run/pod/pod.sock

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
measure() {  # KIND: RUNS containers, their times to KIND.us
  local run
  for ((run = -2; run < RUNS; run++)); do
    "$BUILD_DIR/bench/stopwatch" "$WORLD/logs/bench.log" ctr -n k8s.io run --rm --runtime "$SHIM" \
      --annotation flox.dev/environment=hello docker.io/flox/empty:1.0.0 "$1$run" hello >>"$WORLD/$1.us" ||
      { cat "$WORLD/logs/bench.log" >&2; die "the container failed"; }
    [ $run -ge 0 ] || rm "$WORLD/$1.us"
  done
}
flood() {  # until it is killed; it has no more of the processor than another pod of its kind
  while :; do
    as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" locks 50 250000
    as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" burst 16 Resolve
  done >/dev/null 2>&1
}

step "$RUNS starts alone"
measure alone
start_pod attacker
flood &
flooder=$!
step "$RUNS starts beside a flood"
measure flooded
kill $flooder
alone=$(median "$WORLD/alone.us") flooded=$(median "$WORLD/flooded.us")
awk -v a="$alone" -v b="$flooded" 'BEGIN { printf "start of a container: alone %.1f ms, beside a flood %.1f ms, ratio %.2f (target 1.5)\n", a / 1000, b / 1000, b / a }'
