#!/usr/bin/env bash
# Environments of containers that take long to come, as their pods' author chose them, hold no other container up, nor the
# end of one, nor what floxd does by itself. Odd ids of containers and pods are refused.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_node
start_pod early


step "many containers whose environments do not come"
kill -STOP "$(cat "$WORLD/catalog.pid")"
prepared=$(metric flox_prepare_total)
hostile=()
for i in $(seq 40); do
  node_call Prepare container_id="slow$i" pod_id="slowpod$i" pod_namespace=hostile container_name=c environment=hello args=hello \
    >"$WORLD/slow$i" &
  hostile+=($!)
done
sixteen_at_work() { [ "$(metric flox_prepare_total)" -ge $((prepared + 16)) ]; }
wait_until 30 "their requests" sixteen_at_work

step "another container starts and ends meanwhile"
start_pod other
stop_pod early
for i in $(seq 40); do
  [ ! -s "$WORLD/slow$i" ] || die "the others had to wait until a slow container's environment was given up: $(cat "$WORLD/slow$i")"
done
kill -CONT "$(cat "$WORLD/catalog.pid")"
wait "${hostile[@]}"

step "a container's id cannot be the name of a pod's lease or of a view's"
contains "$(node_call Prepare container_id=pod-other pod_id=x)" "cannot be a container's id"
contains "$(node_call Release container_id=pod-other)" "cannot be a container's id"
contains "$(node_call Release container_id=view-0000)" "cannot be a container's id"
contains "$(node_call Release container_id=image-0000)" "cannot be a container's id"
contains "$(node_call Prepare container_id=prefetch-0000-1 pod_id=x)" "cannot be a container's id"

step "an id that cannot hold a lease is refused before anything is done for it"
long=$(printf 'a%.0s' {1..201})
for id in .. ../x "$long"; do
  contains "$(node_call Prepare container_id="$id" pod_id=x)" "cannot hold a lease"
  contains "$(node_call Prepare container_id=x pod_id="../$id")" "cannot hold a lease"
done
equal "$(jq -r '.[].id | select(. == "x" or startswith(".") or startswith("aaa"))' /var/lib/flox/containers.json)" ""
