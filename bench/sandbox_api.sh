#!/usr/bin/env bash
# Pods whose sandbox is the shim (containerd's sandbox API) against pods with a pause container, both with our shim, under one
# containerd 2.x, in alternating runs: memory of a pod, RunPodSandbox, pods with a container at once. Medians, and the ratio
# (below 1: the sandbox API needs less).
#   bench/sandbox_api.sh [PART…]   memory sandbox pods; all if none is named.   RUNS=30 PODS=20
. "$(dirname "$0")/../test/shim/suites.sh"
need_containerd2
. "$PROJECT/test/shim/support.sh"
RUNS=${RUNS:-30} PODS=${PODS:-20}
API=flox-sandbox PAUSE=flox-by-name
CRICTL=$(type -P crictl)
export CRI_CONFIG_FILE=$WORLD/crictl.yaml
printf '%s-endpoint: unix://%s\n' runtime "$CONTAINERD_ADDRESS" image "$CONTAINERD_ADDRESS" >"$CRI_CONFIG_FILE"
import_images
wait_until 20 "CRI to be ready" eval '"$CRICTL" info >/dev/null 2>&1'

microseconds() { "$BUILD_DIR/bench/stopwatch" "$WORLD/logs/bench.log" "$@" || { cat "$WORLD/logs/bench.log" >&2; die "failed: $*"; }; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
compare() {  # WHAT UNIT API PAUSE
  awk -v what="$1" -v unit="$2" -v a="$3" -v b="$4" 'BEGIN { printf "%-58s %8.4g %8.4g %s  ratio %.2f\n", what, a, b, unit, a / b }'
}
ms() { awk -v us="$1" 'BEGIN { printf "%.1f", us / 1000 }'; }
# pod_json NAME: of the node's network, for what a CNI plugin takes is the same for both; its containers share no pids.
pod_json() {
  jq -n --arg name "$1" --arg cgroup "$CGROUP_PARENT" '{metadata: {name: $name, namespace: "default", uid: $name, attempt: 1},
    linux: {cgroup_parent: $cgroup, security_context: {namespace_options: {network: 2, pid: 1}}}}' >"$WORLD/$1.pod"
  echo "$WORLD/$1.pod"
}
# run_pod HANDLER NAME: with a container; containerd 2.4 asks for the figures of each pod and container every second.
run_pod() {
  local pod container
  pod=$("$CRICTL" runp --runtime "$1" "$(pod_json "$2")")
  jq -n '{metadata: {name: "main"}, image: {image: "flox.dev/pause:1.0.0"}, command: ["/pause"], linux: {security_context: {namespace_options: {network: 2, pid: 1}}}}' >"$WORLD/container.json"
  container=$("$CRICTL" create "$pod" "$WORLD/container.json" "$WORLD/$2.pod")
  "$CRICTL" start "$container" >/dev/null
}
remove_pods() { "$CRICTL" pods --quiet | xargs -r "$CRICTL" rmp --force >/dev/null 2>&1; }

measure_memory() {
  local kind shim child field
  # Of the pod's own processes: its containers' are not counted. The pause process is the first child of its shim.
  own_of() { echo "$1"; [ "$2" = $API ] || pgrep -P "$1" | head -1; }
  for kind in $API $PAUSE; do
    for ((i = 0; i < PODS; i++)); do run_pod $kind "idle$i" >/dev/null; done
    sleep 8  # idle is who has had nothing to do for a while
    for field in Pss Private_Dirty; do
      for shim in $(pgrep -f "containerd-shim-flox.* -namespace k8s.io "); do
        for child in $(own_of "$shim" $kind); do cat "/proc/$child/smaps_rollup"; done |
          awk -v field="$field:" '$1 == field { sum += $2 } END { print sum }'
      done >"$WORLD/$kind.$field"
    done
    # What the kernel keeps of them: page tables of each process.
    for shim in $(pgrep -f "containerd-shim-flox.* -namespace k8s.io "); do
      for child in $(own_of "$shim" $kind); do cat "/proc/$child/status"; done |
        awk '$1 == "VmPTE:" { sum += $2 } END { print sum }'
    done >"$WORLD/$kind.tables"
    pgrep -f "containerd-shim-flox.* -namespace k8s.io " | while read -r shim; do own_of "$shim" $kind | wc -l; done >"$WORLD/$kind.processes"
    remove_pods
  done
  compare "memory (PSS) of each of $PODS pods, without its container" kB "$(median "$WORLD/$API.Pss")" "$(median "$WORLD/$PAUSE.Pss")"
  compare "  private dirty" kB "$(median "$WORLD/$API.Private_Dirty")" "$(median "$WORLD/$PAUSE.Private_Dirty")"
  compare "  page tables" kB "$(median "$WORLD/$API.tables")" "$(median "$WORLD/$PAUSE.tables")"
  compare "  processes" "" "$(median "$WORLD/$API.processes")" "$(median "$WORLD/$PAUSE.processes")"
}

measure_sandbox() {
  local run kind
  for ((run = 0; run < RUNS; run++)); do
    for kind in $API $PAUSE; do
      microseconds "$CRICTL" runp --runtime $kind "$(pod_json "run-$kind-$run")" >>"$WORLD/$kind.runp"
      microseconds "$CRICTL" pods --quiet >>"$WORLD/client"
      remove_pods
    done
  done
  compare "crictl runp (the client alone: $(ms "$(median "$WORLD/client")") ms)" ms "$(ms "$(median "$WORLD/$API.runp")")" "$(ms "$(median "$WORLD/$PAUSE.runp")")"
}

measure_pods() {
  local run kind
  for run in 1 2 3 4 5; do
    for kind in $API $PAUSE; do
      in_net "$BUILD_DIR/bench/cri_pods" "$CONTAINERD_ADDRESS" $kind "$PODS" flox.dev/pause:1.0.0 "$CGROUP_PARENT" /pause >>"$WORLD/$kind.pods"
    done
  done
  compare "$PODS pods with a container at once (median of 5)" ms "$(median "$WORLD/$API.pods")" "$(median "$WORLD/$PAUSE.pods")"
}

[ $# != 0 ] || set -- memory sandbox pods
printf '%-58s %8s %8s\n' '' API pause
for part in "$@"; do measure_"$part"; done
