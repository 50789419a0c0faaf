#!/usr/bin/env bash
# What a pod may take of floxd: connections that announce much, locks that are large, many or slow to come cost it nothing
# that lasts; each refusal says the limit and is counted; other pods start meanwhile.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_node
start_pod attacker

SOCKET=$WORLD/run/pod/pod.sock
LIMIT=$((64 * 1024))  # kB, of floxd's resident memory
IDLE=$((30 * 1024))   # when it has nothing to do
memory() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$(cat "$WORLD/floxd.pid")/status"; }
within() { [ "$(memory)" -le "$2" ] || die "$1: floxd has $(memory) kB, over $2"; }
idle() { [ "$(memory)" -le $IDLE ] || { echo "floxd has $(memory) kB" >"$WORLD/logs/memory.log"; false; }; }
refusals() { metric "flox_pod_refusals_total{reason=\"$1\"}"; }
counted() { [ "$(refusals "$1")" -gt 0 ] || die "refusals for $1 are not counted"; }
client() { as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" "$@"; }
leases() { ls "/nix/var/nix/gcroots/flox/pod-attacker" 2>/dev/null | wc -l; }
disk() { du -sk /nix /var/lib/flox --total | awk 'END { print $1 }'; }
others_start() {  # NAME: another pod's start, meanwhile
  start_pod "$1"
  stop_pod "$1"
}
floxd_pid=$(cat "$WORLD/floxd.pid")

step "idle, floxd has $(memory) kB"
wait_until 30 "floxd to come to rest below $IDLE kB (it has $(memory))" idle

step "connections that announce large frames, of nobody and of a pod"
mkfifo "$WORLD/go1" "$WORLD/go2"
"$SECURITY/pod_client.py" "$SOCKET" announce 100 $((4 << 20)) <"$WORLD/go1" >"$WORLD/announced1" &
client announce 100 $((4 << 20)) <"$WORLD/go2" >"$WORLD/announced2" &
exec 8>"$WORLD/go1" 9>"$WORLD/go2"
wait_until 30 "the connections" sh -c "[ -s $WORLD/announced1 ] && [ -s $WORLD/announced2 ]"
within "after 100 connections" $LIMIT
[ "$(metric flox_pods_connections)" -le 16 ] || die "$(metric flox_pods_connections) connections of one pod are open"
counted identity
counted connections
others_start other1
exec 8>&- 9>&-
no_connections() { [ "$(metric flox_pods_connections)" = 0 ]; }
wait_until 30 "the connections' end" no_connections

step "the same on the node's own socket, whose messages may be that large"
"$SECURITY/pod_client.py" "$FLOX_NODE_SOCKET" announce 100 $((4 << 20)) <"$WORLD/go1" >"$WORLD/announced3" &
exec 8>"$WORLD/go1"
wait_until 30 "the connections" test -s "$WORLD/announced3"
equal "$(cat "$WORLD/announced3")" 100
within "after 100 connections of the node's socket" $LIMIT
others_start other2
exec 8>&-

step "a lock that is too large is refused with the limit"
said=$(client locks 1 300000)
contains "$said" "ResourceExhausted 1"
contains "$said" "the limit for a pod's lock is 262144 (pod_lock_size)"
counted lock_size
contains "$(client locks 1 3000000)" "over the limit of"
counted message
# However it is written: laid out, these 100 kB would be much more.
python3 -c 'print("{\"lockfile-version\": 1, \"manifest\": {\"schema-version\": \"1.10.0\", \"x\": " + "[" * 40 + ",".join(["1"] * 50000) + "]" * 40 + "}, \"packages\": []}")' >"$WORLD/wide.lock"
before=$(disk)
said=$(pod_call attacker Realise "lock_json=@$WORLD/wide.lock" system="$NIX_SYSTEM" mode=run)
[ $(($(disk) - before)) -le 2048 ] || die "a lock of 100 kB took $(($(disk) - before)) kB: $said"

step "1,000 large locks of one pod"
before=$(disk)
said=$(client locks 1000 250000)
contains "$said" "ok "
contains "$said" "ResourceExhausted"
contains "$said" "(pod_locks)"
within "after 1,000 large locks" $LIMIT
[ $(($(disk) - before)) -le 16384 ] || die "1,000 large locks took $(($(disk) - before)) kB of disk"
[ "$(leases)" -le 32 ] || die "$(leases) environments are kept for one pod"
counted locks
others_start other3

step "many small ones"
said=$(client locks 200 1000)
contains "$said" "(pod_environments)"
[ "$(leases)" -le 32 ] || die "$(leases) environments are kept for one pod"
counted environments
equal "$(metric 'flox_pods_most_use{budget="environments"}')" "$(leases)"

step "one lock under many modes or for many systems is no way around that"
start_pod modes
echo '{"lockfile-version": 1, "manifest": {"schema-version": "1.10.0"}, "packages": []}' >"$WORLD/empty.lock"
as_system() { pod_call modes Realise "lock_json=@$WORLD/empty.lock" system="$1" mode="$2"; }
contains "$(as_system "$NIX_SYSTEM" run)" "ok profile="
contains "$(as_system "$NIX_SYSTEM" dev)" "ok profile="
for i in 1 2 3; do
  contains "$(as_system "$NIX_SYSTEM" "mode$i")" "it is run or dev"
  contains "$(as_system "system$i" run)" "this node is $NIX_SYSTEM"
done
equal "$(ls /nix/var/nix/gcroots/flox/pod-modes | wc -l)" 2
for i in $(seq 40); do
  jq -c --arg i "$i" '.manifest.vars = {I: $i}' "$WORLD/empty.lock" >"$WORLD/one.lock"
  for mode in run dev; do pod_call modes Realise "lock_json=@$WORLD/one.lock" system="$NIX_SYSTEM" mode=$mode; done
done >"$WORLD/modes"
contains "$(cat "$WORLD/modes")" "(pod_environments)"
equal "$(ls /nix/var/nix/gcroots/flox/pod-modes | wc -l)" 32
stop_pod modes

step "what it has it may go on using, also once floxd has started again"
known=$(leases)
start_pod fresh
first() { as_pod "$1" "$SECURITY/pod_client.py" "$SOCKET" locks 1 "$2"; }
contains "$(first attacker 250000)" "ok 1"
contains "$(first fresh 250000)" "ok 1"
stop_server floxd
FLOX_METRICS_ADDRESS=$METRICS_ADDRESS start_floxd
floxd_pid=$(cat "$WORLD/floxd.pid")
contains "$(first attacker 250000)" "ok 1"
contains "$(as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" locks 40 1000)" "(pod_environments)"
equal "$(leases)" "$known"

step "calls that cannot be read do not fill floxd's log"
before=$(stat -c %s "$WORLD/logs/floxd.log")
contains "$(client garbled 1000)" "InvalidArgument malformed request"
[ $(($(stat -c %s "$WORLD/logs/floxd.log") - before)) -lt 4096 ] || die "1,000 bad calls made $(($(stat -c %s "$WORLD/logs/floxd.log") - before)) bytes of log"

step "a client that reads no answers, and one that does not finish its header"
client half >"$WORLD/half" &
[ "$(client deaf 5000)" -lt 5000 ] || die "a client that reads nothing was read from all the same"
within "after a deaf client" $LIMIT
wait_until 60 "the slow client to be cut off" grep -q "cut off" "$WORLD/half"
counted slow

step "requests at once, while what they ask does not answer; containers start meanwhile"
kill -STOP "$(cat "$WORLD/catalog.pid")"
client burst 16 Resolve >"$WORLD/burst1" &
client burst 16 Resolve >"$WORLD/burst2" &
as_pod attacker "$SECURITY/pod_client.py" "$SOCKET" burst 16 Resolve >"$WORLD/burst3" &
two_at_work() { [ "$(metric 'flox_pods_most_use{budget="requests"}')" -ge 2 ]; }
wait_until 30 "the requests" two_at_work
others_start other4
kill -CONT "$(cat "$WORLD/catalog.pid")"
wait_until 60 "the answers" sh -c "grep -q . $WORLD/burst1 && grep -q '[A-Z]' $WORLD/burst2 && grep -q '[A-Z]' $WORLD/burst3"
contains "$(cat "$WORLD"/burst?)" "ResourceExhausted"

step "after all that floxd is the same process, and at rest again"
equal "$(cat "$WORLD/floxd.pid")" "$floxd_pid"
kill -0 "$floxd_pid"
wait_until 60 "floxd to come to rest below $IDLE kB" idle
step "at rest floxd has $(memory) kB"
stop_pod attacker
forgotten() { [ ! -e /nix/var/nix/gcroots/flox/pod-attacker ] && [ "$(metric 'flox_pods_most_use{budget="environments"}')" -le 1 ]; }
wait_until 60 "the pod's budget to end with it" forgotten
