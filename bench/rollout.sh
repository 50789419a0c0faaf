#!/usr/bin/env bash
# NODES floxds, each with a root and a network namespace of its own, roll out one closure at the same second: what the cache is
# asked for, with sharing between nodes and without; and the same when all nodes but one have it already.
#   NODES=20 COUNT=100 BYTES=500000   store paths of the closure, bytes of each
. "$(dirname "$0")/../test/lib.sh"
. "$PROJECT/test/node/peer_support.sh"
NODES=${NODES:-20} COUNT=${COUNT:-100} BYTES=${BYTES:-500000}
enter_world "$@"

step "$NODES nodes with a network each, and a cache"
make_networks "$NODES"
make_cache "$BYTES" "$COUNT"
start_cache
whole=$(($(du -bs "$WORLD/cache/nar" | cut -f1)))

# nodes_with PEERS FIRST: nodes FIRST to NODES anew, with empty stores.
nodes_with() {
  local n
  PEERS=$1
  for ((n = $2; n <= NODES; n++)); do
    stop_server "floxd$n"
    rm -rf "$WORLD/nodes/$n"
    start_peer_node "$n"
  done
  for ((n = $2; n <= NODES; n++)); do wait_until 120 "node $n" node_is_ready "$n"; done
}
# roll_out FIRST ID: nodes FIRST to NODES ask for the closure at once. Sets $bytes and $milliseconds.
roll_out() {
  local n began
  forget_upstream
  began=$(date +%s%3N)
  python3 - "$PROJECT/test/security" "$CLOSURE" "$2" $(for ((n = $1; n <= NODES; n++)); do echo "$WORLD/run/$n/node.sock"; done) <<'PYTHON' || die "a node did not get the closure"
import sys, threading
sys.path.insert(0, sys.argv[1])
import node_call
closure, name, sockets = sys.argv[2], sys.argv[3], sys.argv[4:]
failed = []
def prepare(socket):
    code, answer = node_call.Client(socket).call("Prepare", [("container_id", name), ("pod_id", "pod-" + name),
        ("container_name", "c"), ("environment", closure), ("args", "/bin/true")])
    if code:
        failed.append("%s: %s" % (code, answer))
threads = [threading.Thread(target=prepare, args=(socket,)) for socket in sockets]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit("\n".join(failed) or 0)
PYTHON
  milliseconds=$(($(date +%s%3N) - began))
  bytes=$(upstream_bytes)
}
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.3f", a / b }'; }
everybody=$(for ((n = 1; n <= NODES; n++)); do peer_of "$n"; done | tr '\n' ' ')

step "without sharing"
nodes_with "" 1
roll_out 1 alone
alone=$bytes alone_ms=$milliseconds

step "with sharing, all at once"
nodes_with "$everybody" 1
roll_out 1 together
together=$bytes together_ms=$milliseconds
sum_of() { for ((n = 1; n <= NODES; n++)); do node_metric "$n" "$1"; done | awk '{ sum += $1 } END { print sum + 0 }'; }
hedges=$(sum_of flox_peer_hedges_total) failures=$(sum_of 'flox_peer_failures_total{reason="failed"}')

step "with sharing, one node that has nothing"
nodes_with "$everybody" "$NODES"
roll_out "$NODES" last
last=$bytes last_ms=$milliseconds

step "without sharing, one node that has nothing"
nodes_with "" "$NODES"
roll_out "$NODES" last-alone
printf '\n%s nodes, a closure of %s paths, %.1f MB in the cache; what the cache gave, of the closure\n' "$NODES" "$COUNT" "$(awk -v b="$whole" 'BEGIN { print b / 1e6 }')"
printf '  %-34s %8s %8s\n' "" times ms
printf '  %-34s %8s %8s\n' "all at once, without sharing" "$(ratio "$alone" "$whole")" "$alone_ms"
printf '  %-34s %8s %8s   target: at most 1.3\n' "all at once, with sharing" "$(ratio "$together" "$whole")" "$together_ms"
printf '  %-34s %8s %8s\n' "the last node, without sharing" "$(ratio "$bytes" "$whole")" "$milliseconds"
printf '  %-34s %8s %8s   target: at most 0.05\n' "the last node, with sharing" "$(ratio "$last" "$whole")" "$last_ms"
printf '  sharing: %s of the bytes that the cache gives without it; %s hedges, %s times a node gave a peer up\n' "$(ratio "$together" "$alone")" "$hedges" "$failures"
