#!/usr/bin/env bash
# Environments in the image field on a real cluster: the kubelet pulls them as it pulls images, for ordinary, init, sidecar
# and ephemeral containers; rolls out and back by the image; shows what is wrong as the pull's error; brings a pod's
# imagePullSecrets; and another namespace does not get what they opened.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_kubernetes
enter_world "$@"

start_catalog
publish_tool hello 1.0
publish_tool helper 1.0
flox owner create secret --private 2>/dev/null
FLOX_CATALOG_TOKEN=$(flox auth token create --owner secret --scope publish 2>/dev/null) publish_tool hidden 1.0
reader=$(flox auth token create --owner secret --scope read 2>/dev/null)
push_web hello@1.0 blue
push_web hello@1.0 red
# On by default from 1.35: who uses an image that was pulled with another's secret must have one that opens it.
KUBELET_FEATURES="KubeletEnsureSecretPulledImages: true"
start_cluster 1
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
kubectl create namespace other >/dev/null
event_says() { kubectl get events -n "$1" --field-selector "involvedObject.name=$2" -o json | jq -e --arg text "$3" 'any(.items[]; .message | contains($text))' >/dev/null; }
said() { [ "$(kubectl logs "$@" 2>/dev/null)" = "$SAID" ]; }

step "a Deployment of an environment, with an init container and a sidecar of packages"
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      runtimeClassName: flox
      terminationGracePeriodSeconds: 1
      initContainers:
        - { name: first, image: "flox.local/hello:1.0" }
        - { name: beside, image: "flox.local/helper:1.0", restartPolicy: Always, command: [sh, -c, "helper; exec sleep 1000"] }
      containers:
        - { name: main, image: "flox.local/acme/web:1", command: [sh, -c, "hello; echo $COLOUR; exec sleep 1000"] }
YAML
kubectl rollout status deployment web --timeout 120s >/dev/null
SAID=$'hello 1.0\nblue'
wait_until 30 "the container" said deployment/web -c main
SAID="hello 1.0"
wait_until 30 "the init container" said deployment/web -c first
SAID="helper 1.0"
wait_until 30 "the sidecar" said deployment/web -c beside

step "kubectl set image rolls out, and rollout undo back"
colour() { kubectl exec deployment/web -c main -- sh -c 'echo $COLOUR'; }
image_id() { kubectl get pods -l app=web --field-selector status.phase=Running -o json | jq -r '[.items[] | select(.metadata.deletionTimestamp == null)][0].status.containerStatuses[] | select(.name == "main") | .imageID'; }
first=$(image_id)
kubectl set image deployment/web main=flox.local/acme/web:2 >/dev/null
kubectl rollout status deployment web --timeout 120s >/dev/null
is_colour() { [ "$(colour)" = "$1" ]; }
wait_until 30 "the roll-out" is_colour red
[ "$(image_id)" != "$first" ] || die "two generations have one image id"
kubectl rollout undo deployment/web >/dev/null
kubectl rollout status deployment web --timeout 120s >/dev/null
wait_until 30 "the roll-back" is_colour blue
equal "$(image_id)" "$first"

step "an ephemeral container of a package looks at a running pod"
pod=$(kubectl get pods -l app=web -o json | jq -r '[.items[] | select(.metadata.deletionTimestamp == null)][0].metadata.name')
kubectl debug "$pod" --image flox.local/helper:1.0 --container look --profile general -- sh -c 'helper; exec sleep 1000' >/dev/null 2>&1
SAID="helper 1.0"
wait_until 60 "the ephemeral container" said "$pod" -c look

step "what is wrong is the pull's error, in our words"
one() {  # NAMESPACE NAME IMAGE [FIELDS]
  kubectl apply -n "$1" -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: "$2" }
spec:
  runtimeClassName: flox
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "$3", imagePullPolicy: ${PULL:-IfNotPresent} }]
  ${4:-}
YAML
}
one default missing flox.local/acme/web:9
wait_until 60 "the event" event_says default missing "acme/web has no generation 9. Use one that it has: 2, 1."
reason() { kubectl get pod -n "$1" "$2" -o json | jq -r '.status.containerStatuses[0].state.waiting.reason'; }
is_waiting() { case $(reason "$1" "$2") in ErrImagePull | ImagePullBackOff) ;; *) return 1 ;; esac; }
wait_until 30 "the pod to wait for its image" is_waiting default missing

step "imagePullSecrets open a private package, for the pods that bring them"
kubectl create secret docker-registry catalog --docker-server flox.local --docker-username flox --docker-password "$reader" >/dev/null
one default closed flox.local/hidden:1.0
wait_until 60 "the event" event_says default closed "the catalog has no such package"
one default opened flox.local/hidden:1.0 'imagePullSecrets: [{ name: catalog }]'
SAID="hidden 1.0"
wait_until 60 "the pod with the secret" said opened

step "it lies on the node, and another namespace's pod without the secret does not get it"
PULL=Always one other thief flox.local/hidden:1.0
wait_until 60 "the event" event_says other thief "the catalog has no such package"
one other thief-of-the-present flox.local/hidden:1.0
wait_until 60 "the pod to wait for its image" is_waiting other thief-of-the-present

step "the node's policy decides at the start of a container, whoever pulled its image"
on_node 1 sh -c 'cat >/etc/flox/policy.toml' <<'TOML'
[[allow]]
name = "default"
namespaces = ["default"]
packages = ["*"]
environments = ["acme/*"]
TOML
on_node 1 chmod 644 /etc/flox/policy.toml
stop_on_node 1 floxd
start_on_node 1 floxd floxd
wait_until 20 "floxd" on_node 1 curl -fs http://127.0.0.1:9808/readyz
one other denied flox.local/hello:1.0
wait_until 60 "the event" event_says other denied "/etc/flox/policy.toml"
one default allowed flox.local/hello:1.0
SAID="hello 1.0"
wait_until 60 "the allowed pod" said allowed

step "a container restarts without the catalog"
stop_server cluster-catalog
kubectl exec deployment/web -c main -- sh -c 'kill 1' 2>/dev/null || true
kubectl delete pod -l app=web --wait=false >/dev/null
kubectl rollout status deployment web --timeout 120s >/dev/null
wait_until 60 "a new pod" is_colour blue
