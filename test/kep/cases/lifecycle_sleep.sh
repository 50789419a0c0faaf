# KEP-3960, sleep as a lifecycle action: the container gets its signal after that time, and a sleep of zero is none.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: late }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 60
  volumes: [{ name: node, hostPath: { path: "{node}" } }]
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "trap 'cut -d. -f1 /proc/uptime >/node/end; exit 0' TERM; touch /node/up; while :; do sleep 0.1; done"]
      lifecycle: { preStop: { sleep: { seconds: 4 } }, postStart: { sleep: { seconds: 0 } } }
      volumeMounts: [{ name: node, mountPath: /node }]
YAML
wait_for "the pod" ready late
test -e "$NODE_DIR/up"
began=$(cut -d. -f1 /proc/uptime)
kubectl delete -n "$NS" pod late --wait=false >/dev/null
wait_for "the pod to end" gone late
[ $(($(cat "$NODE_DIR/end") - began)) -ge 4 ] || die "the signal came after $(($(cat "$NODE_DIR/end") - began)) s, before the sleep was over"
