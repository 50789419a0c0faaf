#!/usr/bin/env bash
# Pods without the RuntimeClass, under containerd's own runc shim: floxd is a plugin of containerd's (NRI), and an annotation gives
# them store paths and activation by the same rules.
# prepare: containerd2
. "$(dirname "$0")/../shim/suites.sh"
[ -n "${FLOX_WORLD_ENTERED:-}" ] || need_containerd2
enter_world "$@"
. "$PROJECT/test/node/nri_support.sh"
. "$PROJECT/test/node/crun.sh"
start_catalog
flox owner create secret --private
publish_tool hello 1.0
publish_tool other 1.0
FLOX_CATALOG_TOKEN=$(flox auth token create --owner secret --scope publish 2>/dev/null) publish_tool hidden 1.0
mkdir "$WORLD/hooked"
(
  cd "$WORLD/hooked"
  laptop init -n hooked
  laptop install hello
  sed -i -e '/^\[vars\]/a COLOUR = "green"' -e '/^\[hook\]/a on-activate = "export FROM_HOOK=yes"' .flox/env/manifest.toml
  laptop push --owner acme
) >"$WORLD/logs/push.log" 2>&1 || { cat "$WORLD/logs/push.log" >&2; die "pushing failed"; }
unset FLOX_CATALOG_TOKEN
start_nri_node

step "an annotation gives a pod of runc's own shim a package, on PATH and from a store that it cannot write to"
new_pod plain "" flox.dev/environment=hello
start_in_pod plain 'hello; touch /nix/store/x 2>&1; ls /run/flox; sleep 1000'
wait_until 20 "its output" said "$id" $'hello 1.0\ntouch: /nix/store/x: Read-only file system\npod.sock'
plain=$id
equal "$(crictl exec "$id" hello)" "hello 1.0"
has_lease "$id" || die "nothing keeps its package"
# One place says what is done to a spec: the shim's mounts are these.
crictl inspect "$id" | jq -c '.info.runtimeSpec.mounts[] | select(.destination | test("^/(nix|run/flox)")) | [.destination, .options]' >"$WORLD/mounts.nri"
equal "$(cat "$WORLD/mounts.nri")" '["/nix/store",["rbind","rprivate","ro","nosuid","nodev"]]
["/run/flox",["rbind","rprivate","ro","nosuid","nodev","noexec"]]'

step "the pod's socket answers it, and knows who asks: it installs a package for itself"
runtime=$(readlink "$NODE_ROOT/nix/var/nix/gcroots/flox-runtime")
equal "$(crictl exec "$id" sh -c "mkdir -p /tmp/own && cd /tmp/own && export HOME=/tmp PATH=\$PATH:$runtime/bin && flox init && flox install other && flox activate -- other" 2>/dev/null | tail -1)" "other 1.0"

step "of an environment its variables, and its hook, which becomes the command"
new_pod hooked "" flox.dev/environment=acme/hooked:1
start_in_pod hooked 'hello; echo $COLOUR $FROM_HOOK'
wait_until 20 "its output" said "$id" $'hello 1.0\ngreen yes'

step "one container's own annotation; a container that is skipped gets nothing"
new_pod several "" flox.dev/environment=hello flox.dev/environment.two=other flox.dev/skip-containers=three
start_in_pod one hello
wait_until 20 "its output" said "$id" "hello 1.0"
start_in_pod two other
wait_until 20 "its output" said "$id" "other 1.0"
start_in_pod three 'ls /nix 2>&1 | head -1; echo ordinary'
wait_until 20 "its output" said "$id" $'ls: /nix: No such file or directory\nordinary'

step "an ordinary pod is left as it is; so is one of the handler flox, which its shim prepares"
before=$(metric 'flox_nri_containers_total{outcome="prepared"}')
new_pod ordinary ""
start_in_pod ordinary 'ls /nix 2>&1; env | grep -c FLOX'
wait_until 20 "its output" said "$id" $'ls: /nix: No such file or directory\n0'
new_pod shim flox flox.dev/environment=hello
start_in_pod shim 'hello; grep -c " /nix/store " /proc/mounts'
wait_until 20 "its output" said "$id" $'hello 1.0\n1'
crictl inspect "$id" | jq -c '.info.runtimeSpec.mounts[].destination' | grepq /nix && die "the plugin has changed a pod of the shim's"
equal "$(metric 'flox_nri_containers_total{outcome="prepared"}')" "$before"

step "a stub image has nothing: it gets the runtime's tools"
new_pod stub "" flox.dev/environment=hello
start_in_pod stub 'hello; touch /tmp/x && ls /bin/env' '.image.image = "docker.io/flox/empty:1.0.0"'
wait_until 20 "its output" said "$id" $'hello 1.0\n/bin/env'

step "its own closure only"
new_pod closure "" flox.dev/environment=hello flox.dev/store-view=closure
start_in_pod closure 'hello; ls /nix/store | grep -c other'
wait_until 20 "its output" said "$id" $'hello 1.0\n0'

step "what cannot be done is refused, and the pod is told why"
# refuses TEXT [ANNOTATION…] [-- JQ-FILTER]
refuses() {
  local text=$1 annotations=() filter=.
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do annotations+=("$1"); shift; done
  [ $# = 0 ] || filter=$2
  new_pod "no$((++count))" "" "${annotations[@]}"
  refused "$text" start_in_pod "no$count" true "$filter"
}
count=0
refuses "Did you mean flox.dev/environment?" flox.dev/enviroment=hello
refuses "flox.dev/nix-mutable needs the runtime handler flox" flox.dev/environment=hello flox.dev/nix-mutable=true
refuses "skip-containers-exec needs the runtime handler flox" flox.dev/environment=hello flox.dev/skip-containers-exec=no3
refuses 'annotation flox.dev/store-view is "all"' flox.dev/environment=hello flox.dev/store-view=all
refuses "the pod mounts a volume at /nix/store/x" flox.dev/environment=hello -- ".mounts = [{container_path: \"/nix/store/x\", host_path: \"$WORLD/rootfs\"}]"
refuses "the catalog has no such package" flox.dev/environment=nothing
crictl pull flox.local/hello:1.0 >/dev/null
refuses "only the runtime handler flox can run it" -- '.image.image = "flox.local/hello:1.0"'

step "a link of an image to what is the node's has no mount of the pod's make an entry there, though crun makes places before a mount is read-only"
mkdir -p "$WORLD/linked" "$WORLD/scratch"
cp -a "$ROOTFS/." "$WORLD/linked"
ln -s /run/flox "$WORLD/linked/socket"
ln -s /nix/store "$WORLD/linked/packages"
make_image "$WORLD/linked-images" "$WORLD/linked" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' flox.test/linked:1
import_layout "$WORLD/linked-images" k8s.io
for handler in "" ${RUNC:+runc-users}; do
  for link in socket packages; do
    new_pod "link-$link-$handler" "$handler" flox.dev/environment=hello
    refused "ead-only file system" start_in_pod "link-$link-$handler" true \
      ".image.image = \"flox.test/linked:1\" | .mounts = [{container_path: \"/$link/entry/below\", host_path: \"$WORLD/scratch\"}]"
  done
done
crictl rm $(crictl ps -aq --name '^link-') >/dev/null
[ ! -e "$WORLD/run/pod/entry" ] || die "a container made an entry beside the pods' socket"
[ ! -e "$NODE_ROOT/nix/store/entry" ] || die "a container made an entry in the store"

step "somebody else's private package does not exist, by whatever name the pod calls itself"
refuses "package 'hidden': the catalog has no such package" flox.dev/environment=hidden io.kubernetes.cri.sandbox-namespace=secret
ls "$NODE_ROOT"/nix/store | grepq hidden && die "it was fetched"

step "the lease ends when the container ends, and is not there for one that was refused"
new_pod short "" flox.dev/environment=hello
start_in_pod short 'hello; sleep 1000'
wait_until 20 "its output" said "$id" "hello 1.0"
has_lease "$id" || die "nothing keeps its package"
crictl stop -t 0 "$id" >/dev/null
wait_until 20 "its lease to end" has_no_lease "$id"
leases() { ls "$NODE_ROOT/nix/var/nix/gcroots/flox" | grep -E '^[0-9a-f]{64}$' | sort; }
running() { crictl ps -q --no-trunc | sort; }
diff <(leases) <(comm -12 <(leases) <(running)) || die "a lease of no running container"

step "floxd is restarted: the container runs on, its lease stays, and pods start again"
stop_server floxd
start_plugin
has_lease "$plain" || die "the lease has gone"
equal "$(crictl exec "$plain" hello)" "hello 1.0"
new_pod later "" flox.dev/environment=other
start_in_pod later other
wait_until 20 "its output" said "$id" "other 1.0"

step "a container that ends while floxd is away loses its lease when it is back"
new_pod away "" flox.dev/environment=other
start_in_pod away 'sleep 1000'
away=$id
stop_server floxd
crictl stop -t 0 "$away" >/dev/null
has_lease "$away" || die "who took the lease?"
start_plugin
wait_until 20 "its lease to end" has_no_lease "$away"
has_lease "$plain" || die "the lease of a running container has gone"

step "floxd has forgotten its containers: containerd tells it of them"
stop_server floxd
rm -r "$NODE_ROOT/var/lib/flox/containers.json" "$NODE_ROOT/nix/var/nix/gcroots/flox/$plain"
start_plugin
wait_until 20 "a new lease" has_lease "$plain"

step "containerd is restarted: floxd is its plugin again"
stop_server containerd
wait_until 20 "floxd to see it" unplugged
start_containerd
wait_until 20 "containerd to have floxd as its plugin" plugged_in
new_pod again "" flox.dev/environment=hello
start_in_pod again hello
wait_until 20 "its output" said "$id" "hello 1.0"
