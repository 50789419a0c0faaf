# What the tests of borders share: a private world (world.sh) whose root file system is this machine's under a layer
# that goes with the world, so that the node's store is at "/", where an attack has something to reach. Nothing of
# the machine is changed. Sourced first by a test, never run.
#
#   enter_overlay_root "$@"   first: the rest of the test runs inside. $NODE_ROOT is "/"; the publisher's store stays
#                             $LAPTOP_ROOT. /nix, /run, /etc/flox, /var/lib/flox, /var/log are empty and the world's.
#   start_node                containerd, catalog, floxd on "/", stub images (world.sh has them one by one)
#   host_changes              every file that differs from the machine's, one a line; remember_host, host_unchanged
#   hostile_package …         a signed package of any content in $EVIL_CACHE; serve_evil_cache; publish_hostile
#   start_pod ID …            a pod of one container that sleeps; as_pod ID COMMAND…; pod_call ID METHOD …; node_call
#   verify_store [ROOT]       the whole store, by us and by Nix where there is one
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
SECURITY=$PROJECT/test/security
skip() { echo "$*"; exit 77; }
NIX_SYSTEM=$(uname -m)-linux

enter_overlay_root() {
  [ "$(id -u)" = 0 ] || skip "needs root: makes an overlay of the root file system"
  enter_world "$@"
  local root=$WORLD/root ram=$WORLD/ram tree
  mkdir -p "$root" "$ram" "$WORLD/changed" "$WORLD/disk"
  mount -t tmpfs -o mode=755 tmpfs "$ram"  # an upper layer must not lie in the lower one
  mkdir "$ram/upper" "$ram/work"
  mount -t overlay -o "lowerdir=/,upperdir=$ram/upper,workdir=$ram/work" overlay "$root" || skip "needs overlayfs"
  for tree in /sys /dev /run; do mount --rbind "$tree" "$root$tree"; done
  # Not a bind of /proc: its own, of this world's processes.
  mount -t proc proc "$root/proc"
  # Builds of the same package in another world at the same time would meet in /tmp.
  mkdir -m 1777 "$WORLD/tmp" && mount --bind "$WORLD/tmp" "$root/tmp"
  # What the test itself needs and what may lie on a file system of its own, which an overlay of "/" does not show:
  # $WORLD, the programs, the project, the cache of downloads. None of them is a place that floxd is to write to.
  for tree in "$WORLD" "$PROJECT" "$BUILD_DIR" "$XDG_CACHE_HOME" ${FLOX_TEST_CONTAINERD:-}; do
    [ -d "$tree" ] || continue
    mkdir -p "$root$tree"
    mount --bind "$tree" "$root$tree"
  done
  # Empty here, whatever the machine has. The store lies on a disk: views of it are overlays in containers.
  for tree in /nix /etc/flox /var/lib/flox /var/log; do
    mkdir -p "$WORLD/disk$tree" "$root$tree"
    mount --bind "$WORLD/disk$tree" "$root$tree"
  done
  mount --bind "$ram/upper" "$root$WORLD/changed"
  mount --make-rprivate "$root"  # otherwise the old root's end would take /run/netns along
  # This moves the script's own root, too: pivot_root(2) takes along every process of the mount namespace.
  cd "$root"
  mkdir -p "$ram/upper/.old"
  pivot_root . .old
  umount -l /.old
  rmdir /.old
  cd /
  export NODE_ROOT=/
  export NIX_CONFIG=$'experimental-features = nix-command\nbuild-users-group =\nnarinfo-cache-negative-ttl = 0'
  EVIL_CACHE=$WORLD/evil-cache
  SHIM=$BUILD_DIR/bin/containerd-shim-flox-v1
  remember_host
}

start_node() {
  start_containerd
  [ -n "${CATALOG_URL:-}" ] || start_catalog
  start_floxd
  import_images
  remember_host  # what the servers need on the host is there now
}

# Files that were made, changed or removed on the host since it was entered; the tests' own places do not count.
host_changes() { find "$WORLD/changed" -mindepth 1 ! -type d -printf '/%P %s %T@\n' | sort; }
# Names in directories that packages like to reach, directories among them.
host_state() { host_changes; find "$WORLD/changed" -mindepth 1 -type d -printf '/%P/\n' | sort; }
remember_host() { host_state >"$WORLD/host-state"; }
# host_unchanged WHAT: nothing outside /nix and the servers' own directories differs from when it was remembered.
host_unchanged() {
  local now
  now=$(host_state)
  [ "$now" = "$(cat "$WORLD/host-state")" ] ||
    die "$1 changed the host: $(diff "$WORLD/host-state" - <<<"$now" | grep '^[<>]')"
}

# author_key: a second publisher, whose key the node trusts if the test says so: $AUTHOR_KEY_FILE, $AUTHOR_KEY.
author_key() {
  AUTHOR_KEY_FILE=$WORLD/author.key
  [ -s "$AUTHOR_KEY_FILE" ] || AUTHOR_KEY=$(flox store keygen author-1 --out "$AUTHOR_KEY_FILE")
}
# hostile_package NAME TREE [OPTION…]: packs the tree as it is (no check of ours sees it), signs it with the catalog's key
# and puts it into $EVIL_CACHE. Prints the store path. hostile_package.py has the options: references, another key,
# a raw NAR, narinfo fields of any text.
hostile_package() {
  "$SECURITY/hostile_package.py" --cache "$EVIL_CACHE" --key "$KEY_FILE" --name "$1" --tree "$2" "${@:3}"
}
# serve_evil_cache: $EVIL_CACHE_URL, over HTTP. A node takes it with: FLOX_CACHES=$EVIL_CACHE_URL start_floxd; file://… works, too.
serve_evil_cache() {
  mkdir -p "$EVIL_CACHE/nar"
  [ -e "$EVIL_CACHE/nix-cache-info" ] || printf 'StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 20\n' >"$EVIL_CACHE/nix-cache-info"
  local port
  port=$(free_port)
  start_server evil-cache python3 -m http.server --bind 127.0.0.1 --directory "$EVIL_CACHE" "$port"
  EVIL_CACHE_URL=http://127.0.0.1:$port
  wait_until 10 "the hostile cache to answer" curl -fs "$EVIL_CACHE_URL/nix-cache-info"
}
# publish_hostile NAME VERSION STORE-PATH: uploads the path from $EVIL_CACHE and publishes it, as anybody with the catalog's
# token and a key can, without our client. References must be in the catalog's cache before.
publish_hostile() {
  local digest nar record
  digest=$(basename "$3" | cut -c1-32)
  nar=$(sed -n 's/^URL: //p' "$EVIL_CACHE/$digest.narinfo")
  evil_put "$nar" "$EVIL_CACHE/$nar"
  evil_put "$digest.narinfo" "$EVIL_CACHE/$digest.narinfo"
  record=$(jq -nc --arg v "$2" --arg p "$3" --arg n "$1" --arg s "$NIX_SYSTEM" --arg k "$(cut -d: -f1 "$KEY_FILE")" \
    '{name:$n,version:$v,system:$s,signer:$k,description:"hostile",outputs:{out:$p}}')
  curl -fsS -X POST -H "Authorization: Bearer $FLOX_CATALOG_TOKEN" -d "$record" \
    "$CATALOG_URL/api/v1/catalog/packages/$1/builds" >"$WORLD/logs/publish-hostile.log" || die "publishing $1: $(cat "$WORLD/logs/publish-hostile.log")"
}
evil_put() {
  curl -fsS -X PUT -H "Authorization: Bearer $FLOX_CATALOG_TOKEN" --data-binary "@$2" "$CATALOG_URL/cache/$1" >"$WORLD/logs/evil-put.log" ||
    die "uploading $1: $(cat "$WORLD/logs/evil-put.log")"
}
# lock_of STORE-PATH…: a lock that a pod can write: each path a package named p1, p2, …. $LOCK_MANIFEST is its manifest
# (JSON, default: nothing but a version).
lock_of() {
  printf '%s\n' "$@" | jq -Rnc --arg s "$NIX_SYSTEM" --argjson m "${LOCK_MANIFEST:-{\}}" \
    '{"lockfile-version": 1, manifest: ({"schema-version": "1.10.0"} + $m),
      packages: [inputs | select(. != "")] | to_entries | map({install_id: "p\(.key + 1)", attr_path: "p\(.key + 1)", version: "1", system: $s, outputs: {out: .value}, priority: 5})}'
}

# start_pod ID [OPTION of ctr run…]: a running container that floxd knows as pod ID.
start_pod() {
  local id=$1
  shift
  ctr -n k8s.io run -d --runtime "$SHIM" --cgroup "$CGROUP_PARENT/$id" --annotation io.kubernetes.cri.image-name=ghcr.io/flox/flox:latest \
    --annotation io.kubernetes.cri.sandbox-id="$id" --env HOME=/tmp --cwd /tmp "$@" docker.io/flox/empty:1.0.0 "$id" sleep 1000000 ||
    { show_trouble; die "pod $id did not start"; }
}
stop_pod() {
  ctr -n k8s.io task kill --signal KILL "$1" >/dev/null 2>&1 || true
  wait_until 20 "pod $1 to stop" sh -c "! ctr -n k8s.io task ls | grep -q '^$1 .*RUNNING'"
  ctr -n k8s.io task delete "$1" >/dev/null 2>&1 || true
  ctr -n k8s.io container delete "$1"
}
pod_pid() { ctr -n k8s.io task ls | awk -v id="$1" '$1 == id { print $2 }'; }
# in_pod ID COMMAND…: a command of the pod's own root (it has busybox and flox).
in_pod() { ctr -n k8s.io task exec --exec-id "e$RANDOM$RANDOM" "$@" </dev/null; }
# as_pod ID COMMAND…: a command of this machine's root that is of the pod for whoever asks the kernel: in its cgroups.
as_pod() {
  local pid=$1
  pid=$(pod_pid "$1")
  [ -n "$pid" ] || die "pod $1 does not run"
  shift
  (
    self=$BASHPID
    for path in $(sed 's/^[^:]*:[^:]*://' "/proc/$pid/cgroup" | sort -u); do
      [ "$path" = / ] || for dir in $(cgroup_directories "$path"); do echo "$self" >"$dir/cgroup.procs"; done
    done
    exec "$@"
  )
}
# pod_call ID METHOD FIELD=VALUE…: what a process of the pod asks floxd; prints "ok FIELD=…" or "CODE: message" (node_call.py).
pod_call() { local id=$1; shift; as_pod "$id" "$SECURITY/node_call.py" "$WORLD/run/pod/pod.sock" "$@"; }
node_call() { "$SECURITY/node_call.py" "$FLOX_NODE_SOCKET" "$@"; }
# realise_as ID LOCK-FILE: prints the profile's path, or the refusal and fails.
realise_as() {
  local answer
  answer=$(pod_call "$1" Realise "lock_json=@$2" system="$NIX_SYSTEM" mode=run)
  case $answer in
    "ok profile="*) echo "${answer#ok profile=}" ;;
    *) echo "$answer" && return 1 ;;
  esac
}

# verify_store [ROOT]: neither we nor Nix have anything to complain about.
verify_store() {
  local root=${1:-$NODE_ROOT} output
  output=$(flox --root "$root" store verify 2>&1) || die "flox store verify of $root: $output"
  command -v nix-store >/dev/null || return 0
  output=$(nix-store --store "$root" --verify --check-contents 2>&1) || die "nix-store --verify of $root: $output"
  case $output in *error* | *modified* | *disappeared*) die "nix-store --verify of $root: $output" ;; esac
}
