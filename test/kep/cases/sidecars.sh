# KEP-753, sidecars: an init container that is restarted, is up before the others start, and ends after them.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: job }
spec:
  runtimeClassName: flox
  restartPolicy: Never
  terminationGracePeriodSeconds: 20
  volumes: [{ name: shared, emptyDir: {} }, { name: node, hostPath: { path: "{node}" } }]
  initContainers:
    - name: beside
      image: "{image}"
      restartPolicy: Always
      command: [sh, -c, "echo start >>/shared/starts; [ $(wc -l </shared/starts) -ge 2 ] || exit 1;
        trap 'cat /shared/main >/node/end; exit 0' TERM; echo up >/shared/up; while :; do sleep 0.1; done"]
      startupProbe: { exec: { command: [test, -e, /shared/up] }, periodSeconds: 1, failureThreshold: 60 }
      volumeMounts: [{ name: shared, mountPath: /shared }, { name: node, mountPath: /node }]
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "cat /shared/up; hello; echo main has ended >/shared/main"]
      volumeMounts: [{ name: shared, mountPath: /shared }]
YAML
wait_for "the pod to succeed although its sidecar runs for ever" phase job Succeeded
said job $'up\nhello 1.0' -c main
[ "$(of job '{.status.initContainerStatuses[0].restartCount}')" -ge 1 ]
equal "$(of job '{.status.initContainerStatuses[0].state.terminated.exitCode}')" 0
equal "$(cat "$NODE_DIR/end")" "main has ended"
