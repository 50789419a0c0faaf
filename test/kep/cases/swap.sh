# KEP-2400, swap: a pod of quality Burstable gets its share of the node's, one of Guaranteed gets none.
on_v2 || lacks "needs cgroup v2"
[ "$(wc -l </proc/swaps)" -ge 2 ] || lacks "needs a machine with swap"
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: burstable }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "{image}", command: [sleep, "1000"], resources: { requests: { memory: 64Mi }, limits: { memory: 128Mi } } }]
---
apiVersion: v1
kind: Pod
metadata: { name: guaranteed }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "{image}", command: [sleep, "1000"], resources: { limits: { cpu: 50m, memory: 64Mi } } }]
YAML
wait_for "the pod" ready burstable
wait_for "the pod" ready guaranteed
[ "$(cgroup_file burstable main - memory.swap.max)" -gt 0 ]
equal "$(cgroup_file guaranteed main - memory.swap.max)" 0
