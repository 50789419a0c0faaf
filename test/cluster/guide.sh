#!/usr/bin/env bash
# The guide on a real cluster of three nodes that flox node install has set up: its files, as they stand there and in its
# order, reach the state that it shows; tickets flow; it scales, rolls back, and its Job runs. Nothing is pulled.
# prepare: kubernetes moto-venv prometheus
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_kubernetes
[ -n "${FLOX_WORLD_ENTERED:-}" ] || "$PROJECT/script/moto-venv" >/dev/null || { echo "moto's server cannot be installed from PyPI"; exit 77; }
# Without one the guide is tried all the same, but for its annotations.
[ -n "${FLOX_WORLD_ENTERED:-}" ] || { programs=$("$PROJECT/script/prometheus") || programs=; export PROMETHEUS=${programs##*$'\n'}; }
enter_world "$@"

TICKETS=60
base=$PROJECT/deploy/base
NS=ml-workloads
deployment() { jsonpath $NS deployment/ticket-processor "$1"; }
ready_replicas() { [ "$(deployment '{.status.readyReplicas}')" = "$1" ]; }

start_catalog
flox --root "$LAPTOP_ROOT" import deb python3 --publish
make_ticket_environment
for version in 0.0.9 0.1.0; do
  build_ticket_processor $version
  publish_ticket_processor
done
for variant in avx2 avx512; do
  TICKET_VERSION=0.1.0 FLOX_TICKET_BUILD_DIR=$BUILD_DIR/bin flox --root "$LAPTOP_ROOT" build -d "$TICKET_ENV" ticket-processor-$variant
  flox --root "$LAPTOP_ROOT" publish -d "$TICKET_ENV" ticket-processor-$variant
done
INSTALL_OPTIONS="--default-runtime --namespace-environment ml-workloads=ticket-processor"
start_cluster 3
start_aws_at $CONTROL_PLANE
in_net ticket-generator --create-resources --visibility-timeout 15 --count 0
provide_storage
provide_identity

step "the guide's files, in the guide's order"
kubectl create namespace $NS
for file in runtime-class service-account model-cache-pvc ticket-processor-config ticket-processor-deployment; do
  [ $file != ticket-processor-deployment ] || wait_until 30 "the policy that stands in for a cloud's webhook" identity_works
  kubectl apply -f "$base/$file.yaml"
done
began=$SECONDS
wait_until 180 "three ready pods" ready_replicas 3
step "ready $((SECONDS - began)) s after kubectl apply, of which the guide's readiness delay is 20"
kubectl get pods -n $NS -o wide

step "tickets flow"
in_net ticket-generator --count $TICKETS --seed 7
wait_until 120 "$TICKETS enriched tickets" enriched_at_least $TICKETS
items=$(ticket_items)
equal "$(jq -r .ticket_id <<<"$items" | sort -u | wc -l)" $TICKETS
equal "$(wc -l <<<"$items")" $TICKETS

step "its Job fills the model cache; it names neither a runtime class nor an environment"
kubectl apply -f "$base/model-preloader-job.yaml"
wait_until 60 "the Job" kubectl wait -n $NS --for=condition=Complete job/model-preloader --timeout=1s
kubectl logs -n $NS job/model-preloader

step "kubectl scale, as the guide has it"
kubectl scale deployment ticket-processor -n $NS --replicas=5
wait_until 90 "five ready pods" ready_replicas 5

annotations_lead_prometheus() {
  # On the pods that run: in their template they would replace all five.
  mapfile -t annotations < <(sed -n 's|^ *\(prometheus.io/[a-z]*\): "\(.*\)"$|\1=\2|p' "$PROJECT/deploy/overlays/prometheus/annotations.yaml")
  kubectl annotate pods -n $NS -l app=ticket-processor "${annotations[@]}"
  # Debian's Prometheus is built without discovery in Kubernetes: what that would say of the pods comes from kubectl.
  sed 's|^  kubernetes_sd_configs:|  file_sd_configs:|; s|^  - role: pod|  - files: [pods.json]|; 1i global: {scrape_interval: 1s}' \
    "$PROJECT/deploy/monitoring/prometheus-scrape.yaml" >"$WORLD/prometheus.yaml"
  kubectl get pods -n $NS -l app=ticket-processor -o json | jq '[.items[] | {targets: [.status.podIP], labels: ({
    __meta_kubernetes_pod_ip: .status.podIP, __meta_kubernetes_namespace: .metadata.namespace, __meta_kubernetes_pod_name: .metadata.name,
    __meta_kubernetes_pod_container_init: "false"} + (.metadata.annotations
      | with_entries(.key |= "__meta_kubernetes_pod_annotation_" + gsub("[^A-Za-z0-9_]"; "_"))))}]' >"$WORLD/pods.json"
  start_server prometheus in_net "$PROMETHEUS/prometheus" --config.file="$WORLD/prometheus.yaml" --storage.tsdb.path="$WORLD/prometheus" --web.listen-address="$CONTROL_PLANE:9090"
  scraped() {
    in_net curl -fsS "http://$CONTROL_PLANE:9090/api/v1/query" --get --data-urlencode "query=ticket_build_info{job=\"annotated-pods\", namespace=\"$NS\"}" | jq -r '.data.result[].metric.pod' | sort
  }
  names_of_five() { kubectl get pods -n $NS -l app=ticket-processor -o 'jsonpath={range .items[*]}{.metadata.name}{"\n"}{end}' | sort; }
  all_scraped() { [ "$(scraped)" = "$(names_of_five)" ]; }
  wait_until 60 "each worker to be scraped" all_scraped
  stop_server prometheus
}
if [ -n "$PROMETHEUS" ]; then
  step "a Prometheus that looks for the guide's annotations scrapes each of them"
  annotations_lead_prometheus
else
  step "not tried: that a Prometheus finds each of them by the guide's annotations, for there is none"
fi
kubectl scale deployment ticket-processor -n $NS --replicas=3

step "the guide's rollback, and its undoing"
versions() { kubectl get pods -n $NS -l app=ticket-processor --field-selector=status.phase=Running -o name | while read -r pod; do kubectl logs -n $NS "$pod" | grep -o '"version":"[^"]*"' | sort -u; done | sort | uniq -c | tr -s ' '; }
all_run() { [ "$(versions)" = " 3 \"version\":\"$1\"" ]; }
# All three take as many times the guide's readiness delay; that is in guide/deployment.sh.
kubectl set env deployment/ticket-processor -n $NS FLOX_PACKAGE_VERSION=0.0.9
wait_until 60 "the first pod of 0.0.9" eval '[[ $(versions) == *0.0.9* ]]'
kubectl rollout undo deployment/ticket-processor -n $NS
wait_until 90 "three pods of 0.1.0 again" all_run 0.1.0

step "the variants run where the CPU is labelled for them, and nowhere else"
kubectl delete deployment ticket-processor -n $NS --wait=false
kubectl label node node-2 cpu.feature.node.kubernetes.io/AVX2=true
kubectl label node node-3 cpu.feature.node.kubernetes.io/AVX512=true
nodes_of() { kubectl get pods -n $NS -l app=ticket-processor,variant="$1" --field-selector=status.phase=Running -o 'jsonpath={range .items[*]}{.spec.nodeName}{"\n"}{end}' | sort -u; }
for variant in avx2 avx512; do
  # A pod asks for one core, and the node has two: the third replica stays pending.
  kubectl apply -k "$PROJECT/deploy/overlays/$variant" 2>/dev/null
done
variant_runs() { [ "$(jsonpath $NS "deployment/ticket-processor-$1" '{.status.readyReplicas}')" -ge 1 ]; }
# A label that is wrong: the worker says so, and does no ticket.
says_why() { grep -q 'built for .*, which this processor cannot run' <<<"$(kubectl logs -n $NS -l app=ticket-processor,variant="$1" --tail 5)"; }
for level in avx2:node-2 avx512:node-3; do
  if grep -qw "${level%:*}f\?" /proc/cpuinfo; then
    wait_until 120 "a ready pod of ${level%:*}" variant_runs "${level%:*}"
  else
    wait_until 120 "${level%:*} to say that this processor has not got it" says_why "${level%:*}"
  fi
  equal "$(nodes_of "${level%:*}")" "${level#*:}"
done

step "no image was pulled but the stubs, from the nodes themselves"
for n in 1 2 3; do
  foreign=$(on_node $n ctr -n k8s.io images ls -q | grep -vE '^(sha256:|ghcr.io/flox/flox|flox.dev/pause)' || true)
  [ -z "$foreign" ] || die "node-$n has images of others: $foreign"
done

step "all of it goes"
kubectl delete namespace $NS --timeout=90s
for n in 1 2 3; do
  wait_until 30 "the shims of node-$n to end" eval "[ -z \"\$(on_node $n ctr -n k8s.io task ls -q)\" ]"
done
