#!/usr/bin/env bash
# Environments in pods of user namespaces (hostUsers: false), under runc's own shim and ours, and under gVisor.
# prepare: containerd2 runc gvisor
. "$(dirname "$0")/../shim/suites.sh"
built() { ! "$PROJECT/script/$1" >"$FLOX_BUILT.$1" || tail -1 "$FLOX_BUILT.$1"; }
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
  need_containerd2
  FLOX_BUILT=$(mktemp)
  RUNC=${RUNC:-$(built runc)} RUNSC=${RUNSC:-$(built gvisor)}
  rm -f "$FLOX_BUILT"*
  [ -n "$RUNC$RUNSC" ] || { echo "needs runc 1.2 or gVisor"; exit 77; }
  export RUNC RUNSC
fi
enter_world "$@"
. "$PROJECT/test/node/nri_support.sh"
cat >"$WORLD/runsc.toml" <<TOML
binary_name = "${RUNSC:-}/runsc"
[runsc_config]
platform = "systrap"
TOML
start_catalog
publish_tool hello 1.0
push_web hello blue
export FLOX_NRI_OTHER_HANDLERS="flox flox-users"
start_nri_node

if [ -n "$RUNC" ]; then
  IDS='[{container_id: 0, host_id: 100000, length: 65536}]'
  USERS="{mode: 0, uids: $IDS, gids: $IDS}"
  POD_FIELDS=$(jq -nc "{linux: {security_context: {namespace_options: {userns_options: $USERS}}}}")
  in_users=".linux = {security_context: {namespace_options: {userns_options: $USERS}}}"
  for handler in runc-users flox-users; do
    step "a pod of a user namespace: handler $handler"
    new_pod "$handler" $handler flox.dev/environment=acme/web:1
    start_in_pod "$handler" 'awk "{ print \$1, \$2 }" /proc/self/uid_map; hello; echo $COLOUR; stat -Lc %u $(command -v hello); touch /nix/store/x 2>&1; sleep 1000' "$in_users"
    wait_until 20 "its output" said "$id" $'0 100000\nhello 1.0\nblue\n65534\ntouch: /nix/store/x: Read-only file system'
    equal "$(crictl exec "$id" sh -c 'hello; test -S /run/flox/pod.sock && echo socket')" $'hello 1.0\nsocket'
    has_lease "$id" || die "nothing keeps its package"
  done
  step "a stub image under our shim, whose root is filled for the users of the namespace"
  new_pod stub-users flox-users flox.dev/environment=hello
  start_in_pod stub-users 'hello; touch /tmp/x && stat -c %u /tmp/x' "$in_users | .image.image = \"docker.io/flox/empty:1.0.0\""
  wait_until 20 "its output" said "$id" $'hello 1.0\n0'
  refused_in_users() {
    new_pod mutable-users flox-users flox.dev/environment=hello flox.dev/nix-mutable=true
    start_in_pod mutable-users true "$in_users"
  }
  refused "whose users cannot own it" refused_in_users
  unset POD_FIELDS
else
  echo "not run: a pod of a user namespace, which needs runc 1.2"
fi

if [ -n "$RUNSC" ]; then
  step "gVisor: its own kernel, our store"
  new_pod gvisor runsc flox.dev/environment=acme/web:1
  start_in_pod gvisor 'dmesg | grep -c gVisor; hello; echo $COLOUR; touch /nix/store/x 2>&1; sleep 1000'
  wait_until 40 "its output" said "$id" $'1\nhello 1.0\nblue\ntouch: /nix/store/x: Read-only file system'
  equal "$(crictl exec "$id" hello)" "hello 1.0"

  step "its processes are in no cgroup of the container's, and its lease stays all the same, also by a new floxd"
  stop_server floxd
  jq '[.[] | .prepared_at = 1]' "$NODE_ROOT/var/lib/flox/containers.json" >"$WORLD/old.json"
  cp "$WORLD/old.json" "$NODE_ROOT/var/lib/flox/containers.json"
  start_plugin
  gvisor=$(crictl ps -q --name gvisor)
  cp -a "$NODE_ROOT/nix/var/nix/gcroots/flox/$gvisor" "$NODE_ROOT/nix/var/nix/gcroots/flox/ghost"
  wait_until 20 "a sweep" has_no_lease ghost
  has_lease "$gvisor" || die "the lease of gVisor's container ended while it runs"
  crictl rm -f "$gvisor" >/dev/null
  wait_until 20 "its lease to end" has_no_lease "$gvisor"
else
  echo "not run: gVisor"
fi
