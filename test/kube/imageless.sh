#!/usr/bin/env bash
# Pods that name a package in an annotation: they run from it, Jobs too; what is wrong with one stands in its status,
# and it recovers by itself when the cause is gone.
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
start_catalog
publish_tool hello 1.0
start_floxd
import_images
kube play - <<'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: flox}
handler: flox
YAML

trouble_names() { contains "$(kube ps; kube describe "$1")" "$2"; }
has_trouble() { [ -n "$(pod_field "$1" '.trouble // empty')" ]; }
is_running() { [ "$(pod_field "$1" .phase)" = Running ]; }

pod() {  # NAME ENVIRONMENT
  cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $1
  annotations: {flox.dev/environment: "$2"}
spec:
  runtimeClassName: flox
  securityContext: {runAsUser: 1000, runAsGroup: 1000}
  containers:
  - name: main
    image: flox/empty:1.0.0
    command: [/bin/sh, -c, "hello; id -un; sleep 1000"]
YAML
}

step "a pod runs the package that its annotation names, as its own user"
pod good hello | kube play -
wait_until 20 "the pod's output" sh -c "[ \"\$(nsenter --net=/run/netns/world flox kube logs good | wc -l)\" = 2 ]"
equal "$(kube logs good | head -1)" "hello 1.0"
equal "$(kube exec good -- hello)" "hello 1.0"

step "a pod that names what does not exist says so"
pod bad nonsense | kube play --no-wait -
wait_until 20 "the trouble" has_trouble bad
trouble_names bad "package 'nonsense': the catalog has no such package"

step "a pod that waits for floxd says so, and starts when floxd is back"
stop_server floxd
pod early hello | kube play --no-wait -
wait_until 20 "the trouble" has_trouble early
trouble_names early "$FLOX_NODE_SOCKET"
start_floxd
wait_until 60 "the pod to run" is_running early

step "nothing is left after down"
kube down --all
[ -z "$(ctr -n k8s.io task ls -q)" ] || die "tasks are left: $(ctr -n k8s.io task ls)"
