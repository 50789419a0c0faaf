#!/usr/bin/env bash
# What a start of a pod needs on a real node is killed, or stands still, at different moments of the start: floxd, containerd,
# the kubelet, the catalog and the pod's shim; and packets are lost. Whatever was killed is started again, as a service manager
# does. Each pod comes up by itself, one that runs is not disturbed, and with the pods all goes that they had.
#   MOMENTS="0 0.05 0.1 0.2 0.4 0.8" FREEZE_MOMENTS="0.1 0.9" PARTS="floxd shim" test/cluster/faults.sh
# Moments are seconds from kubectl's answer to the fault; all are tried with each part.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
# ctest: COST 240
# ctest: TIMEOUT 1200
. "$(dirname "$0")/support.sh"
need_kubernetes
enter_world "$@"
MOMENTS=${MOMENTS:-"0.1 0.9"} FREEZE_MOMENTS=${FREEZE_MOMENTS:-0.45}
PARTS=${PARTS:-floxd containerd kubelet catalog shim}

start_catalog
publish_tool hello 1.0
start_cluster 1
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null

imageless() {  # NAME ENVIRONMENT
  kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: "$1", annotations: { flox.dev/environment: "$2" } }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "ghcr.io/flox/flox:latest", imagePullPolicy: IfNotPresent, command: [sh, -c, "hello; while :; do sleep 0.2; date +%s; done"] }]
YAML
}
running() { kubectl wait --for=condition=Ready "pod/$1" --timeout=1s; }
identity() { jsonpath default pod/steady '{.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].state.running.startedAt}'; }

imageless steady hello
wait_until 60 "the steady pod" running steady
imageless warm hello  # the stub image, and all that the first pod of a node brings, is there from now on
wait_until 60 "a second pod" running warm
kubectl delete pod warm >/dev/null
STEADY=$(identity)

# What the node has of pods, beside the steady one's: each line is to go with its pod.
shims() { pgrep -f 'containerd-shim-flox-v1 .*-id' || true; }
left() {
  # shellcheck disable=SC2016
  on_node 1 sh -c '
    ctr -n k8s.io containers ls -q | sed "s/^/container /"
    ctr -n k8s.io tasks ls -q | sed "s/^/task /"
    ctr -n k8s.io snapshots ls | sed "1d; / Committed *$/d; s/ .*//; s/^/snapshot /"
    ls /run/containerd/io.containerd.runtime.v2.task/k8s.io 2>/dev/null | sed "s/^/bundle /"
    ls /nix/var/nix/gcroots/flox 2>/dev/null | grep -v ^image- | sed "s/^/lease /"
    ls /var/lib/flox/kept/pods 2>/dev/null | sed "s/^/kept /"
    awk "{ print \"mount \" \$5 }" /proc/self/mountinfo | grep -E "/run/containerd/io|/var/lib/kubelet/pods|/run/flox/(views|lazy)" | sort'
  shims | sed 's/^/shim /'
}
only_steady() { [ "$(left | sort)" = "$BEFORE" ]; }
BEFORE=''
settled() { [ "$(shims | wc -l)" = 1 ] && [ "$(on_node 1 ctr -n k8s.io containers ls -q | wc -l)" = 2 ]; }
wait_until 60 "the second pod to be gone" settled
sleep 3
BEFORE=$(left | sort)
gone() {
  local pod
  for pod in "$@"; do kubectl delete pod "$pod" --wait=false >/dev/null; done
  for pod in "$@"; do wait_until 90 "pod $pod to go" kubectl wait --for=delete "pod/$pod" --timeout=1s; done
}

pid_of() {  # PART: its process; nothing if it is not there (yet)
  case $1 in
    catalog) cat "$WORLD/cluster-catalog.pid" ;;
    shim) shims | sed "/^$STEADY_SHIM\$/d" | tail -1 ;;
    *) cat "$WORLD/node-1-$1.pid" ;;
  esac
}
STEADY_SHIM=$(shims)
again() {
  case $1 in
    catalog) serve_catalog ;;
    kubelet) start_kubelet 1 ;;
    containerd) start_node_containerd 1 ;;
    floxd) start_on_node 1 floxd floxd ;;
    shim) ;;  # the kubelet does it
  esac
}

number=0 hits=0
# fault kill|freeze PART MOMENT: while the pod number-N starts, whose environment the node has not seen before.
fault() {
  local what=$1 part=$2 moment=$3 pid
  number=$((number + 1))
  imageless pod-$number hello@1.$number
  sleep "$moment"
  pid=$(pid_of "$part")
  disown -a  # bash would tell of each server that it was killed
  if [ -n "$pid" ]; then
    hits=$((hits + 1))
    case $what in
      kill)
        kill -KILL $pid
        [ "$part" = shim ] || tail --pid="$pid" -f /dev/null
        again "$part"
        ;;
      freeze)
        kill -STOP $pid
        sleep 4
        kill -CONT $pid 2>/dev/null || true  # whoever missed it may have ended it
        ;;
    esac
  fi
  wait_until 120 "pod-$number, at whose start after $moment s $part was to $what" running pod-$number
  contains "$(kubectl logs pod-$number | head -1)" "hello 1.$number"
  equal "$(identity)" "$STEADY"
}

for part in $PARTS; do
  for what in kill freeze; do
    step "$what: $part"
    first=$((number + 1)) moments=$MOMENTS
    [ $what = kill ] || moments=$FREEZE_MOMENTS
    for moment in $moments; do
      publish_tool hello 1.$((number + 1)) >/dev/null
      fault $what $part "$moment"
    done
    # shellcheck disable=SC2046
    gone $(seq -f pod-%g $first $number)
  done
done
[ $((2 * hits)) -ge $number ] || die "only $hits of $number faults found something to hit"

step "one packet in ten is lost between the node and all others"
lossy() { nsenter --net=/run/netns/node-1 -- iptables "$1" INPUT -i eth0 -m statistic --mode random --probability 0.1 -j DROP; }
if lossy -A 2>/dev/null; then
  first=$((number + 1))
  for _ in 1 2 3; do
    number=$((number + 1))
    publish_tool hello 1.$number >/dev/null
    imageless pod-$number hello@1.$number
  done
  for pod in $(seq $first $number); do wait_until 180 "pod-$pod" running pod-$pod; done
  lossy -D
  equal "$(identity)" "$STEADY"
  # shellcheck disable=SC2046
  gone $(seq -f pod-%g $first $number)
else
  echo "  this kernel cannot lose packets (iptables' statistic)"
fi

step "all goes that the pods had"
wait_until 120 "it to go" only_steady || { diff <(echo "$BEFORE") <(left | sort); die "the node has more than before"; }

step "the steady pod has told the time all along"
longest=$(kubectl logs steady | sed 1d | awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }')
[ "$(kubectl logs steady | wc -l)" -gt 100 ] || die "the steady pod said little"
echo "  at most $longest s between two of its lines"
