# The world's containerd, configured: two handlers, runc and flox, and no registry. Sourced by world.sh, never run.
# Both print to stdout; $1 is the directory that holds containerd's root, state and socket. What a killed shim leaves is taken
# away by its "delete", which containerd ends after a time and does not try again: its own five seconds are too few where the
# machine is emulated.

# Debian's containerd 1.6.
containerd_config_2() {
  cat <<TOML
version = 2
root = "$1/root"
state = "$1/state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing"]
[timeouts]
  "io.containerd.timeout.shim.cleanup" = "2m"
[grpc]
  address = "$CONTAINERD_ADDRESS"
[plugins."io.containerd.grpc.v1.cri"]
  # A machine without CAP_SYS_RESOURCE cannot give sandboxes the negative OOM score that containerd wants for them.
  restrict_oom_score_adj = true
  sandbox_image = "flox.dev/pause:1.0.0"
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$WORLD/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$WORLD/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.flox]
      # containerd 1.6's CRI plugin ignores runtime_path (seen with 1.6.20): the name leads to
      # containerd-shim-flox-v1 in PATH.
      runtime_type = "io.containerd.flox.v1"
      pod_annotations = ["flox.dev/*"]
      container_annotations = ["flox.dev/*"]
TOML
}

# containerd 2.x, 2.0 and later. It sends traces to OTEL_EXPORTER_OTLP_ENDPOINT and has a socket for plugins at NRI_SOCKET, if these are set, and handlers for the gVisor in
# the directory RUNSC and for the runc in RUNC. The handler flox names the shim by path under the runtime type of runc's
# own shim: for that type only, CRI sends options that a runc has (SystemdCgroup, BinaryName; any other type gets the table as
# TOML text), and 2.0 and 2.1 ask only that type for the features that a pod's user namespace and recursively
# read-only mounts need. The handler flox-by-name is what a node that was upgraded from 1.6 has; both must work. With flox-sandbox the shim is the pod's sandbox.
containerd_config_3() {
  cat <<TOML
version = 3
root = "$1/root"
state = "$1/state"
disabled_plugins = ["io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.erofs",
  $([ -n "${NRI_SOCKET:-}" ] || echo '"io.containerd.nri.v1.nri",') $([ -n "${OTEL_EXPORTER_OTLP_ENDPOINT:-}" ] || echo '"io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing",') "io.containerd.internal.v1.opt"]
[timeouts]
  "io.containerd.timeout.shim.cleanup" = "2m"
[grpc]
  address = "$CONTAINERD_ADDRESS"
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
[plugins."io.containerd.shim.v1.manager"]
  socket_dir = "/run/flox-shims"  # 2.3 and later; not the place that a shim takes unasked
[plugins."io.containerd.cri.v1.images".registry]
  config_path = "$WORLD/certs.d"
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "flox.dev/pause:1.0.0"
[plugins."io.containerd.cri.v1.runtime"]
  # A machine without CAP_SYS_RESOURCE cannot give sandboxes the negative OOM score that containerd wants for them.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "$WORLD/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.flox]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = "$BUILD_DIR/bin/containerd-shim-flox-v1"
      pod_annotations = ["flox.dev/*"]
      container_annotations = ["flox.dev/*"]
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.flox-by-name]
      runtime_type = "io.containerd.flox.v1"
      pod_annotations = ["flox.dev/*"]
      container_annotations = ["flox.dev/*"]
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.flox-sandbox]
      runtime_type = "io.containerd.flox.v1"
      sandboxer = "shim"
      disable_pause_image_pull = true
      pod_annotations = ["flox.dev/*"]
      container_annotations = ["flox.dev/*"]
TOML
  [ -z "${NRI_SOCKET:-}" ] || cat <<TOML
[plugins."io.containerd.nri.v1.nri"]
  socket_path = "$NRI_SOCKET"
  plugin_path = "$WORLD/nri/plugins"
  plugin_config_path = "$WORLD/nri/conf.d"
  [plugins."io.containerd.nri.v1.nri".default_validator]
    enable = true
TOML
  [ -z "${RUNSC:-}" ] || cat <<TOML
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc]
      runtime_type = "io.containerd.runsc.v1"
      runtime_path = "$RUNSC/containerd-shim-runsc-v1"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runsc.options]
        TypeUrl = "io.containerd.runsc.v1.options"
        ConfigPath = "$WORLD/runsc.toml"
TOML
  [ -z "${RUNC:-}" ] || cat <<TOML
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc-users]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc-users.options]
        BinaryName = "$RUNC/runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.flox-users]
      runtime_type = "io.containerd.runc.v2"
      runtime_path = "$BUILD_DIR/bin/containerd-shim-flox-v1"
      pod_annotations = ["flox.dev/*"]
      container_annotations = ["flox.dev/*"]
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.flox-users.options]
        BinaryName = "$RUNC/runc"
TOML
}
