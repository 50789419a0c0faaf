#!/usr/bin/env bash
# A node in operation: what goes wrong is told where Kubernetes users look, and pods recover by themselves; restarts of the
# kubelet, containerd and floxd and a cut network leave running pods alone; the figures that an autoscaler lives on are
# those of the cgroups.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_kubernetes
enter_world "$@"

OTHER_KEY=$(flox store keygen other-1 --out "$WORLD/other.key")  # the catalog knows it, the nodes do not
start_catalog
publish_tool hello 1.0
start_cluster 1
start_metrics >/dev/null
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null

# imageless NAME ENVIRONMENT COMMAND [IMAGE PULL POLICY]
imageless() {
  kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: "$1", annotations: { flox.dev/environment: "$2" } }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "ghcr.io/flox/flox:latest", imagePullPolicy: ${4:-Always}, command: [sh, -c, "$3"] }]
YAML
}
described() { [[ $(kubectl describe pod "$1") == *"$2"* ]]; }
running() { kubectl wait --for=condition=Ready "pod/$1" --timeout=1s; }
# told NAME TEXT: an event of the pod says so.
told() { wait_until 60 "'$2' in kubectl describe pod $1" described "$1" "$2"; }

imageless steady hello 'hello; i=0; while :; do i=$((i+1)); echo $i; sleep 1; done'
wait_until 60 "the steady pod" running steady
identity() { jsonpath default pod/steady '{.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].state.running.startedAt}'; }
STEADY=$(identity)

step "an environment that does not exist, until it does"
imageless early not-yet 'not-yet; sleep 600'
told early "environment 'not-yet'"
told early "not-yet"

step "a package that nobody trusted has signed, until its key is trusted"
FLOX_SIGNING_PRIVATE_KEY=$WORLD/other.key publish_tool foreign 1.0
imageless foreign foreign 'foreign; sleep 600'
told foreign "other-1"

step "a catalog that is down"
publish_tool later 1.0
stop_server cluster-catalog
imageless later later 'later; sleep 600'
told later "$CLUSTER_CATALOG_URL"
serve_catalog
publish_tool not-yet 1.0

step "floxd down"
stop_on_node 1 floxd
imageless orphan hello 'hello; sleep 600' IfNotPresent
imageless unserved hello 'hello; sleep 600'  # the stub image's registry is floxd, too
told orphan "asking floxd for the container's environment"
told orphan "flox node status"
on_node 1 sed -i "s|^trusted_keys = .*|trusted_keys = [\"$PUBLIC_KEY\", \"$OTHER_KEY\"]|" /etc/flox/config.toml
start_on_node 1 floxd floxd

step "all of them recover by themselves"
for name in orphan unserved later foreign early; do wait_until 120 "pod $name" running $name; done
equal "$(kubectl logs foreign)" "foreign 1.0"
kubectl get pods

step "restarts of floxd, containerd and the kubelet"
for server in floxd containerd kubelet; do
  stop_on_node 1 $server
  case $server in
    kubelet) start_kubelet 1 ;;
    containerd) start_node_containerd 1 ;;
    *) start_on_node 1 $server $server ;;
  esac
  imageless after-$server hello 'hello; sleep 600'
  wait_until 60 "a new pod after the restart of $server" running after-$server
  equal "$(identity)" "$STEADY"
done

step "a node that is cut from the network, and back"
node_is() { [ "$(jsonpath '' node/node-1 '{.status.conditions[?(@.type=="Ready")].status}')" = "$1" ]; }
in_net ip link set node-1 down
wait_until 60 "Kubernetes to miss the node" node_is Unknown
in_net ip link set node-1 up
wait_until 60 "the node to be back" node_is True
wait_until 60 "the steady pod to be ready again" running steady
equal "$(identity)" "$STEADY"
counted=$(kubectl logs steady | tail -1)
told steady "Started container main"
[ "$(kubectl logs steady | sed 1d | awk '$1 != NR' | wc -l)" = 0 ] || die "the steady pod's log has gaps"
step "the steady pod has counted to $counted without a gap"

step "figures: the kubelet's summary, kubectl top and the cgroup files agree"
imageless eater hello 'hello; awk \"BEGIN { while (length(s) < 30000000) s = s sprintf(\\\"%100000s\\\", 1); while (1); }\"'
wait_until 60 "the eater" running eater
uid=$(jsonpath default pod/eater '{.metadata.uid}')
pod_cgroup() { echo /sys/fs/cgroup/"$1"/"${CGROUP_PARENT#/}"/node-1/kubepods/besteffort/pod"$uid"; }
summary() { kubectl get --raw /api/v1/nodes/node-1/proxy/stats/summary | jq -r ".pods[] | select(.podRef.name == \"eater\") | $1"; }
working_set() { awk -v usage="$(cat "$(pod_cgroup memory)/memory.usage_in_bytes")" '$1 == "total_inactive_file" { print usage - $2 }' "$(pod_cgroup memory)/memory.stat"; }
# near A B PERCENT
near() { awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(a > 0 && d <= b * p / 100) }'; }
cpu_known() { [ "$(summary '.cpu.usageNanoCores // 0')" -gt 100000000 ]; }
wait_until 60 "the summary to have seen the load" cpu_known
wait_until 30 "memory of the summary and of the cgroup to agree" eval 'near "$(summary .memory.workingSetBytes)" "$(working_set)" 10'
wait_until 30 "memory of the containers and of the cgroup to agree" eval 'near "$(summary "[.containers[].memory.workingSetBytes] | add")" "$(working_set)" 15'
# The figures are of different moments: where something else takes the processor for one of them they differ once, not twice.
cores_of_cgroup() {  # over ten seconds
  local first began
  first=$(cat "$(pod_cgroup cpuacct)/cpuacct.usage") began=$(date +%s%N)
  sleep 10
  awk -v d=$(($(cat "$(pod_cgroup cpuacct)/cpuacct.usage") - first)) -v t=$(($(date +%s%N) - began)) 'BEGIN { print d / t }'
}
summary_agrees() { near "$(cores_of_cgroup)" "$(summary '.cpu.usageNanoCores / 1e9')" 25; }
wait_until 90 "processor time of the summary and of the cgroup to agree" summary_agrees
top() { kubectl top pod eater --no-headers; }
top_agrees() { near "$(cores_of_cgroup)" "$(top | awk '{ print $2 / 1000 }')" 30; }
wait_until 120 "kubectl top and the cgroup to agree" top_agrees
kubectl delete pod eater >/dev/null

step "a HorizontalPodAutoscaler follows the load, up and down"
mkdir -p "$WORLD/load"
kubectl apply -f - >/dev/null <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: { name: burner }
spec:
  selector: { matchLabels: { app: burner } }
  template:
    metadata: { labels: { app: burner }, annotations: { flox.dev/environment: hello } }
    spec:
      runtimeClassName: flox
      terminationGracePeriodSeconds: 1
      volumes: [{ name: load, hostPath: { path: "$WORLD/load" } }]
      containers:
      - name: main
        image: ghcr.io/flox/flox:latest
        command: [sh, -c, "while :; do if [ -e /load/on ]; then i=0; while [ \$i -lt 5000 ]; do i=\$((i+1)); done; else sleep 0.2; fi; done"]
        resources: { requests: { cpu: 100m } }
        volumeMounts: [{ name: load, mountPath: /load }]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: { name: burner }
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: burner }
  minReplicas: 1
  maxReplicas: 3
  metrics: [{ type: Resource, resource: { name: cpu, target: { type: Utilization, averageUtilization: 50 } } }]
YAML
replicas() { [ "$(jsonpath default deployment/burner '{.status.readyReplicas}')" = "$1" ]; }
wait_until 60 "one burner" replicas 1
touch "$WORLD/load/on"
wait_until 120 "three burners under load" replicas 3
rm "$WORLD/load/on"
wait_until 120 "one burner without load" replicas 1
