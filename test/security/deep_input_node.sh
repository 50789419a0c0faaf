#!/usr/bin/env bash
# Deeply nested input ends in an error and not in floxd's end: a pod's descriptor and lock, the variables of a pod's spec
# and of a request to prepare it, the file in which floxd keeps its containers, and messages that are none.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_containerd
start_catalog
publish_tool hello 1.0
start_node
start_pod pod

floxd_pid=$(cat "$WORLD/floxd.pid")
alive() {  # AFTER WHAT
  kill -0 "$floxd_pid" 2>/dev/null || die "floxd ended after $1: $(tail -3 "$WORLD/logs/floxd.log")"
  contains "$(pod_call pod DefaultEnvironment)" "ok"
}
# nested COUNT OPEN CLOSE
nested() { python3 -c 'import sys; n = int(sys.argv[1]); sys.stdout.write(sys.argv[2] * n + sys.argv[3] * n)' "$@"; }

step "a pod's descriptor and its lock"
for depth in 1000 7000 100000 1000000; do
  for shape in '[ ]' '{"a": }'; do
    open=${shape% *} close=${shape##* }
    nested $depth "$open" "$close" | sed 's/}/1}/' >"$WORLD/deep.json"
    said=$(pod_call pod Resolve install_id=x "descriptor_json=@$WORLD/deep.json" system="$NIX_SYSTEM")
    case $said in ok*) die "a descriptor of depth $depth was taken" ;; esac
    alive "a descriptor of depth $depth"
    for place in manifest packages; do
      { printf '{"lockfile-version": 1, "manifest": {"schema-version": "1.10.0"}, "packages": [], "%s": ' $place; cat "$WORLD/deep.json"; echo '}'; } >"$WORLD/deep.lock"
      said=$(pod_call pod Realise "lock_json=@$WORLD/deep.lock" system="$NIX_SYSTEM" mode=run)
      case $said in ok*) die "a lock of depth $depth was taken" ;; esac
      alive "a lock of depth $depth in $place"
    done
  done
done

step "numbers, strings and messages that are none"
printf '{"lockfile-version": 1, "manifest": {"x": 1e999999999}, "packages": []}' >"$WORLD/odd.lock"
pod_call pod Realise "lock_json=@$WORLD/odd.lock" system="$NIX_SYSTEM" mode=run >/dev/null
printf '{"lockfile-version": 1, "manifest": {"x": "\377\376"}, "packages": []}' >"$WORLD/odd.lock"
pod_call pod Realise "lock_json=@$WORLD/odd.lock" system="$NIX_SYSTEM" mode=run >/dev/null
head -c 100000 /dev/urandom >"$WORLD/odd.lock"
for method in Resolve Realise DefaultEnvironment; do pod_call pod $method "raw=@$WORLD/odd.lock" >/dev/null; done
alive "odd messages"

step "the variables of a pod's spec"
nested 50000 '[' ']' >"$WORLD/deep.json"
{ printf '_FLOX_ACTIVE_ENVIRONMENTS='; cat "$WORLD/deep.json"; } >"$WORLD/variable"
ctr -n k8s.io run --rm --runtime "$SHIM" --annotation flox.dev/environment=hello --env "$(cat "$WORLD/variable")" docker.io/flox/empty:1.0.0 spec hello >"$WORLD/said" 2>&1 || true
alive "a pod's variable"
nested 1000000 '[' ']' >"$WORLD/deep.json"
{ printf '_FLOX_ACTIVE_ENVIRONMENTS='; cat "$WORLD/deep.json"; } >"$WORLD/variable"
node_call Prepare container_id=deep pod_id=deep environment=hello "env=@$WORLD/variable" >/dev/null
node_call Release container_id=deep >/dev/null
alive "a variable in a request to prepare a pod"

step "the file of its containers"
stop_server floxd
nested 1000000 '[' ']' >/var/lib/flox/containers.json
start_floxd
floxd_pid=$(cat "$WORLD/floxd.pid")
contains "$(cat "$WORLD/logs/floxd.log")" "running containers are unknown"
for text in '{"id": 1}' '[{"id": 1}]' '[1]' 'x' '[{"id":"a","pod_id":"a","pod_namespace":"a","pod_name":"a","name":"a","prepared_at":"x"}]'; do
  stop_server floxd
  echo "$text" >/var/lib/flox/containers.json
  start_floxd
  contains "$(cat "$WORLD/logs/floxd.log")" "running containers are unknown"
done
