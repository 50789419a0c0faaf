# KEP-4381, dynamic resource allocation: a device of Kubernetes' own test driver, in the container that claims it and in no other.
type -P test-driver >/dev/null || lacks "needs the driver that script/kubernetes-newest builds"
on_node 1 mkdir -p /var/lib/kubelet/plugins/test-driver.cdi.k8s.io  # where its socket is to be: it makes the parent only
start_on_node 1 dra-driver test-driver kubelet-plugin --kubeconfig "$KUBECONFIG" --node-name node-1
sliced() { kubectl get resourceslices -o json | jq -e '.items[] | select(.spec.nodeName == "node-1" or .spec.pool.name == "node-1")'; }
wait_for "the driver to offer devices" sliced
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: { name: made-up }
spec: { selectors: [{ cel: { expression: 'device.driver == "test-driver.cdi.k8s.io"' } }] }
YAML
apply <<'YAML'
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: { name: one }
spec:
  spec:
    devices:
      requests: [{ name: device, exactly: { deviceClassName: made-up } }]
      config: [{ opaque: { driver: test-driver.cdi.k8s.io, parameters: { a: b } } }]
---
apiVersion: v1
kind: Pod
metadata: { name: claimer }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  resourceClaims: [{ name: device, resourceClaimTemplateName: one }]
  containers:
    - { name: with, image: "{image}", command: [sh, -c, "hello; env | grep -c '^user_a=b$'; exec sleep 1000"], resources: { claims: [{ name: device }] } }
    - { name: without, image: "{image}", command: [sh, -c, "hello; env | grep -c '^user_a='; exec sleep 1000"] }
YAML
wait_said claimer $'hello 1.0\n1' -c with
wait_said claimer $'hello 1.0\n0' -c without
kubectl delete -n "$NS" pod claimer --wait=false >/dev/null
wait_for "the pod to end" gone claimer
unclaimed() { [ -z "$(kubectl get -n "$NS" resourceclaims -o name)" ]; }
wait_for "its claim to end" unclaimed
