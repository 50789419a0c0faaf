# What the kube tests share: a private containerd with runc and one small image, and kube commands against it.
# Sourced, never run. A test that needs no containerd sources only script/lib.sh.
#
#   start_kube          containerd with the images flox.dev/pause:1.0.0 and test/busybox:1 (a static busybox)
#   kube ARGUMENTS…     flox-kube against it, with this world's state directory
#   pods / of_pods    what ps --json says
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
. "$PROJECT/script/world.sh"

# busybox_image FILE NAME COMMAND-JSON: an OCI archive of one layer, which holds busybox and nothing else.
busybox_image() {
  local dir=$WORLD/image-$RANDOM layer config manifest
  mkdir -p "$dir/root/bin" "$dir/root/tmp" "$dir/root/etc" "$dir/oci/blobs/sha256"
  cp /bin/busybox "$dir/root/bin/busybox"
  chmod 1777 "$dir/root/tmp"
  for applet in sh sleep echo cat ls touch id stat pgrep true false env httpd nc grep kill wget mkdir hostname dd; do
    ln -s busybox "$dir/root/bin/$applet"
  done
  tar -C "$dir/root" -cf "$dir/layer.tar" .
  blob() { local sum; sum=$(sha256sum <"$1" | cut -d' ' -f1); cp "$1" "$dir/oci/blobs/sha256/$sum"; echo "$sum"; }
  layer=$(blob "$dir/layer.tar")
  local arch=amd64
  [ "$(uname -m)" = aarch64 ] && arch=arm64
  printf '{"architecture":"%s","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":%s},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' \
    $arch "$3" "$layer" >"$dir/config"
  config=$(blob "$dir/config")
  printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%d},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:%s","size":%d}]}' \
    "$config" "$(stat -c %s "$dir/config")" "$layer" "$(stat -c %s "$dir/layer.tar")" >"$dir/manifest"
  manifest=$(blob "$dir/manifest")
  printf '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%d,"annotations":{"io.containerd.image.name":"%s"}}]}' \
    "$manifest" "$(stat -c %s "$dir/manifest")" "$2" >"$dir/oci/index.json"
  tar -C "$dir/oci" -cf "$1" .
  rm -rf "$dir"
}

start_kube() {
  start_containerd
  busybox_image "$WORLD/pause.tar" flox.dev/pause:1.0.0 '["sleep","1000000000"]'
  busybox_image "$WORLD/busybox.tar" docker.io/test/busybox:1 '["sh"]'
  ctr -n k8s.io images import "$WORLD/pause.tar" >"$WORLD/logs/images.log"
  ctr -n k8s.io images import "$WORLD/busybox.tar" >>"$WORLD/logs/images.log"
  export FLOX_KUBE_STATE=$WORLD/kube FLOX_KUBE_CGROUP_PARENT=$CGROUP_PARENT CONTAINER_RUNTIME_ENDPOINT=unix://$CONTAINERD_ADDRESS
}

kube() { in_net flox-kube "$@"; }
pods() { kube ps --json; }
# of_pods FILTER: jq on the list of pods
of_pods() { pods | jq -r "$1"; }
pod_is() { [ "$(of_pods ".[] | select(.name == \"$1\" or .owner_name == \"$1\") | .status" | head -1)" = "$2" ]; }

# nothing_left: no container, sandbox, network namespace or cgroup of ours, and no supervisor.
nothing_left() {
  [ -z "$(ctr -n k8s.io tasks ls -q)$(ctr -n k8s.io containers ls -q)" ] || { ctr -n k8s.io containers ls >&2; die "containers are left"; }
  [ -z "$(ls /run/netns | grep -v '^world$')" ] || die "network namespaces are left: $(ls /run/netns)"
  [ -z "$(find /sys/fs/cgroup -type d -name "${CGROUP_PARENT#/}")" ] || die "cgroups are left"
  [ -z "$(ls -A "$WORLD/kube/pods" "$WORLD/kube/logs" | grep -v : )" ] || die "pod directories are left"
  flock -n "$WORLD/kube/supervisor.lock" true || die "the supervisor is left"
}

expect_error() {  # expect_error TEXT COMMAND…: fails, and says TEXT
  local text=$1 out
  shift
  if out=$("$@" 2>&1); then die "should have failed: $*"; fi
  grep -qF -- "$text" <<<"$out" || die "the error of '$*' does not say '$text' but: $out"
}
