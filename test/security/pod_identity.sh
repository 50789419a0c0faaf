#!/usr/bin/env bash
# Who asks floxd is decided when a connection is made, of the process that makes it: a process of no container is cut off
# before it says a word; a number that another process has got since, a cgroup that is named like another pod's, and a
# container that has ended give nobody another pod's rights.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_node
start_pod attacker
start_pod victim

SOCKET=$WORLD/run/pod/pod.sock
client() { "$SECURITY/pod_client.py" "$SOCKET" "$@"; }
lease() { ls "/nix/var/nix/gcroots/flox/pod-$1" 2>/dev/null | wc -l; }
refusals() { metric 'flox_pod_refusals_total{reason="identity"}'; }

step "a process of no container is told so, cut off without being listened to, and counted"
before=$(refusals)
contains "$(client silent)" "belongs to no container that this floxd has prepared"
[ "$(refusals)" -gt "${before:-0}" ] || die "the refusal is not counted"
contains "$(as_pod attacker "$SECURITY/node_call.py" "$SOCKET" DefaultEnvironment)" "ok"

step "a cgroup below a pod's own that is called as the victim's container is the pod's"
nested() {
  local pid path dir
  pid=$(pod_pid attacker)
  for path in $(sed 's/^[^:]*:[^:]*://' "/proc/$pid/cgroup" | sort -u); do
    [ "$path" = / ] && continue
    for dir in $(cgroup_directories "$path"); do
      mkdir -p "$dir/victim"
      cp "$dir/cpuset.cpus" "$dir/cpuset.mems" "$dir/victim/" 2>/dev/null || true
      for file in cpuset.cpus cpuset.mems; do [ ! -e "$dir/$file" ] || cat "$dir/$file" >"$dir/victim/$file"; done 2>/dev/null
      (echo $BASHPID >"$dir/victim/cgroup.procs") 2>/dev/null
    done
  done
  printf '{"lockfile-version": 1, "manifest": {"schema-version": "1.10.0"}, "packages": []}' >"$WORLD/empty.lock"
  (
    self=$BASHPID
    for path in $(sed 's/^[^:]*:[^:]*://' "/proc/$pid/cgroup" | sort -u); do
      [ "$path" = / ] || for dir in $(cgroup_directories "$path/victim"); do { echo "$self" >"$dir/cgroup.procs"; } 2>/dev/null || true; done
    done
    grep -q "attacker/victim" /proc/self/cgroup || die "the test could not make nested cgroups: $(cat /proc/self/cgroup)"
    exec "$SECURITY/node_call.py" "$SOCKET" Realise "lock_json=@$WORLD/empty.lock" system="$NIX_SYSTEM" mode=run
  )
}
contains "$(nested)" "ok profile=/nix/store/"
equal "$(lease attacker) $(lease victim)" "1 0"

# reuse FILE: the number of the process that connected for FILE (pod_client.py held) becomes that of a process of the victim.
reuse() {
  local pid other
  pid=$(awk '{ print $1 }' "$1")
  while [ -e "/proc/$pid" ]; do sleep 0.01; done
  for _ in $(seq 200); do
    echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid
    as_pod victim sleep 1000 &
    other=$!
    [ "$other" = "$pid" ] && return 0
    kill $other
    wait $other 2>/dev/null || true
  done
  return 1
}
[ -w /proc/sys/kernel/ns_last_pid ] || skip "needs /proc/sys/kernel/ns_last_pid (CONFIG_CHECKPOINT_RESTORE) to choose a process's number"

step "a request on a connection whose maker's number is the victim's by now is the maker's, or refused"
as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" held "$WORLD/held1" &
wait_until 20 "the connection" test -s "$WORLD/held1"
reuse "$WORLD/held1" || die "the number could not be had again"
touch "$WORLD/held1.go"
wait_until 60 "the answer" test -s "$WORLD/held1.answer"
contains "$(cat "$WORLD/held1.answer")" "ok /nix/store/"
equal "$(lease attacker) $(lease victim)" "2 0"

step "the same with a floxd that accepts only after the number has changed hands"
kill -STOP "$(cat "$WORLD/floxd.pid")"
as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" held "$WORLD/held2" &
wait_until 20 "the connection" test -s "$WORLD/held2"
code=0
reuse "$WORLD/held2" || code=$?
touch "$WORLD/held2.go"
kill -CONT "$(cat "$WORLD/floxd.pid")"
equal $code 0
wait_until 60 "the answer" test -s "$WORLD/held2.answer"
case $(cat "$WORLD/held2.answer") in ok*) die "a process that has ended was served" ;; esac
equal "$(lease attacker) $(lease victim)" "2 0"

step "a connection ends with its container, also if a container of the same id comes after it"
mkfifo "$WORLD/go"
as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" twice <"$WORLD/go" >"$WORLD/twice" &
exec 9>"$WORLD/go"
wait_until 20 "the first answer" test -s "$WORLD/twice"
contains "$(cat "$WORLD/twice")" "ok"
# As the shim does; the process itself lives on, in the cgroup.
contains "$(node_call Release container_id=attacker)" "ok"
contains "$(node_call Prepare container_id=attacker pod_id=other container_name=c)" "ok"
exec 9>&-
second_answer() { [ "$(wc -l <"$WORLD/twice")" -ge 2 ]; }
wait_until 20 "the second answer" second_answer
contains "$(tail -n +2 "$WORLD/twice")" "has ended"
