#!/usr/bin/env bash
# A Debian 12 with systemd, in a virtual machine or in namespaces, becomes a node from the bundle alone: units and their sandbox, sockets that
# outlive floxd, a restart after a crash, the journal, systemd's cgroups, pods over CRI; doctor finds nothing, and uninstall
# leaves nothing.
# ctest: COST 120
# ctest: RESOURCE_LOCK emulator
. "$(dirname "$0")/machine_support.sh"
export FLOX_ALLOW_UNSIGNED=false
if ! in_machine; then
  [ -n "${FLOX_WORLD_ENTERED:-}" ] || need_machine
  enter_world "$@"
  prepare_machine
  run_in_machine
  exit
fi

# Every file that an installation may touch, with its mode, owner and content.
files() { { find /etc /usr/local /opt /var/lib/flox /run/flox -printf '%p %y %m %u:%g %l\n' -type f -exec sha256sum {} + 2>/dev/null || true; } | sort; }
unit() { systemctl show -P "$1" "$2"; }

step "before"
[[ $(systemctl is-system-running --wait) =~ ^(running|starting)$ ]] || die "the machine is not well: $(systemctl --failed --no-legend)"
begin_node
equal "$(unit ActiveState containerd)" active
BEFORE=$(files)

step "installed from the bundle"
unpack_bundle
install_node
for name in floxd.service floxd.socket; do
  equal "$(systemctl is-active $name) $(systemctl is-enabled $name)" "active enabled"
done
equal "$(unit Type floxd.service)" notify
contains "$(install_node)" "nothing had to change"
flox node doctor

step "its sandbox, as the kernel has it"
systemd-analyze security --no-pager floxd.service | tail -1
status=$(cat "/proc/$(floxd_pid)/status")
equal "$(awk '/^NoNewPrivs:/ { print $2 }' <<<"$status") $(awk '/^Seccomp:/ { print $2 }' <<<"$status")" "1 2"
# chown, dac_override, dac_read_search, fowner, fsetid, setgid, setuid, setpcap, sys_chroot, sys_admin
equal "$(awk '/^CapBnd:/ { print $2 }' <<<"$status")" 00000000002401df
equal "$(systemctl cat floxd.service | grep -c '^MemoryMax=1G')" 1

step "the journal has what it says, under its name"
contains "$(journalctl -u floxd -t floxd -o cat)" "serving shims at /run/flox/node.sock"

step "a pod, in systemd's cgroups"
ids=$(start_pod web)
read -r _ container <<<"$ids"
wait_until 30 "the pod's greeting" pod_says web "hello 1.0"
pid=$(pid_of "$container")
# Of cgroup v1 every hierarchy has it but the unified one, which has no controllers.
equal "$(grep -v '^0::/$' "/proc/$pid/cgroup" | cut -d: -f3 | sort -u)" "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podweb.slice/cri-containerd-$container.scope"
equal "$(systemctl is-active "cri-containerd-$container.scope")" active
equal "$(cri exec "$container" hello)" "hello 1.0"

step "floxd is killed: systemd starts it again, a pod that starts meanwhile waits, and the one that runs goes on"
killed=$(floxd_pid)
kill -KILL "$killed"
start_pod meanwhile >/dev/null
wait_until 30 "the second pod's greeting" pod_says meanwhile "hello 1.0"
[ "$(floxd_pid)" != "$killed" ] || die "floxd is not a new one"
equal "$(unit NRestarts floxd.service)" 1
equal "$(pid_of "$container") $(cat "/proc/$pid/comm")" "$pid sleep"
contains "$(journalctl -u floxd -o cat)" "Main process exited, code=killed"

step "a stopped floxd is started by whoever asks it"
systemctl stop floxd.service 2>/dev/null
start_pod woken >/dev/null
equal "$(systemctl is-active floxd.service)" active

step "systemctl reload reads the policy again"
systemctl reload floxd
flox node doctor

step "uninstall refuses while pods run, and leaves nothing then"
refused "of this node's pods use flox" flox node uninstall
remove_pods
no_shims() { ! pgrep -f /usr/local/bin/containerd-shim-flox-v1 >/dev/null; }
wait_until 60 "the shims to end" no_shims
flox node uninstall
diff <(echo "$BEFORE") <(files) || die "uninstall left files"
equal "$(systemctl list-units --all --no-legend 'flox*'; systemctl list-unit-files --no-legend 'flox*')" ""
if grep -E '/run/flox|/nix/' /proc/self/mounts; then die "uninstall left mounts"; fi
equal "$(pgrep -f 'floxd|containerd-shim-flox' || true)" ""
equal "$(systemctl is-active containerd)" active
