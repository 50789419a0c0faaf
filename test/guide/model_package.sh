#!/usr/bin/env bash
# The models as a package: prepared by "flox build", published, and installed beside ticket-processor. Pods of that
# environment have no volume, no preloader and no checkpoint; they map the weights from the node's store, where they are once.
# prepare: minilm-model bart-vocabulary
# ctest: COST 100
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/test/ticket/models.sh"
enter_world "$@"

step "the packages ticket-processor and ticket-models, published"
start_containerd
start_catalog
make_models "$WORLD/cache" "$WORLD"
flox --root "$LAPTOP_ROOT" import deb python3 --publish
TICKET_DEFAULTS='' make_ticket_environment
build_ticket_processor 0.1.0
publish_ticket_processor
MODEL_CACHE_DIR=$WORLD/cache FLOX_TICKET_BUILD_DIR=$BUILD_DIR/bin flox --root "$LAPTOP_ROOT" build -d "$TICKET_ENV" ticket-models
flox --root "$LAPTOP_ROOT" publish -d "$TICKET_ENV" ticket-models

step "an environment with both"
mkdir "$WORLD/tickets"
(
  cd "$WORLD/tickets"
  laptop init -n tickets
  laptop install ticket-processor ticket-models
  laptop push --owner acme
) >"$WORLD/logs/push.log" 2>&1 || { cat "$WORLD/logs/push.log" >&2; die "pushing failed"; }
rm -rf "$WORLD/cache" "$WORLD/made"

step "two pods of it are ready with prepared models from the store"
start_floxd
import_images
kube play - <<'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: flox}
handler: flox
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: tickets}
spec:
  replicas: 2
  selector: {matchLabels: {app: tickets}}
  template:
    metadata:
      labels: {app: tickets}
      annotations: {flox.dev/environment: acme/tickets}
    spec:
      runtimeClassName: flox
      securityContext: {runAsUser: 1000, runAsGroup: 1000}
      containers:
      - name: processor
        image: flox/empty:1.0.0
        command: [ticket-processor, --backend, "local:/tmp/tickets"]
        env: [{name: SQS_POLL_INTERVAL, value: "1"}]
YAML
pod_names() { kube ps --json | jq -r '.[] | select(.phase == "Running").name'; }
is_ready() { grep -q '"message":"ready"' <<<"$(kube logs "$1" 2>/dev/null)"; }
two_pods() { [ "$(pod_names | wc -l)" = 2 ]; }
wait_until 120 "two running pods" two_pods
mapfile -t pods < <(pod_names)
for pod in "${pods[@]}"; do
  wait_until 60 "$pod to be ready" is_ready "$pod"
  equal "$(kube logs "$pod" | jq -r 'select(.message == "model loaded") | .prepared' | xargs)" "true true true"
  equal "$(kube logs "$pod" | jq -r 'select(.message == "ready") | .missing_models | length')" 0
done

step "both map the same file of the store, and no weights besides"
mapped() {  # POD: device, inode and path of the weights that its process has mapped
  kube exec "$1" -- /bin/sh -c 'while read -r line; do case $line in *weights.prepared) set -- $line; echo "$2 $4 $5 $6" ;; esac; done </proc/1/maps' | sort
}
first=$(mapped "${pods[0]}") second=$(mapped "${pods[1]}")
equal "$(grep -c ' /nix/store/.*-ticket-models-.*/weights.prepared$' <<<"$first")" 3
equal "$first" "$second"
! grep -v '^r--s ' <<<"$first" || die "the weights are not shared read-only"

step "a ticket is enriched by all three models"
kube exec "${pods[0]}" -- /bin/sh -c 'echo "{\"ticket_id\":\"T-1\",\"subject\":\"Cannot login\",\"body\":\"Getting authentication error when trying to access my account\",\"created_at\":1,\"customer_id\":\"C\"}" >/tmp/t.json; ticket-processor enrich /tmp/t.json' 2>/dev/null |
  jq -e '.enrichment | (.embedding | length) == 384 and has("sentiment") and has("summary") and (has("missing_models") | not)' >/dev/null ||
  die "the ticket lacks something"

step "nothing is left after down"
kube down --all
[ -z "$(ctr -n k8s.io task ls -q)" ] || die "tasks are left: $(ctr -n k8s.io task ls)"
