#!/usr/bin/env bash
# What Kubernetes has learnt in recent years, one case each (cases/), in pods of the handler flox on a cluster of the newest release,
# or of the oldest supported one where the newest is not built (script/kubernetes-newest). Cases that need cgroup v2 are skipped here
# if this machine has v1; script/conformance cgroup2 runs them in a virtual machine.
#   test/kep/pods.sh [CASE…]   only these
# prepare: kubernetes containerd2 runc
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_featured_kubernetes
enter_world "$@"

start_catalog
publish_tool hello 1.0
KUBELET_OPTIONS="memorySwap: { swapBehavior: LimitedSwap }"
on_v2 || KUBELET_OPTIONS=
start_cluster 1
import_busybox 1
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
step "Kubernetes $(kubectl get node node-1 -o 'jsonpath={.status.nodeInfo.kubeletVersion}'), $(kubectl get node node-1 -o 'jsonpath={.status.nodeInfo.containerRuntimeVersion}'), cgroup $(on_v2 && echo v2 || echo v1)"

[ $# -gt 0 ] || set -- $(cd "$PROJECT/test/kep/cases" && ls ./*.sh | sed 's|^\./||; s|\.sh$||')
run_cases 4 "$@"
