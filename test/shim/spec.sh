#!/usr/bin/env bash
# What a spec asks for reaches the container as under the reference shim: users, capabilities, seccomp, devices, limits,
# namespaces, hooks. Each question is put to a container of either shim, and the answers are the same.
. "$(dirname "$0")/support.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || skip "compares both shims itself"
chmod -R a+rX "$ROOTFS"

run_with() {  # SHIM OPTIONS… -- COMMAND…: what the container says, on stdout first: the two streams come in no order
  local shim=$1 options=() code=0
  shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  ctr run --rm --runtime "$shim" --env PATH=/bin "${options[@]}" --rootfs "$ROOTFS" asked "$@" </dev/null 2>"$WORLD/stderr" || code=$?
  cat "$WORLD/stderr"
  [ $code = 0 ] || echo "exit code $code"
}
same() {  # EXPECTED OPTIONS… -- COMMAND…: both say the same, and EXPECTED is in it
  local expected=$1 ours reference
  shift
  reference=$(run_with io.containerd.runc.v2 "$@")
  ours=$(run_with "$SHIM" "$@")
  equal "$ours" "$reference"
  contains "$ours" "$expected"
}
CTR_SAYS=$(ctr run --help)
has() { grep -q -- "--$1" <<<"$CTR_SAYS"; }

step "capabilities, seccomp and no new privileges"
same "CapEff" -- sh -c 'grep Cap /proc/self/status'
same "Seccomp:	2" --seccomp -- sh -c 'grep Seccomp: /proc/self/status'
same "CapEff:" --cap-drop CAP_CHOWN --cap-add CAP_SYS_ADMIN -- sh -c 'grep CapEff /proc/self/status'
same "CapEff:" --privileged -- sh -c 'grep CapEff /proc/self/status; ls /dev | wc -l'

step "devices, mounts, a read-only root"
same "/dev/null" --device /dev/null -- sh -c 'ls -l /dev/null | cut -c1-10; echo /dev/null; echo x >/dev/null'
same "cannot touch" --read-only -- sh -c 'touch /x 2>&1 | sed "s/.*touch/cannot touch/"; cut -d" " -f4 /proc/self/mounts | head -1 | cut -c1-2'
mkdir -p "$WORLD/shared" && echo content >"$WORLD/shared/file"
same "content" --mount "type=bind,src=$WORLD/shared,dst=/mnt,options=rbind:ro" -- sh -c 'cat /mnt/file; touch /mnt/y 2>&1 | grep -c Read-only'
same "/proc/kcore" -- sh -c 'ls -ld /proc/kcore | cut -c1-10; echo /proc/kcore; touch /proc/sys/kernel/x 2>&1 | wc -l'

step "namespaces: the host's network, a user namespace"
same "lo" --net-host -- sh -c 'ls /sys/class/net | xargs; readlink /proc/self/ns/net'
if has uidmap; then same "0" --uidmap 0:100000:65536 --gidmap 0:100000:65536 -- sh -c 'id -u; cat /proc/self/uid_map'; fi

step "limits"
same "memory" --memory-limit 50000000 --cpu-shares 77 -- sh -c 'grep -c memory /proc/self/cgroup; echo memory'
if has rlimit-nofile; then same "100" --rlimit-nofile 100 -- sh -c 'ulimit -n'; fi
same "1024" -- sh -c 'ulimit -n'

step "working directory, environment, exit codes"
same "/tmp" --cwd /tmp --env A=1 --env "B=two words" -- sh -c 'pwd; echo $A $B; env | wc -l'
same "exit code 42" -- sh -c 'exit 42'
same "executable file not found" -- no-such-program
same "permission denied" -- /tmp

step "a spec of our own: hooks, sysctls, an OOM score, groups, umask, a hostname"
ctr run -d --runtime io.containerd.runc.v2 --env PATH=/bin --rootfs "$ROOTFS" pattern sleep 1000 </dev/null
bundle=$WORLD/containerd/state/io.containerd.runtime.v2.task/$CONTAINERD_NAMESPACE
printf '#!/bin/sh\ncat >/dev/null\necho "$1 hook" >>%s\n' "$WORLD/hooks" >"$WORLD/hook"
chmod +x "$WORLD/hook"
jq --arg hook "$WORLD/hook" --arg root "$ROOTFS" 'def hook($name): [{path: $hook, args: ["hook", $name]}];
  .root.path = $root | .hostname = "asked" | .process.oomScoreAdj = 500 | .process.user += {uid: 1000, gid: 1001, additionalGids: [5, 6], umask: 18}
  | .linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "0", "kernel.shmmax": "65536"}
  | .process.args = ["sh", "-c", "id; hostname; umask; cat /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmax"]
  | .hooks = {createRuntime: hook("createRuntime"), createContainer: hook("createContainer"), poststart: hook("poststart"), poststop: hook("poststop")}
  | .linux.namespaces += [{type: "uts"}] | .linux.namespaces |= unique_by(.type) | del(.linux.cgroupsPath)' \
  "$bundle/pattern/config.json" >"$WORLD/config.json"
end_container pattern
for shim in io.containerd.runc.v2 "$SHIM"; do
  rm -f "$WORLD/hooks"
  { ctr run --rm --runtime "$shim" --config "$WORLD/config.json" hooked </dev/null 2>&1; cat "$WORLD/hooks"; } >"$WORLD/said.$(basename "$shim")"
done
equal "$(cat "$WORLD/said.$(basename "$SHIM")")" "$(cat "$WORLD/said.io.containerd.runc.v2")"
for part in uid=1000 groups=5 asked 500 65536 "createRuntime hook" "poststop hook"; do contains "$(cat "$WORLD/said.$(basename "$SHIM")")" "$part"; done
expect_nothing_left
