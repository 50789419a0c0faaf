# KEP-2837, resources of a pod as a whole: its cgroup has the limit, and a container may use what the others leave.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: whole }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  resources: { requests: { cpu: 100m, memory: 64Mi }, limits: { cpu: 200m, memory: 128Mi } }
  containers:
    - { name: one, image: "{image}", command: [sleep, "1000"], resources: { requests: { memory: 32Mi }, limits: { memory: 96Mi } } }
    - { name: two, image: "{image}", command: [sleep, "1000"] }
YAML
wait_for "the pod" ready whole
if on_v2; then memory=memory.max cpu=cpu.max; else memory=memory.limit_in_bytes cpu=cpu.cfs_quota_us; fi
equal "$(cat "$(pod_cgroup whole memory)/$memory")" $((128 << 20))
equal "$(cut -d' ' -f1 "$(pod_cgroup whole cpu)/$cpu")" 20000
equal "$(cgroup_file whole one memory/memory.limit_in_bytes memory.max)" $((96 << 20))
