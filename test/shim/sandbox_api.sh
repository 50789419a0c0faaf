#!/usr/bin/env bash
# containerd's sandbox API: pods whose sandbox is the shim itself, over CRI, beside pods with a pause container under the same
# daemon. Two containers, exec, logs, statistics, events, a daemon that is restarted, a shim that is killed.
# prepare: containerd2
. "$(dirname "$0")/suites.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || { echo "runc's shim has no sandbox API"; exit 77; }
need_containerd2
. "$PROJECT/test/shim/support.sh"
. "$PROJECT/test/shim/images.sh"
export CRI_CONFIG_FILE=$WORLD/crictl.yaml
printf '%s-endpoint: unix://%s\n' runtime "$CONTAINERD_ADDRESS" image "$CONTAINERD_ADDRESS" >"$CRI_CONFIG_FILE"
crictl() { timeout --signal=KILL 60 "$(type -P crictl)" "$@"; }
make_image "$WORLD/images" "$ROOTFS" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' flox.test/box:1
import_images
import_layout "$WORLD/images" k8s.io
wait_until 20 "CRI to be ready" eval 'crictl info >/dev/null 2>&1'
SANDBOXES=$WORLD/containerd/state/io.containerd.sandbox.controller.v1.shim/k8s.io

# pod NAME [HANDLER] [NAMESPACES-JSON] [LINUX-JSON]: runs a pod, whose containers share no pids unless it says so; its id.
pod() {
  mkdir -p "$WORLD/pod-logs/$1"
  jq -n --arg name "$1" --arg logs "$WORLD/pod-logs/$1" --arg cgroup "$CGROUP_PARENT" --argjson namespaces "${3:-"{\"pid\": 1}"}" --argjson linux "${4:-null}" \
    '{metadata: {name: $name, namespace: "default", uid: $name, attempt: 1}, log_directory: $logs,
      hostname: (if $namespaces.network == 2 then "" else $name end), dns_config: {servers: ["10.96.0.10"], searches: ["svc.local"]},
      linux: ({cgroup_parent: $cgroup, security_context: {namespace_options: $namespaces}} + ($linux // {}))}' >"$WORLD/$1.pod"
  crictl runp --runtime "${2:-flox-sandbox}" "$WORLD/$1.pod"
}
# create POD-ID POD-NAME NAME COMMAND…: makes a container in the pod; its id.
create() {
  jq -n --arg name "$3" --argjson namespaces "$(jq .linux.security_context.namespace_options "$WORLD/$2.pod")" '{metadata: {name: $name}, image: {image: "flox.test/box:1"},
    log_path: "\($name).log", command: $ARGS.positional, linux: {security_context: {namespace_options: $namespaces}}}' --args -- "${@:4}" >"$WORLD/$3.container"
  crictl create "$1" "$WORLD/$3.container" "$WORLD/$2.pod"
}
# container …: the same, and starts it.
container() {
  local id
  id=$(create "$@")
  crictl start "$id" >/dev/null
  echo "$id"
}
in_container() { crictl exec --sync "$@"; }
shim_of_pod() { pgrep -f "containerd-shim-flox.* -namespace k8s.io -id $1 "; }
shims_of_k8s() { pgrep -f "containerd-shim.* -namespace k8s.io " || true; }
holder_of() { crictl inspectp "$1" | jq .info.pid; }
pod_state() { crictl pods --id "$1" --output json | jq -r '.items[0].state'; }
is_pod_state() { [ "$(pod_state "$1")" = "$2" ]; }
is_container_state() { [ "$(crictl inspect "$1" | jq -r .status.state)" = "$2" ]; }

crictl events >"$WORLD/cri-events" 2>/dev/null &
paused=$(pod paused flox-by-name)
beside=$(container "$paused" paused beside sh -c 'sleep 1000')

step "a pod is one process, the shim, whose thread holds its namespaces"
first=$(pod web)
shim=$(shim_of_pod "$first")
holder=$(holder_of "$first")
[ -d "/proc/$shim/task/$holder" ] || die "$holder is no thread of the shim $shim"
equal "$(pgrep -P "$shim" | wc -l)" 0
equal "$(ctr -n k8s.io containers ls -q)" "$(printf '%s\n' "$beside" "$paused" | sort)"
for kind in net ipc uts; do [ "$(readlink "/proc/$shim/ns/$kind")" = "$(readlink "/proc/self/ns/$kind")" ] || [ $kind = net ] || die "the shim has left the node's $kind namespace"; done
equal "$(readlink "/proc/$shim/ns/net")" "$(readlink "/proc/$(cat "$WORLD/containerd.pid")/ns/net")"
equal "$(pod_state "$first")" SANDBOX_READY
# By its cgroup floxd sees that the pod is there.
wait_until 10 "the shim to be in its cgroup" grep -q "/$first$" "/proc/$shim/cgroup"

step "two containers: the pod's network, hostname, files and memory are theirs, and nobody else's"
one=$(container "$first" web one sh -c 'echo from one; echo to stderr >&2; trap "exit 3" TERM; while :; do sleep 0.1; done')
two=$(container "$first" web two sh -c 'sleep 1000')
equal "$(in_container "$one" hostname) $(in_container "$one" cat /etc/hostname)" "web web"
equal "$(in_container "$two" cat /etc/resolv.conf)" "search svc.local
nameserver 10.96.0.10"
equal "$(in_container "$two" cat /etc/hosts)" "$(cat /etc/hosts)"
for kind in net ipc uts; do
  for container in "$one" "$two"; do equal "$(in_container "$container" readlink /proc/1/ns/$kind)" "$(readlink "/proc/$holder/ns/$kind")"; done
  differs=$(in_container "$beside" readlink /proc/1/ns/$kind)
  [ "$differs" != "$(readlink "/proc/$holder/ns/$kind")" ] || die "two pods share a namespace: $kind"
done
in_container "$one" sh -c 'echo shared >/dev/shm/note'
equal "$(in_container "$two" cat /dev/shm/note)" shared
[ "$(in_container "$beside" ls /dev/shm)" = "" ] || die "another pod sees its memory"
equal "$(in_container "$one" cat /proc/1/comm) $(in_container "$two" cat /proc/1/comm)" "sh sleep"
equal "$(in_container "$one" cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" 0
contains "$(in_container "$one" ip addr)" "$(crictl inspectp "$first" | jq -r .status.network.ip)"

step "exec, logs, statistics of container and pod"
refused "exited with 7" crictl exec --sync "$one" sh -c 'exit 7'
wait_until 10 "the log" eval '[ "$(crictl logs '"$one"' 2>&1 | sort | xargs)" = "from one to stderr" ]'
working_set() { crictl stats --output json "$one" | jq -r '.stats[0].memory.workingSetBytes.value // 0'; }
wait_until 15 "statistics" eval '[ "$(working_set)" -gt 0 ]'
# As CRI does it for a pod with a pause container: those of the pod's cgroup.
pod_memory() { crictl statsp --output json "$1" | jq -r '.stats[0].linux.memory.usageBytes.value // 0'; }
wait_until 15 "the pod's statistics" eval '[ "$(pod_memory '"$first"')" -gt 0 ]'
equal "$(crictl statsp --output json "$first" | jq '.stats[0].linux.containers | length')" 2

step "containerd is restarted: it finds the pod again, and its containers run on"
restart_containerd() {
  local daemon
  daemon=$(cat "$WORLD/containerd.pid")
  stop_server containerd
  wait_until 20 "containerd to end" eval "! kill -0 $daemon 2>/dev/null"
  start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
  wait_until 20 "CRI to be ready" eval 'crictl info >/dev/null 2>&1'
}
restart_containerd
equal "$(pod_state "$first") $(shim_of_pod "$first") $(holder_of "$first")" "SANDBOX_READY $shim $holder"
equal "$(in_container "$two" cat /dev/shm/note)" shared
crictl events >>"$WORLD/cri-events" 2>/dev/null &
three=$(container "$first" web three sh -c 'exit 5')
wait_until 10 "the third to end" is_container_state "$three" CONTAINER_EXITED
equal "$(crictl inspect "$three" | jq .status.exitCode)" 5

step "stopped: the namespaces are gone, the shim is there until the pod is removed"
crictl stop --timeout 10 "$one" >/dev/null
equal "$(crictl inspect "$one" | jq .status.exitCode)" 3
crictl stopp "$first" >/dev/null
wait_until 10 "it to be no longer ready" is_pod_state "$first" SANDBOX_NOTREADY
[ ! -e "/proc/$holder" ] || die "a thread still holds the namespaces"
! grep -q "$first" /proc/self/mounts || die "its memory is still mounted"
equal "$(shim_of_pod "$first")" "$shim"
! grep -q "/$first" "/proc/$shim/cgroup" || die "floxd still takes the pod for running"
crictl rmp "$first" >/dev/null
wait_until 10 "its shim to end" eval "! kill -0 $shim 2>/dev/null"
for event in CONTAINER_CREATED_EVENT CONTAINER_STARTED_EVENT CONTAINER_STOPPED_EVENT CONTAINER_DELETED_EVENT; do
  contains "$(grep -o "[A-Z_]*_EVENT" "$WORLD/cri-events" | sort -u)" $event
done
contains "$(cat "$WORLD/cri-events")" "$first"

step "its shim is killed: the pod is not ready, its container has ended, and all of it can be removed"
second=$(pod killed)
four=$(container "$second" killed four sh -c 'sleep 1000')
pid=$(crictl inspect "$four" | jq .info.pid)
kill -9 "$(shim_of_pod "$second")"
wait_until 20 "the pod not to be ready" is_pod_state "$second" SANDBOX_NOTREADY
wait_until 20 "its container to have ended" is_container_state "$four" CONTAINER_EXITED
wait_until 20 "its process to end" eval "! kill -0 $pid 2>/dev/null"
crictl rmp --force "$second" >/dev/null
! grep -q "$second" /proc/self/mounts || die "its memory is still mounted"
equal "$(in_container "$beside" echo well)" well

step "shared pids need a first process: it reaps, its end is the pod's, and it does not outlive the shim"
third=$(pod sharing flox-sandbox '{"pid": 0}')
five=$(container "$third" sharing five sh -c 'sleep 1000')
six=$(container "$third" sharing six sh -c 'sleep 1001')
contains "$(in_container "$six" ps -o comm,args)" "sleep 1000"
equal "$(in_container "$five" cat /proc/1/comm)" pause
in_container "$five" sh -c '(sleep 0 & ) ; true'
wait_until 10 "the orphan to be reaped" eval '! in_container '"$five"' ps -o stat | grepq Z'
pause=$(holder_of "$third")
kill -9 "$(shim_of_pod "$third")"
wait_until 20 "the first process to end" eval "! kill -0 $pause 2>/dev/null"
for id in "$five" "$six"; do wait_until 20 "its container to have ended" is_container_state "$id" CONTAINER_EXITED; done
crictl rmp --force "$third" >/dev/null
third=$(pod ended flox-sandbox '{"pid": 0}')
kill -9 "$(holder_of "$third")"
wait_until 20 "the pod not to be ready" is_pod_state "$third" SANDBOX_NOTREADY
crictl rmp --force "$third" >/dev/null

step "the node's own network and ipc; what it cannot give is refused, and leaves nothing"
fourth=$(pod node flox-sandbox '{"network": 2, "pid": 2, "ipc": 2}')
seven=$(container "$fourth" node seven sh -c 'sleep 1000')
daemon=$(cat "$WORLD/containerd.pid")
for kind in net ipc uts; do equal "$(in_container "$seven" readlink /proc/self/ns/$kind)" "$(readlink "/proc/$daemon/ns/$kind")"; done
crictl rmp --force "$fourth" >/dev/null
refused "user namespace" pod users flox-sandbox '{"pid": 1, "userns_options": {"mode": 0, "uids": [{"host_id": 100000, "container_id": 0, "length": 65536}], "gids": [{"host_id": 100000, "container_id": 0, "length": 65536}]}}'
refused "vm.swappiness" pod sysctl flox-sandbox '{"pid": 1}' '{"sysctls": {"vm.swappiness": "7"}}'
fifth=$(pod apart)
jq '.linux.security_context.namespace_options.pid = 0' "$WORLD/apart.pod" >"$WORLD/apart.sharing"
cp "$WORLD/apart.sharing" "$WORLD/apart.pod"
eight=$(create "$fifth" apart eight sh -c 'sleep 1000')
refused "pid namespace" crictl start "$eight"
crictl rmp --force "$fifth" >/dev/null

step "the pod with a pause container never noticed; nothing is left"
for id in "$first" "$second" "$third" "$fourth" "$fifth"; do equal "$(find /sys/fs/cgroup -type d -name "$id")" ""; done
equal "$(in_container "$beside" hostname)" paused
crictl rmp --force "$paused" >/dev/null
wait_until 10 "the shims to end" eval '[ -z "$(shims_of_k8s)" ]'
equal "$(find "$SANDBOXES" "$WORLD/containerd/state/io.containerd.runtime.v2.task/k8s.io" /run/containerd/s /run/flox-shims -mindepth 1 2>/dev/null)" ""
equal "$(crictl ps --all --quiet)$(crictl pods --quiet)$(ctr -n k8s.io containers ls -q)" ""
