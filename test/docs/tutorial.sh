#!/usr/bin/env bash
# The first two pages of the tutorial, and README.md, as a reader would follow them: each command runs, and prints what the
# page says. A machine of its own stands for the reader's, with Debian's containerd and no flox.
# ctest: TIMEOUT 900
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/script/cluster-world.sh"
enter_world "$@"

step "a machine without flox"
make_network
boot_node 1
# The machine reaches no mirror: what it imports from Debian has been downloaded before.
flox --root "$LAPTOP_ROOT" import deb python3 busybox-static procps --quiet >/dev/null
on_node 1 rm -r /etc/cni/net.d
on_node 1 mkdir -p /run/systemd/system
on_node 1 install -m 755 "$PROJECT/test/docs/systemctl" /usr/local/sbin/systemctl
on_node 1 systemctl restart containerd
enter_node 1
reader=("${enter[@]}" env PATH="$BUILD_DIR/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME="$WORLD/reader"
  XDG_CACHE_HOME="$XDG_CACHE_HOME" FLOX_KUBE_CGROUP_PARENT="$CGROUP_PARENT" CONTAINERD_ADDRESS=/run/containerd/containerd.sock bash)
mkdir -p "$WORLD/reader"
files() { on_node 1 sh -c 'find /etc /usr/local -type f -exec sha256sum {} + | sort'; }
before=$(files)

cd "$PROJECT"
step "the tutorial"
python3 script/lib/pages.py docs/tutorial/first-environment.md docs/tutorial/first-pod.md -- "${reader[@]}"
step "nothing is left of it but what its last page names"
diff <(echo "$before") <(files) || die "files differ"

step "README.md"
python3 script/lib/pages.py README.md -- "${reader[@]}"
diff <(echo "$before") <(files) || die "files differ"
