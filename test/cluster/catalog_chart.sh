#!/usr/bin/env bash
# The chart flox-catalog with SQLite on one node: values that do not fit are refused, the API server takes every object, the catalog
# runs without an image and without rights, its secrets are files that only it can read, and a deleted pod comes back with its data.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/catalog_support.sh"
need_kubernetes
enter_world "$@"

step "templates: linted; what is misspelt, missing or secret is refused"
cmp "$PROJECT"/deploy/charts/flox{,-catalog}/templates/_helpers.tpl || die "the charts' helpers differ"
sqlite=(--set 'trustedKeys={acme-1:abc= web-*}' --set 'networkPolicy.fromCidrs={10.77.0.0/24}')
shared=(--set backend=postgresql --set database.url=postgresql://catalog@db.acme.example/catalog --set 'bucket.url=s3://acme?region=eu-central-1'
  --set 'networkPolicy.database.cidrs={10.77.0.1/32}' --set 'networkPolicy.bucket.namespaces={minio}')
whole=(--set tls.secretName=catalog-tls --set authorities.configMap=authorities --set publicUrl=https://packages.acme.example
  --set 'networkPolicy.fromNamespaces={ci}' --set 'networkPolicy.issuer.cidrs={203.0.113.0/24}' --set 'options={--max-store-bytes=500G}')
image=(--set environment= --set image.name=registry.acme.example/flox-catalog:1 --set image.digest="sha256:$(printf '%064d' 7)")
monitored=(--set monitoring.serviceMonitor=true --set monitoring.alerts=true --set monitoring.labels.release=prometheus)
templates() { in_net helm template flox-catalog "$CHART" -n "$NAMESPACE" "$@"; }
values=()
in_net helm lint --strict --quiet "$CHART" "${sqlite[@]}"
in_net helm lint --strict --quiet "$CHART" "${sqlite[@]}" "${shared[@]}" "${whole[@]}" "${monitored[@]}"
nodes() { in_net helm "$1" "${@:2}" "$PROJECT/deploy/charts/flox" -n flox-system --set catalogUrl=http://c --set trustedKey=k --set trustedRoot=r --set image.allowTag=true; }
sharing=(--set peers.service=true --set peers.resolver=10.96.0.10:53 --set 'peers.closedTo.namespaces={web}' --set 'peers.closedTo.nodeNetworks={10.0.0.0/24}')
nodes lint --strict --quiet
nodes lint --strict --quiet "${sharing[@]}"
equal "$(nodes template flox | grep -ci peer)" 0
contains "$(nodes template flox "${sharing[@]}")" 'name: FLOX_PEERS, value: "flox-peers.flox-system.svc.cluster.local:9810"'
refused "peers.closedTo.nodeNetworks says where the nodes are" nodes template flox "${sharing[@]}" --set 'peers.closedTo.nodeNetworks=null'
refused "peers.resolver says which DNS server" nodes template flox --set peers.service=true
refused "'replica' not allowed" templates "${sqlite[@]}" --set replica=3
refused "'/database/url'" templates "${sqlite[@]}" "${shared[@]}" --set database.url=postgresql://catalog:sesame@db/catalog
refused "trustedKeys says whose signatures" templates
refused "networkPolicy lets nobody connect" templates --set 'trustedKeys={acme-1:abc=}'
refused "bucket.url says where the files are" templates "${sqlite[@]}" "${shared[@]}" --set bucket.url=
refused "networkPolicy.database says where it is" templates "${sqlite[@]}" "${shared[@]}" --set networkPolicy.database.cidrs=null
refused "image.name has flox-catalog" templates "${sqlite[@]}" --set environment=
refused "image.digest pins" templates "${sqlite[@]}" "${image[@]}" --set image.digest=
refused "'catalogURL' not allowed" in_net helm template flox "$PROJECT/deploy/charts/flox" --set catalogURL=http://c
equal "$(templates "${sqlite[@]}" | grep -c 'kind: PodDisruptionBudget')" 0  # it would keep the node of the only pod from being drained

step "the alerts use metrics that the catalog has"
named=$(templates "${sqlite[@]}" "${shared[@]}" "${monitored[@]}" | grep 'expr:' | grep -o 'flox_[a-z_]*' | sort -u)
[ "$(wc -l <<<"$named")" -ge 4 ] || die "no alerts were made"
for metric in $named; do grep -qF "| \`$metric\` |" "$PROJECT/docs/reference/metrics.md" || die "an alert is of $metric, which docs/reference/metrics.md lacks"; done

step "a cluster of one node, whose first catalog has flox-catalog as a package"
start_catalog
publish_flox_catalog
start_cluster 1
start_dns
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
prepare_catalog

step "the API server takes every object, as it stands in a namespace where nothing may have rights"
# NetworkPolicies are checked here and not enforced: the cluster's network plugin (bridge) does not know them.
for case in sqlite "sqlite shared" "sqlite shared whole" "sqlite whole" "sqlite image"; do
  options=()
  for part in $case; do declare -n set=$part; options+=("${set[@]}"); done
  templates "${options[@]}" >"$WORLD/objects.yaml"
  kubectl apply -n "$NAMESPACE" --dry-run=server --warnings-as-errors -f "$WORLD/objects.yaml" >"$WORLD/applied"
  grep -q '^networkpolicy.networking.k8s.io/flox-catalog created' "$WORLD/applied" || die "$case: no NetworkPolicy: $(cat "$WORLD/applied")"
done

step "SQLite on a volume, as an imageless pod"
mkdir -p "$WORLD/volume"
chown 65532:65532 "$WORLD/volume"
kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: PersistentVolume
metadata: { name: catalog }
spec:
  storageClassName: local
  persistentVolumeReclaimPolicy: Retain
  capacity: { storage: 20Gi }
  accessModes: [ReadWriteOnce]
  hostPath: { path: "$WORLD/volume" }
YAML
values=(--set "trustedKeys={$CHART_KEY}" --set tls.secretName=catalog-tls --set persistence.storageClass=local --set 'networkPolicy.fromCidrs={10.77.0.0/24}')
chart install --wait --timeout 3m >"$WORLD/notes"
contains "$(cat "$WORLD/notes")" "https://flox-catalog.$NAMESPACE:8590"
in_net helm test -n "$NAMESPACE" flox-catalog --timeout 2m >/dev/null || die "helm test failed: $(kubectl logs -n "$NAMESPACE" flox-catalog-ready)"
contains "$(kubectl logs -n "$NAMESPACE" flox-catalog-ready)" "https://flox-catalog:8590 is ready"
name_on_node 1
pod=$(catalog_pods)
# in_pod COMMAND…: with what the pod has.
in_pod() { kubectl exec -n "$NAMESPACE" "$pod" -- "$@"; }
contains "$(in_pod readlink /proc/1/exe)" "-flox-catalog-"
equal "$(in_pod id -u)" 65532
refused "Read-only file system" in_pod touch /file
equal "$(in_pod sh -c 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" /proc/1/status | cut -f2 | xargs')" "0000000000000000 1 2"
equal "$(in_pod sh -c 'ls /var/run/secrets/kubernetes.io 2>/dev/null | wc -l')" 0

step "secrets are files that only it can read, and stand nowhere else"
equal "$(in_pod sh -c 'stat -Lc "%a %u %g" /run/flox-catalog/*' | sort -u)" "440 0 65532"
for text in "$CHART_TOKEN" "$(cut -d: -f2 "$WORLD/online.key")"; do
  if in_pod cat /proc/1/cmdline /proc/1/environ | grepq -aF "$text"; then die "a secret stands in the command line or the environment"; fi
  if kubectl get -n "$NAMESPACE" pod,deployment,configmap -o json | grepq -F "$text"; then die "a secret stands in an object that is none"; fi
  if kubectl logs -n "$NAMESPACE" "$pod" | grepq -F "$text"; then die "a secret stands in the log"; fi
done

step "published, and there again after the pod was deleted"
head -c 100000 /dev/urandom >"$WORLD/file"
path=$(flox --root "$LAPTOP_ROOT" store add --name file "$WORLD/file")
as_publisher publish --store-path "$path" --name file --version 1.0 2>"$WORLD/logs/publish-file.log" || die "$(cat "$WORLD/logs/publish-file.log")"
key=$(ask_chart /api/v1/trust/online-key)
kubectl delete pod -n "$NAMESPACE" "$pod" --timeout=60s >/dev/null
kubectl rollout status -n "$NAMESPACE" deployment/flox-catalog --timeout=90s >/dev/null
wait_until 20 "the Service to lead to the new pod" ask_chart -f /readyz
[ "$(catalog_pods)" != "$pod" ] || die "it is the same pod"
equal "$(ask_chart -f /api/v1/catalog/packages/file | jq -r '.items[0].version')" 1.0
equal "$(ask_chart /api/v1/trust/online-key)" "$key"
hash=${path#/nix/store/}
nar=$(ask_chart -f "/cache/${hash%%-*}.narinfo" | sed -n 's/^URL: //p')
[ -n "$nar" ] || die "the narinfo is lost"
ask_chart -f -o /dev/null "/cache/$nar"

step "upgraded, it is replaced, not doubled; uninstalled, its data stay"
chart upgrade --wait --timeout 3m --set memoryLimit=300Mi >/dev/null
equal "$(catalog_pods '{.items[*].spec.containers[0].resources.limits.memory}')" 300Mi
in_net helm uninstall -n "$NAMESPACE" flox-catalog --wait >/dev/null 2>&1
equal "$(jsonpath "$NAMESPACE" persistentvolumeclaim/flox-catalog '{.status.phase}')" Bound
[ -s "$WORLD/volume/catalog.sqlite" ] || die "the data are gone"
