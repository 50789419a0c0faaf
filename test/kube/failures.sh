#!/usr/bin/env bash
# What goes wrong is said where the user looks, in Kubernetes' words where it has some, and leaves nothing behind.
. "$(dirname "$0")/lib.sh"
enter_world "$@"
start_kube

pod() {  # pod NAME CONTAINER-FIELDS [POD-FIELDS]: a manifest of one container
  printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec:\n  terminationGracePeriodSeconds: 1\n%s  containers:\n  - name: main\n    image: docker.io/test/busybox:1\n%s' "$1" "${3-}" "$2"
}

step "a bad manifest is refused as a whole, with its place"
{ pod good '    command: [sleep, "1000"]'; printf '\n---\n'; pod bad '    env: [{name: A, value: 5}]'; } >"$WORLD/bad.yaml"
expect_error 'bad.yaml:19:28: Pod bad: spec.containers[0].env[0].value: must be a string' kube play "$WORLD/bad.yaml"
[ -z "$(ls "$WORLD/kube/objects")" ] || die "a part of it was stored"
printf 'kind: [\n' >"$WORLD/syntax.yaml"
expect_error 'syntax.yaml:2:1: ' kube play "$WORLD/syntax.yaml"
expect_error "nowhere.yaml" kube play "$WORLD/nowhere.yaml"

step "without a runtime nothing is stored"
pod lonely '    command: [sleep, "1000"]' >"$WORLD/pod.yaml"
expect_error 'no container runtime answers at unix:/nowhere.sock' kube play --runtime-endpoint unix:///nowhere.sock "$WORLD/pod.yaml"
[ -z "$(ls "$WORLD/kube/objects")" ] || die "the pod was stored"

step "a RuntimeClass that is missing stops the play at once, and the pod starts when it comes"
pod classy '    command: [sleep, "1000"]' $'  runtimeClassName: flox\n' >"$WORLD/classy.yaml"
expect_error 'runtimeclass.node.k8s.io "flox" not found' kube play "$WORLD/classy.yaml"
kube ps 2>/dev/null | grepq '^classy .*FailedCreate' || die "ps does not show it: $(kube ps)"
printf 'apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: flox}\nhandler: runc\n' | kube play -
wait_until 20 "the pod to run" pod_is classy Running

step "an image that is not there is not pulled"
sed 's/busybox:1/other:2/' "$WORLD/pod.yaml" | sed 's/lonely/imageless/' >"$WORLD/image.yaml"
expect_error 'Container image "docker.io/test/other:2" is not present on this machine, and images are never pulled here' kube play "$WORLD/image.yaml"
pod_is imageless ErrImageNeverPull || die "ps does not show it: $(kube ps)"

step "what the runtime says of a command that does not exist reaches the user"
pod typo '    command: [no-such-command]' >"$WORLD/typo.yaml"
expect_error '"no-such-command": executable file not found' kube play --timeout "$((2 * PATIENCE))s" "$WORLD/typo.yaml"
pod_is typo RunContainerError || die "ps does not show it: $(kube ps)"
kube describe typo | grepq 'executable file not found' || die "describe does not tell: $(kube describe typo)"

step "a container that keeps ending is shown as such"
pod crash '    command: [sh, -c, "echo about to fail; exit 3"]' >"$WORLD/crash.yaml"
expect_error 'ended with exit code 3' kube play --timeout "$((2 * PATIENCE))s" "$WORLD/crash.yaml"
wait_until 20 "ps to show it" pod_is crash CrashLoopBackOff  # it may just run once more
restarts=$(of_pods '.[] | select(.name == "crash") | .restarts')  # how many there were by now depends on the machine
[ "$restarts" -ge 1 ] || die "not restarted: $restarts"
[ "$(kube logs crash)" = "about to fail" ] || die "its log is lost"

step "a second runtime for the same state is refused"
expect_error 'run on unix://' kube play --runtime-endpoint unix:///nowhere.sock "$WORLD/pod.yaml"

step "names that are not there"
expect_error 'pod "nobody" not found' kube logs nobody
expect_error 'there is no deployment/web' kube scale deployment/web --replicas 2
expect_error 'has no container side; it has main' kube exec classy -c side -- true

step "down of one file leaves the others running, down --all nothing"
kube down "$WORLD/crash.yaml" 2>/dev/null
! kube ps 2>/dev/null | grepq '^crash ' || die "it is still there"
pod_is classy Running || die "the other pod was hit"
kube down --all >/dev/null 2>&1
nothing_left
