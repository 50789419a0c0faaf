#!/usr/bin/env bash
# An environment in a pod of gVisor, whose kernel is its own: by annotation, from floxd as containerd's plugin.
# prepare: containerd2 gvisor
. "$(dirname "$0")/../shim/suites.sh"
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
  need_containerd2
  code=0
  RUNSC=$("$PROJECT/script/gvisor" | tail -1) || code=$?
  [ $code = 0 ] || exit $code  # its last line said why
  export RUNSC
fi
enter_world "$@"
. "$PROJECT/test/node/nri_support.sh"
cat >"$WORLD/runsc.toml" <<TOML
binary_name = "$RUNSC/runsc"
[runsc_config]
platform = "systrap"
TOML
start_catalog
publish_tool hello 1.0
push_web hello blue
start_nri_node

step "its own kernel, our store: package, variables, a store that nobody writes to"
new_pod gvisor runsc flox.dev/environment=acme/web:1
# gVisor's kernel writes lines of its own into the container's log, which are none of CRI's.
printed() { [ "$(grep -v '^{' "$WORLD/pod-logs/gvisor.log" | cut -d' ' -f4-)" = "$1" ]; }
start_in_pod gvisor 'dmesg | grep -c "Starting gVisor"; hello; echo $COLOUR; touch /nix/store/x 2>&1; sleep 1000'
wait_until 40 "its output" printed $'1\nhello 1.0\nblue\ntouch: /nix/store/x: Read-only file system'
equal "$(crictl exec "$id" hello)" "hello 1.0"
has_lease "$id" || die "nothing keeps its package"

step "what does not exist is refused as under any runtime"
new_pod missing runsc flox.dev/environment=nothing
refused "the catalog has no such package" start_in_pod missing true

step "its processes are in no cgroup of the container's, and its lease stays all the same, also by a new floxd"
stop_server floxd
jq '[.[] | .prepared_at = 1]' "$NODE_ROOT/var/lib/flox/containers.json" >"$WORLD/old.json"
cp "$WORLD/old.json" "$NODE_ROOT/var/lib/flox/containers.json"
start_plugin
cp -a "$NODE_ROOT/nix/var/nix/gcroots/flox/$id" "$NODE_ROOT/nix/var/nix/gcroots/flox/ghost"
wait_until 20 "a sweep" has_no_lease ghost
has_lease "$id" || die "the lease of gVisor's container ended while it runs"
crictl rm -f "$id" >/dev/null
wait_until 20 "its lease to end" has_no_lease "$id"
