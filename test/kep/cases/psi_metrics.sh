# KEP-4205, pressure stall information: the kubelet tells it for node, pod and container.
on_v2 || lacks "needs cgroup v2"
[ -e /proc/pressure/cpu ] || lacks "needs a kernel with pressure stall information (psi=1)"
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: pressed }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "{image}", command: [sh, -c, "while :; do :; done"], resources: { limits: { cpu: 50m, memory: 64Mi } } }]
YAML
wait_for "the pod" ready pressed
waited() { stats_of pressed '.containers[0].cpu.psi.some.total > 0'; }
wait_for "the container's CPU pressure" waited
stats_of pressed '.cpu.psi.some.total > 0 and (.memory.psi.full | has("avg10")) and (.io.psi.some | has("avg60"))' >/dev/null
