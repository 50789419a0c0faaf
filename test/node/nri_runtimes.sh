#!/usr/bin/env bash
# Environments in pods of user namespaces (hostUsers: false), under runc's own shim and ours.
# prepare: containerd2 runc
. "$(dirname "$0")/../shim/suites.sh"
built() { ! "$PROJECT/script/$1" >"$FLOX_BUILT.$1" || tail -1 "$FLOX_BUILT.$1"; }
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
  need_containerd2
  FLOX_BUILT=$(mktemp)
  RUNC=${RUNC:-$(built runc)}
  rm -f "$FLOX_BUILT"*
  [ -n "$RUNC" ] || { echo "needs runc 1.2"; exit 77; }
  export RUNC
fi
enter_world "$@"
. "$PROJECT/test/node/nri_support.sh"
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
fi
