#!/usr/bin/env bash
# kubectl flox on a real cluster whose node the DaemonSet has set up: why a pod does not start, what it runs, how the nodes are; a
# tenant sees his own namespace; what cannot be looked at is not called well.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
export FLOX_ALLOW_UNSIGNED=false  # doctor finds nothing to warn of
need_kubernetes
enter_world "$@"

# ends CODE COMMAND…: what it printed is in $OUT then, and what it complained about in $ERR.
ends() {
  local expected=$1 code=0
  shift
  OUT=$("$@" 2>"$WORLD/err") || code=$?
  ERR=$(cat "$WORLD/err")
  [ "$code" = "$expected" ] || die "$*: ended with $code, not $expected: $OUT $ERR"
}
kubectl_flox() { kubectl flox "$@"; }
why() { kubectl flox why "$@" --json | jq -r .verdict; }

start_catalog
publish_tool hello 1.0
publish_tool late 1.0
FLOX_ROOT=$WORLD/bundle-store flox node bundle --image "$WORLD/node.tar" --output "$WORLD/node-bundle.tar"

step "a node that the DaemonSet sets up"
start_control_plane
serve_catalog
join_bare_node

step "before there is flox: nothing to look at, and a wrong command line"
ends 3 kubectl_flox status
contains "$ERR" "there is no node with flox in this cluster"
ends 2 kubectl_flox why
ends 2 kubectl_flox wy
kubectl apply -f "$PROJECT/deploy/node/namespace.yaml" >/dev/null
kubectl create configmap flox-node -n flox-system --from-literal=catalog-url="$CLUSTER_CATALOG_URL" --from-literal=trusted-key="$PUBLIC_KEY" \
  --from-file=trusted-root="$FLOX_TRUST_DIR/demo/root.json" >/dev/null
kubectl apply -f "$PROJECT/deploy/node/daemonset.yaml" -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
# However full the disk of the machine is that runs the test.
kubectl set env daemonset/flox-node -n flox-system -c floxd FLOX_PREFETCH_MIN_FREE=1M >/dev/null
kubectl label node node-1 flox.dev/install=true flox.dev/runtime=installed >/dev/null
daemon_is_ready() { [ "$(jsonpath flox-system daemonset/flox-node '{.status.numberReady}')" = 1 ]; }
wait_until 90 "the DaemonSet's pod" daemon_is_ready
stop_on_node 1 containerd  # systemd does that elsewhere
start_node_containerd 1
kubectl create namespace shop >/dev/null

# imageless NAMESPACE NAME ENVIRONMENT
imageless() {
  kubectl apply -n "$1" -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: "$2", annotations: { flox.dev/environment: "$3" } }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "ghcr.io/flox/flox:latest", command: [sh, -c, "exec sleep 1000"] }]
YAML
}

step "status and doctor over all nodes"
ends 0 kubectl_flox status
contains "$OUT" "node-1"
contains "$OUT" "running"
ends 0 kubectl_flox status --json
equal "$(jq -r '.nodes[0] | .state, .status.floxd.version' <<<"$OUT")" "ok
$(flox --version)"
[ "$(jq '.nodes[0].status.store_bytes' <<<"$OUT")" -gt 1000000 ] || die "no size of the store: $OUT"
ends 0 kubectl_flox doctor
contains "$OUT" "✔ node-1"
ends 3 kubectl_flox doctor elsewhere
contains "$ERR" "there is no node elsewhere with flox"

step "a pod that has started: its timeline, from the scheduler to its process"
imageless shop web hello
wait_until 90 "the pod" kubectl wait -n shop --for=condition=Ready pod/web --timeout=1s
ends 0 kubectl_flox why web -n shop
contains "$OUT" "✔ pod shop/web on node-1: has started"
ends 0 kubectl_flox why web -n shop -c main --json
jq -e '[.timeline[] | select(.has_failed | not) | .what] as $all | ["created", "scheduled", "asked", "resolve", "realise", "activate", "prepared", "exec"] - $all == []' \
  <<<"$OUT" >/dev/null || die "the timeline lacks a stage: $OUT"
jq -e '[.timeline[].at_ms] | . == sort' <<<"$OUT" >/dev/null || die "the timeline is in no order: $OUT"
jq -e 'any(.timeline[]; .what == "realise" and .seconds > 0 and (.text | contains("paths fetched")))' <<<"$OUT" >/dev/null || die "nothing was fetched: $OUT"

step "what it runs"
ends 0 kubectl_flox closure web -n shop
grep -q -- '^/nix/store/.*-hello-1.0$' <<<"$OUT" || die "hello is not in: $OUT"
ends 0 kubectl_flox closure web -n shop --json
jq -e 'any(.[]; .path | endswith("-hello-1.0"))' <<<"$OUT" >/dev/null || die "hello is not in: $OUT"
ends 0 kubectl_flox sbom web -n shop
jq -e 'any(.packages[]; .name == "hello")' <<<"$OUT" >/dev/null || die "hello is not in: $OUT"
ends 3 kubectl_flox closure nobody -n shop
contains "$ERR" "not found"

step "a pod that names what there is not"
imageless shop wrong missing@9
is_stuck() { [ "$(why wrong -n shop)" = stuck ]; }
wait_until 60 "the pod to be stuck" is_stuck
ends 1 kubectl_flox why wrong -n shop
contains "$OUT" "✘ pod shop/wrong"
contains "$OUT" "missing"
ends 1 kubectl_flox why wrong -n shop --json
jq -e 'any(.timeline[]; .source == "floxd" and .what == "failed" and (.text | contains("missing")))' <<<"$OUT" >/dev/null || die "floxd's own words are not in: $OUT"

step "a pod that waits for the catalog, and another that waits for its start"
kill -STOP "$(cat "$WORLD/cluster-catalog.pid")"
imageless shop waits late
says() { [[ $(kubectl flox why "$1" -n shop) == *"$2"* ]]; }
wait_until 60 "the pod to wait for the catalog" says waits "floxd has asked the catalog for"
ends 0 kubectl_flox why waits -n shop
contains "$OUT" "what late is"
# The kubelet may have tried the wrong one again meanwhile.
[ "$(kubectl flox status --json | jq '.nodes[0].status.floxd.queue.start.running')" -ge 1 ] || die "nothing runs in the queue of starts"
kill -CONT "$(cat "$WORLD/cluster-catalog.pid")"
wait_until 90 "the pod" kubectl wait -n shop --for=condition=Ready pod/waits --timeout=1s
equal "$(why waits -n shop)" started

step "a pod without a node"
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: nowhere }
spec: { nodeSelector: { kubernetes.io/hostname: none }, containers: [{ name: main, image: "flox/empty:1.0.0" }] }
YAML
has_no_node() { [[ $(kubectl flox why nowhere) == *"has no node"* ]]; }
wait_until 30 "the scheduler" has_no_node
ends 1 kubectl_flox why nowhere

step "prefetching on all nodes"
ends 0 kubectl_flox prefetch --wait --node node-1 late@1.0
contains "$OUT" "✔ node-1: late@1.0: present"
ends 1 kubectl_flox prefetch --wait missing@9
ends 0 kubectl_flox prefetch --cancel late@1.0
ends 2 kubectl_flox prefetch --wait

step "a tenant sees what floxd does for his own namespace, and nothing of the nodes"
kubectl create serviceaccount tenant -n shop >/dev/null
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: tenant, namespace: shop }
rules:
- { apiGroups: [""], resources: [pods, events], verbs: [get, list] }
- { apiGroups: [""], resources: [pods/exec], verbs: [create, get] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: tenant, namespace: shop }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant }
subjects: [{ kind: ServiceAccount, name: tenant, namespace: shop }]
YAML
kubectl config view --raw --flatten --minify >"$WORLD/tenant.conf"
in_net env KUBECONFIG="$WORLD/tenant.conf" kubectl config set-credentials tenant --token "$(kubectl create token tenant -n shop)" >/dev/null
in_net env KUBECONFIG="$WORLD/tenant.conf" kubectl config set-context --current --user tenant --namespace shop >/dev/null
tenant() { kubectl flox --kubeconfig "$WORLD/tenant.conf" "$@"; }
ends 1 tenant why wrong --json
jq -e '.trouble == "" and any(.timeline[]; .source == "floxd" and .what == "failed")' <<<"$OUT" >/dev/null || die "the tenant does not see his own start: $OUT"
ends 3 tenant status
contains "$ERR" "forbidden"
ends 3 tenant why nowhere -n default
ends 3 tenant closure web
# floxd itself tells a pod nothing of another namespace, whatever it asks.
imageless default other hello
wait_until 90 "the other namespace's pod" kubectl wait --for=condition=Ready pod/other --timeout=1s
equal "$(kubectl exec -n shop web -- flox node starts --json --pod default/other | jq -c .starts)" '[]'
equal "$(kubectl exec -n shop web -- flox node starts --json | jq -c '[.starts[].namespace] | unique')" '["shop"]'

step "the rights that the page names are enough"
kubectl apply -f "$PROJECT/deploy/node/operators.yaml" >/dev/null
kubectl create serviceaccount operator -n flox-system >/dev/null
for binding in "rolebinding operator -n flox-system --role flox-operator" "clusterrolebinding operator --clusterrole flox-operator"; do
  kubectl create $binding --serviceaccount flox-system:operator >/dev/null
done
cp "$WORLD/tenant.conf" "$WORLD/operator.conf"
in_net env KUBECONFIG="$WORLD/operator.conf" kubectl config set-credentials tenant --token "$(kubectl create token operator -n flox-system)" >/dev/null
operator() { kubectl flox --kubeconfig "$WORLD/operator.conf" "$@"; }
ends 0 operator status
ends 1 operator why wrong -n shop
ends 0 operator sbom web -n shop

step "a floxd that does not run is wrong; a node that cannot be asked is not called well"
kubectl patch daemonset flox-node -n flox-system --type json -p '[{"op": "replace", "path": "/spec/template/spec/containers/0/command", "value": ["/opt/flox/bin/flox", "--no-such-option"]}]' >/dev/null
is_broken() { [ "$(kubectl flox status --json | jq -r '.nodes[0].state')" = wrong ]; }
wait_until 60 "floxd to be seen as broken" is_broken
ends 1 kubectl_flox status
contains "$OUT" "floxd does not run"
ends 1 kubectl_flox doctor
kubectl delete daemonset flox-node -n flox-system >/dev/null
has_no_pod() { [[ $(kubectl flox status) == *"no pod of the DaemonSet flox-node runs there"* ]]; }
wait_until 60 "the pod to go" has_no_pod
ends 3 kubectl_flox status
ends 3 kubectl_flox doctor
kubectl delete pod web wrong waits -n shop --wait=false >/dev/null
