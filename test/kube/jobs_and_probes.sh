#!/usr/bin/env bash
# Jobs end, with success or after their retries; liveness probes restart containers, readiness and startup probes hold
# them back.
. "$(dirname "$0")/lib.sh"
enter_world "$@"
start_kube

job() {  # job NAME COMMAND FIELDS
  printf 'apiVersion: batch/v1\nkind: Job\nmetadata: {name: %s}\nspec:\n%s  template:\n    spec:\n      restartPolicy: Never\n      containers:\n      - name: main\n        image: docker.io/test/busybox:1\n        command: [sh, -c, "%s"]\n' "$1" "$3" "$2"
}

step "a Job runs as often as it should and its pods stay to be looked at"
job sums 'echo $((6 * 7))' $'  completions: 2\n  parallelism: 2\n' | kube play --timeout "$((20 * PATIENCE))s" - || die "the Job did not end"
[ "$(kube ps 2>/dev/null | grep -cE '^sums-[a-z0-9]{5} +0/1 +Completed')" = 2 ] || die "$(kube ps)"
[ "$(kube logs -f "$(of_pods '.[0].name')")" = 42 ] || die "its log is lost"

step "a Job that fails is reported with its last words' place"
job fails 'exit 4' $'  backoffLimit: 0\n' >"$WORLD/fails.yaml"
expect_error 'Job fails has failed: the Job has reached its backoffLimit' kube play --timeout "$((20 * PATIENCE))s" "$WORLD/fails.yaml"
kube ps 2>/dev/null | grepq -E '^fails-[a-z0-9]{5} +0/1 +Error' || die "$(kube ps)"

cat >"$WORLD/probed.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: {name: probed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: docker.io/test/busybox:1
    command: [sh, -c, 'touch /tmp/alive; sleep 1000']
    startupProbe:
      exec: {command: [cat, /tmp/started]}
      periodSeconds: 1
      failureThreshold: 60
    readinessProbe:
      exec: {command: [cat, /tmp/ready]}
      periodSeconds: 1
      failureThreshold: 1
    livenessProbe:
      exec: {command: [cat, /tmp/alive]}
      periodSeconds: 1
      failureThreshold: 2
YAML
ready_is() { [ "$(of_pods '.[] | select(.name == "probed") | .ready')" = "$1" ]; }
restarts_are() { [ "$(of_pods '.[] | select(.name == "probed") | .restarts')" = "$1" ]; }

step "a pod is not ready before its startup and readiness probes say so"
kube play --no-wait "$WORLD/probed.yaml"
wait_until 20 "the pod to run" pod_is probed Running
kube exec probed -- touch /tmp/ready
wait_until 20 "a failed startup probe" eval 'kube describe probed | grepq "Startup probe failed: cat: can.t open"'
ready_is false || die "ready before its startup probe"
kube exec probed -- touch /tmp/started
wait_until 20 "the pod to be ready" ready_is true

step "a failing readiness probe takes it out, a passing one back in"
kube exec probed -- sh -c 'mv /tmp/ready /tmp/not'
wait_until 20 "the pod not to be ready" ready_is false
kube exec probed -- sh -c 'mv /tmp/not /tmp/ready'
wait_until 20 "the pod to be ready again" ready_is true
restarts_are 0 || die "restarted without need"

step "a failing liveness probe restarts the container"
kube exec probed -- sh -c 'mv /tmp/alive /tmp/dead'
wait_until 20 "the restart" restarts_are 1
kube describe probed | grepq 'failed its liveness or startup probe, will be restarted' || die "$(kube describe probed)"

kube down --all >/dev/null 2>&1
nothing_left
