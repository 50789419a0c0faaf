# A Kubernetes cluster in a private world (world.sh): etcd, API server, controller manager and scheduler beside the
# world's other servers, and nodes that are machines of their own as far as a node can tell: each with its own root
# file system (this machine's, under a layer that goes with the world), network, containerd, floxd, store and kubelet.
# Sourced after world.sh, never run.
#
#   need_kubernetes        before the world is entered: builds Kubernetes of the oldest supported release, or skips the test; with
#                          FLOX_TEST_KUBERNETES=newest the newest release, if that is built
#   need_featured_kubernetes  the same for the newest release, if that is built, with every feature turned on, on containerd 2.x and a
#                          runc that knows user namespaces
#   start_control_plane    $KUBECONFIG; kubectl works
#   serve_catalog          $CLUSTER_CATALOG_URL: the world's catalog, as nodes reach it
#   boot_node N            node-N: a machine with containerd, as a distribution has it, not yet running
#   on_node N COMMAND…     runs a command there; its environment is the node's own
#   install_node N [OPTION…]  flox node install and floxd, there
#   start_cluster COUNT    all of these, for that many nodes
#   start_metrics, start_dns   metrics-server; CoreDNS
#   launch_node N          its containerd and kubelet, with further feature gates in $KUBELET_FEATURES ("NAME: true") and
#                          further lines of the kubelet's configuration in $KUBELET_OPTIONS; who may ask it, in $KUBELET_ACCESS
#   join_node N [LABEL=VALUE…]  its kube-proxy and labels; ends when Kubernetes finds it ready
#
# The control plane is 10.77.0.1 in the world's network, node-N 10.77.0.(10+N), its pods 10.88.N.0/24, services 10.96.0.0/16.

CONTROL_PLANE=10.77.0.1
CLUSTER_DOMAIN=cluster.local

need_kubernetes() {
  local code=0 newest=''
  [ -n "${FLOX_WORLD_ENTERED:-}" ] && return 0
  [ "$(id -u)" = 0 ] || { echo "needs root: starts containers"; exit 77; }
  case ${FLOX_TEST_KUBERNETES:-oldest} in
    oldest) ;;
    newest)
      newest=$("$PROJECT/script/kubernetes-newest" --if-built | tail -1) || exit $?  # its last line said why
      # There the policies of support.sh are v1.
      export CLUSTER_APIS=${CLUSTER_APIS:-api/beta=false}
      ;;
    *) die "FLOX_TEST_KUBERNETES is '$FLOX_TEST_KUBERNETES': it can be oldest or newest" ;;
  esac
  KUBERNETES=$("$PROJECT/script/kubernetes" | tail -1) || code=$?
  [ $code = 0 ] || exit $code  # its last line said why
  KUBERNETES=${newest:+$newest:}$KUBERNETES
  export KUBERNETES PATH="$KUBERNETES:$PATH"  # a list of directories
}

# The newest is not built here: script/kubernetes-newest takes longer than a test may. What is off in the release is on in the
# cluster.
need_featured_kubernetes() {
  local newest='' gates=ContainerStopSignals=true
  [ -n "${FLOX_WORLD_ENTERED:-}" ] && return 0
  if ! newest=$("$PROJECT/script/kubernetes-newest" --if-built 2>/dev/null | tail -1); then
    newest=''
    gates+=,ImageVolume=true,PodLevelResources=true,ProcMountType=true,UserNamespacesSupport=true
  fi
  need_kubernetes
  FLOX_TEST_CONTAINERD=${FLOX_TEST_CONTAINERD:-$("$PROJECT/script/containerd2" | tail -1)} || exit $?
  RUNC=${RUNC:-$("$PROJECT/script/runc" | tail -1)} || exit $?
  export CLUSTER_FEATURES=$gates CLUSTER_APIS=api/beta=false
  gates+=,PodAndContainerStatsFromCRI=true${KUBELET_FEATURES:+,$KUBELET_FEATURES}
  gates=${gates//=/: }
  export KUBELET_FEATURES=${gates//,/, }
  export FLOX_TEST_CONTAINERD RUNC KUBERNETES="${newest:+$newest:}$KUBERNETES" PATH="${newest:+$newest:}$PATH"
}

# start_cluster COUNT: catalog, control plane and that many nodes, installed and labelled; node-1's runtime closure is
# copied to the others, which would make the same.
start_cluster() {
  local n
  [ -n "${CATALOG_URL:-}" ] || start_catalog
  start_control_plane
  serve_catalog
  for ((n = 1; n <= $1; n++)); do
    boot_node "$n"
    [ "$n" = 1 ] || cp -a "$WORLD/node-1/disk/nix/." "$WORLD/node-$n/disk/nix/"
    install_node "$n" ${INSTALL_OPTIONS:-}
    launch_node "$n"
  done
  for ((n = 1; n <= $1; n++)); do join_node "$n" flox.dev/runtime=installed; done
  step "$1 nodes are ready"
}

start_control_plane() {
  local pki=$WORLD/pki name
  export KUBECONFIG=$WORLD/admin.conf
  make_network
  make_authority
  make_certificate apiserver "/CN=kube-apiserver" "IP:$CONTROL_PLANE,IP:127.0.0.1,IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default.svc"
  make_certificate front-proxy /CN=front-proxy
  make_certificate kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  openssl genrsa -out "$pki/service-account.key" 2048 2>/dev/null
  make_kubeconfig admin /O=system:masters/CN=admin
  make_kubeconfig controller-manager /CN=system:kube-controller-manager
  make_kubeconfig scheduler /CN=system:kube-scheduler

  start_server etcd in_net etcd --data-dir "$WORLD/etcd" --listen-client-urls http://127.0.0.1:2379 --unsafe-no-fsync \
    --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --logger zap
  # The policies stand in for what a cloud's webhook injects (support.sh).
  start_server apiserver in_net kube-apiserver --etcd-servers http://127.0.0.1:2379 --advertise-address $CONTROL_PLANE \
    --service-cluster-ip-range 10.96.0.0/16 --allow-privileged --authorization-mode Node,RBAC --client-ca-file "$pki/ca.crt" \
    --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --kubelet-client-certificate "$pki/kubelet-client.crt" --kubelet-client-key "$pki/kubelet-client.key" \
    --service-account-issuer "https://kubernetes.default.svc.$CLUSTER_DOMAIN" --service-account-key-file "$pki/service-account.key" \
    --service-account-signing-key-file "$pki/service-account.key" --requestheader-client-ca-file "$pki/ca.crt" \
    --requestheader-allowed-names front-proxy --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
    --requestheader-extra-headers-prefix X-Remote-Extra- --proxy-client-cert-file "$pki/front-proxy.crt" \
    --proxy-client-key-file "$pki/front-proxy.key" --enable-aggregator-routing \
    --kubelet-preferred-address-types InternalIP --feature-gates "${CLUSTER_FEATURES:-MutatingAdmissionPolicy=true}" \
    --runtime-config "${CLUSTER_APIS:-admissionregistration.k8s.io/v1alpha1=true}"
  wait_until 90 "the API server" kubectl get --raw /readyz
  start_server controller-manager in_net kube-controller-manager --kubeconfig "$WORLD/controller-manager.conf" --leader-elect=false \
    --service-account-private-key-file "$pki/service-account.key" --root-ca-file "$pki/ca.crt" --use-service-account-credentials \
    --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key" --node-monitor-grace-period 16s \
    --horizontal-pod-autoscaler-sync-period 5s --horizontal-pod-autoscaler-downscale-stabilization 10s \
    --horizontal-pod-autoscaler-initial-readiness-delay 5s --horizontal-pod-autoscaler-cpu-initialization-period 10s
  start_server scheduler in_net kube-scheduler --kubeconfig "$WORLD/scheduler.conf" --leader-elect=false
  wait_until 30 "the default service account" kubectl get serviceaccount default
}
# The network that nodes and control plane share.
make_network() {
  in_net ip link add cluster0 type bridge
  in_net ip addr add $CONTROL_PLANE/24 dev cluster0
  in_net ip link set cluster0 up
  in_net sysctl -qw net.ipv4.ip_forward=1
}
kubectl() { in_net kubectl "$@"; }

# kubectl top, and what a HorizontalPodAutoscaler reads. Beside the cluster, not in it: the nodes have no image for it.
start_metrics() {
  kubectl apply -f - <<YAML
apiVersion: v1
kind: Service
metadata: { name: metrics-server, namespace: kube-system }
spec: { ports: [{ name: https, port: 443, targetPort: 4443 }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: metrics-server, namespace: kube-system }
subsets: [{ addresses: [{ ip: $CONTROL_PLANE }], ports: [{ name: https, port: 4443 }] }]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: v1beta1.metrics.k8s.io }
spec: { group: metrics.k8s.io, version: v1beta1, groupPriorityMinimum: 100, versionPriority: 100, insecureSkipTLSVerify: true, service: { name: metrics-server, namespace: kube-system } }
YAML
  start_server metrics-server in_net metrics-server --kubeconfig "$KUBECONFIG" --authentication-kubeconfig "$KUBECONFIG" \
    --authorization-kubeconfig "$KUBECONFIG" --kubelet-insecure-tls --kubelet-preferred-address-types InternalIP \
    --secure-port 4443 --cert-dir "$WORLD/metrics-server" --metric-resolution 10s --kubelet-request-timeout 5s
}
# Where the kubelets send pods with their names.
start_dns() {
  cat >"$WORLD/Corefile" <<CONF
.:53 {
  bind $CONTROL_PLANE
  errors
  kubernetes $CLUSTER_DOMAIN in-addr.arpa {
    kubeconfig $KUBECONFIG
  }
}
CONF
  start_server dns in_net cluster-dns -conf "$WORLD/Corefile"
}

make_authority() {
  mkdir -p "$WORLD/pki"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=cluster-ca -keyout "$WORLD/pki/ca.key" -out "$WORLD/pki/ca.crt" 2>/dev/null
}
make_certificate() {  # NAME SUBJECT [ALTERNATIVE NAMES]
  local file=$WORLD/pki/$1
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$file.key" -out "$file.csr" 2>/dev/null
  openssl x509 -req -in "$file.csr" -CA "$WORLD/pki/ca.crt" -CAkey "$WORLD/pki/ca.key" -CAcreateserial -days 2 -out "$file.crt" \
    -extfile <(echo "extendedKeyUsage=serverAuth,clientAuth"; [ $# -lt 3 ] || echo "subjectAltName=$3") 2>/dev/null
}
make_kubeconfig() {  # NAME SUBJECT
  make_certificate "$1" "$2"
  cat >"$WORLD/$1.conf" <<YAML
apiVersion: v1
kind: Config
current-context: world
contexts: [{ name: world, context: { cluster: world, user: "$1" } }]
clusters: [{ name: world, cluster: { server: "https://$CONTROL_PLANE:6443", certificate-authority: "$WORLD/pki/ca.crt" } }]
users: [{ name: "$1", user: { client-certificate: "$WORLD/pki/$1.crt", client-key: "$WORLD/pki/$1.key" } }]
YAML
}

boot_node() {
  local node=node-$1 address=10.77.0.$((10 + $1)) dir=$WORLD/node-$1
  mkdir -p "$dir"/{root,ram,disk}
  ip netns add "$node"
  in_net ip link add "$node" type veth peer name eth0 netns "$node"
  in_net ip link set "$node" master cluster0 up
  nsenter --net=/run/netns/"$node" -- sh -ec "ip link set lo up; ip addr add $address/24 dev eth0; ip link set eth0 up
    ip route add default via $CONTROL_PLANE; sysctl -qw net.ipv4.ip_forward=1"
  in_net ip route add 10.88.$1.0/24 via "$address"
  local other  # pods of different nodes talk to each other without the control plane between them
  for other in "$WORLD"/node-*/pid; do
    [ -e "$other" ] || continue
    other=${other%/pid} other=${other##*-}
    nsenter --net=/run/netns/"$node" -- ip route add 10.88."$other".0/24 via 10.77.0.$((10 + other))
    nsenter --net=/run/netns/node-"$other" -- ip route add 10.88."$1".0/24 via "$address"
  done
  cat >"$dir/boot" <<'SH'
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$1/ram"  # an upper layer must not lie in the lower one
mkdir "$1"/ram/{upper,work}
mount -t overlay -o "lowerdir=/,upperdir=$1/ram/upper,workdir=$1/ram/work" overlay "$1/root"
for tree in /sys /dev; do mount --rbind "$tree" "$1/root$tree"; done
mount -t proc proc "$1/root/proc"
mount --bind /tmp "$1/root/tmp"  # without the mounts in it, which are the node's own
# What a node writes much of, and what cannot lie on an overlay.
for tree in /var/lib/containerd /var/lib/kubelet /var/lib/cni /nix /var/log/pods; do
  mkdir -p "$1/disk$tree" "$1/root$tree"
  mount --bind "$1/disk$tree" "$1/root$tree"
done
mount -t tmpfs -o mode=755 tmpfs "$1/root/run"
# A user namespace of a pod may mount proc where a whole one is to be seen already, and parts of the node's are covered below.
mkdir "$1/root/run/proc"
mount -t proc proc "$1/root/run/proc"
# The kubelet sets these for the whole machine: here it may believe that it did.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  [ -e "/proc/sys/${setting%=*}" ] || continue
  mkdir -p "$1/settings/${setting%/*}"
  echo "${setting#*=}" >"$1/settings/${setting%=*}"
  mount --bind "$1/settings/${setting%=*}" "$1/root/proc/sys/${setting%=*}"
done
cd "$1/root"
pivot_root . tmp  # the old root goes below /tmp, and from there at once
umount -l /tmp
touch /run/booted
# The node's first process: reaps what loses its parent.
while :; do
  sleep 3600 &
  wait $!
done
SH
  nsenter --net=/run/netns/"$node" -- unshare --mount --pid --fork --kill-child bash "$dir/boot" "$dir" >"$WORLD/logs/$node-boot.log" 2>&1 </dev/null &
  echo $! >"$dir/unshare-pid"
  wait_until 10 "$node's first process" first_child "$dir/unshare-pid" "$dir/pid"
  wait_until 10 "$node to have its own root" sh -c "[ -e /proc/\$(cat $dir/pid)/root/run/booted ]"
  on_node "$1" sh -ec "mkdir -p /etc/cni/net.d; echo $node >/etc/hostname; cat >/etc/cni/net.d/10-pods.conflist" <<JSON
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.88.$1.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
JSON
  distribution_config | on_node "$1" sh -c "cat >/etc/containerd/config.toml"
}
# containerd's configuration before flox is installed: what Debian has, and what a machine without CAP_SYS_RESOURCE needs.
distribution_config() {
  if [ -n "${FLOX_TEST_CONTAINERD:-}" ]; then
    cat <<'TOML'
version = 3

[plugins]
  [plugins."io.containerd.cri.v1.runtime"]
    restrict_oom_score_adj = true
    [plugins."io.containerd.cri.v1.runtime".cni]
      bin_dirs = ["/usr/lib/cni"]
      conf_dir = "/etc/cni/net.d"
TOML
  else
    cat <<'TOML'
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    restrict_oom_score_adj = true
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
TOML
  fi
}
# What a command needs to run on node N: nothing of the world's environment is there.
enter_node() {
  enter=(nsenter --target "$(cat "$WORLD/node-$1/pid")" --mount --net --pid --wdns=/ -- env -i HOME=/root
    PATH="/usr/local/sbin:/usr/local/bin:${RUNC:+$RUNC:}${FLOX_TEST_CONTAINERD:+$FLOX_TEST_CONTAINERD:}/usr/sbin:/usr/bin:/sbin:/bin${KUBERNETES:+:$KUBERNETES}")
}
on_node() {
  local enter
  enter_node "$1"
  shift
  "${enter[@]}" "$@"
}

# first_child PID-FILE FILE: writes the pid of a process's only child, as the world has it.
first_child() { pgrep -P "$(cat "$1")" >"$2"; }

# A server of a node: its output in logs/node-N-NAME.log, its pid in node-N-NAME.pid.
start_on_node() {  # N NAME COMMAND…
  local name=node-$1-$2 enter
  enter_node "$1"
  shift 2
  start_server "$name" "${enter[@]}" "$@"
  mv "$WORLD/$name.pid" "$WORLD/$name.nsenter-pid"
  wait_until 5 "$name to start" first_child "$WORLD/$name.nsenter-pid" "$WORLD/$name.pid"
}
stop_on_node() {  # N NAME; ends when the server has
  local pid
  pid=$(cat "$WORLD/node-$1-$2.pid" 2>/dev/null) || return 0
  kill -TERM "$pid" 2>/dev/null || true
  tail --pid="$pid" -f /dev/null
  rm -f "$WORLD/node-$1-$2.pid"
}

serve_catalog() {
  export CLUSTER_CATALOG_URL=http://$CONTROL_PLANE:5580
  start_server cluster-catalog in_net flox-catalog --listen "$CONTROL_PLANE:5580" --data "$WORLD/catalog" --token-file "$WORLD/token" --trusted-key "$PUBLIC_KEY" ${OTHER_KEY:+--trusted-key "$OTHER_KEY"}
  wait_until 10 "the catalog in the cluster's network" in_net curl -fs "$CLUSTER_CATALOG_URL/readyz"
}

allow_unsigned_option() { [ "${FLOX_ALLOW_UNSIGNED:-}" != true ] || echo --allow-unsigned; }
install_node() {
  local n=$1
  shift
  on_node "$n" "$BUILD_DIR/bin/flox" node install --catalog-url "$CLUSTER_CATALOG_URL" --trusted-key "$PUBLIC_KEY" \
    --sandbox-image flox.dev/pause:1.0.0 --trust-from "$FLOX_TRUST_DIR" $(allow_unsigned_option) "$@" >"$WORLD/logs/node-$n-install.log" 2>&1 ||
    { cat "$WORLD/logs/node-$n-install.log" >&2; die "flox node install failed on node-$n"; }
  start_on_node "$n" floxd floxd
  wait_until 20 "floxd of node-$n" on_node "$n" curl -fs http://127.0.0.1:9808/readyz
}

launch_node() {
  local n=$1 node=node-$1 dir=$WORLD/node-$1 access
  start_node_containerd "$n"
  access=${KUBELET_ACCESS:-"authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: $WORLD/pki/ca.crt } }
authorization: { mode: Webhook }"}
  make_kubeconfig "$node" "/O=system:nodes/CN=system:node:$node"
  make_kubeconfig "$node-proxy" /CN=system:kube-proxy
  cat >"$dir/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
$access
cgroupDriver: cgroupfs
cgroupRoot: "$CGROUP_PARENT/$node"
clusterDNS: ["$CONTROL_PLANE"]
clusterDomain: "$CLUSTER_DOMAIN"
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
failSwapOn: false
failCgroupV1: false  # on a machine that has v1 still; from 1.35 on a kubelet refuses it unless told otherwise
protectKernelDefaults: false
resolvConf: /dev/null
# A machine that runs tests has other things on its disk.
evictionHard: { memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%, imagefs.inodesFree: 1% }
imageGCHighThresholdPercent: 100
nodeStatusUpdateFrequency: 4s
syncFrequency: 10s
featureGates: { KubeletInUserNamespace: true${KUBELET_FEATURES:+, $KUBELET_FEATURES} }
${KUBELET_OPTIONS:-}
YAML
  cat >"$dir/proxy.yaml" <<YAML
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: { kubeconfig: "$WORLD/$node-proxy.conf" }
hostnameOverride: $node
clusterCIDR: 10.88.0.0/16
mode: iptables
conntrack: { maxPerCore: 0, min: 0, tcpCloseWaitTimeout: 0s, tcpEstablishedTimeout: 0s }
YAML
  make_cgroup "$CGROUP_PARENT/$node"
  start_kubelet "$n"
}
# join_node N [LABEL=VALUE…]: ends when Kubernetes finds the node ready.
join_node() {
  local n=$1 node=node-$1
  shift
  wait_until 60 "$node to be ready" kubectl wait --for=condition=Ready "node/$node" --timeout=1s
  start_on_node "$n" proxy kube-proxy --config "$WORLD/$node/proxy.yaml"
  [ $# = 0 ] || kubectl label node "$node" "$@" >/dev/null
}
start_node_containerd() {
  start_on_node "$1" containerd containerd
  wait_until 20 "containerd of node-$1" on_node "$1" ctr version
}
start_kubelet() {
  start_on_node "$1" kubelet kubelet --config "$WORLD/node-$1/kubelet.yaml" --kubeconfig "$WORLD/node-$1.conf" --hostname-override "node-$1" \
    --node-ip "10.77.0.$((10 + $1))"
}

# make_cgroup PATH: a cgroup in which the kubelet can make its own. On v1 a new cpuset takes no process before it is set up.
make_cgroup() {
  local mount
  for mount in $(awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts); do
    mkdir -p "$mount$1"
    [ ! -e "$mount/cpuset.cpus" ] || [ -e "$mount/cgroup.controllers" ] || (
      cd "$mount"
      local part
      for part in ${1//\// }; do
        cat cpuset.cpus >"$part/cpuset.cpus"
        cat cpuset.mems >"$part/cpuset.mems"
        cd "$part"
      done
    )
  done
}
