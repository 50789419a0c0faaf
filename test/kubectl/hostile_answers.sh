#!/usr/bin/env bash
# kubectl flox with a kubectl that stands for a cluster of which some nodes lie, hang or talk for ever: each is said to be what it is,
# the others are shown, and nothing of what they say gets to the terminal as it came.
# builds: kubectl-flox
. "$(dirname "$0")/../cli/support.sh"
mkdir "$WORK/bin"
export PATH="$WORK/bin:$PATH" ANSWERS=$WORK/answers
mkdir "$ANSWERS"
cat >"$WORK/bin/kubectl" <<'SH'
#!/usr/bin/env bash
forbidden() { echo 'Error from server (Forbidden): pods is forbidden' >&2; exit 1; }
case "$*" in
  "get pods --namespace=flox-system"*) [ ! -e "$ANSWERS/forbidden" ] || forbidden; cat "$ANSWERS/pods" ;;
  "get pods --namespace=shop --field-selector=status.phase=Running,spec.nodeName=good"*) cat "$ANSWERS/neighbours" ;;
  "exec --namespace=shop cart --container=main -- flox node starts --json --pod shop/web") cat "$ANSWERS/good" ;;
  "exec --namespace=flox-system flox-node-good --container=floxd -- /opt/flox/bin/flox node on-host -- flox node prefetch --json --wait -- acme/web:8")
    echo '{"prefetches": [{"environment": "acme/web:8", "state": "present"}]}' ;;
  "get nodes"*) echo 'Error from server (Forbidden): nodes is forbidden' >&2; exit 1 ;;
  "get pods gone"*) echo 'Error from server (NotFound): pods "gone" not found' >&2; exit 1 ;;
  "get pods web"*) cat "$ANSWERS/web" ;;
  "get events"*) cat "$ANSWERS/events" ;;
  "exec --namespace=flox-system flox-node-good "*) cat "$ANSWERS/good" ;;
  "exec --namespace=flox-system flox-node-slow "*) sleep 1000 ;;
  "exec --namespace=flox-system flox-node-endless "*) yes '{' ;;
  "exec --namespace=flox-system flox-node-liar "*) printf '{"floxd": {"state": "running\\u001b[2J", "version": [1]}, "store_bytes": -1, "leases": 3}' ;;
  "exec --namespace=flox-system flox-node-dead "*) printf 'error: unable to upgrade\033[1m connection\n' >&2; exit 1 ;;
  *) echo "an unexpected question: $*" >&2; exit 1 ;;
esac
SH
chmod +x "$WORK/bin/kubectl"
pods() {
  local names=("$@")
  jq -n '{items: [$ARGS.positional[] | {metadata: {name: ("flox-node-" + .)}, spec: {nodeName: .},
    status: {containerStatuses: [{name: "floxd", state: {running: {}}}]}}]}' --args "${names[@]}" >"$ANSWERS/pods"
}
echo '{"floxd": {"state": "running", "version": "0.1.0"}, "store_bytes": 1048576, "leases": []}' >"$ANSWERS/good"

step "a node that does not answer holds nobody up, and is not called well"
pods good slow
ends 3 kubectl-flox --time 2 status
says "slow"
says "no answer within 2 s"
says "good   0.1.0"
equal "$(awk '/^NODE/ { print index($0, "FLOXD") } /^slow/ { print index($0, "kubectl exec: no answer") }' <<<"$output" | uniq | wc -l)" 1  # one column

step "what a node says gets to nobody's terminal as it came"
pods good liar dead
ends 1 kubectl-flox status
says "running"
says "unable to upgrade"
! grep -q $'\033' <<<"$output" || die "an escape sequence came through: $output"

step "a node that talks for ever is cut off"
pods endless
ends 3 kubectl-flox --time 30 status
says "more than 256 MiB"

step "a cluster that answers with what is no list of pods has no nodes"
for answer in '[]' '{"items": 3}' '{"items": [1, {"spec": {"nodeName": {}}}]}'; do
  echo "$answer" >"$ANSWERS/pods"
  ends 3 kubectl-flox status
  says "there is no node with flox"
done
echo '{"items": [' >"$ANSWERS/pods"
ends 3 kubectl-flox status
says "what kubectl says:"

step "a pod that is none, and what its events make the terminal do"
ends 3 kubectl-flox why gone
says "not found"
echo '{"kind": "PodList"}' >"$ANSWERS/web"
ends 3 kubectl-flox why web
says "the answer is no pod"
pods good
echo '{"metadata": {"name": "web", "namespace": "shop", "uid": "u1"}, "spec": {"nodeName": "good"}, "status": {"phase": "Pending",
  "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "ContainerCreating"}}}]}}' >"$ANSWERS/web"
echo '{"items": [{"type": "Warning", "reason": "Failed\u001b[31m", "message": "\u202eno\n✔ pod shop/web: has started", "lastTimestamp": "2026-11-29T23:10:43Z"}]}' >"$ANSWERS/events"
echo '{"starts": [{"container": "main", "state": "failed", "error": "\u001b]0;title\u0007no", "asked_at_ms": 1}]}' >"$ANSWERS/good"
ends 1 kubectl-flox why web
! grep -q $'\033\|\007\|\u202e' <<<"$output" || die "an escape sequence came through: $output"
equal "$(grep -c '^✔' <<<"$output")" 0

step "who may not look into nodes asks by a pod of his own namespace, and is told when there is none"
touch "$ANSWERS/forbidden"
echo '{"items": [{"metadata": {"name": "image"}, "status": {"containerStatuses": [{"name": "main", "state": {"running": {}}}]}},
  {"metadata": {"name": "cart"}, "spec": {"runtimeClassName": "flox"}, "status": {"containerStatuses": [{"name": "main", "state": {"running": {}}}]}}]}' >"$ANSWERS/neighbours"
echo '{"items": []}' >"$ANSWERS/events"
ends 1 kubectl-flox why web
says "floxd       main: asked"
! grep -q 'could not be looked at' <<<"$output" || die "it was looked at: $output"
echo '{"items": []}' >"$ANSWERS/neighbours"
ends 3 kubectl-flox why web
says "what floxd does could not be looked at: kubectl get pods"
rm "$ANSWERS/forbidden"

step "prefetching: the node named alone, its environment behind the options"
pods good
ends 0 kubectl-flox prefetch --wait --node good acme/web:8
says "✔ good: acme/web:8: present"

step "a floxd that does not run is wrong, and said so by every command"
jq '.items[0].status.containerStatuses[0] |= (.state = {waiting: {reason: "CrashLoopBackOff"}} | .lastState = {terminated: {message: "no catalog"}})' "$ANSWERS/pods" >"$ANSWERS/broken"
mv "$ANSWERS/broken" "$ANSWERS/pods"
for command in status doctor "prefetch acme/web:8"; do
  ends 1 kubectl-flox $command
  says "floxd does not run: CrashLoopBackOff: no catalog"
done

step "options are not taken from names"
ends 2 kubectl-flox why --kubeconfig
ends 2 kubectl-flox why -- --all-namespaces
says "cannot be a pod's name"
ends 2 kubectl-flox why pod/web
