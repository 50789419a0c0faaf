#!/usr/bin/env bash
# The shim under containerd 2.x: tests of this folder again, what only 2.x asks of a shim, and pods over CRI. The tests again are
# those of what containerd has a part in, or all (FLOX_TEST_EXHAUSTIVE).
# prepare: containerd2
# ctest: COST 290
. "$(dirname "$0")/suites.sh"
need_containerd2

again() {
  local test=$1 log code=0
  log=$(mktemp)
  "$PROJECT/test/shim/$test.sh" >"$log" 2>&1 </dev/null || code=$?
  case $code in
    0) step "under containerd 2.x: $test" ;;
    77) step "under containerd 2.x: $test is skipped: $(tail -1 "$log")" ;;
    *) cat "$log" >&2; die "test/shim/$test.sh fails under containerd 2.x" ;;
  esac
  rm -f "$log"
}
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
  for test in "$PROJECT"/test/shim/*.sh; do
    [ -x "$test" ] || continue  # for sourcing
    test=$(basename "$test" .sh)
    case $test in
      containerd2 | conformance | cri_conformance) ;;  # these start 2.x themselves
      *_on_cgroup2 | reference) ;;  # these run others again, and are slow
      checkpoint | events | exec | imageless | lifecycle | logs | trouble) again "$test" ;;
      *) if exhaustive; then again "$test"; fi ;;
    esac
  done
fi
. "$PROJECT/test/shim/support.sh"
. "$PROJECT/test/shim/images.sh"
bundle_of() { echo "$WORLD/containerd/state/io.containerd.runtime.v2.task/${2:-$CONTAINERD_NAMESPACE}/$1"; }

step "containerd is a 2.x: $(containerd --version | awk '{ print $3 }')"
contains "$(containerd --version)" " v2."

step "-info: name, version, and the features that the OCI runtime has"
info=$(ctr plugins inspect-runtime --runtime "$SHIM")
equal "$(jq -r .Name <<<"$info")" io.containerd.flox.v1
features() { ctr plugins inspect-runtime --runtime "$1" | jq -S .Features; }
contains "$(features "$SHIM" | jq -c .mountOptions)" '"rro"'
equal "$(features "$SHIM")" "$(features io.containerd.runc.v2)"

step "2.3 and later: the shim is told where to listen, and answers in their form"
run_container -d box sleep 1000
bootstrap=$(cat "$(bundle_of box)/bootstrap.json")
equal "$(jq -r .protocol <<<"$bootstrap")" ttrpc
contains "$(jq -r .address <<<"$bootstrap")" "unix:///run/flox-shims/"

end_container box

step "spoken to as version 3, the service is the same"
# The shim itself answers 2, which every release takes; this one answers for it.
cat >"$WORLD/containerd-shim-third-v1" <<SH
#!/bin/sh
for last in "\$@"; do :; done
[ "\$last" = start ] || exec "$SHIM" "\$@"
printf '{"version":3,"address":"%s","protocol":"ttrpc"}' "\$("$SHIM" "\$@" </dev/null)"
SH
chmod +x "$WORLD/containerd-shim-third-v1"
ctr run -d --runtime "$WORLD/containerd-shim-third-v1" --env PATH=/bin --rootfs "$ROOTFS" third sleep 1000 </dev/null
equal "$(jq .version "$(bundle_of third)/bootstrap.json")" 3
equal "$(ctr task exec --exec-id e third echo hello)" hello
contains "$(ctr task metrics third)" pids
ctr task pause third
equal "$(task_status third)" PAUSED
ctr task resume third
end_container third
expect_nothing_left

step "older forms: options or nothing come in, a plain address goes out"
# A shim whose name is of the first generation is still started as 1.7 did it.
ln -s "$BUILD_DIR/bin/containerd-shim-flox-v1" "$WORLD/containerd-shim-runc-v1"
for options in "" "--runc-root=/run/elsewhere"; do
  ctr run -d --runtime "$WORLD/containerd-shim-runc-v1" --env PATH=/bin $options --rootfs "$ROOTFS" older sleep 1000 </dev/null
  contains "$(jq -r .address "$(bundle_of older)/bootstrap.json")" "unix:///run/containerd/s/"
  equal "$(ctr task exec --exec-id e older echo hello)" hello
  end_container older
done
expect_nothing_left

export CRI_CONFIG_FILE=$WORLD/crictl.yaml
printf '%s-endpoint: unix://%s\n' runtime "$CONTAINERD_ADDRESS" image "$CONTAINERD_ADDRESS" >"$CRI_CONFIG_FILE"
crictl() { timeout --signal=KILL 60 "$(type -P crictl)" "$@"; }

step "CRI: the daemon is ready, and knows the features of each handler"
import_images
make_image "$WORLD/images" "$ROOTFS" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' flox.test/box:1
import_layout "$WORLD/images" k8s.io
status=$(crictl info)
condition() { jq -r --arg type "$1" '.status.conditions[] | select(.type == $type) | .status' <<<"$status"; }
equal "$(condition RuntimeReady)" true
wait_until 10 "the network to be ready" eval 'status=$(crictl info) && [ "$(condition NetworkReady)" = true ]'
handler_features() { jq -cS --arg name "$1" '.runtimeHandlers[] | select((.name // "") == $name) | .features' <<<"$status"; }
contains "$(handler_features flox)" '"recursive_read_only_mounts":true'
for handler in flox flox-by-name; do equal "$(handler_features $handler)" "$(handler_features runc)"; done

. "$PROJECT/test/shim/fake_node.sh"

pod_json() {  # NAME ANNOTATIONS
  mkdir -p "$WORLD/pod-logs/$1"
  jq -n --arg name "$1" --argjson annotations "$2" --arg logs "$WORLD/pod-logs/$1" --arg cgroup "$CGROUP_PARENT" \
    '{metadata: {name: $name, namespace: "default", uid: $name, attempt: 1}, hostname: $name, log_directory: $logs, annotations: $annotations,
      linux: {cgroup_parent: $cgroup}}' >"$WORLD/$1.pod"
}
container_json() {  # NAME IMAGE COMMAND…
  local name=$1 image=$2
  shift 2
  jq -n --arg name "$name" --arg image "$image" '{metadata: {name: $name}, image: {image: $image}, log_path: "\($name).log", command: $ARGS.positional,
    linux: {resources: {memory_limit_in_bytes: 67108864}}}' --args -- "$@" >"$WORLD/$name.container"
}
container_state() { crictl inspect "$1" | jq -r .status.state; }
is_state() { [ "$(container_state "$1")" = "$2" ]; }
shims() { pgrep -f "containerd-shim.* -namespace k8s.io " || true; }

for handler in runc flox flox-by-name flox-sandbox; do
  step "CRI, handler $handler: a pod with two containers of an image"
  pod_json "pod-$handler" '{"flox.dev/skip-containers": "hello", "other.dev/note": "hidden"}'
  pod=$(crictl runp --runtime "$handler" "$WORLD/pod-$handler.pod")
  container_json one flox.test/box:1 sh -c 'echo from one; echo to stderr >&2; trap "exit 3" TERM; while :; do sleep 0.1; done'
  container_json two flox.test/box:1 sh -c 'exit 5'
  one=$(crictl create "$pod" "$WORLD/one.container" "$WORLD/pod-$handler.pod")
  two=$(crictl create "$pod" "$WORLD/two.container" "$WORLD/pod-$handler.pod")
  crictl start "$one" "$two" >/dev/null
  wait_until 10 "two to end" is_state "$two" CONTAINER_EXITED
  equal "$(crictl inspect "$two" | jq .status.exitCode)" 5
  equal "$(shims | wc -l)" 1
  program=$(basename "$(readlink "/proc/$(shims)/exe")")
  notes=$(jq -r '.annotations["flox.dev/skip-containers"], .annotations["other.dev/note"]' "$(bundle_of "$one" k8s.io)/config.json" | xargs)
  case $handler in
    runc) equal "$program: $notes" "containerd-shim-runc-v2: null null" ;;
    *) equal "$program: $notes" "containerd-shim-flox-v1: hello null" ;;
  esac

  step "CRI, handler $handler: exec sync, statistics, logs, an update of its limit"
  equal "$(crictl exec --sync "$one" sh -c 'echo hello; hostname')" "hello
pod-$handler"
  refused "exited with 7" crictl exec --sync "$one" sh -c 'exit 7'
  wait_until 10 "the log" eval '[ "$(crictl logs '"$one"' 2>&1 | sort | xargs)" = "from one to stderr" ]'
  working_set() { crictl stats --output json "$one" | jq -r '.stats[0].memory.workingSetBytes.value // 0'; }
  wait_until 15 "statistics" eval '[ "$(working_set)" -gt 0 ]'
  crictl update --memory 33554432 "$one" >/dev/null
  equal "$(crictl exec --sync "$one" sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max')" 33554432

  step "CRI, handler $handler: stopped, and everything removed"
  crictl stop --timeout 10 "$one" >/dev/null
  equal "$(crictl inspect "$one" | jq .status.exitCode)" 3
  crictl rm "$one" "$two" >/dev/null
  crictl stopp "$pod" >/dev/null
  crictl rmp "$pod" >/dev/null
  equal "$(crictl ps --all --quiet)$(crictl pods --quiet)" ""
  wait_until 10 "the shim to end" eval '[ -z "$(shims)" ]'
done

for handler in flox flox-by-name flox-sandbox; do
  step "CRI, handler $handler: the pod's annotation leads floxd, and the container runs its environment"
  pod_json "web-$handler" '{"flox.dev/environment": "acme/web"}'
  pod=$(crictl runp --runtime "$handler" "$WORLD/web-$handler.pod")
  container_json web docker.io/flox/empty:1.0.0 sh -c 'tool; sleep 1000'
  web=$(crictl create "$pod" "$WORLD/web.container" "$WORLD/web-$handler.pod")
  crictl start "$web" >/dev/null
  contains "$(cat "$ASKED")" "prepare id=$web pod=$pod namespace=default container=web environment=acme/web"
  wait_until 10 "its output" eval 'crictl logs '"$web"' | grepq -x "tool of the environment"'
  equal "$(crictl exec --sync "$web" tool)" "tool of the environment"
  crictl rmp --force "$pod" >/dev/null 2>&1
  wait_until 10 "the lease to be given back" grep -qx "release id=$web" "$ASKED"
  wait_until 10 "the shim to end" eval '[ -z "$(shims)" ]'
done
equal "$(find "$WORLD/containerd/state/io.containerd.runtime.v2.task/k8s.io" /run/flox-shims -mindepth 1)" ""
