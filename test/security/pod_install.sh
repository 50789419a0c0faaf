#!/usr/bin/env bash
# Where pods may not install (pod_install = false), a pod realises what the node has chosen for it and nothing else,
# whatever names its lock uses: its containers' annotated environments, and what its namespace is given.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_containerd
start_catalog
publish_tool hello 0.9
publish_tool hello 1.0
publish_tool other 1.0
export FLOX_POD_INSTALL=false FLOX_NAMESPACE_ENVIRONMENTS=given=hello
start_node
start_pod plain
start_pod given --annotation io.kubernetes.cri.sandbox-namespace=given
start_pod annotated --annotation flox.dev/environment=hello@0.9

hello=$(flox show hello --json | jq -r '.[] | select(.version == "1.0") | .outputs.out')
other=$(flox show other --json | jq -r '.[0].outputs.out')
present() { [ -e "$1" ]; }
forbidden() {  # POD LOCK-FILE
  local said
  said=$(pod_call "$1" Realise "lock_json=@$2" system="$NIX_SYSTEM" mode=run)
  contains "$said" "PermissionDenied"
  contains "$said" "may not install packages: this node forbids it"
}

step "a package that nobody gave the pod is not realised, nor fetched, by whatever name"
lock_of "$other" >"$WORLD/other.lock"
jq '.packages[0] += {install_id: "hello", attr_path: "hello", pname: "hello", version: "1.0"} | .manifest.install.hello["pkg-path"] = "hello"' \
  "$WORLD/other.lock" >"$WORLD/disguised.lock"
for pod in plain given annotated; do
  for lock in other disguised; do forbidden $pod "$WORLD/$lock.lock"; done
done
present "$other" && die "a package that nobody allowed was fetched"
contains "$(pod_call plain Resolve install_id=other 'descriptor_json={"pkg-path": "other"}' system="$NIX_SYSTEM")" "this node forbids it"
contains "$(pod_call given Resolve install_id=hello 'descriptor_json={"pkg-path": "other"}' system="$NIX_SYSTEM")" "this node forbids it"
[ "$(metric 'flox_pod_refusals_total{reason="policy"}')" -ge 8 ] ||
  die "the refusals are not counted"

step "nor is the namespace's package, to a pod of another namespace, or before the node has resolved it for this pod"
lock_of "$hello" >"$WORLD/hello.lock"
for pod in plain given annotated; do forbidden $pod "$WORLD/hello.lock"; done

step "what the namespace is given can be had, alone and as the node has it"
contains "$(pod_call given DefaultEnvironment)" "hello"
contains "$(pod_call given Resolve install_id=mine 'descriptor_json={"pkg-path": "hello"}' system="$NIX_SYSTEM")" "ok package_json="
profile=$(realise_as given "$WORLD/hello.lock")
contains "$("$profile/bin/hello")" "hello 1.0"
equal "$(jq -c '.manifest.install | keys' "$profile/manifest.lock")" '["hello"]'
lock_of "$hello" "$other" >"$WORLD/both.lock"
forbidden given "$WORLD/both.lock"
LOCK_MANIFEST='{"hook": {"on-activate": "echo mine"}}' lock_of "$hello" >"$WORLD/hook.lock"
forbidden given "$WORLD/hook.lock"
LOCK_MANIFEST='{"vars": {"LD_PRELOAD": "/tmp/mine.so"}}' lock_of "$hello" >"$WORLD/vars.lock"
forbidden given "$WORLD/vars.lock"
forbidden plain "$WORLD/hello.lock"

step "a container's annotated environment can be had by its pod, also from a floxd that has started since"
own=$(in_pod annotated sh -c 'echo $FLOX_ENV')
equal "$(in_pod annotated "$own/bin/hello")" "hello 0.9"
cp "$own/manifest.lock" "$WORLD/own.lock"
equal "$(realise_as annotated "$WORLD/own.lock")" "$own"
forbidden plain "$WORLD/own.lock"
stop_server floxd
start_floxd
equal "$(realise_as annotated "$WORLD/own.lock")" "$own"
forbidden plain "$WORLD/own.lock"
jq '.packages[0].outputs.out = "'"$other"'"' "$WORLD/own.lock" >"$WORLD/changed.lock"
forbidden annotated "$WORLD/changed.lock"

step "the flox in a pod gets its namespace's environment so"
equal "$(ctr -n k8s.io run --rm --runtime "$SHIM" --annotation io.kubernetes.cri.sandbox-namespace=given --annotation io.kubernetes.cri.image-name=ghcr.io/flox/flox:latest \
  --env HOME=/tmp --cwd /tmp docker.io/flox/empty:1.0.0 activates flox activate -- hello 2>/dev/null | tail -1)" "hello 1.0"
refused "this node forbids it" ctr -n k8s.io run --rm --runtime "$SHIM" --annotation io.kubernetes.cri.sandbox-namespace=given --annotation io.kubernetes.cri.image-name=ghcr.io/flox/flox:latest \
  --env HOME=/tmp --cwd /tmp docker.io/flox/empty:1.0.0 installs sh -c 'mkdir e && cd e && flox init && flox install other'

step "a pod's wish to see the whole store is refused where the node shows closures"
stop_server floxd
FLOX_STORE_VIEW=closure start_floxd
contains "$(node_call Prepare container_id=x pod_id=x store_view=node)" "containers of this node see only their own closure"
step "nothing of the other package was fetched"
present "$other" && die "a package that nobody allowed was fetched"
true
