#!/usr/bin/env bash
# With store-view "closure" a container finds in /nix/store what it runs, and no trace of its neighbours' packages.
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
start_catalog
publish_tool hello 1.0
publish_tool secret 1.0
start_floxd
import_images

SHIM=$BUILD_DIR/bin/containerd-shim-flox-v1
container() { ctr -n k8s.io run --rm --runtime "$SHIM" "$@"; }
view_of() {  # PACKAGE ID COMMAND…: with its own closure only
  local package=$1
  shift
  container --annotation "flox.dev/environment=$package" --annotation flox.dev/store-view=closure docker.io/flox/empty:1.0.0 "$@"
}
whole() { container --annotation flox.dev/environment=hello docker.io/flox/empty:1.0.0 "$@"; }
views() { find "$WORLD/run/views" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l; }
overlays() { grep -c "$WORLD/run/views" /proc/self/mounts || true; }

step "by default a container sees the whole store"
whole a1 hello
secret=$(flox show secret --json | jq -r '.[0].outputs.out')
equal "$(view_of secret a2 secret)" "secret 1.0"
contains "$(whole a3 ls /nix/store)" "$(basename "$secret")"
equal "$(overlays)" 1

step "with a view of its closure it sees what it runs, and nothing else"
equal "$(view_of hello b1 hello)" "hello 1.0"
seen=$(view_of hello b2 ls /nix/store)
case $seen in *secret*) die "the neighbour's package is visible: $seen" ;; esac
refused "No such file" view_of hello b3 cat "$secret/bin/secret"
profile=$(view_of hello b4 sh -c 'echo $FLOX_ENV')
runtime=$(readlink "$NODE_ROOT/nix/var/nix/gcroots/flox-runtime")
equal "$(sort <<<"$seen")" "$(flox --root "$NODE_ROOT" store closure --json "$profile" "$runtime" | jq -r '.[].path' | xargs -n1 basename | sort)"

step "the view is read-only, has no way out, and shows the store's own files"
refused "Read-only file system" view_of hello c1 touch /nix/store/x
hello=$(flox show hello --json | jq -r '.[0].outputs.out')
refused "Read-only file system" view_of hello c2 sh -c "echo x >$hello/bin/hello"
equal "$(view_of hello c3 sh -c 'ls /nix/store/../store | sort')" "$(sort <<<"$seen")"
hello=$(flox show hello --json | jq -r '.[0].outputs.out')
equal "$(view_of hello c4 cat "$hello/bin/hello")" "$(cat "$NODE_ROOT$hello/bin/hello")"
equal "$(view_of hello c5 stat -c '%i %a %Y' "$hello/bin/hello")" "$(stat -c '%i %a %Y' "$NODE_ROOT$hello/bin/hello")"

step "a container that may change /nix changes its own view of it, and sees no more than that"
mutable() { container --annotation flox.dev/environment=hello --annotation flox.dev/store-view=closure --annotation flox.dev/nix-mutable=true docker.io/flox/empty:1.0.0 "$@"; }
refused "this node does not allow containers to change /nix" mutable m0 hello
stop_server floxd
FLOX_ALLOW_NIX_MUTABLE=true start_floxd
equal "$(mutable m1 sh -c "hello; rm -r $hello; echo mine >/nix/store/mine; ls /nix/store | sort")" "hello 1.0
$({ grep -vx "$(basename "$hello")" <<<"$seen"; echo mine; } | sort)"
equal "$(view_of hello m2 hello)" "hello 1.0"
equal "$(container --annotation flox.dev/environment=hello --annotation flox.dev/nix-mutable=true docker.io/flox/empty:1.0.0 m3 \
  sh -c 'hello; echo mine >/nix/store/mine; cat /nix/store/mine')" $'hello 1.0\nmine'
[ ! -e "$NODE_ROOT/nix/store/mine" ] || die "a container changed the node's store"

step "all containers of one closure share one view, and the container's mount table has one line for it"
equal "$(views)" 2
equal "$(view_of hello d1 grep -c ' /nix/store' /proc/self/mountinfo)" 1
equal "$(overlays)" 2

step "floxd starts again and finds its views"
stop_server floxd
start_floxd
equal "$(view_of hello e1 hello)" "hello 1.0"
equal "$(views)" 2
whole e2 hello
equal "$(grep -c " $WORLD/run/store [^ ]* ro," /proc/self/mounts)" 1

step "a node can insist; a pod cannot widen what it sees"
stop_server floxd
FLOX_STORE_VIEW=closure start_floxd
case $(whole f1 ls /nix/store) in *secret*) die "the node's policy was not followed" ;; esac
refused "containers of this node see only their own closure" \
  container --annotation flox.dev/environment=hello --annotation flox.dev/store-view=node docker.io/flox/empty:1.0.0 f2 hello
refused "It is node or closure" \
  container --annotation flox.dev/environment=hello --annotation flox.dev/store-view=mine docker.io/flox/empty:1.0.0 f3 hello
refused "'everything' is not node or closure" env FLOX_STORE_VIEW=everything floxd --root "$NODE_ROOT"

step "what a pod installs is visible to the containers that it starts after"
pod() {
  ctr -n k8s.io run --runtime "$SHIM" --annotation io.kubernetes.cri.image-name=ghcr.io/flox/flox:latest \
    --annotation io.kubernetes.cri.sandbox-id=pod1 --env HOME=/tmp --cwd /tmp "$@"
}
pod -d docker.io/flox/empty:1.0.0 pod1 sleep 1000
case $(pod --rm docker.io/flox/empty:1.0.0 g1 ls /nix/store) in *secret*) die "a pod that installed nothing sees a package" ;; esac
pod --rm docker.io/flox/empty:1.0.0 g2 sh -c 'flox init >/dev/null && flox install secret' >&2
contains "$(pod --rm docker.io/flox/empty:1.0.0 g3 ls /nix/store)" "$(basename "$secret")"
