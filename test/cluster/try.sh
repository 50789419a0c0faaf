#!/usr/bin/env bash
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/script/cluster-world.sh"
need_kubernetes
enter_world "$@"
start_control_plane
step "control plane"
boot_node 1
on_node 1 bash -ec 'mkdir -p /etc/cni/net.d /run/containerd
cat >/etc/cni/net.d/10-pods.conflist <<J
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": { "type": "host-local", "ranges": [[{ "subnet": "10.88.1.0/24" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
J
cat >/etc/containerd/config.toml <<T
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "flox.dev/pause:1.0.0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.flox]
      runtime_type = "io.containerd.flox.v1"
      pod_annotations = ["flox.dev/*"]
      container_annotations = ["flox.dev/*"]
T'
start_node 1 flox.dev/runtime=installed || true
tail -30 $WORLD/logs/node-1-kubelet.log; tail -5 $WORLD/logs/node-1-proxy.log
kubectl get nodes -o wide
