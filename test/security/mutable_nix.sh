#!/usr/bin/env bash
# A container that may change /nix (flox.dev/nix-mutable) changes its own copy only: no volume, link or spelling of a path
# gives it files of the node, under runc and under crun.
. "$(dirname "$0")/../shim/support.sh"
. "$PROJECT/test/shim/fake_node.sh"

# crun refuses hybrid cgroups; without the v2 tree they are plain v1, for both.
if umount /sys/fs/cgroup/unified 2>/dev/null; then
  mount -t tmpfs tmpfs /sys/fs/cgroup/unified  # crun makes directories there, which it takes for cgroups
fi
stop_server containerd
start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
wait_until 20 "containerd to answer" ctr_ready

SECRET=$WORLD/secret  # root's, as /etc/shadow is
mkdir -m 700 "$SECRET"
echo 'root only' >"$SECRET/key"
n=0
volume() { echo "$WORLD/volume-$((++n))"; }
# pod DESTINATION SOURCE COMMAND…: as a container with a volume there.
pod() {
  local destination=$1 source=$2
  shift 2
  n=$((n + 1))
  run_container --rm --annotation flox.dev/environment=acme/web --annotation "flox.dev/nix-mutable=$MUTABLE" \
    --mount "type=bind,src=$source,dst=$destination,options=rbind:rw" "c$n" "$@"
}
secret_is_safe() {
  equal "$(ls "$SECRET")" key
  equal "$(cat "$SECRET/key")" 'root only'
  [ "$(find "$WORLD/store" -name mine | wc -l)" = 0 ] || die "a container changed the node's store"
}
# Nothing of a /nix that can be changed is mounted where the node sees it.
no_mounts() { ! grep -E "flox-nix|overlay.*upperdir=upper" /proc/self/mounts; }

for runtime in runc crun; do
  echo "BinaryName = \"$runtime\"" >"$WORLD/runtime.toml"
  RUNTIME_OPTIONS=(--runtime "$SHIM" --runtime-config-path "$WORLD/runtime.toml")
  MUTABLE=true

  step "$runtime: a volume with links to the node's directories where the overlay once kept its changes"
  hostile=$(volume)
  mkdir -p "$hostile" "$WORLD/host-work"
  ln -s "$SECRET" "$hostile/upper"
  ln -s "$WORLD/host-work" "$hostile/work"
  for place in /nix/.changes /nix /nix/ //nix /nix/. /nix/../nix /./nix /nix/store /nix/store/x /nix/store/../.changes \
    /a/../nix /nix/.changes/upper nix nix/store; do
    refused "the pod mounts a volume at $place" pod "$place" "$hostile" sh -c 'cat /nix/store/key; echo x >/nix/store/mine'
    secret_is_safe
  done
  equal "$(find "$WORLD/host-work" | wc -l)" 1

  step "$runtime: the same for /run/flox, for /, for tmpfs, and where /nix cannot be changed"
  for place in /run/flox /run//flox /run/./flox /run/flox/ /run/flox/pod.sock /var/../run/flox/x / /. /..; do
    refused "the pod mounts a volume at $place" pod "$place" "$hostile" true
  done
  refused "the pod mounts a volume at //nix, which is /nix" run_container --rm --annotation flox.dev/environment=acme/web \
    --mount "type=tmpfs,src=tmpfs,dst=//nix" tmpfs true
  MUTABLE=false
  for place in /nix /nix/store/ /nix/../nix/var; do
    refused "the pod mounts a volume at $place" pod "$place" "$hostile" true
  done
  MUTABLE=true

  step "$runtime: a link of the image leads a volume nowhere near /nix, and /nix itself is no link"
  EMPTY=$ROOTFS ROOTFS=$WORLD/linked-$runtime
  mkdir -p "$ROOTFS/srv"
  ln -s nix "$ROOTFS/data"
  ln -s /data/store "$ROOTFS/srv/deep"
  ln -s ../run/flox "$ROOTFS/socket"
  for place in /data /data/.changes /srv/deep /srv/deep/x /srv/../data; do
    refused "which is /nix" pod "$place" "$hostile" true
  done
  refused "which is /run/flox" pod /socket "$hostile" true
  ln -s loop "$ROOTFS/loop"
  refused "too many symbolic links" pod /loop/x "$hostile" true
  ROOTFS=$WORLD/nix-is-a-link-$runtime
  mkdir -p "$ROOTFS"
  ln -s "$SECRET" "$ROOTFS/nix"  # inside the root there is no such directory: it would be made there
  pod /elsewhere "$hostile" sh -c 'echo x >/nix/store/mine' >&2 || true
  secret_is_safe
  ROOTFS=$EMPTY

  step "$runtime: a volume nested in another over a link of that volume ends below ours"
  outer=$(volume) inner=$(volume)
  mkdir -p "$outer" "$inner"
  ln -s /nix/store "$outer/link"
  ln -s /nix "$outer/above"
  echo intruder >"$inner/intruder"
  for link in link above; do
    output=$(run_container --rm --annotation flox.dev/environment=acme/web --annotation flox.dev/nix-mutable=true \
      --mount "type=bind,src=$outer,dst=/outer,options=rbind:rw" --mount "type=bind,src=$inner,dst=/outer/$link,options=rbind:rw" \
      "nested-$link" sh -c 'tool; ls -a /nix /nix/store; echo mine >/nix/store/mine' 2>&1) || true
    case $output in *intruder*) die "a volume lies on top of the store: $output" ;; esac
    secret_is_safe
  done

  step "$runtime: other volumes, also on /run, are mounted as ever; our socket is there"
  shared=$(volume)
  mkdir -p "$shared"
  echo shared >"$shared/file"
  equal "$(pod /run "$shared" sh -c 'cat /run/file; ls /run/flox')" "shared
pod.sock"
  equal "$(pod /srv/nix "$shared" cat /srv/nix/file)" shared

  step "$runtime: the container changes its own copy, as its user, within its memory limit, and sees no way to the rest"
  equal "$(pod /srv "$shared" sh -c 'tool; echo mine >/nix/store/mine; cat /nix/store/mine; rm /nix/store/p-profile/bin/tool
    mkdir /nix/var; ls -A /nix; ls -A /nix/..| grep -cE "^(upper|work)$"')" "tool of the environment
mine
store
var
0"
  secret_is_safe
  # As a user other than root, which ctr can say in a whole spec only.
  ctr oci spec | jq --arg root "$ROOTFS" '.root.path = $root | .process.user = {"uid": 1000, "gid": 2000}
    | .process.args = ["sh", "-c", "touch /nix/store/mine /nix/mine; stat -c \"%u:%g %a\" /nix /nix/store; df -k /nix | sed -n 2p"]
    | .linux.resources.memory = {"limit": 67108864} | .linux.cgroupsPath = env.CGROUP_PARENT + "/user" | del(.linux.seccomp)
    | .annotations = {"flox.dev/environment": "acme/web", "flox.dev/nix-mutable": "true"}' >"$WORLD/user.json"
  equal "$(ctr run "${RUNTIME_OPTIONS[@]}" --rm --config "$WORLD/user.json" user </dev/null | awk '{ print $1, $2 }')" "1000:2000 755
1000:2000 755
tmpfs 65536"
  secret_is_safe

  step "$runtime: nothing of it stays on the node, while it runs or after it"
  run_container -d --annotation flox.dev/environment=acme/web --annotation flox.dev/nix-mutable=true stays sleep 1000
  no_mounts || die "the node sees the container's /nix"
  equal "$(find "$bundle/stays" -name flox-nix | wc -l)" 0
  pid=$(shims | tail -1)
  kill -KILL "$pid"
  wait_until 20 "containerd to clean up after a killed shim" test ! -e "$bundle/stays"
  ctr container delete stays
  no_mounts || die "a killed shim left mounts"
  ! mountpoint -q /sys/fs/cgroup/unified || find /sys/fs/cgroup/unified -mindepth 1 -fstype tmpfs -delete
  expect_nothing_left
done

step "a shim that is killed while the OCI runtime makes the container leaves nothing"
cat >"$WORLD/hanging-runc" <<'SH'
#!/bin/sh
case " $* " in *" create "*) exec sleep 1000 ;; *) exec runc "$@" ;; esac
SH
chmod +x "$WORLD/hanging-runc"
echo "BinaryName = \"$WORLD/hanging-runc\"" >"$WORLD/runtime.toml"
run_container -d --annotation flox.dev/environment=acme/web --annotation flox.dev/nix-mutable=true hangs true >/dev/null 2>&1 &
asked=$!
wait_until 20 "the mount to be handed out" mountpoint -q "$bundle/hangs/flox-nix/nix"
equal "$(stat -c '%a %u' "$bundle/hangs/flox-nix")" "700 0"
kill -KILL "$(shims | tail -1)"
wait $asked || true
wait_until 20 "containerd to clean up" no_mounts
ctr container delete hangs 2>/dev/null || true
rm -f "$WORLD/runtime.toml"
secret_is_safe

step "where the node does not allow it, or floxd is too old to say, it is refused"
RUNTIME_OPTIONS=(--runtime "$SHIM")
refused "this node does not allow containers to change /nix" run_container --rm --annotation flox.dev/environment=strict/web \
  --annotation flox.dev/nix-mutable=true strict true
refused "floxd did not allow it" run_container --rm --annotation flox.dev/environment=old/web \
  --annotation flox.dev/nix-mutable=true old true
jq '.linux.namespaces += [{"type": "user"}] | .linux.uidMappings = [{"containerID": 0, "hostID": 100000, "size": 65536}]
  | .linux.gidMappings = .linux.uidMappings' "$WORLD/user.json" >"$WORLD/mapped.json"
refused "has a user namespace" ctr run "${RUNTIME_OPTIONS[@]}" --rm --config "$WORLD/mapped.json" mapped
expect_nothing_left
