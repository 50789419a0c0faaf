#!/usr/bin/env bash
# A node is upgraded under load, with systemd, in a virtual machine or in namespaces: pods start one after the other while floxd is replaced,
# restarted, killed and put back; none fails, what runs goes on, shims of before ask the floxd of now, and a floxd that does
# not come up is taken back.
#   FLOX_TEST_PREVIOUS=DIRECTORY test/node/upgrade.sh    the node begins with the programs of an earlier build
# ctest: COST 120
# ctest: RESOURCE_LOCK emulator
. "$(dirname "$0")/machine_support.sh"
export FLOX_ALLOW_UNSIGNED=false
if ! in_machine; then
  [ -n "${FLOX_WORLD_ENTERED:-}" ] || need_machine
  enter_world "$@"
  prepare_machine
  if [ -n "${FLOX_TEST_PREVIOUS:-}" ]; then
    FLOX_ROOT=$WORLD/previous-store "$FLOX_TEST_PREVIOUS/flox" node bundle --output "$WORLD/previous.tar" >"$WORLD/logs/previous.log" 2>&1 ||
      { tail -5 "$WORLD/logs/previous.log" >&2; die "no bundle of the earlier programs was made"; }
  fi
  run_in_machine
  exit
fi

# Runs until $WORLD/enough is there: each pod must say what it has to.
keep_starting() {
  local n ids end
  for ((n = 1; ; n++)); do
    [ ! -e "$WORLD/enough" ] || return 0
    if ids=$(start_pod "load$n" 2>&1); then
      end=$((SECONDS + 60 * PATIENCE))
      until pod_says "load$n" "hello 1.0" 2>/dev/null || [ $SECONDS -ge $end ]; do sleep 0.1; done
    fi
    if pod_says "load$n" "hello 1.0" 2>/dev/null; then echo "load$n" >>"$WORLD/started"; else echo "load$n: $ids" >>"$WORLD/failed"; fi
    cri rmp "${ids% *}" >/dev/null 2>&1 || true
  done
}
started() { wc -l <"$WORLD/started"; }
# more_start N: N further pods have started.
more_start() {
  local until=$(($(started) + $1))
  enough() { [ "$(started)" -ge $until ] || [ -s "$WORLD/failed" ]; }
  wait_until 200 "$1 more pods to start" enough
  [ ! -s "$WORLD/failed" ] || { show_trouble; die "a pod did not start: $(cat "$WORLD/failed")"; }
}
touch "$WORLD/started" "$WORLD/failed"

step "a node of the earlier programs, with a pod that runs, and others that start one after the other"
begin_node
if [ -n "${FLOX_TEST_PREVIOUS:-}" ]; then tar -C / -xpf "$PREPARED/previous.tar"; else unpack_bundle; fi
older=$(readlink /opt/flox/bin)
install_node "$older" >/dev/null
read -r steady steady_container <<<"$(start_pod steady)"
wait_until 60 "the pod's greeting" pod_says steady "hello 1.0"
steady_pid=$(pid_of "$steady_container")
shim=$(pgrep -f "containerd-shim-flox-v1 .*-id $steady")
keep_starting & load=$!
more_start 2

step "upgraded"
if [ -n "${FLOX_TEST_PREVIOUS:-}" ]; then
  unpack_bundle
  newer=$(readlink /opt/flox/bin)
else
  newer=/tmp/newer
  cp -rL "$older" $newer
  for program in flox floxd containerd-shim-flox-v1; do echo >>$newer/$program; done  # other bytes, the same program
fi
replaced=$(floxd_pid)
install_node "$newer"
[ "$(floxd_pid)" != "$replaced" ] || die "floxd was not replaced"
cmp "$newer/floxd" /usr/local/bin/floxd
more_start 2

step "restarted, and killed"
for how in restart kill restart; do
  replaced=$(floxd_pid)
  case $how in restart) systemctl restart floxd ;; kill) kill -KILL "$replaced" ;; esac
  more_start 1
done

step "the shim of before, whose program is gone, asks the floxd of now"
[[ $(readlink "/proc/$shim/exe") == *"(deleted)" ]] || die "the pod's shim runs the new program"
equal "$(cri exec "$steady_container" hello)" "hello 1.0"
jq '.metadata.name = "second" | .log_path = "second.log"' "$WORLD/steady.json" >"$WORLD/second.json"
second=$(cri create "$steady" "$WORLD/second.json" "$WORLD/steady-pod.json")
cri start "$second"
says_too() { [ "$(cut -d' ' -f4- /var/log/pods/steady/second.log)" = "hello 1.0" ]; }
wait_until 60 "the second container's greeting" says_too

step "a floxd that does not come up is taken back"
cp -r "$newer" /tmp/broken
printf '#!/bin/sh\n[ "$1" != manual ] || exec %s/floxd "$@"\nexit 1\n' "$newer" >/tmp/broken/floxd  # an installation writes its manual
AT=$(cat /etc/flox/config.toml /etc/systemd/system/floxd.*)
refused "the floxd from before runs again" install_node /tmp/broken
cmp "$newer/floxd" /usr/local/bin/floxd
equal "$(cat /etc/flox/config.toml /etc/systemd/system/floxd.*)" "$AT"
more_start 1

step "back to the earlier programs"
# Those of before floxd.socket cannot listen where it does.
[ -z "${FLOX_TEST_PREVIOUS:-}" ] || systemctl disable --quiet --now floxd.socket
install_node "$older" >/dev/null
cmp "$older/floxd" /usr/local/bin/floxd
more_start 2

touch "$WORLD/enough"
wait $load
[ ! -s "$WORLD/failed" ] || die "pods did not start: $(cat "$WORLD/failed")"
equal "$(pid_of "$steady_container") $(cat "/proc/$steady_pid/comm")" "$steady_pid sleep"
flox node doctor
step "$(started) pods have started, none has failed"
