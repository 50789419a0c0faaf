#!/usr/bin/env bash
# A pod never needs the network to restart: its containers start again with what the pod was answered before, while the catalog
# is away, after a garbage collection, after floxd and the machine have started again; and what is kept for a pod goes with it.
export FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
start_catalog
sign_for acme
publish_tool hello 1.0
export FLOX_KUBELET_DIR=$WORLD/kubelet  # that of the machine is nobody's here
start_floxd
import_images
kube play - <<'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: flox}
handler: flox
YAML
mkdir "$WORLD/web"
(cd "$WORLD/web" && laptop init -n web && laptop install hello@1.0 && laptop push --owner acme) >"$WORLD/logs/web.log" 2>&1
kept=$NODE_ROOT/var/lib/flox/kept/pods

pod() {  # NAME ENVIRONMENT [VERSION]: its container says hello, and ends when somebody makes /tmp/end
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
    command: [/bin/sh, -c, "hello; while [ ! -e /tmp/end ]; do sleep 0.1; done"]
    env: [{name: FLOX_PACKAGE_VERSION, value: "${3-}"}]
YAML
}
restarts() { pod_field "$1" '[.containers[].restarts] | add'; }
runs_again() { [ "$(restarts "$1")" -ge "$2" ] && [ "$(pod_field "$1" '.containers[0].state')" = running ]; }
declare -A before
end_container() { before[$1]=$(restarts "$1") && kube exec "$1" -- touch /tmp/end; }
wait_for_restart() { wait_until 90 "$1 to restart" runs_again "$1" $((before[$1] + 1)); }
restart() {  # POD: its container ends, and runs again
  end_container "$1"
  wait_for_restart "$1"
}
says() { equal "$(kube exec "$1" -- hello)" "$2"; }
event_says() { kube describe "$1" | grep -F -- "$2"; }
file_of() { grep -lF "\"name\": \"$1\"" "$kept"/*/pod.json | head -1; }
is_kept() { [ -n "$(file_of "$1")" ]; }
is_gone() { ! is_kept "$1"; }
kept_leases() { ls "$NODE_ROOT/nix/var/nix/gcroots/flox" | grep -c '^kept-' || true; }
equal_counts() { [ "$(kept_leases)" = "$(ls "$kept" | wc -l)" ]; }
kill_floxd() {
  kill -KILL "$(cat "$WORLD/floxd.pid")"
  wait "$(cat "$WORLD/floxd.pid")" 2>/dev/null || true
}
on_node() { flox --root "$NODE_ROOT" "$@"; }

step "pods that name a package, its version, an environment and its generation"
pods=(named versioned pinned moving generation)
{
  pod named hello
  echo ---
  pod versioned hello@1.0
  echo ---
  pod pinned hello 1.0
  echo ---
  pod moving acme/web
  echo ---
  pod generation acme/web:1
  # A pod whose container ends for the second time waits before the third; so each step has its own.
  for name in stopped killed away changed old; do echo --- && pod $name acme/web; done
  for name in lost young; do echo --- && pod $name acme/web:1; done
} | kube play -
for name in "${pods[@]}"; do is_kept "$name" || die "nothing is kept for $name"; done
equal "$(kept_leases)" 12

step "a name that means something else now does not change under a pod that restarts"
publish_tool hello 1.1
(cd "$WORLD/web" && laptop install hello@1.1 && laptop push --owner acme) >"$WORLD/logs/web2.log" 2>&1
for name in named moving; do restart $name; says $name "hello 1.0"; done
pod newer acme/web | kube play -
says newer "hello 1.1"

step "the catalog is down: every one restarts, also after a collection while none of its containers runs"
stop_server catalog
for name in versioned pinned generation; do restart "$name"; done
for name in "${pods[@]}"; do end_container "$name"; done  # for the second time: the next start waits for ten seconds
collect() { on_node store gc >"$WORLD/logs/gc.log" 2>&1 || die "$(cat "$WORLD/logs/gc.log")"; }
waits() { [ "$(pod_field named '.containers[0].state')" = waiting ]; }
for i in 1 2 3; do  # a busy machine may look too late; each time it waits longer
  wait_until 90 "named to end or to run again" eval 'waits || runs_again named $((before[named] + 1))'
  ! waits || break
  end_container named
done
waits || die "named does not wait before it starts again"
collect
for name in "${pods[@]}"; do wait_for_restart "$name"; says "$name" "hello 1.0"; done
for reference in fixed moving; do
  [ "$(metric "flox_kept_answers_used_total{reference=\"$reference\"}")" -ge 4 ] || die "that $reference answers were used does not show"
done

step "floxd starts again, or is killed, and they restart"
stop_server floxd
start_floxd
restart stopped
kill_floxd
start_floxd
restart killed
says killed "hello 1.0"
kill_floxd
end_container away
names_floxd() { event_says away "$FLOX_NODE_SOCKET"; }
wait_until 60 "the pod to say that it waits for floxd" names_floxd
start_floxd
wait_for_restart away

step "no other pod gets what one was answered, not even of the same name"
pod other acme/web:1 | kube play --no-wait -
says_catalog() { event_says other "cannot be reached"; }
wait_until 30 "the pod to say that the catalog is away" says_catalog
kube down "$(pod versioned hello@1.0 >"$WORLD/versioned.yaml"; echo "$WORLD/versioned.yaml")"
wait_until 30 "what was kept for it to go" is_gone versioned
kube play --no-wait "$WORLD/versioned.yaml"
says_catalog() { event_says versioned "cannot be reached"; }
wait_until 30 "the pod to say that the catalog is away" says_catalog

step "an answer that was changed on the disk is not used"
answer=$(ls "$(dirname "$(file_of changed)")"/*.answer)
cp "$answer" "$WORLD/answer"
python3 - "$answer" <<'PY'
import hashlib, json, sys
head, text = open(sys.argv[1]).read().split("\n", 1)
head, answer = json.loads(head), json.loads(text)
lock = json.loads(answer["lock"])
lock["manifest"].setdefault("vars", {})["LD_PRELOAD"] = "/tmp/x.so"
answer["lock"] = json.dumps(lock)
text = json.dumps(answer)
head["sha256"] = hashlib.sha256(text.encode()).hexdigest()
open(sys.argv[1], "w").write(json.dumps(head) + "\n" + text)
PY
end_container changed
refused_it() { event_says changed "counts no more" && event_says changed "is not what acme has signed" && event_says changed "cannot be reached"; }
wait_until 60 "the pod to say that" refused_it
[ "$(metric 'flox_kept_answers_failures_total{reason="refused"}')" -ge 1 ] || die "it does not count"
cp "$WORLD/answer" "$answer"
wait_for_restart changed

step "its sandbox dies while the catalog is down, also over a start of the machine: it gets another one, and restarts"
pause_of() { ctr -n k8s.io task ls | awk -v id="$1" '$1 == id { print $2 }'; }
sandbox_of() { jq -r .sandbox "$(file_of "$1")"; }
lose_sandbox() { kill -KILL "$(pause_of "$(sandbox_of "$1")")"; }
has_another() { [ "$(sandbox_of "$1")" != "$2" ] && [ "$(pod_field "$1" '.containers[0].state')" = running ]; }
sandbox=$(sandbox_of lost)
mkdir -p "$FLOX_KUBELET_DIR/pods/$(pod_field lost .uid)"
lose_sandbox lost
wait_until 60 "lost to run in another sandbox" has_another lost "$sandbox"
says lost "hello 1.0"
stop_server floxd
sandbox=$(sandbox_of lost)
lose_sandbox lost
sed -i 's/"boot": "[^"]*"/"boot": "an earlier one"/' "$(file_of lost)"
start_floxd
collect
wait_until 90 "lost to run in another sandbox" has_another lost "$sandbox"
says lost "hello 1.0"

step "an answer that may have changed lives as long as moving_answer_age says, and is told of"
stop_server floxd
FLOX_MOVING_ANSWER_AGE=1s start_floxd
contains "$(FLOX_MOVING_ANSWER_AGE=1s on_node node doctor 2>&1 || true)" "over moving_answer_age (1 s)"
end_container old
end_container young
too_old() { event_says old "the pod was answered" && event_says old "moving_answer_age is 1 s" && event_says old "cannot be reached"; }
wait_until 90 "the pod to say that" too_old
[ "$(metric 'flox_kept_answers_failures_total{reason="too_old"}')" -ge 1 ] || die "it does not count"
wait_for_restart young
restart_catalog
wait_for_restart old
says old "hello 1.1"  # what the name means now
contains "$(on_node node doctor 2>&1 || true)" "can restart without the catalog"

step "what is kept for a pod goes with it, also when it ends while floxd is away"
kube down "$(pod named hello >"$WORLD/named.yaml"; echo "$WORLD/named.yaml")"
wait_until 30 "what was kept for it to go" is_gone named
wait_until 30 "its lease to go" equal_counts
stop_server floxd
kube down --all >/dev/null 2>&1
rm -r "$FLOX_KUBELET_DIR"/pods/*  # as the kubelet does
[ "$(ls "$kept" | wc -l)" -gt 1 ] || die "nothing was kept until now"
start_floxd
nothing_kept() { [ -z "$(ls "$kept")" ] && [ -z "$(ls "$NODE_ROOT/nix/var/nix/gcroots/flox")" ]; }
wait_until 30 "all that was kept to go" nothing_kept
