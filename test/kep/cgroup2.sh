# What a kubelet makes of cgroup v2 with our shim: the cases that need it, and those that differ there, in static pods of a kubelet
# that has no API server, which an emulated machine would be too slow for. Here, if this machine has cgroup v2 alone, else in a
# virtual machine. Run by script/conformance cgroup2, not by script/test. Sourced, never run.
. "$PROJECT/test/kep/support.sh"
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
  [ "$(id -u)" = 0 ] || lacks "needs root: starts containers"
  if ! on_v2 && [ -z "${FLOX_TEST_IN_MACHINE:-}" ]; then
    need_featured_kubernetes
    "$PROJECT/script/vm" --check || exit $?
    FLOX_TEST_IN_MACHINE=1 FLOX_TEST_PATIENCE=40 exec "$PROJECT/script/vm" --limit 3000 --memory 4096 "$(realpath "$0")" "$@"
  fi
  on_v2 || die "the virtual machine has no cgroup v2"
  need_featured_kubernetes
  # Swap, if the machine has none: before the world, which covers /run.
  if [ "$(wc -l </proc/swaps)" -lt 2 ] && [ -n "${FLOX_TEST_IN_MACHINE:-}" ]; then
    /run/vm/modprobe zram
    echo 256M >/sys/block/zram0/disksize
    mkswap /dev/zram0 >/dev/null
    swapon /dev/zram0
  fi
fi
enter_world "$@"

MANIFESTS=$WORLD/node-1/manifests
# The support's functions, without an API server. A static pod's name ends in that of its node.
make_namespace() { :; }
ask_kubelet() { in_net curl -fsSk "https://10.77.0.11:10250$1"; }
apply() {
  local work
  work=$(mktemp -d)
  sed "s|{image}|$IMAGE|g; s|{node}|$NODE_DIR|g; /^  runtimeClassName: /d; s|metadata: { |metadata: { namespace: $NS, |" | csplit -s -z -f "$work/$NS-" -b %d.yaml - '/^---$/' '{*}'
  mv "$work"/* "$MANIFESTS/"
}
pod_json() { ask_kubelet /pods | jq -e --arg ns "$NS" --arg name "$1-node-1" '.items[] | select(.metadata.namespace == $ns and .metadata.name == $name)'; }
of() { pod_json "$1" | jq -r "$(sed 's/^{//; s/}$//' <<<"$2")"; }
ready() { [ "$(pod_json "$1" | jq -r '.status.conditions[]? | select(.type == "Ready").status')" = True ]; }
on_crictl() { on_node 1 crictl -r unix:///run/containerd/containerd.sock "$@"; }
container_of() { on_crictl ps -q --label "io.kubernetes.pod.namespace=$NS" --label "io.kubernetes.pod.name=$1-node-1" --label "io.kubernetes.container.name=$2"; }
in_container() { on_crictl exec "$(container_of "$1" "$2")" "${@:3}"; }
said() { [ "$(on_crictl logs "$(on_crictl ps -aq --label "io.kubernetes.pod.namespace=$NS" --label "io.kubernetes.pod.name=$1-node-1" --label "io.kubernetes.container.name=${4:-main}" | head -1)" 2>/dev/null)" = "$2" ]; }
show_case() { { ask_kubelet /pods | jq -c '.items[].status'; on_crictl ps -a; tail -20 "$WORLD/logs/node-1-kubelet.log"; } >&2 || true; }
show_trouble() { tail -20 "$WORLD"/logs/*.log >&2 || true; }

start_catalog
publish_tool hello 1.0
make_network
make_authority
serve_catalog
boot_node 1
install_node 1 --default-runtime
mkdir "$MANIFESTS"
KUBELET_OPTIONS="memorySwap: { swapBehavior: LimitedSwap }
staticPodPath: $MANIFESTS"
KUBELET_ACCESS="authentication: { anonymous: { enabled: true }, webhook: { enabled: false } }
authorization: { mode: AlwaysAllow }"
start_kubelet() { start_on_node "$1" kubelet kubelet --config "$WORLD/node-1/kubelet.yaml" --hostname-override node-1 --node-ip 10.77.0.11; }
launch_node 1
import_busybox 1
wait_until 60 "the kubelet" ask_kubelet /pods
step "kubelet $(on_node 1 kubelet --version), $(on_node 1 containerd --version), Linux $(uname -r)"

run_cases 2 pod_resources psi_metrics swap cri_stats
