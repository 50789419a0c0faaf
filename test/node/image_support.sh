# A node on which images of flox.local can be pulled: floxd and a catalog in the network of the world's containerd.
# Sourced after enter_world, never run.
IMAGE_REGISTRY=127.0.0.1:9809
CERTS=$WORLD/certs.d

# trust_registry: containerd knows the registry flox.local as `flox node install` makes it known.
trust_registry() {
  mkdir -p "$CERTS/flox.local"
  (umask 077; head -c 32 /dev/urandom | sha256sum | cut -d' ' -f1 >"$WORLD/registry.key")
  (umask 077; cat >"$CERTS/flox.local/hosts.toml" <<TOML
server = "http://$IMAGE_REGISTRY"
capabilities = ["pull", "resolve"]
[header]
X-Flox-Node-Key = ["$(cat "$WORLD/registry.key")"]
[host]
TOML
  )
}
# start_image_floxd [VARIABLE=VALUE…]
start_image_floxd() {
  [ -e "$WORLD/net-catalog.pid" ] || start_net_catalog
  mkdir -p "$WORLD/run/pod"
  [ -L "$NODE_ROOT/nix/var/nix/gcroots/flox-runtime" ] || flox --root "$NODE_ROOT" node runtime >"$WORLD/logs/runtime.log"
  start_server floxd in_net env FLOX_REGISTRY_KEY_FILE="$WORLD/registry.key" FLOX_CONTAINERD_ROOT="$WORLD/containerd/root" "$@" \
    floxd --root "$NODE_ROOT" --node-socket "$FLOX_NODE_SOCKET" --pod-socket-dir "$WORLD/run/pod" --catalog-url "$CATALOG_URL" \
    --trusted-key "$PUBLIC_KEY" --trust-state-dir "$WORLD/node-trust-state" --metrics 127.0.0.1:9808 --registry "$IMAGE_REGISTRY"
  wait_until 20 "floxd to be ready" in_net curl -fs http://127.0.0.1:9808/readyz
}
# start_net_catalog [OPTION…]: the world's catalog once more, at the same address in containerd's network.
start_net_catalog() {
  start_server net-catalog in_net flox-catalog --listen "${CATALOG_URL#http://}" --data "$WORLD/catalog" --token-file "$WORLD/token" --trusted-key "$PUBLIC_KEY" "$@"
  wait_until 10 "the catalog in containerd's network" in_net curl -fs "$CATALOG_URL/readyz"
}
# use_cri [LINE…]: crictl speaks to the world's containerd, and its network is ready; the lines are added to its configuration.
use_cri() {
  export CRI_CONFIG_FILE=$WORLD/crictl.yaml
  printf '%s\n' "runtime-endpoint: unix://$CONTAINERD_ADDRESS" "image-endpoint: unix://$CONTAINERD_ADDRESS" "$@" >"$CRI_CONFIG_FILE"
  wait_until 20 "the network to be ready" cri_ready
}
crictl() { in_net timeout --signal=KILL 120 "$FLOX_TEST_CONTAINERD/crictl" "$@"; }
cri_ready() { crictl info | jq -e '.status.conditions[] | select(.type == "NetworkReady") | .status'; }
# said CONTAINER TEXT: whether that is all that it has said.
said() { [ "$(crictl logs "$1" 2>&1)" = "$2" ]; }
# metric NAME: floxd's.
metric() { in_net curl -fsS http://127.0.0.1:9808/metrics | metric_in "$1"; }
# pull IMAGE [OPTION…]: by ctr, which asks the registry itself.
pull() { in_net timeout 120 ctr -n k8s.io images pull --hosts-dir "$CERTS" "${@:2}" "$1"; }
# run_image IMAGE ID [OPTION…] [-- COMMAND…]
run_image() {
  local image=$1 id=$2 options=()
  shift 2
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  [ $# = 0 ] || shift
  timeout 60 ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" ${options[@]+"${options[@]}"} "$image" "$id" "$@" </dev/null
}
digest_of() { ctr -n k8s.io images ls | awk -v name="$1" '$1 == name { print $3 }'; }
# remove_image IMAGE…: by all its names, as the kubelet does: CRI gives each image a second one, its id.
remove_image() {
  local image
  for image in "$@"; do
    ctr -n k8s.io images rm --sync $(ctr -n k8s.io images ls | awk -v digest="$(digest_of "$image")" '$3 == digest { print $1 }') >/dev/null
  done
}
