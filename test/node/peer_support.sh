# Several floxd with a root each, which fetch from one cache and from each other, for test/node/peers.sh and bench/rollout.sh.
# Sourced, after ../lib.sh and enter_world.
#
#   make_cache BYTES COUNT    a closure of COUNT paths of BYTES each: $CLOSURE, signed, in $WORLD/cache
#   start_cache [RATE]        serves it at $CACHE; upstream_bytes says how much it gave since forget_upstream
#   start_peer_node N [OPTION…]  floxd N with the root $WORLD/nodes/N, its peers in $PEERS
#   want N ID [PATH]          the container ID on that node asks for the closure; prints "ok …" or the error
#   make_networks COUNT       before these: each node and the cache have a network of their own, joined by a bridge in that of the cache
#   cut_node N, join_node N   takes node N off the bridge, and puts it back
PORT=$((20000 + RANDOM % 8000))  # below those that the kernel gives out
UPSTREAM=${UPSTREAM:-127.0.0.1}  # where the cache listens
node_address() { echo "127.0.0.$((1 + $1))"; }
in_node() { shift && env "$@"; }  # NODE COMMAND…
node_words() { :; }              # in front of a command that is to run where the node is
cache_words() { :; }             # … where the cache is
make_networks() {
  local n
  UPSTREAM=10.77.0.254
  node_address() { echo "10.77.0.$1"; }
  node_words() { echo "nsenter --net=/run/netns/node$1 --"; }
  cache_words() { echo "nsenter --net=/run/netns/cache --"; }
  in_node() { local n=$1 && shift && nsenter --net="/run/netns/node$n" -- "$@"; }
  bridge() { nsenter --net=/run/netns/cache -- "$@"; }
  ip link set lo up 2>/dev/null || true
  ip netns add cache
  bridge ip link add nodes type bridge
  bridge ip addr add $UPSTREAM/24 dev nodes
  bridge ip link set nodes up
  bridge ip link set lo up
  for ((n = 1; n <= $1; n++)); do
    ip netns add "node$n"
    bridge ip link add "to$n" type veth peer name eth0 netns "node$n"
    bridge ip link set "to$n" master nodes up
    in_node "$n" ip link set lo up
    in_node "$n" ip addr add "$(node_address "$n")/24" dev eth0
    in_node "$n" ip link set eth0 up
  done
}
cut_node() { bridge ip link set "to$1" down; }
join_node() { bridge ip link set "to$1" up; }

make_cache() {
  local publisher=$WORLD/publisher
  PUBLIC_KEY=$(flox store keygen peers-1 --out "$WORLD/publisher.key")
  CLOSURE=$("$BUILD_DIR/bench/make_closure" "$publisher" bytes "$2" "$1" | tail -1)
  flox --root "$publisher" store copy --key "$WORLD/publisher.key" --to "file://$WORLD/cache" "$CLOSURE" >"$WORLD/logs/push.log" 2>&1 ||
    { cat "$WORLD/logs/push.log" >&2; die "filling the cache failed"; }
  umask 077
  openssl rand -hex 32 >"$WORLD/peers.key"
  umask 022
}
start_cache() {
  CACHE=http://$UPSTREAM:$PORT
  start_server cache $(cache_words) python3 "$PROJECT/test/node/counting_cache.py" "$WORLD/cache" "$UPSTREAM:$PORT" "$WORLD/upstream.log" "${1:-0}"
  wait_until 10 "the cache" $(cache_words) curl -fs -o /dev/null "$CACHE/nix-cache-info"
  forget_upstream
}
forget_upstream() { : >"$WORLD/upstream.log"; }
upstream_bytes() { awk '{ sum += $1 } END { print sum + 0 }' "$WORLD/upstream.log"; }
upstream_nars() { grep -c '/nar/' "$WORLD/upstream.log" || true; }

start_peer_node() {
  local n=$1 address root=$WORLD/nodes/$1
  shift
  address=$(node_address "$n")
  mkdir -p "$root" "$WORLD/run/$n/pod"
  FLOX_PEERS=${PEERS:-} FLOX_PEER_KEY_FILE=${PEER_KEY:-$WORLD/peers.key} FLOX_CACHES=${CACHES-$CACHE} FLOX_ISOLATION=best-effort \
    FLOX_KUBELET_DIR=$WORLD/kubelet FLOX_CONTAINERD_ROOT=$WORLD/no-containerd FLOX_REGISTRY_ADDRESS='' FLOX_GC_MIN_FREE=1M \
    start_server "floxd$n" $(node_words "$n") floxd --root "$root" --node-socket "$WORLD/run/$n/node.sock" --pod-socket-dir "$WORLD/run/$n/pod" \
    --trusted-key "$PUBLIC_KEY" --metrics "$address:$((PORT + 1))" --peer-address "$address:$((PORT + 2))" \
    --runtime "$CLOSURE" "$@"
}
node_is_ready() { in_node "$1" curl -fs -o /dev/null "http://$(node_address "$1"):$((PORT + 1))/readyz"; }
peer_of() { echo "$(node_address "$1"):$((PORT + 2))"; }
node_metric() { in_node "$1" curl -fs "http://$(node_address "$1"):$((PORT + 1))/metrics" | awk -v name="$2" '$1 == name { printf "%d\n", $2 }'; }
want() {
  python3 "$PROJECT/test/security/node_call.py" "$WORLD/run/$1/node.sock" Prepare container_id="$2" pod_id="pod-$2" container_name=c \
    environment="${3:-$CLOSURE}" args=/bin/true
}
