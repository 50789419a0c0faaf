#!/usr/bin/env bash
# The guide on a real cluster of three nodes that flox node install has set up: its files, as they stand there and in its
# order, reach the state that it shows; tickets flow; it scales, rolls back, and its Job runs. Nothing is pulled.
. "$(dirname "$0")/support.sh"
need_kubernetes
[ -n "${FLOX_WORLD_ENTERED:-}" ] || "$PROJECT/script/moto-venv" >/dev/null || { echo "moto's server cannot be installed from PyPI"; exit 77; }
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
start_cluster 3
start_aws_at $CONTROL_PLANE
in_net ticket-generator --create-resources --visibility-timeout 15 --count 0
provide_storage
provide_identity

step "the guide's files, in the guide's order"
kubectl create namespace $NS
for file in runtime-class service-account model-cache-pvc ticket-processor-config ticket-processor-deployment; do
  kubectl apply -f "$base/$file.yaml"
done
began=$SECONDS
wait_until 180 "three ready pods" ready_replicas 3
step "ready $((SECONDS - began)) s after kubectl apply, of which the guide's readiness delay is 20"
kubectl get pods -n $NS -o wide

step "tickets flow"
in_net ticket-generator --count $TICKETS --seed 7
wait_until 120 "$TICKETS enriched tickets" enriched_at_least $TICKETS
