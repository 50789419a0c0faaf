# A private world on this machine: own mount and process namespaces with a containerd, a catalog, a floxd and an
# AWS-compatible endpoint that all end with the script. containerd, the pods and the endpoint live in a network
# namespace of their own (the node); the catalog, floxd and the developer's commands stay on this machine's loopback,
# because importing a Debian package may have to download it. Used by script/demo and by the behaviour tests.
# Sourced after lib.sh, never run.
#
#   enter_world "$@"     first: runs the script again inside the namespaces; returns there, in an empty $WORLD
#   in_net COMMAND…      runs a command in the node's network
#   start_containerd     $CONTAINERD_ADDRESS; handlers runc and flox; images of the node imported by import_images.
#                        Debian's containerd, or the 2.x one in the directory $FLOX_TEST_CONTAINERD (script/containerd2)
#   start_catalog        $CATALOG_URL, signing key $KEY_FILE, public key $PUBLIC_KEY; a further publisher's public key may stand in $OTHER_KEY,
#                        further options of flox-catalog in the list CATALOG_OPTIONS.
#                        What is published is signed for the owner demo, whom laptop and node trust; with
#                        FLOX_ALLOW_UNSIGNED=true nobody signs metadata and nobody asks for it
#   restart_catalog      the same, at the same address, after stop_server catalog
#   sign_for OWNER       what is published from now on is signed for this owner, who is new
#   start_floxd          store root $NODE_ROOT; catalog and key as above
#   start_aws            $AWS_ENDPOINT_URL (moto's server), reachable from pods
#
# Everything is below $WORLD: root directories of a laptop ($LAPTOP_ROOT) and a node ($NODE_ROOT), logs/.

. "$PROJECT/script/containerd-config.sh"
POD_GATEWAY=10.88.0.1  # the bridge's own address: how pods reach the host's services

enter_world() {
  if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
    need_root
    WORLD=$(mktemp -d "${TMPDIR:-/tmp}/flox-world-XXXXXX")
    chmod 755 "$WORLD"
    export WORLD FLOX_WORLD_ENTERED=1
    local code=0
    # A signal to the script must not leave the world behind: killing unshare kills the world's first process
    # and with it all the others.
    run_world "$@" &
    local runner=$!
    if [ -n "${KEEP_WORLD:-}" ]; then
      while kill -0 $runner 2>/dev/null && [ ! -e "$WORLD/kept" ]; do sleep 0.2; done
      if [ -e "$WORLD/kept" ]; then
        disown $runner
        printf '%s\n' "Still running. Look around with:  $WORLD/enter" "End it with:                 kill $(cat "$WORLD/init-pid")"
        exit 0
      fi
    fi
    # The world's first process ignores what it does not handle; the kernel ends all the others with it.
    trap 'kill -KILL "$(cat "$WORLD/init-pid" 2>/dev/null)" 2>/dev/null || true' INT TERM
    while kill -0 $runner 2>/dev/null; do wait $runner || code=$?; done
    exit $code
  fi
  mount --make-rprivate /
  mount -t tmpfs -o mode=755 tmpfs /run  # containerd's shims, runc and CNI keep their state below /run
  mkdir -p /run/lock
  ip netns add world
  in_net ip link set lo up
  export LAPTOP_ROOT=$WORLD/laptop NODE_ROOT=$WORLD/node
  export CGROUP_PARENT=/flox-world-${WORLD##*-}
  export FLOX_KUBE_STATE=$WORLD/kube FLOX_KUBE_CGROUP_PARENT=$CGROUP_PARENT
  mkdir -p "$LAPTOP_ROOT" "$NODE_ROOT" "$WORLD/logs"
  # Downloads (Debian packages, moto) are kept between runs; everything else of a home is private.
  export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
  export HOME=$WORLD/home
  mkdir -p "$HOME"
}

# Runs the script as the first process of its own namespaces, and cleans up when it has ended, however it ended.
run_world() {
  local code=0 child
  trap '' HUP INT
  trap 'kill -TERM $child 2>/dev/null' TERM
  unshare --mount --pid --fork --kill-child --mount-proc -- "$0" "$@" &
  child=$!
  until pgrep -P $child >"$WORLD/init-pid" 2>/dev/null || ! kill -0 $child 2>/dev/null; do :; done
  while kill -0 $child 2>/dev/null; do wait $child || code=$?; done
  remove_world
  return $code
}

# Not `ip netns exec`: that remounts /sys, and the cgroups would be gone.
in_net() { nsenter --net=/run/netns/world -- "$@"; }

# cgroup_directories PATH: where a cgroup is: one directory on v2, one a hierarchy on v1.
cgroup_directories() { find /sys/fs/cgroup"$1" /sys/fs/cgroup/*"$1" -maxdepth 0 -type d 2>/dev/null || true; }

# The namespaces are gone, and with them every process and mount. What the kernel keeps is the cgroups.
remove_world() {
  local path
  for path in $(cgroup_directories "/flox-world-${WORLD##*-}"); do
    find "$path" -depth -type d -exec rmdir {} + 2>/dev/null
  done
  rm -rf --one-file-system "$WORLD"
}

# What a person would look at first when something does not come (wait_until).
show_trouble() {
  local log pod
  [ ! -d "${FLOX_KUBE_STATE:-}" ] || { kube ps; for pod in $(kube ps --json | jq -r '.[].name'); do kube describe "$pod" | tail -25; kube logs "$pod" --tail 10; done; } >&2 || true
  for log in "${WORLD:-}"/logs/*.log "${FLOX_KUBE_STATE:-}"/*.log; do [ -s "$log" ] && { echo "== $log"; tail -8 "$log"; } >&2; done
  true
}

# start_server NAME COMMAND…: runs a server in the background, its output in logs/NAME.log, its pid in NAME.pid.
start_server() {
  local name=$1
  shift
  # Executed, not called: the pid is to be the server's own, not that of a shell around it.
  if [ "$1" = in_net ]; then
    shift
    set -- nsenter --net=/run/netns/world -- "$@"
  fi
  (exec "$@") >"$WORLD/logs/$name.log" 2>&1 </dev/null &
  echo $! >"$WORLD/$name.pid"
}
stop_server() {
  local pid
  pid=$(cat "$WORLD/$1.pid" 2>/dev/null) || return 0
  kill -TERM "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  rm -f "$WORLD/$1.pid"
}

start_containerd() {
  local dir=$WORLD/containerd
  mkdir -p "$dir/state" "$WORLD/cni"
  mountpoint -q "$dir/state" || mount -t tmpfs -o mode=711 tmpfs "$dir/state"  # as /run/containerd is
  export CONTAINERD_ADDRESS=$dir/containerd.sock
  export FLOX_NODE_SOCKET=$WORLD/run/node.sock  # the shim inherits containerd's environment
  cat >"$WORLD/cni/10-flox.conflist" <<JSON
{ "cniVersion": "1.0.0", "name": "flox", "plugins": [
  { "type": "bridge", "bridge": "flox0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "$WORLD/cni-state", "ranges": [[{ "subnet": "10.88.0.0/16", "gateway": "$POD_GATEWAY" }]],
              "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
JSON
  if [ -n "${FLOX_TEST_CONTAINERD:-}" ]; then
    export PATH="$FLOX_TEST_CONTAINERD:$PATH"  # containerd, ctr and containerd-shim-runc-v2 of one release
    export CONTAINERD_SUPPRESS_DEPRECATION_WARNINGS=1  # ctr would mix them with what containers say
    containerd_config_3 "$dir" >"$dir/config.toml"
  else
    containerd_config_2 "$dir" >"$dir/config.toml"
  fi
  start_server containerd in_net containerd --config "$dir/config.toml"
  wait_until 20 "containerd to answer" ctr version
}

# The node's three stub images; no registry is asked for anything.
import_images() {
  flox node images --pause "$BUILD_DIR/bin/flox-pause" --output "$WORLD/images.tar" >&2
  ctr -n k8s.io images import "$WORLD/images.tar" >"$WORLD/logs/images.log" 2>&1 ||
    { cat "$WORLD/logs/images.log" >&2; die "containerd refused the stub images"; }
}

start_catalog() {
  mkdir -p "$WORLD/catalog"
  KEY_FILE=$WORLD/signing.key
  PUBLIC_KEY=$(flox store keygen demo-1 --out "$KEY_FILE")
  (umask 077 && head -c 24 /dev/urandom | base64 >"$WORLD/token")
  serve_catalog_at 127.0.0.1:0
  wait_until 10 "flox-catalog to listen" test -s "$WORLD/catalog.port"
  CATALOG_URL=http://127.0.0.1:$(cat "$WORLD/catalog.port")
  export KEY_FILE PUBLIC_KEY CATALOG_URL
  export FLOX_CATALOG_URL=$CATALOG_URL FLOX_SIGNING_PRIVATE_KEY=$KEY_FILE FLOX_TRUSTED_KEYS=$PUBLIC_KEY
  FLOX_CATALOG_TOKEN=$(cat "$WORLD/token")
  export FLOX_CATALOG_TOKEN
  wait_until 10 "flox-catalog to be ready" curl -fs "$CATALOG_URL/readyz"
  export FLOX_TRUST_DIR=$WORLD/trust FLOX_TRUST_STATE_DIR=$WORLD/trust-state
  [ "${FLOX_ALLOW_UNSIGNED:-}" = true ] || sign_for demo
}
serve_catalog_at() {  # ADDRESS [OPTION of flox-catalog…]
  start_server catalog flox-catalog --listen "$1" --data "$WORLD/catalog" ${CATALOG_OPTIONS[@]+"${CATALOG_OPTIONS[@]}"} --token-file "$WORLD/token" --trusted-key "$PUBLIC_KEY" ${OTHER_KEY:+--trusted-key "$OTHER_KEY"} --port-file "$WORLD/catalog.port" "${@:2}"
}
restart_catalog() {  # [OPTION of flox-catalog…]
  serve_catalog_at "${CATALOG_URL#http://}" "$@"
  wait_until 10 "flox-catalog to be ready again" curl -fs "$CATALOG_URL/readyz"
}
sign_for() {
  flox trust init "$1" >"$WORLD/$1.fingerprint" 2>"$WORLD/logs/trust-$1.log" || { cat "$WORLD/logs/trust-$1.log" >&2; die "flox trust init $1 failed"; }
  flox trust publish "$1" 2>>"$WORLD/logs/trust-$1.log" || { cat "$WORLD/logs/trust-$1.log" >&2; die "flox trust publish $1 failed"; }
  export FLOX_OWNER=$1
}

start_floxd() {
  mkdir -p "$WORLD/run/pod"
  # The runtime closure (sh, pgrep, flox, …) is made once a node; floxd finds it by its GC root.
  [ -e "$NODE_ROOT/nix/var/nix/gcroots/flox-runtime" ] || [ -L "$NODE_ROOT/nix/var/nix/gcroots/flox-runtime" ] ||
    flox --root "$NODE_ROOT" node runtime >"$WORLD/logs/runtime.log"
  # On the machine's loopback, which several worlds share: a port of its own, below those that the kernel gives out.
  METRICS_ADDRESS=127.0.0.1:$((20000 + RANDOM % 10000))
  export FLOX_METRICS_ADDRESS=$METRICS_ADDRESS
  start_server floxd floxd --root "$NODE_ROOT" --node-socket "$FLOX_NODE_SOCKET" --pod-socket-dir "$WORLD/run/pod" \
    --catalog-url "$CATALOG_URL" --trusted-key "$PUBLIC_KEY" --trust-state-dir "$WORLD/node-trust-state" --metrics "$METRICS_ADDRESS" --registry ""
  wait_until 20 "floxd to be ready" curl -fs "http://$METRICS_ADDRESS/readyz"
}

start_aws() {
  # The CNI plugin makes the bridge with the first pod; moto must be reachable under its address before.
  in_net ip link add flox0 type bridge
  in_net ip addr add $POD_GATEWAY/16 dev flox0
  in_net ip link set flox0 up
  start_aws_at $POD_GATEWAY
}
start_aws_at() {  # ADDRESS in the world's network
  export AWS_ENDPOINT_URL=http://$1:5566 AWS_ACCESS_KEY_ID=demo AWS_SECRET_ACCESS_KEY=demo AWS_REGION=us-east-1
  local python
  python=$("$PROJECT/script/moto-venv")/bin/python
  start_server aws in_net "$python" "$PROJECT/test/ticket/moto_server.py" -H 0.0.0.0 -p 5566
  wait_until 60 "moto's server to answer" in_net curl -fs "$AWS_ENDPOINT_URL/moto-api/data.json"
}

# kube ARGUMENTS…: flox kube with this world's containerd and state.
kube() { in_net flox kube "$@"; }

# The build environment of the workload, as a copy: a build leaves its results beside the manifest.
make_ticket_environment() {
  TICKET_ENV=$WORLD/ticket
  mkdir -p "$TICKET_ENV"
  cp -r "$PROJECT/workload/ticket/.flox" "$PROJECT/workload/ticket/python" "$TICKET_ENV/"
  # This world has no models and no Hub to get them from; its packages say so, and the guide's files stay as they are.
  export TICKET_DEFAULTS=${TICKET_DEFAULTS-$'TICKET_ALLOW_MISSING_MODELS=true\nHF_HUB_OFFLINE=1'}
}
build_ticket_processor() {  # VERSION
  TICKET_VERSION=$1 FLOX_TICKET_BUILD_DIR=$BUILD_DIR/bin flox --root "$LAPTOP_ROOT" build -d "$TICKET_ENV" ticket-processor
}
publish_ticket_processor() { flox --root "$LAPTOP_ROOT" publish -d "$TICKET_ENV" ticket-processor; }

# aws_call SERVICE TARGET JSON: one call of a JSON protocol. moto checks no signature, but routes by its scope.
aws_call() {
  in_net curl -fsS "$AWS_ENDPOINT_URL/" -H "X-Amz-Target: $2" -H 'Content-Type: application/x-amz-json-1.0' \
    -H "Authorization: AWS4-HMAC-SHA256 Credential=demo/20260101/us-east-1/$1/aws4_request, SignedHeaders=host, Signature=0" -d "$3"
}
# Every item of the tickets table, one JSON object a line: {"ticket_id": …, …}.
ticket_items() {
  local start='' page
  while :; do
    page=$(aws_call dynamodb DynamoDB_20120810.Scan "{\"TableName\":\"tickets\"$start}") || return 1
    jq -c '.Items[] | map_values(.S // .N)' <<<"$page"
    start=$(jq -c '.LastEvaluatedKey // empty' <<<"$page")
    [ -n "$start" ] || return 0
    start=",\"ExclusiveStartKey\":$start"
  done
}
enriched_at_least() { [ "$(ticket_items | wc -l)" -ge "$1" ]; }
# Keys of the enriched bucket, one a line.
enriched_objects() {
  in_net curl -fsS "$AWS_ENDPOINT_URL/tickets-enriched?list-type=2&max-keys=1000" \
    -H 'Authorization: AWS4-HMAC-SHA256 Credential=demo/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0' |
    grep -o '<Key>[^<]*' | sed 's/<Key>//'
}
enriched_object() {  # KEY
  in_net curl -fsS "$AWS_ENDPOINT_URL/tickets-enriched/$1" \
    -H 'Authorization: AWS4-HMAC-SHA256 Credential=demo/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0'
}

# The guide's manifests in the guide's order, with what a cluster would inject: the endpoint and its credentials.
play_guide() {  # OPTIONS of kube play…
  local base=$PROJECT/deploy/base
  kube play --env AWS_ENDPOINT_URL="$AWS_ENDPOINT_URL" --env AWS_ACCESS_KEY_ID=demo --env AWS_SECRET_ACCESS_KEY=demo "$@" \
    "$base"/{namespace,runtime-class,service-account,model-cache-pvc,ticket-processor-config,ticket-processor-deployment,hpa}.yaml
}
pods_json() { kube ps -n ml-workloads --json; }
pods_running() { [ "$(pods_json | jq '[.[] | select(.phase == "Running")] | length')" -ge "$1" ]; }

# Ends the script but not the world: for script/demo --keep and script/cluster. $WORLD/enter is then the way in: a shell,
# or the command that it is given, with the functions of the script files named here.
keep_world() {  # [SCRIPT FILE…]
  local init file functions='. "$PROJECT/script/lib.sh"; set +e +u; . "$PROJECT/script/world.sh"'
  for file in "$@"; do functions+="; . $file"; done
  init=$(grep '^NSpid:' /proc/self/status | awk '{ print $2 }')
  cat >"$WORLD/enter" <<SH
#!/usr/bin/env bash
# A shell or a command inside a world that was kept, with its variables set.
export $(env | grep -E '^(WORLD|PATH|PROJECT|CONTAINERD_ADDRESS|FLOX_[A-Z_]*|AWS_[A-Z_]*|NODE_ROOT|LAPTOP_ROOT|CATALOG_URL|CGROUP_PARENT|KUBE[A-Z]*|CLUSTER_[A-Z_]*|KEY_FILE|PUBLIC_KEY)=' | sed 's/=\(.*\)/="\1"/' | tr '\n' ' ')
enter=(nsenter --target "\$(cat $WORLD/init-pid)" --mount --pid --)
[ \$# = 0 ] || exec "\${enter[@]}" bash -c '$functions; "\$@"' enter "\$@"
exec "\${enter[@]}" bash --rcfile <(echo '$functions; PS1="world# "') -i
SH
  chmod 700 "$WORLD/enter"
  trap 'kube down --all >/dev/null 2>&1; exit 0' TERM
  touch "$WORLD/kept"
  while :; do
    sleep 3600 &
    wait $!
  done
}
