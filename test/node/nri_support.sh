# Pods over CRI on a containerd 2.x of which floxd is a plugin. Sourced after enter_world, never run.
export NRI_SOCKET=$WORLD/nri.sock
. "$PROJECT/test/node/image_support.sh"
. "$PROJECT/test/shim/images.sh"
export CRI_CONFIG_FILE=$WORLD/crictl.yaml
crictl() { in_net timeout --signal=KILL 120 "$FLOX_TEST_CONTAINERD/crictl" "$@"; }

# start_nri_node [VARIABLE=VALUE…]: containerd, floxd as its plugin, and the image flox.test/box:1, which has a busybox and no /nix.
start_nri_node() {
  trust_registry
  start_containerd
  printf "%s\n" "runtime-endpoint: unix://$CONTAINERD_ADDRESS" "image-endpoint: unix://$CONTAINERD_ADDRESS" "timeout: 30" >"$CRI_CONFIG_FILE"
  start_plugin "$@"
  import_images
  ROOTFS=$WORLD/rootfs
  mkdir -p "$ROOTFS"/{bin,tmp,proc,dev,sys,etc} "$WORLD/pod-logs"
  cp "$(command -v busybox)" "$ROOTFS/bin/busybox"
  "$ROOTFS/bin/busybox" --install "$ROOTFS/bin"
  echo root:x:0:0:root:/:/bin/sh >"$ROOTFS/etc/passwd"
  make_image "$WORLD/images" "$ROOTFS" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' flox.test/box:1
  import_layout "$WORLD/images" k8s.io
  wait_until 20 "the network to be ready" cri_ready
}
cri_ready() { crictl info | jq -e '.status.conditions[] | select(.type == "NetworkReady") | .status'; }
start_plugin() {
  start_image_floxd FLOX_NRI_SOCKET="$NRI_SOCKET" "$@"
  wait_until 20 "containerd to have floxd as its plugin" plugged_in
}
metric() { in_net curl -fs http://127.0.0.1:9808/metrics | awk -v name="$1" '$1 == name { print $2 }'; }
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
start_in_pod() {
  jq -n --arg name "$1" --arg command "$2" '{metadata: {name: $name}, image: {image: "flox.test/box:1"}, log_path: "\($name).log",
    command: ["sh", "-c", $command]}' | jq "${3:-.}" >"$WORLD/$1.container.json"
  id=$(crictl create "$pod" "$WORLD/$1.container.json" "$POD_FILE") || return 1
  crictl start "$id" >/dev/null
}
said() { [ "$(crictl logs "$1" 2>&1)" = "$2" ]; }
has_lease() { [ -e "$NODE_ROOT/nix/var/nix/gcroots/flox/$1" ]; }
has_no_lease() { ! has_lease "$1"; }
