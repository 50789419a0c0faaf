# crun in the place of the runc of containerd's handlers runc-users and flox-users. Sourced before containerd starts, never run; sets
# RUNC, unless there is no crun.
if command -v crun >/dev/null; then
  export RUNC=$WORLD/crun
  mkdir "$RUNC"
  # crun before 1.9 refuses a specification of 1.1 and later, and each crun hybrid cgroups: it sees none.
  cat >"$RUNC/runc" <<'SH'
#!/bin/bash
for ((i = 1; i < $#; ++i)); do
  if [ "${!i}" = --bundle ]; then j=$((i + 1)); sed -i 's/"ociVersion": *"[^"]*"/"ociVersion":"1.0.2"/' "${!j}/config.json"; fi
done
exec unshare --mount --propagation private bash -c '
  if umount /sys/fs/cgroup/unified 2>/dev/null; then mount -t tmpfs tmpfs /sys/fs/cgroup/unified; fi
  exec crun --cgroup-manager=disabled "$@"' crun "$@"
SH
  chmod +x "$RUNC/runc"
fi
