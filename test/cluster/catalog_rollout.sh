#!/usr/bin/env bash
# The chart flox-catalog with PostgreSQL and S3, two pods on two nodes: under load, with a publisher at work, all pods are replaced and a
# node is drained, and no request fails. The disruption budget keeps one pod; when PostgreSQL is away the pods say so.
# prepare: kubernetes moto-venv
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/catalog_support.sh"
. "$PROJECT/test/catalog/backends.sh"
need_kubernetes
enter_world "$@"
[ -n "$PG_BIN" ] || { echo "PostgreSQL is not installed (script/bootstrap)"; exit 77; }

step "a cluster of two nodes; PostgreSQL over TLS and S3 beside it"
start_catalog
publish_flox_catalog
start_cluster 2
start_dns
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
export BACKEND=shared PG_LISTEN=$CONTROL_PLANE
backend_dir=$WORLD/backend
mkdir -p "$backend_dir"
as_postgres=(nsenter --net=/run/netns/world -- ${as_postgres[@]+"${as_postgres[@]}"})
make_postgres
make_certificate postgres /CN=postgres "IP:$CONTROL_PLANE"
install -m 600 "$WORLD/pki/postgres.key" "$backend_dir/pg/server.key"
cp "$WORLD/pki/postgres.crt" "$backend_dir/pg/server.crt"
[ "$(id -u)" != 0 ] || chown postgres "$backend_dir/pg/server.key"
sed -i 's/^host /hostssl /' "$backend_dir/hba"
tls=(-c ssl=on -c ssl_cert_file="$backend_dir/pg/server.crt" -c ssl_key_file="$backend_dir/pg/server.key")
start_postgres "${tls[@]}"
start_aws_at "$CONTROL_PLANE"
in_net curl -fs -o /dev/null -X PUT "$AWS_ENDPOINT_URL/bucket"
(umask 077; printf '[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" >"$WORLD/bucket-credentials")
prepare_catalog --from-file=database-password="$backend_dir/password" --from-file=bucket-credentials="$WORLD/bucket-credentials"

step "two pods, one on each node"
values=(--set backend=postgresql --set "trustedKeys={$CHART_KEY}" --set tls.secretName=catalog-tls --set authorities.configMap=authorities
  --set "database.url=postgresql://catalog@$CONTROL_PLANE:$pg_port/catalog" --set "bucket.url=s3://bucket/cache?region=us-east-1&endpoint=$AWS_ENDPOINT_URL"
  --set bucket.presign=never --set 'networkPolicy.fromCidrs={10.77.0.0/24}' --set "networkPolicy.database.cidrs={$CONTROL_PLANE/32}" --set "networkPolicy.bucket.cidrs={$CONTROL_PLANE/32}")
chart install --wait --timeout 5m >/dev/null
in_net helm test -n "$NAMESPACE" flox-catalog --timeout 2m >/dev/null || die "helm test failed: $(kubectl logs -n "$NAMESPACE" flox-catalog-ready)"
equal "$(catalog_pods '{.items[*].spec.nodeName}' | xargs -n1 | sort | xargs)" "node-1 node-2"
name_on_node 1
for address in $(catalog_pods '{.items[*].status.podIP}'); do in_net curl -fsk "https://$address:8590/api/v1/trust/online-key" | jq -r .public_key; done >"$WORLD/online-keys"
equal "$(sort -u "$WORLD/online-keys" | wc -l) $(wc -l <"$WORLD/online-keys")" "1 2"

# What the load met, before what the cluster says.
eval "cluster_$(declare -f show_trouble)"
show_trouble() { jq -c . "$WORLD/result" >&2 || true; tail -n 4 "$WORLD"/logs/{publisher,load}.log >&2 || true; cluster_show_trouble; }

step "load: resolving, narinfos, NARs, and a publisher that does not stop"
head -c 3M /dev/urandom >"$WORLD/file"
path=$(flox --root "$LAPTOP_ROOT" store add --name file "$WORLD/file")
as_publisher publish --store-path "$path" --name file --version 1.0 2>"$WORLD/logs/publish-file.log" || die "$(cat "$WORLD/logs/publish-file.log")"
hash=${path#/nix/store/}
narinfo=/cache/${hash%%-*}.narinfo
nar=/cache/$(ask_chart -f "$narinfo" | sed -n 's/^URL: //p')
jq -n --arg narinfo "$narinfo" --arg nar "$nar" --arg hash "$(ask_chart -f "$nar" | sha256sum | cut -d' ' -f1)" \
  '{$narinfo, $nar, nar_sha256: $hash, resolve: {items: [{descriptors: [{attr_path: "file", systems: ["x86_64-linux"]}]}]}}' >"$WORLD/load.json"
enter_node 1
start_server load "${enter[@]}" python3 "$PROJECT/test/cluster/catalog_load.py" https://flox-catalog:8590 "$WORLD/pki/ca.crt" "$WORLD/load.json" "$WORLD/stop" "$WORLD/result"
# Each version is a path of its own, as a build makes it; flox does what it does everywhere.
publisher() {
  local number=0 made
  until [ -e "$WORLD/stop" ]; do
    number=$((number + 1))
    echo "version $number" >"$WORLD/text"
    made=$(flox --root "$LAPTOP_ROOT" store add --name "text-$number" "$WORLD/text")
    if as_publisher publish --store-path "$made" --name text --version "1.$number"; then echo "1.$number" >>"$WORLD/published"; else echo "1.$number" >>"$WORLD/unpublished"; fi
  done
}
: >"$WORLD/published"
publisher >"$WORLD/logs/publisher.log" 2>&1 &
publishing=$!
answered() { jq -e --argjson least "$1" '[.[] | .answered] | length == 7 and min >= $least' "$WORLD/result"; }
published() { [ "$(wc -l <"$WORLD/published")" -ge "$1" ]; }
# more: what was answered so far; goes_on: every kind of client has had answers since.
more() { cp "$WORLD/result" "$WORLD/result-before"; wc -l <"$WORLD/published" >"$WORLD/published-before"; }
goes_on() { jq -se '(.[0] | keys) as $kinds | .[0] as $before | .[1] as $now | all($kinds[]; $now[.].answered > $before[.].answered)' "$WORLD/result-before" "$WORLD/result" && published $(($(cat "$WORLD/published-before") + 1)); }
no_failure() { equal "$(jq -c 'map_values(.failures) | map_values(select(length > 0))' "$WORLD/result")" '{}'; [ ! -e "$WORLD/unpublished" ] || die "versions were not published: $(tail -5 "$WORLD/logs/publisher.log")"; }
wait_until 60 "the load" answered 2
wait_until 60 "the publisher" published 2

step "every pod is replaced"
before=$(catalog_pods)
more
kubectl rollout restart -n "$NAMESPACE" deployment/flox-catalog >/dev/null
kubectl rollout status -n "$NAMESPACE" deployment/flox-catalog --timeout=5m >/dev/null
gone() { for pod in "$@"; do kubectl get pod -n "$NAMESPACE" "$pod" >/dev/null 2>&1 && return 1; done; true; }
wait_until 120 "the old pods to end" gone $before
wait_until 60 "the load to go on" goes_on
no_failure

step "a node is drained, and comes back"
more
kubectl drain node-2 --ignore-daemonsets --delete-emptydir-data --timeout=4m >/dev/null 2>"$WORLD/logs/drain.log" || die "$(cat "$WORLD/logs/drain.log")"
kubectl rollout status -n "$NAMESPACE" deployment/flox-catalog --timeout=3m >/dev/null
equal "$(catalog_pods '{.items[*].spec.nodeName}')" "node-1 node-1"
wait_until 60 "the load to go on" goes_on
no_failure
kubectl uncordon node-2 >/dev/null

step "not one request failed, and what was published is there"
touch "$WORLD/stop"
wait $publishing
wait "$(cat "$WORLD/load.pid")" || die "the load ended badly: $(tail -3 "$WORLD/logs/load.log")"
no_failure
jq -r 'to_entries[] | "\(.key): \(.value.answered) answered by \(.value.connections) connections"' "$WORLD/result"
echo "$(wc -l <"$WORLD/published") versions published"
equal "$(jq '[.[] | .answered] | min > 3' "$WORLD/result")" true
diff <(sort "$WORLD/published") <(ask_chart -f /api/v1/catalog/packages/text | jq -r '.items[].version' | sort) || die "not what was published"

step "of two pods the budget keeps one"
kubectl cordon node-1 >/dev/null && kubectl cordon node-2 >/dev/null  # what is evicted has no place to go to
read -r first second <<<"$(catalog_pods)"
evict() { kubectl create --raw "/api/v1/namespaces/$NAMESPACE/pods/$1/eviction" -f - <<<"{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"name\":\"$1\",\"namespace\":\"$NAMESPACE\"}}"; }
evict "$first" >/dev/null
refused "disruption budget" evict "$second"
wait_until 120 "the evicted pod to end" gone "$first"
refused "disruption budget" evict "$second"
ask_chart -f -o /dev/null "$nar"
kubectl uncordon node-1 >/dev/null && kubectl uncordon node-2 >/dev/null
kubectl rollout status -n "$NAMESPACE" deployment/flox-catalog --timeout=3m >/dev/null

step "PostgreSQL is away: the pods say what is missing, and are there again without help"
stop_postgres
unready() { [ "$(jsonpath "$NAMESPACE" deployment/flox-catalog '{.status.readyReplicas}')" = "" ]; }
wait_until 60 "the pods to be unready" unready
pod=$(catalog_pods '{.items[0].metadata.name}')
contains "$(kubectl logs -n "$NAMESPACE" "$pod")" "not ready: database: "
address=$(catalog_pods '{.items[0].status.podIP}')
contains "$(in_net curl -sk "https://$address:8590/metrics")" 'flox_catalog_ready{part="database"} 0'
equal "$(jsonpath "$NAMESPACE" "pod/$pod" '{.status.containerStatuses[0].restartCount}')" 0
start_postgres "${tls[@]}"
kubectl rollout status -n "$NAMESPACE" deployment/flox-catalog --timeout=3m >/dev/null
wait_until 30 "the Service to answer" ask_chart -f -o /dev/null "$nar"
