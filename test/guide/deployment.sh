#!/usr/bin/env bash
# The guide's deployment on one machine, as it stands: three replicas enrich every ticket exactly once although one of
# them is killed in the middle; the pods share one read-only store, which Nix finds in order; a rollback is one
# variable; nothing is pulled and nothing is left.
# prepare: moto-venv
# ctest: COST 140
. "$(dirname "$0")/../lib.sh"
[ -n "${FLOX_WORLD_ENTERED:-}" ] || "$PROJECT/script/moto-venv" >/dev/null || { echo "moto's server cannot be installed from PyPI"; exit 77; }
enter_world "$@"

TICKETS=120
images() { ctr -n k8s.io images ls -q | sort; }
pod_names() { pods_json | jq -r '.[] | select(.phase == "Running") | .name'; }
pods_ready() { [ "$(pods_json | jq '[.[] | select(.ready)] | length')" -ge "$1" ]; }
first_pod() { pod_names | head -1; }

start_containerd
start_catalog
start_aws
flox --root "$LAPTOP_ROOT" import deb python3 --publish
make_ticket_environment
for version in 0.0.9 0.1.0; do
  build_ticket_processor $version
  publish_ticket_processor
done
start_floxd
import_images
before=$(images)

step "the guide's deployment runs three pods"
in_net ticket-generator --create-resources --visibility-timeout 15 --count 0
play_guide --no-wait
wait_until 120 "three running pods" pods_running 3

step "tickets survive the death of a pod"
in_net ticket-generator --count $TICKETS --seed 7
wait_until 60 "the first enriched tickets" enriched_at_least 5
victim=$(first_pod)
container=$(pods_json | jq -r --arg pod "$victim" '.[] | select(.name == $pod) | .containers[0].id')
pid=$(ctr -n k8s.io task ls | awk -v id="$container" '$1 == id { print $2 }')
[ -n "$pid" ] || die "the killed pod's process is unknown: pod $victim, container $container"
kill -KILL "$pid"
wait_until 180 "$TICKETS enriched tickets" enriched_at_least $TICKETS
items=$(ticket_items)
[ "$(jq -r .ticket_id <<<"$items" | sort -u | wc -l)" = $TICKETS ] || die "some tickets are missing from the table"
[ "$(wc -l <<<"$items")" = $TICKETS ] || die "some tickets stand twice in the table"
[ "$(enriched_objects | grep -vc '^failed/')" = $TICKETS ] || die "the bucket does not hold every ticket once"
wait_until 60 "the killed pod's replacement" pods_running 3

step "pods become ready by the guide's own probes"
wait_until 90 "three ready pods" pods_ready 3

step "two pods share one store, read-only, stored once"
mapfile -t two < <(pod_names | head -2)
path=$(kube exec -n ml-workloads "${two[0]}" -- /bin/sh -c 'readlink -f /proc/1/exe')
[[ $path == /nix/store/*/bin/ticket-processor ]] || die "the pod's process is not a store path: $path"
inode_a=$(kube exec -n ml-workloads "${two[0]}" -- stat -c %i "$path")
inode_b=$(kube exec -n ml-workloads "${two[1]}" -- stat -c %i "$path")
inode_store=$(stat -c %i "$NODE_ROOT$path")
[ "$inode_a" = "$inode_b" ] && [ "$inode_a" = "$inode_store" ] || die "inodes differ: $inode_a $inode_b $inode_store"
for pod in "${two[@]}"; do
  kube exec -n ml-workloads "$pod" -- /bin/sh -c 'grep " /nix/store " /proc/mounts | grep -q " ro,"' || die "the store is writable in $pod"
done

step "the metrics are served on the guide's port"
ip=$(pods_json | jq -r '.[0].ip')
metrics=$(in_net curl -fs "http://$ip:8000/metrics")
grep -q 'version="0.1.0"' <<<"$metrics" || die "no build version in the metrics: $metrics"

step "a rollback is one variable"
started=$SECONDS
kube set env -n ml-workloads deployment/ticket-processor FLOX_PACKAGE_VERSION=0.0.9
logs_name() {  # POD VERSION
  local logs
  logs=$(kube logs -n ml-workloads "$1" 2>/dev/null)
  grep -q "\"version\":\"$2\"" <<<"$logs"
}
rolled_back() {
  local pod
  [ "$(pod_names | wc -l)" = 3 ] || return 1
  for pod in $(pod_names); do
    logs_name "$pod" 0.0.9 || return 1
  done
}
first_is_back() {
  local pod
  for pod in $(pod_names); do logs_name "$pod" 0.0.9 && return 0; done
  return 1
}
wait_until 60 "the first pod of version 0.0.9" first_is_back
step "the first pod runs 0.0.9 after $((SECONDS - started)) s"
wait_until 180 "three pods of version 0.0.9" rolled_back
step "all run it after $((SECONDS - started)) s: each new pod waits for the guide's readiness delay of 20 s"

step "Nix finds nothing wrong in the store that floxd wrote"
NIX_CONFIG='build-users-group =' XDG_CACHE_HOME=$WORLD/nix-cache nix-store --store "$NODE_ROOT" --verify --check-contents 2>&1 | tee "$WORLD/logs/nix-verify.log"
! grep -qiE 'error|modified|disappeared|does not exist' "$WORLD/logs/nix-verify.log" || die "nix-store --verify complains"

step "no image was pulled"
[ "$(images)" = "$before" ] || die "containerd knows other images than before: $(images)"

step "nothing is left after down"
kube down --all
[ -z "$(ctr -n k8s.io task ls -q)" ] || die "tasks are left: $(ctr -n k8s.io task ls)"
! pgrep -f 'containerd-shim-flox-v1' >/dev/null || { sleep 2; ! pgrep -af 'containerd-shim-flox-v1' || die "shims are left"; }
no_leases() { [ -z "$(ls "$NODE_ROOT/nix/var/nix/gcroots/flox" 2>/dev/null)" ]; }
wait_until 20 "the leases to end" no_leases
