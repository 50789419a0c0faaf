#!/usr/bin/env bash
# Manifests from a stranger: text that is too deep, too large or hides something is refused with its line and column;
# a field that restricts a pod is honoured or the pod is refused, also if it comes by a YAML merge key.
. "$(dirname "$0")/../kube/lib.sh"
enter_world "$@"
start_kube

# refuse TEXT LINE:COLUMN <MANIFEST: refused at this place, with this text, and nothing is stored.
refuse() {
  cat >"$WORLD/bad.yaml"
  expect_error "bad.yaml:$2: " flox-kube play --no-wait "$WORLD/bad.yaml"
  expect_error "$1" flox-kube play --no-wait "$WORLD/bad.yaml"
  [ -z "$(ls "$FLOX_KUBE_STATE/objects" 2>/dev/null)" ] || die "an object was stored: $(ls "$FLOX_KUBE_STATE/objects")"
}
# pod FIELD-OF-THE-CONTAINER [FIELD-OF-THE-POD]
pod() {
  printf '%s\n' 'apiVersion: v1' 'kind: Pod' 'metadata: {name: web}' 'spec:' "  ${2:-restartPolicy: Always}" '  containers:' \
    '  - name: server' '    image: docker.io/test/busybox:1' '    command: [sh, -c, "sleep 1000"]' "    $1" \
    '  terminationGracePeriodSeconds: 1'
}

step "a million levels are refused at the first too deep, with a small stack"
(
  ulimit -s 512
  for level in '[' '{a: ' '- ' '? ' '[a, ' '{"a":'; do
    python3 -c 'import sys; sys.stdout.write(sys.argv[1] * (4000000 // len(sys.argv[1])))' "$level" >"$WORLD/deep.yaml"
    expect_error "nested too deep" flox-kube play --no-wait "$WORLD/deep.yaml"
    expect_error "nested too deep" flox-kube play --no-wait - <"$WORLD/deep.yaml"
  done
)

step "aliases are counted each time, and an anchor is not used within itself"
{ echo 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]'
  for i in 1 2 3 4 5 6 7 8 9; do l="*a$((i - 1))"; echo "a$i: &a$i [$l, $l, $l, $l, $l, $l, $l, $l, $l, $l]"; done; } |
  refuse "those behind aliases counted each time" 6:10
refuse "within what it names" 1:9 <<<'a: &a [ *a ]'

step "what readers could understand differently is refused"
pod 'securityContext: {runAsUser: 1000, "runAsUser": 0}' | refuse "the field runAsUser is given twice" 10:40
pod 'workingDir: !!binary Lw==' | refuse "the tag" 10:17
printf 'apiVersion: v1\n\004\nkind: Pod\n' | refuse "control characters" 2:1

step "a field that is not known is refused, as kubectl refuses it"
pod 'securityContext: {readonlyRootFilesystem: true}' | refuse "there is no such field" 10:23
pod 'tty: false' 'runtimeclassName: flox' | refuse "there is no such field" 5:3

step "a field that restricts and is not supported is refused"
pod 'securityContext: {procMount: Unmasked}' | refuse "refused; only Default is supported here" 10:23
pod 'resources: {limits: {ephemeral-storage: 1Gi}}' | refuse "disk space is not limited here" 10:26
pod 'restartPolicy: Always' | refuse "sidecar init containers are not supported" 10:5
pod 'tty: false' 'schedulingGates: [{name: wait}]' | refuse "nobody would open them" 5:3
pod 'tty: false' 'volumes: [{name: a, emptyDir: {sizeLimit: 1Mi}}]' | refuse "is not limited here" 5:45
pod 'tty: false' 'securityContext: {supplementalGroupsPolicy: Strict}' | refuse "only Merge is supported" 5:21
refuse "restricts what others may do" 2:7 <<'YAML'
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody}
spec: {podSelector: {}}
YAML
refuse "are not known here, and may restrict others" 2:7 <<'YAML'
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: nobody}
YAML
expect_error "it restricts" flox-kube play --no-wait - <<'YAML'
apiVersion: v1
kind: LimitRange
metadata: {name: small}
YAML

step "a namespace's pod security level holds"
printf '%s\n' 'apiVersion: v1' 'kind: Namespace' 'metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: restricted}}' >"$WORLD/shop.yaml"
pod 'tty: false' | sed 's/{name: web}/{name: web, namespace: shop}/' >"$WORLD/pod.yaml"
expect_error 'violates PodSecurity "restricted" of the namespace shop: container server: allowPrivilegeEscalation is not false' \
  flox-kube play --no-wait "$WORLD/shop.yaml" "$WORLD/pod.yaml"

step "no manifest lowers what a namespace enforces, or gives a RuntimeClass another handler"
class() { printf '%s\n' 'apiVersion: node.k8s.io/v1' 'kind: RuntimeClass' 'metadata: {name: strong}' "handler: $1"; }
class gvisor >"$WORLD/class.yaml"
flox-kube play --no-wait "$WORLD/shop.yaml" "$WORLD/class.yaml" >/dev/null 2>&1
sed 's/restricted/privileged/' "$WORLD/shop.yaml" >"$WORLD/lifted.yaml"
expect_error 'Namespace shop has the PodSecurity level "restricted"' flox-kube play --no-wait "$WORLD/lifted.yaml" "$WORLD/pod.yaml"
printf '%s\n' 'apiVersion: v1' 'kind: Namespace' 'metadata: {name: shop}' >"$WORLD/lifted.yaml"
expect_error 'Namespace shop has the PodSecurity level "restricted"' flox-kube play --no-wait -n shop "$WORLD/lifted.yaml" "$WORLD/pod.yaml"
expect_error 'RuntimeClass strong has the handler "gvisor"' flox-kube play --no-wait - < <(class runc)
flox-kube down "$WORLD/shop.yaml" "$WORLD/class.yaml" >/dev/null 2>&1

step "an immutable ConfigMap does not change"
settings() { printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata: {name: settings}' 'immutable: true' "data: {a: \"$1\"}"; }
settings 1 | flox-kube play --no-wait - >/dev/null 2>&1
settings 1 | flox-kube play --no-wait - >/dev/null 2>&1 || die "the same again was refused"
expect_error "is immutable, and would change" flox-kube play --no-wait - < <(settings 2)
settings 1 | flox-kube down - >/dev/null

step "a kustomization reads no file outside of its directory, and not itself"
mkdir -p "$WORLD/k/inner"
settings 1 >"$WORLD/outside.yaml"
ln -s "$WORLD/outside.yaml" "$WORLD/k/inner/link.yaml"
for resource in ../../outside.yaml "$WORLD/outside.yaml" link.yaml; do
  echo "resources: [$resource]" >"$WORLD/k/inner/kustomization.yaml"
  expect_error "is not in or below the kustomization's directory" flox-kube play --no-wait -k "$WORLD/k/inner"
done
for resource in . ../inner; do
  echo "resources: [$resource]" >"$WORLD/k/inner/kustomization.yaml"
  expect_error "is a resource of itself" flox-kube play --no-wait -k "$WORLD/k/inner"
done

step "the state directory is its owner's alone"
[ "$(stat -c %a "$FLOX_KUBE_STATE")" = 700 ] || die "others may read $FLOX_KUBE_STATE"
mkdir "$WORLD/theirs"
chown 1234 "$WORLD/theirs"
expect_error "it belongs to user 1234" flox-kube --state "$WORLD/theirs" ps

step "what comes by a merge key is honoured: user and read-only root; a map's own fields win"
cat >"$WORLD/merge.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: merged}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: one
    image: docker.io/test/busybox:1
    command: [sh, -c, "sleep 1000"]
    securityContext: &safe
      runAsUser: 1000
      readOnlyRootFilesystem: true
      capabilities: &none {drop: [ALL]}
  - name: two
    image: docker.io/test/busybox:1
    command: [sh, -c, "sleep 1000"]
    securityContext:
      <<: *safe
  - name: three
    image: docker.io/test/busybox:1
    command: [sh, -c, "sleep 1000"]
    securityContext:
      runAsUser: 1001
      <<: [*safe, {runAsUser: 0, runAsGroup: 7}]
YAML
kube play "$WORLD/merge.yaml" 2>"$WORLD/err" || { cat "$WORLD/err" >&2; die "play failed"; }
! grep '<<' "$WORLD/err" || die "the merge key was noted"
for container in one two three; do
  kube exec merged -c $container -- sh -c 'touch /file 2>/dev/null && echo writable || echo read-only' | grepq -x read-only || die "$container has a writable root"
  kube exec merged -c $container -- grep -q '^CapBnd:.*0000000000000000$' /proc/self/status || die "$container kept capabilities"
done
[ "$(kube exec merged -c two -- id -u)" = 1000 ] || die "the merged runAsUser is not honoured"
[ "$(kube exec merged -c three -- id -u):$(kube exec merged -c three -- id -g)" = 1001:7 ] || die "the merged list is not honoured"
kube down --all >/dev/null

step "what restricts others is left out only where the command says so"
{ pod 'tty: false'; echo ---; printf '%s\n' 'apiVersion: v1' 'kind: LimitRange' 'metadata: {name: small}'; } >"$WORLD/limited.yaml"
kube play --ignore-kind LimitRange "$WORLD/limited.yaml" >/dev/null 2>"$WORLD/err" || { cat "$WORLD/err" >&2; die "play failed"; }
grep -q 'LimitRange small: left out, as --ignore-kind says' "$WORLD/err" || die "it was left out in silence"
kube down --all >/dev/null

step "a pod that must not share the host's users runs with its own, or not at all"
pod 'tty: false' 'hostUsers: false' >"$WORLD/users.yaml"
if kube play "$WORLD/users.yaml" >/dev/null 2>"$WORLD/err"; then
  [ "$(kube exec web -- awk 'NR == 1 { print $2 }' /proc/self/uid_map)" != 0 ] || die "the pod has the host's users"
else
  grep -q 'hostUsers: false: the container runtime has no user namespaces' "$WORLD/err" || die "an unclear refusal: $(cat "$WORLD/err")"
  [ -z "$(ctr -n k8s.io containers ls -q)" ] || die "a container was made all the same"
fi
kube down --all >/dev/null
nothing_left
