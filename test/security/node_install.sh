#!/usr/bin/env bash
# flox node install believes no process for its name, and what it installs is confined: a process of another user that is
# called containerd does not choose the file that root edits; the unit has limits and a sandbox that systemd understands.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"

step "a process of another user that is called containerd is not asked where the configuration is"
mkdir -m 755 "$WORLD/evil"
echo 'version = 2' >"$WORLD/evil/config.toml"
cat >"$WORLD/evil/loop.py" <<'PY'
import time
time.sleep(1000)
PY
cp "$(readlink -f /usr/bin/python3)" "$WORLD/evil/python"
mkdir "$WORLD/evil/bin"
cp "$WORLD/evil/python" "$WORLD/evil/bin/containerd"
chmod -R a+rX "$WORLD/evil"
setpriv --reuid 65534 --regid 65534 --clear-groups "$WORLD/evil/bin/containerd" "$WORLD/evil/loop.py" --config "$WORLD/evil/config.toml" &
evil=$!
runs() { [[ $(readlink "/proc/$evil/exe") == */containerd ]]; }
wait_until 10 "the false containerd" runs
plan=$(flox node install --dry-run --no-service)
case $plan in *"$WORLD/evil"*) die "another user's process chose the configuration: $plan" ;; esac
contains "$plan" "configuration /etc/containerd/config.toml"

step "nor does one that is called as the shim keep the node from being taken back"
cp "$WORLD/evil/python" "$WORLD/evil/bin/containerd-shim-flox-v1"
setpriv --reuid 65534 --regid 65534 --clear-groups "$WORLD/evil/bin/containerd-shim-flox-v1" "$WORLD/evil/loop.py" -id mine &
shim=$!
runs() { [[ $(readlink "/proc/$shim/exe") == */containerd-shim-flox-v1 ]]; }
wait_until 10 "the false shim" runs
said=$(flox node uninstall 2>&1) && die "there was nothing to uninstall"
contains "$said" "flox node install did not set this node up"

step "the unit limits floxd and confines it"
mkdir -p "$WORLD/target/etc/systemd/system"
flox node install --dry-run --target "$WORLD/target" >"$WORLD/changes"
for unit in floxd.service floxd.socket; do sed -n "/^+++ .*$unit/,/^--- /s/^+//p" "$WORLD/changes" | grep -v '^++' >"$WORLD/$unit"; done
for setting in MemoryMax= TasksMax= NoNewPrivileges=yes RestrictAddressFamilies= SystemCallFilter= CapabilityBoundingSet= OOMScoreAdjust=; do
  grep -q "^$setting" "$WORLD/floxd.service" || die "the unit has no $setting: $(cat "$WORLD/floxd.service")"
done
command -v systemd-analyze >/dev/null || { echo "the rest needs systemd-analyze"; exit 0; }
sed -i "s|^ExecStart=.*|ExecStart=/bin/true|" "$WORLD/floxd.service"
said=$(systemd-analyze verify "$WORLD/floxd.service" "$WORLD/floxd.socket" 2>&1) || die "systemd does not take the unit: $said"
case $said in *floxd.service*Unknown* | *"Failed to parse"*) die "systemd does not understand the unit: $said" ;; esac
systemd-analyze security --offline=true --threshold=65 "$WORLD/floxd.service" --no-pager >"$WORLD/security" 2>&1 || die "the unit is not confined: $(tail -1 "$WORLD/security")"
