#!/usr/bin/env bash
# The node's policy in a real cluster: the API server reads what `flox policy admission` prints and refuses what the node
# would refuse; a pod that floxd denies says rule, file and line in its event; a service account is known by its token.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_kubernetes
enter_world "$@"

start_catalog
publish_tool hello 1.0
publish_tool other 1.0
start_cluster 1
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
for namespace in shop lab closed; do kubectl create namespace $namespace >/dev/null; done
kubectl create serviceaccount robot -n shop >/dev/null

# put: standard input becomes the node's policy.
put() { on_node 1 sh -ec "cat >/etc/flox/policy.toml.new; chmod 644 /etc/flox/policy.toml.new; mv /etc/flox/policy.toml.new /etc/flox/policy.toml"; }
# pod NAMESPACE NAME ANNOTATIONS [FIELDS]: a pod that runs hello once.
pod() {
  cat <<YAML
apiVersion: v1
kind: Pod
metadata: { name: "$2", namespace: "$1", annotations: { $3 } }
spec:
  runtimeClassName: flox
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "ghcr.io/flox/flox:latest", command: [hello] }]
  ${4:-}
YAML
}
said_by() { [ "$(kubectl logs -n "$1" "$2" 2>/dev/null)" = "$3" ]; }
event_says() { kubectl get events -n "$1" --field-selector "involvedObject.name=$2" -o json | jq -e --arg text "$3" 'any(.items[]; .message | contains($text))' >/dev/null; }

step "without a policy the pod runs"
pod shop free 'flox.dev/environment: hello' | kubectl apply -f - >/dev/null
wait_until 60 "the pod to say hello" said_by shop free "hello 1.0"

step "with one, a pod of another namespace is denied, and its event names rule, file and line"
openssl rsa -in "$WORLD/pki/service-account.key" -pubout 2>/dev/null | on_node 1 sh -c 'cat >/etc/flox/sa.pub'
on_node 1 sh -c 'echo "service_account_keys = [\"/etc/flox/sa.pub\"]" >>/etc/flox/config.toml'
stop_on_node 1 floxd
put <<'TOML'
[[allow]]
name = "robot"
namespaces = ["shop"]
service_accounts = ["robot"]
packages = ["hello"]

[[allow]]
name = "shop"
namespaces = ["shop"]
packages = ["other@1.0"]
store_view = "closure"

[[allow]]
name = "lab"
namespaces = ["lab"]
environments = ["acme/*"]
nix_mutable = true

[[deny]]
name = "closed"
namespaces = ["closed"]
reason = "it moves to another cluster"
TOML
start_on_node 1 floxd floxd
wait_until 20 "floxd" on_node 1 curl -fs http://127.0.0.1:9808/readyz
pod lab hello 'flox.dev/environment: hello' | kubectl apply -f - >/dev/null
wait_until 60 "the pod's event" event_says lab hello "rule 'lab' (/etc/flox/policy.toml:13) does not allow package hello to namespace 'lab', service account 'default'"
pod closed hello 'flox.dev/environment: hello' | kubectl apply -f - >/dev/null
wait_until 60 "the pod's event" event_says closed hello "rule 'closed' (/etc/flox/policy.toml:19) denies everything to namespace 'closed', service account 'default': it moves to another cluster"

step "the service account that Kubernetes' token proves decides"
pod shop robot 'flox.dev/environment: hello' 'serviceAccountName: robot' | kubectl apply -f - >/dev/null
wait_until 60 "the robot's pod" said_by shop robot "hello 1.0"
pod shop human 'flox.dev/environment: hello' | kubectl apply -f - >/dev/null
wait_until 60 "the pod's event" event_says shop human "rule 'shop' (/etc/flox/policy.toml:7) does not allow package hello to namespace 'shop', service account 'default'"
pod shop hidden 'flox.dev/environment: hello' 'serviceAccountName: robot
  automountServiceAccountToken: false' | kubectl apply -f - >/dev/null
wait_until 60 "the pod's event" event_says shop hidden "rule 'robot' (/etc/flox/policy.toml:1) is for service accounts, and the pod's is not known"
step "flox policy test reads a pod as the cluster has it"
on_node 1 cat /etc/flox/policy.toml >"$WORLD/policy.toml"
contains "$(kubectl get pod -n shop robot -o yaml | flox policy test --policy "$WORLD/policy.toml" - 2>/dev/null)" "allowed  Pod shop/robot, container main: package hello: rule 'robot'"
for name in human hidden; do
  why=$(kubectl get pod -n shop $name -o yaml | { flox policy test --policy "$WORLD/policy.toml" --json - 2>/dev/null || true; } | jq -r '.[0].why')
  why=${why/"$WORLD"//etc/flox}
  event_says shop $name "$why" || die "the event of $name does not say: $why"
done
kubectl delete pods --all -n shop --wait=false >/dev/null
kubectl delete pods --all -n lab --wait=false >/dev/null
kubectl delete pods --all -n closed --wait=false >/dev/null

step "the API server takes the same rules as a ValidatingAdmissionPolicy"
flox policy admission --policy "$WORLD/policy.toml" >"$WORLD/admission.yaml"
kubectl apply -f "$WORLD/admission.yaml" >&2
# tried NAMESPACE ANNOTATIONS [FIELDS]: whether the API server would take such a pod.
tried() { pod "$1" probe "$2" "${3:-}" | kubectl apply --dry-run=server -f - 2>&1; }
in_force() { ! tried closed 'flox.dev/environment: hello' >/dev/null; }
wait_until 60 "the policy to be in force" in_force
kubectl get validatingadmissionpolicy flox-policy -o json | jq -e '(.status.typeChecking.expressionWarnings // []) == []' >/dev/null ||
  die "the API server warns of the expressions: $(kubectl get validatingadmissionpolicy flox-policy -o json | jq .status)"
denied() {  # TEXT NAMESPACE ANNOTATIONS [FIELDS]
  local said
  if said=$(tried "${@:2}"); then die "the API server takes it: ${*:2}"; fi
  contains "$said" "$1"
}
allowed() { tried "$@" >/dev/null || die "the API server refuses: $*: $(tried "$@")"; }
denied "rule 'closed' ($WORLD/policy.toml:19) denies everything to this pod" closed 'flox.dev/environment: hello'
denied "no rule of $WORLD/policy.toml allows pods of this namespace" default 'flox.dev/environment: hello'
allowed shop 'flox.dev/environment: hello' 'serviceAccountName: robot'
denied "rule 'shop' ($WORLD/policy.toml:7) does not allow what the pod names" shop 'flox.dev/environment: hello'
denied "rule 'shop'" shop 'flox.dev/environment: other, flox.dev/environment.side: hello'
allowed shop 'flox.dev/environment: other'
allowed shop 'flox.dev/environment: other@0.1'  # a version, which the node decides
denied "shows containers only their own closure" shop 'flox.dev/environment: other, flox.dev/store-view: node'
allowed shop 'flox.dev/environment: other, flox.dev/store-view: closure'
denied "does not allow containers to change /nix" shop 'flox.dev/environment: other, flox.dev/nix-mutable: "true"'
allowed lab 'flox.dev/environment: acme/web:3, flox.dev/nix-mutable: "true"'
denied "rule 'lab'" lab 'flox.dev/environment: acme2/web'
allowed lab ''
kubectl run ordinary -n closed --image=busybox:1 --dry-run=server >/dev/null || die "a pod that is not flox's is refused"

step "what it refuses flox policy test refuses, too"
for reference in hello other@1.0 acme2/web; do
  for namespace in shop lab closed default; do
    tried $namespace "flox.dev/environment: $reference" >/dev/null ||
      refused "denied" flox policy test --policy "$WORLD/policy.toml" -n $namespace --environment $reference
  done
done
