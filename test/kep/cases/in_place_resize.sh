# KEP-1287, in-place resize: CPU and memory of a running container change; its process goes on.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: resized }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "echo started; exec sleep 1000"]
      resources: { requests: { cpu: 50m, memory: 32Mi }, limits: { cpu: 100m, memory: 64Mi } }
YAML
wait_for "the pod" ready resized
memory_is() { [ "$(cgroup_file resized main memory/memory.limit_in_bytes memory.max)" = "$1" ]; }
quota_is() { [ "$(cgroup_file resized main cpu/cpu.cfs_quota_us cpu.max | cut -d' ' -f1)" = "$1" ]; }
memory_is $((64 << 20))
quota_is 10000
resize() {  # CPU MEMORY: limits
  kubectl patch -n "$NS" pod resized --subresource resize --patch "{\"spec\": {\"containers\": [{\"name\": \"main\", \"resources\": {\"limits\": {\"cpu\": \"$1\", \"memory\": \"$2\"}}}]}}" >/dev/null
}
resize 200m 128Mi
wait_for "more memory in its cgroup" memory_is $((128 << 20))
wait_for "more CPU in its cgroup" quota_is 20000
told() { [ "$(of resized '{.status.containerStatuses[0].resources.limits.memory}')" = "$1" ]; }
wait_for "the status to say so" told 128Mi
if at_least 34; then less=96; else less=128; fi  # before 1.34 memory does not shrink
resize 100m ${less}Mi
wait_for "less memory in its cgroup" memory_is $((less << 20))
wait_for "less CPU in its cgroup" quota_is 10000
wait_for "the status to say so" told ${less}Mi
equal "$(of resized '{.status.containerStatuses[0].restartCount}')" 0
said resized started
