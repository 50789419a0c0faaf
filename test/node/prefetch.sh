#!/usr/bin/env bash
# What the node's operator has prefetched is there before a pod needs it: the pod starts without a network. Deadlines, a floxd that is
# killed in the middle, a disk that is nearly full, a list in the configuration, pods that are deleted while they are fetched for.
export FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
start_catalog
sign_for acme
publish_tool hello 1.0
export FLOX_KUBELET_DIR=$WORLD/kubelet  # that of the machine is nobody's here
CONFIG=$WORLD/node.toml
node() { FLOX_CONFIG=$CONFIG flox --root "$NODE_ROOT" node "$@"; }
configure() { cat >"$CONFIG"; }
start_node() { FLOX_CONFIG=$CONFIG start_floxd; }
# Of what the node itself asked for, or the namespace $OF.
field_of() { node prefetch --json | jq -r --arg e "$1" --arg of "${OF:-}" ".prefetches[] | select(.environment == \$e and .namespace == \$of) | .$2"; }
state_of() { field_of "$1" state; }
is() { [ "$(state_of "$1")" = "$2" ]; }
leases() { ls "$NODE_ROOT/nix/var/nix/gcroots/flox" 2>/dev/null | grep -c "^$1" || true; }
fetchers() { pgrep -c -P "$(cat "$WORLD/floxd.pid")" -x flox-fetcher || true; }
# publish_large NAME MEGABYTES: a package of random bytes.
publish_large() {
  mkdir -p "$WORLD/tools/$1"
  (
    cd "$WORLD/tools/$1"
    flox init -n "$1" 2>/dev/null
    cat >.flox/env/manifest.toml <<TOML
schema-version = "1.10.0"
[build.$1]
version = "1.0"
command = "mkdir -p \$out && head -c ${2}M /dev/urandom >\$out/$1"
TOML
    laptop build --quiet
    laptop publish
  ) >"$WORLD/logs/publish-$1.log" 2>&1 || { cat "$WORLD/logs/publish-$1.log" >&2; die "publishing $1 failed"; }
}
push_web hello red
publish_large part1 1
publish_large part2 1
publish_large part3 10
publish_large part4 40  # more than the buffers of a connection hold
push() {  # NAME PACKAGE…: acme/NAME
  mkdir "$WORLD/$1"
  (cd "$WORLD/$1" && laptop init -n "$1" && laptop install "${@:2}" && laptop push --owner acme) >"$WORLD/logs/$1.log" 2>&1 || die "$(cat "$WORLD/logs/$1.log")"
}
push large part1 part2 part3
push other part4

configure <<'TOML'
prefetch_min_free = "1M"
TOML
start_node
import_images
kube play - <<'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: flox}
handler: flox
YAML
pod() {  # NAME ENVIRONMENT
  cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $1
  annotations: {flox.dev/environment: "$2"}
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: flox/empty:1.0.0
    command: [/bin/sh, -c, "hello; sleep 1000"]
YAML
}

step "nothing was asked for; what cannot be is refused"
contains "$(node prefetch)" "Nothing was asked to be prefetched"
refused "no environment is named" node prefetch --wait
refused "a deadline of" node prefetch --deadline 1000d acme/web
refused "environment '../etc'" node prefetch acme/web ../etc
equal "$(node prefetch --json | jq '.prefetches | length')" 0
refused "was not asked to be prefetched" node prefetch --cancel acme/web
refused "asking this node's floxd" env FLOX_NODE_SOCKET="$WORLD/none.sock" flox node prefetch acme/web

step "what does not exist fails, and says so"
refused "acme/none" node prefetch --wait acme/none
equal "$(state_of acme/none)" failed
contains "$(node doctor 2>&1 || true)" "acme/none failed"

step "an environment, a package and a generation come, and are leased"
contains "$(node prefetch --wait acme/web:1 hello@1.0)" "✔ acme/web:1 is present"
equal "$(state_of hello@1.0)" present
equal "$(leases prefetch-)" 2
equal "$(metric 'flox_prefetches{state="present"}')" 2
contains "$(node status)" "acme/web:1"
before=$(metric flox_realise_paths_fetched_total)

step "a second request for the same finds it, and fetches nothing"
node prefetch --wait acme/web:1 & node prefetch --wait acme/web:1
wait $!
equal "$(metric flox_realise_paths_fetched_total)" "$before"

step "a garbage collection leaves it, and a pod starts without the catalog"
flox --root "$NODE_ROOT" store gc >"$WORLD/logs/gc.log" 2>&1 || die "$(cat "$WORLD/logs/gc.log")"
stop_server catalog
pod web acme/web:1 | kube play -
equal "$(kube exec web -- hello)" "hello 1.0"
equal "$(metric flox_realise_paths_fetched_total)" "$before"
contains "$("$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Prepare container_id=c0 pod_id=s0 pod_uid=u0 pod_namespace=shop \
  pod_name=other container_name=main environment=acme/other:1 args=true)" "cannot be reached"

step "now the pod's own lease keeps it; what nobody has used stays leased"
equal "$(state_of acme/web:1)" used
equal "$(leases prefetch-)" 1
equal "$(metric 'flox_prefetch_total{result="used"}')" 1
restart_catalog

step "a cancelled one is collected"
node prefetch --cancel hello@1.0
equal "$(leases prefetch-)" 0
equal "$(state_of hello@1.0)" ""

step "what is called present without its lease, as a full disk can leave it, is had again by the next floxd"
node prefetch --wait hello@1.0
stop_server floxd
rm -r "$NODE_ROOT"/nix/var/nix/gcroots/flox/prefetch-*
start_node
wait_until 30 "its lease" eval 'is hello@1.0 present && [ "$(leases prefetch-)" = 1 ]'
node prefetch --cancel hello@1.0

step "a deadline that passes keeps what has come, says so, and the next request goes on from there"
stop_server floxd
configure <<'TOML'
prefetch_min_free = "1M"
prefetch_rate = "400K"
TOML
start_node
refused "have come and stay" node prefetch --wait --deadline 15s acme/large:1
contains "$(node prefetch)" "it did not come before its deadline"
staged=$(ls "$NODE_ROOT/nix/var/nix/flox/staging" | wc -l)
[ "$staged" -ge 1 ] || die "nothing of it has stayed"

step "floxd is killed in the middle, and the next one goes on by itself"
node prefetch acme/large:1 >/dev/null
wait_until 30 "the fetcher" is acme/large:1 fetching
kill -KILL "$(cat "$WORLD/floxd.pid")"
wait "$(cat "$WORLD/floxd.pid")" 2>/dev/null || true
start_node
is_known() { [ -n "$(state_of acme/large:1)" ]; }
wait_until 30 "what was asked for to be known" is_known
node prefetch --wait acme/large:1 >"$WORLD/logs/wait.log" || die "$(cat "$WORLD/logs/wait.log")"
equal "$(state_of acme/large:1)" present
fetched=$(metric flox_realise_paths_fetched_total)
[ "$fetched" -le $((3 - staged)) ] || die "$fetched paths were fetched, and $staged were there already"
node prefetch --cancel acme/large:1

step "a pod that waits for what is prefetched gets it at full speed"
flox --root "$NODE_ROOT" store gc >"$WORLD/logs/gc2.log" 2>&1
rm -rf "$NODE_ROOT/nix/var/nix/flox/staging"
stop_server floxd
configure <<'TOML'
prefetch_min_free = "1M"
prefetch_rate = "1K"
TOML
start_node
node prefetch acme/large:1 >/dev/null
wait_until 30 "the fetcher" is acme/large:1 fetching
wait_until 30 "paths to fetch" eval '[ "$(field_of acme/large:1 paths_total)" -gt 0 ]'
contains "$("$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Prepare container_id=c1 pod_id=s1 pod_uid=u1 pod_namespace=shop \
  pod_name=large container_name=main environment=acme/large:1 args=true)" "ok "
wait_until 60 "the prefetch to see that it is there" eval 'is acme/large:1 present || is acme/large:1 used'
node prefetch --cancel acme/large:1
"$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Release container_id=c1 >/dev/null

step "a pod that is deleted while its environment is fetched ends that, though its shim still waits"
stop_server floxd  # so that nothing is in a hurry any more
start_node
node prefetch acme/other:1 >/dev/null  # so what it means is known without the catalog
wait_until 30 "paths to fetch" eval '[ "$(field_of acme/other:1 paths_total)" -gt 0 ]'
kill -STOP "$(cat "$WORLD/catalog.pid")"
mkdir -p $(printf '%s/sandbox-deleted ' $(cgroup_directories "$CGROUP_PARENT"))
sleep 1000 &
pause=$!
for directory in $(cgroup_directories "$CGROUP_PARENT") $(cgroup_directories "$CGROUP_PARENT/sandbox-deleted"); do
  # cgroup v1: a new one takes no process before it is set up.
  for file in cpuset.cpus cpuset.mems; do [ ! -e "$directory/$file" ] || [ -s "$directory/cgroup.controllers" ] || cat "${directory%/*}/$file" >"$directory/$file"; done
done
for directory in $(cgroup_directories "$CGROUP_PARENT/sandbox-deleted"); do echo $pause >"$directory/cgroup.procs"; done
"$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Prepare container_id=c2 pod_id=sandbox-deleted pod_uid=u2 pod_namespace=shop \
  pod_name=gone container_name=main environment=acme/other:1 args=true >"$WORLD/deleted" 2>&1 &
call=$!
at_work() { [ "$(metric 'flox_realise_queue{lane="start",state="running"}')" = 1 ] && [ "$(fetchers)" -ge 3 ]; }
wait_until 30 "the pod's fetcher beside the prefetch's" at_work
sleep 1  # a pod that ends before floxd has seen it waits for the next attempt
kill -0 $call || die "it did not wait: $(cat "$WORLD/deleted")"
kill $pause
wait $pause 2>/dev/null || true
wait $call || true
contains "$(cat "$WORLD/deleted")" "it was stopped"
kill -CONT "$(cat "$WORLD/catalog.pid")"
node prefetch --cancel acme/other:1
wait_until 30 "the prefetch to end" eval '[ "$(metric "flox_realise_queue{lane=\"prefetch\",state=\"running\"}")" = 0 ]'

step "the pod of the DaemonSet asks for its namespace, is ready when all has come, and says how it went"
{
  printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: flox-prefetch}\n'
  sed -n '/^    spec:/,$ s/^    //p' "$PROJECT/deploy/prefetch/daemonset.yaml" | sed 's#acme/web:8#acme/web:1, hello@1.0#'
} >"$WORLD/prefetch-pod.yaml"
grep -q 'acme/web:1, hello@1.0' "$WORLD/prefetch-pod.yaml" || die "$(cat "$WORLD/prefetch-pod.yaml")"
kube play "$WORLD/prefetch-pod.yaml"
contains "$(kube logs flox-prefetch -c prefetch)" "✔ hello@1.0 is present"
equal "$(OF=default state_of hello@1.0)" present

step "a disk that is nearly full: prefetching refuses, and a pod still starts"
stop_server floxd
configure <<'TOML'
prefetch_min_free = "100000T"
prefetch = ["acme/web"]
TOML
start_node
refused "prefetching leaves" node prefetch --wait acme/large:1
wait_until 30 "the list to fail" is acme/web failed
pod web2 acme/web:1 | kube play -
equal "$(kube exec web2 -- hello)" "hello 1.0"
contains "$(node doctor 2>&1 || true)" "acme/web failed"

step "a list in the configuration is read again on SIGHUP, and what it names is kept"
configure <<'TOML'
prefetch_min_free = "1M"
prefetch = ["hello@1.0"]
TOML
stop_server floxd
start_node
wait_until 60 "the list" is hello@1.0 present
equal "$(field_of hello@1.0 kept_until)" 0
configure <<'TOML'
prefetch_min_free = "1M"
prefetch = ["acme/web:1", "no name"]
TOML
kill -HUP "$(cat "$WORLD/floxd.pid")"
wait_until 60 "the new list" is acme/web:1 present
[ "$(field_of hello@1.0 kept_until)" -gt 0 ] || die "what the list names no more is kept for ever"
grep -q "no name" "$WORLD/logs/floxd.log" || die "a name that cannot be is passed over in silence"
