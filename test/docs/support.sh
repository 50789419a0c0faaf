# A reader's machine: one of its own, with Debian's containerd and no flox, on which pages are followed. Sourced after
# lib.sh and cluster-world.sh, in a world, never run.
#
#   start_reader           boots it
#   files                  every file that an installation may touch, with its hash
#   follow PAGE…           runs the pages' commands there and compares what they print (script/lib/pages.py)

start_reader() {
  make_network
  boot_node 1
  # The machine reaches no mirror: what it imports from Debian has been downloaded before.
  flox --root "$LAPTOP_ROOT" import deb python3 busybox-static procps --quiet >"$WORLD/logs/import.log" 2>&1 ||
    { cat "$WORLD/logs/import.log" >&2; die "importing from Debian failed"; }
  on_node 1 rm -r /etc/cni/net.d
  on_node 1 mkdir -p /run/systemd/system
  on_node 1 install -m 755 "$PROJECT/test/docs/systemctl" /usr/local/sbin/systemctl
  on_node 1 systemctl restart containerd
  mkdir "$WORLD/reader"
}
files() { on_node 1 sh -c 'find /etc /usr/local -type f -exec sha256sum {} + | sort'; }
follow() {
  local enter
  enter_node 1
  (cd "$PROJECT" && python3 script/lib/pages.py "$@" -- "${enter[@]}" env HOME="$WORLD/reader" XDG_CACHE_HOME="$XDG_CACHE_HOME" \
    PATH="$BUILD_DIR/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    FLOX_KUBE_CGROUP_PARENT="$CGROUP_PARENT" CONTAINERD_ADDRESS=/run/containerd/containerd.sock bash)
}
