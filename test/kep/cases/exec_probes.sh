# KEP-2238 and KEP-1972, exec probes: one that fails ends the container after the probe's own grace and not the pod's; one that takes
# too long fails, and its process is ended.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: stubborn }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 3000
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "trap '' TERM; while :; do sleep 0.1; done"]
      livenessProbe: { exec: { command: ["false"] }, periodSeconds: 1, failureThreshold: 1, terminationGracePeriodSeconds: 1 }
---
apiVersion: v1
kind: Pod
metadata: { name: slow }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "while :; do sleep 0.1; done"]
      readinessProbe: { exec: { command: [sleep, "7777"] }, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1 }
YAML
wait_for "the container to be killed and started again" restarted stubborn
equal "$(of stubborn '{.status.containerStatuses[0].lastState.terminated.exitCode}')" 137
wait_for "the probe's time to end" event_says slow "timed out"
! ready slow
# The next probe may just have begun.
few() { [ "$(in_pod slow 'pgrep -f "sleep 777[7]" | wc -l')" -le 1 ]; }
wait_for "no probe but the last one to be left" few
kubectl delete -n "$NS" pod stubborn --force --grace-period 0 >/dev/null 2>&1
