# KEP-2371, statistics from the runtime: what the kubelet tells of pods and containers comes from containerd, and so from the shim.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: busy }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "{image}", command: [sh, -c, "dd if=/dev/zero of=/tmp/x bs=1M count=8 2>/dev/null; while :; do hello >/dev/null; sleep 0.1; done"] }]
YAML
wait_for "the pod" ready busy
counted() { stats_of busy '.containers[0] | .name == "main" and .cpu.usageCoreNanoSeconds > 0 and .cpu.usageNanoCores > 0 and .memory.workingSetBytes > 0'; }
wait_for "the container's CPU and memory" counted
whole() { stats_of busy '.cpu.usageCoreNanoSeconds > 0 and .memory.workingSetBytes > 0 and .process_stats.process_count > 0 and (.network.interfaces | length) > 0'; }
wait_for "the pod's CPU, memory, processes and network" whole
# The metrics that cAdvisor made, from the runtime now.
line() { ask_kubelet /metrics/cadvisor | grep "^$1{" | grep "namespace=\"$NS\"" | grepq 'container="main"'; }
wait_for "the container among the metrics" line container_cpu_usage_seconds_total
line container_memory_working_set_bytes
