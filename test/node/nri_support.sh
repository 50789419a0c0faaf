# Pods over CRI on a containerd 2.x of which floxd is a plugin. Sourced after enter_world, never run.
export NRI_SOCKET=$WORLD/nri.sock
. "$PROJECT/test/node/image_support.sh"
. "$PROJECT/test/shim/images.sh"

# start_nri_node [VARIABLE=VALUE…]: containerd, floxd as its plugin, and the image flox.test/box:1, which has a busybox and no /nix.
start_nri_node() {
  trust_registry
  start_containerd
  start_plugin "$@"
  import_images
  ROOTFS=$WORLD/rootfs
  mkdir -p "$ROOTFS"/{bin,tmp,proc,dev,sys,etc} "$WORLD/pod-logs"
  cp "$(command -v busybox)" "$ROOTFS/bin/busybox"
  "$ROOTFS/bin/busybox" --install "$ROOTFS/bin"
  echo root:x:0:0:root:/:/bin/sh >"$ROOTFS/etc/passwd"
  make_image "$WORLD/images" "$ROOTFS" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' flox.test/box:1
  import_layout "$WORLD/images" k8s.io
  use_cri "timeout: 30"
}
start_plugin() {
  start_image_floxd FLOX_NRI_SOCKET="$NRI_SOCKET" "$@"
  wait_until 20 "containerd to have floxd as its plugin" plugged_in
}
plugged_in() { [ "$(metric flox_nri_connected)" = 1 ]; }
unplugged() { [ "$(metric flox_nri_connected)" = 0 ]; }

# new_pod NAME HANDLER [ANNOTATION=VALUE…]: $pod is a new sandbox; "" for HANDLER is containerd's default.
new_pod() {
  local name=$1 handler=$2 annotations='{}' entry
  shift 2
  for entry in "$@"; do annotations=$(jq -c --arg name "${entry%%=*}" --arg value "${entry#*=}" '.[$name] = $value' <<<"$annotations"); done
  jq -n --arg name "$name" --arg logs "$WORLD/pod-logs" --arg cgroup "$CGROUP_PARENT" --argjson annotations "$annotations" --argjson more "${POD_FIELDS:-{\}}" \
    '{metadata: {name: $name, namespace: "team-a", uid: "uid-\($name)", attempt: 1}, hostname: $name, log_directory: $logs,
      annotations: $annotations, linux: {cgroup_parent: $cgroup}} * $more' >"$WORLD/$name.pod.json"
  pod=$(crictl runp ${handler:+--runtime "$handler"} "$WORLD/$name.pod.json")
  POD_FILE=$WORLD/$name.pod.json
}
# use_pod NAME: $pod is the sandbox of that name again.
use_pod() { pod=$(crictl pods -q --no-trunc --name "^$1\$") POD_FILE=$WORLD/$1.pod.json; }
# start_in_pod NAME COMMAND [JQ-FILTER]: $id is a container of $pod that runs the command in a shell; the filter changes its config.
# While its packages are being fetched it is tried again, as a kubelet does; with ONCE=1 that is a failure.
start_in_pod() {
  local end=$((SECONDS + 120 * PATIENCE))
  jq -n --arg name "$1" --arg command "$2" '{metadata: {name: $name}, image: {image: "flox.test/box:1"}, log_path: "\($name).log",
    command: ["sh", "-c", $command]}' | jq "${3:-.}" >"$WORLD/$1.container.json"
  until id=$(crictl create "$pod" "$WORLD/$1.container.json" "$POD_FILE" 2>"$WORLD/$1.error"); do
    if [ -n "${ONCE:-}" ] || [ $SECONDS -ge $end ] || ! grep -q "not all on this node yet" "$WORLD/$1.error"; then
      cat "$WORLD/$1.error" >&2
      return 1
    fi
    sleep 0.2
  done
  crictl start "$id" >/dev/null
}
has_lease() { [ -e "$NODE_ROOT/nix/var/nix/gcroots/flox/$1" ]; }
has_no_lease() { ! has_lease "$1"; }
