# An OCI runtime that is broken on demand, and containers that run on it. Sourced after support.sh.
#   fault VERB ACTION [ID]   from now on, for every container or one; `fault none` ends it
#   faulty OPTIONS… NAME COMMAND…   a container on this runtime
#   launch OPTIONS… NAME COMMAND…   the same in the background; its client is $client
CTR=$(type -P ctr)

# The actions: fail, silent (no reason), killed, hang, hang-after (it has done it), after (it has done it, and says that
# it failed), no-pid (no pid file), init-dies (right after).
cat >"$WORLD/faulty-runc" <<SH
#!/bin/bash
read -r fault action id <"$WORLD/fault"
hanging=$WORLD/hanging
SH
cat >>"$WORLD/faulty-runc" <<'SH'
log=/dev/stderr verb='' meant=''
for ((i = 1; i <= $#; i++)); do
  j=$((i + 1))
  case ${!i} in
    --log) log=${!j} ;;
    --pid-file) pid_file=${!j} ;;
    create | start | exec | kill | delete | pause | resume | update | ps) [ -n "$verb" ] || verb=${!i} ;;
  esac
  [ -n "$id" ] && [ "${!i}" != "$id" ] || meant=yes
done
hang() { echo $$ >"$hanging.new"; mv "$hanging.new" "$hanging"; exec sleep 100000; }
if [ "$verb" = "$fault" ] && [ -n "$meant" ]; then
  case $action in
    fail) echo "{\"level\": \"error\", \"msg\": \"runc says no to $verb\"}" >>"$log"; exit 1 ;;
    silent) exit 1 ;;
    killed) kill -9 $$ ;;
    hang) hang ;;
    hang-after) runc "$@"; hang ;;
    after) runc "$@"; echo "too late for $verb" >&2; exit 1 ;;
    no-pid) runc "$@"; rm -f "$pid_file"; exit 0 ;;
    init-dies) runc "$@" || exit; kill -9 "$(cat "$pid_file")"; exit 0 ;;
  esac
fi
exec runc "$@"
SH
chmod +x "$WORLD/faulty-runc"
fault() {
  rm -f "$WORLD/hanging"
  echo "$*" >"$WORLD/fault.new"
  mv "$WORLD/fault.new" "$WORLD/fault"
}
fault none

# with_binary PATH: the options of ctr that choose an OCI runtime, in $binary. ctr has some only for the reference's name.
with_binary() {
  if reference; then binary=(--runc-binary "$1"); return; fi
  printf 'BinaryName = "%s"\n' "$1" >"$WORLD/${1##*/}.toml"
  binary=(--runtime-config-path "$WORLD/${1##*/}.toml")
}
with_binary "$WORLD/faulty-runc"
faulty() { run_container "${binary[@]}" "$@"; }
# The client itself is the background process: `ctr` becomes it.
launch() {
  ( ctr() { exec "$CTR" "$@"; }; faulty "$@" ) >"$WORLD/launch.out" 2>&1 &
  client=$!
}
# end_client: the client is killed, as by somebody who does not want to wait any more.
end_client() {
  kill -9 "$client" 2>/dev/null || true
  wait "$client" 2>/dev/null || true
}
runtime_hangs() { [ -s "$WORLD/hanging" ]; }
# unhang: the runtime that hangs now is killed; the next one does not hang.
unhang() {
  local pid
  pid=$(cat "$WORLD/hanging")
  fault none
  kill -9 "$pid" 2>/dev/null || true  # the shim's own limit, or its death, may have been quicker
}
shim_of() { pgrep -f "containerd-shim.* -id $1( |\$)"; }

# What is left of one container, while others live.
left_of() {
  find "$bundle/$1" "/run/containerd/runc/$CONTAINERD_NAMESPACE/$1" -maxdepth 0 2>/dev/null
  find /sys/fs/cgroup -path "*$CGROUP_PARENT/$1" -type d 2>/dev/null
  grep -F "/$1/rootfs" /proc/self/mounts
  true
}
nothing_left_of() { [ -z "$(left_of "$1")" ]; }
expect_nothing_left_of() { wait_until 15 "$1 to leave nothing: $(left_of "$1")" nothing_left_of "$1"; }
# forget NAME: containerd's record of a container, where a failing client left it.
forget() { ctr container delete "$1" >/dev/null 2>&1 || true; }
kill_containerd() {
  local pid
  pid=$(cat "$WORLD/containerd.pid")
  kill -9 "$pid"
  wait "$pid" 2>/dev/null || true
}
begin_containerd() {
  start_server containerd in_net containerd --config "$WORLD/containerd/config.toml"
  wait_until 20 "containerd to answer" ctr version
}
