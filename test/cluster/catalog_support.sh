# What the tests of the chart flox-catalog share, on top of support.sh. Sourced, never run.
#
#   publish_flox_catalog      the package that the chart runs, in the world's own catalog: the nodes' first one
#   prepare_catalog           the namespace packages, in which only what is confined may run, and Secrets for the chart; $CHART_TOKEN
#   chart COMMAND [OPTION…]   helm COMMAND of the chart, with $values
#   ask_chart [CURL…] PATH    asks the Service, from node-1, by its name
NAMESPACE=packages
CHART=$PROJECT/deploy/charts/flox-catalog

publish_flox_catalog() {
  mkdir -p "$WORLD/flox-catalog"
  cp -r "$PROJECT/deploy/catalog/.flox" "$WORLD/flox-catalog/"
  (
    export FLOX_CATALOG_BUILD_DIR=$BUILD_DIR/bin
    flox --root "$LAPTOP_ROOT" build -d "$WORLD/flox-catalog" --quiet
    flox --root "$LAPTOP_ROOT" publish -d "$WORLD/flox-catalog"
  ) >"$WORLD/logs/flox-catalog-package.log" 2>&1 || { cat "$WORLD/logs/flox-catalog-package.log" >&2; die "publishing flox-catalog failed"; }
}

prepare_catalog() {
  (umask 077; openssl rand -hex 24 >"$WORLD/chart-token")
  CHART_TOKEN=$(cat "$WORLD/chart-token")
  flox store keygen catalog --out "$WORLD/online.key" >/dev/null
  CHART_KEY=$(flox store keygen chart-1 --out "$WORLD/chart-1.key")
  kubectl create namespace "$NAMESPACE" >/dev/null
  kubectl label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=restricted >/dev/null
  make_certificate catalog /CN=flox-catalog "DNS:flox-catalog,DNS:flox-catalog.$NAMESPACE"
  kubectl create -n "$NAMESPACE" secret tls catalog-tls --cert "$WORLD/pki/catalog.crt" --key "$WORLD/pki/catalog.key" >/dev/null
  kubectl create -n "$NAMESPACE" configmap authorities --from-file=ca.crt="$WORLD/pki/ca.crt" >/dev/null
  kubectl create -n "$NAMESPACE" secret generic flox-catalog --from-file=token="$WORLD/chart-token" --from-file=online.key="$WORLD/online.key" "$@" >/dev/null
}

chart() { in_net helm "$1" flox-catalog "$CHART" -n "$NAMESPACE" "${values[@]}" "${@:2}"; }
# name_on_node N: the Service's name, as an administrator gives it to nodes, which do not ask the cluster's DNS.
name_on_node() { echo "$(jsonpath "$NAMESPACE" service/flox-catalog '{.spec.clusterIP}') flox-catalog" | on_node "$1" sh -c 'cat >>/etc/hosts'; }
ask_chart() { on_node 1 curl -sS -m 60 --cacert "$WORLD/pki/ca.crt" "${@:1:$#-1}" "https://flox-catalog:8590${*: -1}"; }
catalog_pods() { kubectl get pods -n "$NAMESPACE" -l app.kubernetes.io/name=flox-catalog -o "jsonpath=${1:-{.items[*].metadata.name\}}"; }
# as_publisher COMMAND…: flox on node-1, as who publishes to the chart's catalog.
as_publisher() {
  on_node 1 env HOME="$WORLD/home" FLOX_CATALOG_URL=https://flox-catalog:8590 FLOX_CATALOG_TOKEN_FILE="$WORLD/chart-token" SSL_CERT_FILE="$WORLD/pki/ca.crt" \
    FLOX_SIGNING_PRIVATE_KEY="$WORLD/chart-1.key" FLOX_TRUSTED_KEYS="$CHART_KEY" FLOX_ALLOW_UNSIGNED="$FLOX_ALLOW_UNSIGNED" "$BUILD_DIR/bin/flox" --root "$LAPTOP_ROOT" "$@"
}
