# KEP-4960, stop signals: the pod says which signal ends its container.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: polite }
spec:
  runtimeClassName: flox
  os: { name: linux }
  terminationGracePeriodSeconds: 60
  volumes: [{ name: node, hostPath: { path: "{node}" } }]
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "trap 'echo TERM >>/node/got' TERM; trap 'echo USR1 >>/node/got; exit 0' USR1; touch /node/up; while :; do sleep 0.1; done"]
      lifecycle: { stopSignal: SIGUSR1 }
      volumeMounts: [{ name: node, mountPath: /node }]
YAML
wait_for "the pod" test -e "$NODE_DIR/up"
told() { [ "$(of polite '{.status.containerStatuses[0].stopSignal}')" = SIGUSR1 ]; }
wait_for "the status to name the signal" told
kubectl delete -n "$NS" pod polite --wait=false >/dev/null
wait_for "the pod to end" gone polite
equal "$(cat "$NODE_DIR/got")" USR1
