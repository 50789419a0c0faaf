#!/usr/bin/env bash
# A pod's sandbox that the shim makes without an OCI runtime: what it is, beside the one that runc makes of the same
# request, and how it ends. Over CRI, with crictl.
# prepare: containerd2
. "$(dirname "$0")/suites.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || { echo "compares both shims itself"; exit 77; }
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then  # only crictl is wanted of it: the daemon is the caller's choice
  daemon=${FLOX_TEST_CONTAINERD:-}
  need_containerd2
  export SUITES=$FLOX_TEST_CONTAINERD FLOX_TEST_CONTAINERD=$daemon
  [ -n "$daemon" ] || unset FLOX_TEST_CONTAINERD
fi
. "$PROJECT/test/shim/support.sh"
. "$PROJECT/test/shim/images.sh"
printf "" >"$WORLD/crictl.yaml"
export CRI_CONFIG_FILE=$WORLD/crictl.yaml
crictl() { in_net timeout --signal=KILL 60 "$SUITES/crictl" --runtime-endpoint "unix://$CONTAINERD_ADDRESS" --image-endpoint "unix://$CONTAINERD_ADDRESS" "$@"; }
import_images
wait_until 20 "CRI to be ready" eval 'crictl info >/dev/null 2>&1'
STATE=$WORLD/containerd/state/io.containerd.runtime.v2.task/k8s.io

pod_json() {  # NAME [LINUX-JSON]: prints a sandbox's configuration
  jq -n --arg name "$1" --arg cgroup "$CGROUP_PARENT" --argjson linux "${2:-null}" '{metadata: {name: $name, namespace: "default", uid: $name, attempt: 1},
    hostname: (if $linux.security_context.namespace_options.network == 2 then "" else "the-pod" end), linux: ({cgroup_parent: $cgroup} + ($linux // {}))}' >"$WORLD/$1.json"
  echo "$WORLD/$1.json"
}
init_of() { cat "$STATE/$1/init.pid"; }
made_by_runtime() { [ -e "/run/containerd/runc/k8s.io/$1" ]; }
in_namespaces() { nsenter --target "$1" --net --ipc --uts "${@:2}"; }
field() { sed -n "s/^$2:\s*//p" "/proc/$1/status" | xargs; }

is_named() { [[ $(cat "/proc/$1/comm") != memfd:* ]]; }
# facts POD: what Kubernetes and the pod's containers can see of it, one a line.
facts() {
  local pid kind
  pid=$(init_of "$1")
  # It names itself, and the shim does not wait for that: executed from memory it is named after a descriptor.
  wait_until 10 "the pod's first process to name itself" is_named "$pid" >&2
  for kind in net ipc uts mnt pid user cgroup; do
    [ "$(readlink "/proc/$pid/ns/$kind")" = "$(readlink /proc/self/ns/$kind)" ] && echo "$kind: the node's" || echo "$kind: its own"
  done
  echo "name: $(cat "/proc/$pid/comm"), hostname: $(in_namespaces "$pid" hostname)"
  echo "sysctls: $(in_namespaces "$pid" cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shm_rmid_forced | xargs)"
  for kind in Uid Gid Groups NoNewPrivs NSpid; do echo "$kind: $(field "$pid" $kind | sed "s/\\b$pid\\b/PID/")"; done
  echo "oom score: $(cat "/proc/$pid/oom_score_adj")"
  echo "session: $([ "$(ps -o sid= -p "$pid" | xargs)" = "$pid" ] && echo "its own")"
  sed "s/$1/POD/" "/proc/$pid/cgroup" | grep -v ':name=\|^0::' | sort -t: -k2
  cat "/sys/fs/cgroup/devices$CGROUP_PARENT/$1/devices.list" "/sys/fs/cgroup/cpu$CGROUP_PARENT/$1/cpu.shares" 2>/dev/null | sed 's/^/cgroup: /' || true
}
LINUX='{"sysctls": {"net.ipv4.ip_unprivileged_port_start": "1000", "kernel.shm_rmid_forced": "1"},
  "security_context": {"run_as_user": {"value": 1234}, "run_as_group": {"value": 1235}, "supplemental_groups": [1236],
    "namespace_options": {"pid": 0}}}'

step "a pod with user, groups, sysctls and a shared pid namespace: the same to see as with runc"
for handler in runc flox; do
  pod=$(crictl runp --runtime $handler "$(pod_json plain-$handler "$LINUX")")
  facts "$pod" >"$WORLD/facts.$handler"
  declare "${handler}_pod=$pod"
done
made_by_runtime "$runc_pod" || die "runc did not make its sandbox"
! made_by_runtime "$flox_pod" || die "an OCI runtime made ours"
# Devices: runc allows what every container may use; ours has none, not even those.
diff <(grep -v '^cgroup: [bc] ' "$WORLD/facts.runc") <(grep -v '^cgroup: [bc] ' "$WORLD/facts.flox") || die "the sandboxes differ"

step "… and less allowed than with runc: no capability, next to no system call, no file, no device"
pid=$(init_of "$flox_pod")
for set in CapInh CapPrm CapEff CapBnd CapAmb; do equal "$(field "$pid" $set)" 0000000000000000; done
equal "$(field "$pid" Seccomp) $(field "$pid" Seccomp_filters)" "2 1"
equal "$(wc -l <"/proc/$pid/mountinfo")" 1
equal "$(find "/proc/$pid/root/" -mindepth 1)" ""
contains "$(cut -d' ' -f6 "/proc/$pid/mountinfo")" ro
! grep -q . "/sys/fs/cgroup/devices$CGROUP_PARENT/$flox_pod/devices.list" 2>/dev/null || die "a device is allowed"
equal "$(find "/proc/$pid/fd" -lname '/dev/null' | wc -l) of $(find "/proc/$pid/fd" -mindepth 1 | wc -l)" "3 of 3"

step "the node's network, pids and ipc, where the pod asks for them"
for handler in runc flox; do
  pod=$(crictl runp --runtime $handler "$(pod_json node-$handler '{"security_context": {"namespace_options": {"network": 2, "pid": 2, "ipc": 2}}}')")
  facts "$pod" >"$WORLD/facts.$handler"
  crictl rmp --force "$pod" >/dev/null
done
diff <(grep -v '^cgroup: [bc] ' "$WORLD/facts.runc") <(grep -v '^cgroup: [bc] ' "$WORLD/facts.flox") || die "the sandboxes differ"

step "what would be set for the whole node is refused, by runc as ever"
name=$(hostname)
port=$(in_net cat /proc/sys/net/ipv4/ip_unprivileged_port_start)
pod_json node-hostname '{"security_context": {"namespace_options": {"network": 2}}}' >/dev/null
jq '.hostname = "the-pod"' "$WORLD/node-hostname.json" >"$WORLD/hostname.json"
refused "private UTS namespace" crictl runp --runtime flox "$WORLD/hostname.json"
refused "sysctl" crictl runp --runtime flox "$(pod_json node-sysctl '{"sysctls": {"net.ipv4.ip_unprivileged_port_start": "7"}, "security_context": {"namespace_options": {"network": 2}}}')"
refused "sysctl" crictl runp --runtime flox "$(pod_json kernel-sysctl '{"sysctls": {"vm.swappiness": "7"}}')"
equal "$(hostname) $(in_net cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" "$name $port"
for pod in $(crictl pods --quiet --state notready); do crictl rmp --force "$pod" >/dev/null; done

step "its end: by a stop, and by the death of its shim; nothing stays"
for pod in "$runc_pod" "$flox_pod"; do crictl stopp "$pod" >/dev/null; crictl rmp "$pod" >/dev/null; done
equal "$(find /sys/fs/cgroup -type d -path "*$CGROUP_PARENT/$flox_pod")" ""
pod=$(crictl runp --runtime flox "$(pod_json killed)")
pid=$(init_of "$pod")
kill -9 "$(pgrep -f "containerd-shim-flox.* -id $pod ")"
wait_until 20 "the pause process to end" eval "! kill -0 $pid 2>/dev/null"
wait_until 20 "its cgroup to go" eval "[ -z \"\$(find /sys/fs/cgroup -type d -path '*$CGROUP_PARENT/$pod')\" ]"
crictl rmp --force "$pod" >/dev/null

step "what is not plain is runc's: here by FLOX_SANDBOX=oci in containerd's environment"
daemon=$(cat "$WORLD/containerd.pid")
stop_server containerd
wait_until 20 "containerd to end" eval "! kill -0 $daemon 2>/dev/null"
export FLOX_SANDBOX=oci
start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
wait_until 20 "CRI to be ready" eval 'crictl info >/dev/null 2>&1'
pod=$(crictl runp --runtime flox "$(pod_json through-runc "$LINUX")")
made_by_runtime "$pod" || die "no OCI runtime made it"
crictl rmp --force "$pod" >/dev/null
wait_until 20 "the shims to end" eval '! pgrep -f "containerd-shim.* -namespace k8s.io " >/dev/null'
equal "$(find "$STATE" /run/containerd/s /run/flox-shims -mindepth 1 2>/dev/null)" ""
