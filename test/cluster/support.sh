# What the cluster tests share, on top of world.sh. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
. "$PROJECT/script/cluster-world.sh"

# A default StorageClass as a cluster on EFS has it, with one volume that every node can mount: here a directory that
# all nodes of the world see.
provide_storage() {
  mkdir -p "$WORLD/efs"
  chmod 777 "$WORLD/efs"
  kubectl apply -f - <<YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: efs, annotations: { storageclass.kubernetes.io/is-default-class: "true" } }
provisioner: kubernetes.io/no-provisioner
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: efs-1 }
spec:
  storageClassName: efs
  capacity: { storage: 5Gi }
  accessModes: [ReadWriteMany]
  hostPath: { path: "$WORLD/efs" }
YAML
}

# What the webhook of a cloud does for pods of a service account with a role: variables that lead to its services. Here
# they lead to moto's server.
provide_identity() {
  local group=admissionregistration.k8s.io version=v1alpha1  # v1 from 1.36 on
  ! kubectl get --raw /apis/$group/v1 | grepq '"mutatingadmissionpolicies"' || version=v1
  kubectl apply -f - <<YAML
apiVersion: $group/$version
kind: MutatingAdmissionPolicy
metadata: { name: cloud-identity }
spec:
  matchConstraints: { resourceRules: [{ apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods] }] }
  matchConditions: [{ name: has-a-role, expression: "object.spec.?serviceAccountName.orValue('') == 'ticket-processor'" }]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >
        Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, env: [
          Object.spec.containers.env{name: "AWS_ENDPOINT_URL", value: "$AWS_ENDPOINT_URL"},
          Object.spec.containers.env{name: "AWS_ACCESS_KEY_ID", value: "demo"},
          Object.spec.containers.env{name: "AWS_SECRET_ACCESS_KEY", value: "demo"}]})}}
---
apiVersion: $group/$version
kind: MutatingAdmissionPolicyBinding
metadata: { name: cloud-identity }
spec: { policyName: cloud-identity }
YAML
}

# The API server takes a moment to heed a new policy: ends when a pod of the service account gets its variables.
identity_works() {
  kubectl run probe -n ml-workloads --image=none --dry-run=server -o yaml --overrides '{"spec": {"serviceAccountName": "ticket-processor"}}' | grepq AWS_ENDPOINT_URL
}

# What to look at when something in Kubernetes does not come: called by wait_until.
show_trouble() {
  {
    kubectl get pods -A -o wide
    kubectl get pods -A -o json | jq -r ".items[] | select(.status.initContainerStatuses[]?.ready == false) | .metadata.namespace + \" \" + .metadata.name" | while read -r ns pod; do kubectl logs -n "$ns" "$pod" --all-containers --tail 5; done
    kubectl get events -A --sort-by=.lastTimestamp | tail -25
    local log
    for log in "$WORLD"/logs/node-*-{kubelet,containerd,floxd}.log; do
      [ -s "$log" ] && { echo "== $log"; grep -vE '^I[0-9]|level=info' "$log" | tail -6; }
    done
  } >&2 || true
}
# jsonpath NAMESPACE KIND/NAME PATH
jsonpath() { kubectl get -n "$1" "$2" -o "jsonpath=$3"; }

# join_bare_node: node 1 joins without flox; it has the stub images, and $WORLD/node.tar, the image of the DaemonSet in deploy/node.
join_bare_node() {
  local image
  boot_node 1
  flox node images --output "$WORLD/images.tar" 2>/dev/null
  on_node 1 sed -i 's|^    restrict_oom_score_adj = true|&\n    sandbox_image = "flox.dev/pause:1.0.0"|' /etc/containerd/config.toml
  launch_node 1
  join_node 1
  for image in images node; do on_node 1 ctr -n k8s.io images import "$WORLD/$image.tar" >/dev/null; done
}

# import_busybox N: an ordinary image, busybox:test, on node N.
import_busybox() {
  . "$PROJECT/test/shim/images.sh"
  local rootfs=$WORLD/busybox layout=$WORLD/busybox-image
  if [ ! -d "$layout" ]; then
    mkdir -p "$rootfs"/{bin,tmp,etc,root}
    chmod 1777 "$rootfs/tmp"
    cp "$(command -v busybox)" "$rootfs/bin/busybox"
    "$rootfs/bin/busybox" --install "$rootfs/bin"
    make_image "$layout" "$rootfs" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' docker.io/library/busybox:test
  fi
  tar -C "$layout" -c oci-layout index.json blobs | on_node "$1" ctr -n k8s.io images import - >/dev/null
}
