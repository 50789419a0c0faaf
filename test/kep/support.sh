# What the cases of this folder share: each is a file of cases/, run in a shell of its own that ends at the first command that
# fails, in a namespace of its own ($NS) of one cluster. Sourced, never run.
#
#   apply <<YAML           kubectl apply in the case's namespace. {image} stands for an environment in the image field that has a
#                          shell and the program hello, {node} for a directory of the case's own on the node ($NODE_DIR)
#   of POD PATH            one field of a pod, by jsonpath
#   wait_for WHAT COMMAND… polls; WHAT is what did not come
#   in_pod POD COMMAND…    runs a shell command in its first container
#   said POD TEXT [OPTION…]  its log is this
#   on_v2 || lacks REASON  the case does not apply: it counts as skipped, with the reason
#   cgroup_file POD CONTAINER V1-FILE V2-FILE  what a control file of the container's cgroup holds, as the container sees it
. "$(dirname "${BASH_SOURCE[0]}")/../cluster/support.sh"

IMAGE=flox.local/hello:1.0
CASE_LIMIT=${CASE_LIMIT:-90}  # seconds that one thing may take

apply() { sed "s|{image}|$IMAGE|g; s|{node}|$NODE_DIR|g" | kubectl apply -n "$NS" -f - >/dev/null; }
of() { kubectl get -n "$NS" pod "$1" -o "jsonpath=$2"; }
wait_for() {
  local what=$1 end=$((SECONDS + CASE_LIMIT * PATIENCE))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { show_case; die "waited $CASE_LIMIT s in vain for $what"; }
    sleep 0.3
  done
}
show_case() {
  kubectl get pods -n "$NS" -o wide
  kubectl get pods -n "$NS" -o json | jq -c '.items[].status | (.initContainerStatuses, .containerStatuses)[]? | {name, state, lastState, restartCount}'
  kubectl get events -n "$NS" --sort-by=.lastTimestamp | tail -12
  local pod
  for pod in $(kubectl get pods -n "$NS" -o name); do echo "== $pod"; kubectl logs -n "$NS" "$pod" --all-containers --tail 10; done
} >&2
phase() { [ "$(of "$1" '{.status.phase}')" = "$2" ]; }
ready() { [ "$(of "$1" '{.status.conditions[?(@.type=="Ready")].status}')" = True ]; }
restarted() { [ "$(of "$1" "{.status.containerStatuses[0].restartCount}")" -ge 1 ]; }
gone() { ! kubectl get -n "$NS" pod "$1" >/dev/null 2>&1; }
in_container() { kubectl exec -n "$NS" "$1" -c "$2" -- "${@:3}"; }
in_pod() { kubectl exec -n "$NS" "$1" -- sh -c "$2"; }
said() { [ "$(kubectl logs -n "$NS" "$1" "${@:3}" 2>/dev/null)" = "$2" ]; }
wait_said() { wait_for "what $1 prints" said "$@"; }
event_says() { kubectl get events -n "$NS" --field-selector "involvedObject.name=$1" -o json | jq -e --arg text "$2" 'any(.items[]; .message | contains($text))' >/dev/null; }
at_least() { [ "$(kubectl get node node-1 -o 'jsonpath={.status.nodeInfo.kubeletVersion}' | cut -d. -f2)" -ge "$1" ]; }  # MINOR: of the cluster's release
on_v2() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }
lacks() { echo "$*"; exit 77; }
cgroup_file() {
  if on_v2; then in_container "$1" "$2" cat "/sys/fs/cgroup/$4"; else in_container "$1" "$2" cat "/sys/fs/cgroup/$3"; fi
}
# pod_cgroup POD V1-CONTROLLER: the directory of the pod's own cgroup.
pod_cgroup() {
  local at=/sys/fs/cgroup
  on_v2 || at+=/$2
  find "$at$CGROUP_PARENT" -type d -name "pod$(of "$1" '{.metadata.uid}')"
}
# stats_of POD FILTER: of what the kubelet's summary says about the pod.
stats_of() { ask_kubelet /stats/summary | jq -e --arg ns "$NS" --arg name "$1" ".pods[] | select(.podRef.namespace == \$ns and (.podRef.name | IN(\$name, \$name + \"-node-1\"))) | $2"; }
ask_kubelet() { kubectl get --raw "/api/v1/nodes/node-1/proxy$1"; }

# run_cases COUNT NAME…: these cases, that many at once; each one's output goes to a file that is shown if it fails.
run_cases() {
  local at_once=$1 started=0 name failed
  shift
  mkdir "$WORLD/cases"
  for name; do
    while [ $((started - $(find "$WORLD/cases" -name '*.code' | wc -l))) -ge "$at_once" ]; do sleep 0.2; done
    started=$((started + 1))
    run_case "$name" &
  done
  all_ended() { [ "$(find "$WORLD/cases" -name '*.code' | wc -l)" = $started ]; }
  wait_until $((CASE_LIMIT * 8)) "all cases to end" all_ended
  failed=$({ grep -lvxE '0|77' "$WORLD"/cases/*.code || true; } | sed 's|.*/||; s|\.code$||' | xargs)
  step "$started cases: $(grep -lx 0 "$WORLD"/cases/*.code | wc -l) passed, $({ grep -lx 77 "$WORLD"/cases/*.code || true; } | wc -l) skipped"
  [ -z "$failed" ] || die "failed: $failed"
}
run_case() {
  local code
  set +e  # that of the shell in the shell counts
  (
    set -e
    export NS=kep-${1//_/-} NODE_DIR=$WORLD/case/$1
    mkdir -p "$NODE_DIR"
    chmod 777 "$NODE_DIR"
    make_namespace
    . "$PROJECT/test/kep/cases/$1.sh"
  ) >"$WORLD/cases/$1.log" 2>&1
  code=$?
  case $code in
    0) step "ok: $1" ;;
    77) step "skipped: $1: $(tail -1 "$WORLD/cases/$1.log")" ;;
    *) step "FAILED: $1"; cat "$WORLD/cases/$1.log" >&2 ;;
  esac
  echo $code >"$WORLD/cases/$1.code"
}
make_namespace() {
  kubectl create namespace "$NS" >/dev/null
  # A new namespace takes no pods before it has this.
  wait_for "the namespace's service account" kubectl get -n "$NS" serviceaccount default
}
