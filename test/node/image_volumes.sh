#!/usr/bin/env bash
# Image volumes (containerd 2.1 and later) of flox.local: a package or an environment as a read-only volume, in containers of
# environments and in ordinary ones; a path that is present is mounted and not copied.
# prepare: containerd2
. "$(dirname "$0")/../shim/suites.sh"
[ -n "${FLOX_WORLD_ENTERED:-}" ] || need_containerd2
enter_world "$@"
. "$PROJECT/test/node/image_support.sh"
. "$PROJECT/test/shim/images.sh"
start_catalog
publish_tool hello 1.0
publish_tool models 1.0
publish_tool models 2.0
mkdir "$WORLD/pair"
(
  cd "$WORLD/pair"
  laptop init -n pair
  laptop install hello models
  laptop push --owner acme
) >"$WORLD/logs/push.log" 2>&1 || { cat "$WORLD/logs/push.log" >&2; die "pushing failed"; }
trust_registry
. "$PROJECT/test/node/crun.sh"
start_containerd
start_image_floxd
import_images
ROOTFS=$WORLD/rootfs
mkdir -p "$ROOTFS"/{bin,tmp,proc,dev,sys,empty}
cp "$(command -v busybox)" "$ROOTFS/bin/busybox"
"$ROOTFS/bin/busybox" --install "$ROOTFS/bin"
make_image "$WORLD/images" "$ROOTFS" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' flox.test/box:1
import_layout "$WORLD/images" k8s.io
use_cri

for image in flox.local/hello:1.0 flox.local/models:1.0 flox.local/models:2.0 flox.local/acme/pair:1; do crictl pull $image >/dev/null; done
mkdir "$WORLD/pod-logs"
jq -n --arg logs "$WORLD/pod-logs" --arg cgroup "$CGROUP_PARENT" '{metadata: {name: "pod", namespace: "default", uid: "pod", attempt: 1},
  hostname: "pod", log_directory: $logs, linux: {cgroup_parent: $cgroup}}' >"$WORLD/pod.json"
pod=$(crictl runp --runtime flox "$WORLD/pod.json")
# with_volume NAME IMAGE VOLUME COMMAND: starts a container with the volume at /volume; its id.
with_volume() {
  jq -n --arg name "$1" --arg image "$2" --arg volume "$3" --arg command "$4" '{metadata: {name: $name}, image: {image: $image},
    log_path: "\($name).log", command: ["sh", "-c", $command],
    mounts: [{container_path: "/volume", readonly: true, image: {image: $volume}}]}' >"$WORLD/$1.json"
  id=$(crictl create "$pod" "$WORLD/$1.json" "$WORLD/pod.json")
  crictl start "$id" >/dev/null
}
path=$(flox show models --json | jq -r '.[] | select(.version == "2.0") | .outputs.out')
inode=$(stat -c %i "$NODE_ROOT$path/bin/models")

step "a package as the volume of an ordinary container: its own files, which nobody has copied, and which cannot be changed"
with_volume plain flox.test/box:1 flox.local/models:2.0 'tail -1 /volume/bin/models; stat -c %i /volume/bin/models; touch /volume/x 2>&1; [ -e /nix ] || echo no store'
wait_until 20 "its output" said "$id" "echo \"models 2.0\"
$inode
touch: /volume/x: Read-only file system
no store"

step "of a container whose image is an environment, too; and an environment as a volume"
with_volume ours flox.local/hello:1.0 flox.local/models:1.0 'hello; /volume/bin/models'
wait_until 20 "its output" said "$id" $'hello 1.0\nmodels 1.0'
with_volume pair flox.local/hello:1.0 flox.local/acme/pair:1 'hello; /volume/bin/models; ls /volume/bin | xargs'
wait_until 20 "its output" said "$id" $'hello 1.0\nmodels 2.0\nhello models'

step "an environment's files are links into the store: an ordinary container is refused, and told why"
refused "links into /nix/store" with_volume refused flox.test/box:1 flox.local/acme/pair:1 true

step "a directory of the pod's own that looks like one is left as it is"
mkdir -p "$WORLD/fake/image-volumes/$pod/$(printf %064d 1)"
echo "$(printf %064d 7) models@2.0" >"$WORLD/fake/image-volumes/$pod/$(printf %064d 1)/.flox-image"
jq --arg path "$WORLD/fake" '.metadata.name = "fake" | .mounts[0] = {container_path: "/volume", host_path: $path} | .log_path = "fake.log"
  | .command[2] = "find /volume -name .flox-image | wc -l"' "$WORLD/plain.json" >"$WORLD/fake.json"
id=$(crictl create "$pod" "$WORLD/fake.json" "$WORLD/pod.json")
crictl start "$id" >/dev/null
wait_until 20 "its output" said "$id" 1

step "a volume of the pod's below it makes no place in the store, though crun makes places before a mount is read-only"
mkdir "$WORLD/scratch"
jq -n --arg scratch "$WORLD/scratch" '{metadata: {name: "below"}, image: {image: "flox.test/box:1"}, log_path: "below.log",
  command: ["sh", "-c", "sleep 1"], mounts: [{container_path: "/volume", readonly: true, image: {image: "flox.local/models:2.0"}},
  {container_path: "/volume/scratch", host_path: $scratch}]}' >"$WORLD/below.json"
below() {  # POD POD-FILE
  local id
  id=$(crictl create "$1" "$WORLD/below.json" "$2") && crictl start "$id"
}
nothing_below() { [ ! -e "$NODE_ROOT$path/scratch" ] || die "a container made an entry in the store"; }
refused "ead-only file system" below "$pod" "$WORLD/pod.json"
nothing_below
if [ -n "${RUNC:-}" ]; then
  jq '.metadata.name = "crun" | .metadata.uid = "crun"' "$WORLD/pod.json" >"$WORLD/crun.json"
  crun_pod=$(crictl runp --runtime flox-users "$WORLD/crun.json")
  refused "Read-only file system" below "$crun_pod" "$WORLD/crun.json"
  nothing_below
  crictl rmp --force "$crun_pod" >/dev/null 2>&1
fi

step "the policy decides on volumes as on environments"
stop_server floxd
cat >"$WORLD/policy.toml" <<'TOML'
[[allow]]
name = "few"
namespaces = ["default"]
packages = ["hello"]
TOML
start_image_floxd FLOX_POLICY="$WORLD/policy.toml"
refused "rule 'few'" with_volume denied flox.local/hello:1.0 flox.local/models:2.0 true
refused "rule 'few'" with_volume denied2 flox.test/box:1 flox.local/models:2.0 true

step "leases end with the containers"
crictl rmp --force "$pod" >/dev/null 2>&1
no_container_leases() { ! ls "$NODE_ROOT/nix/var/nix/gcroots/flox" | grepq -v '^image-'; }
wait_until 20 "the leases to end" no_container_leases
