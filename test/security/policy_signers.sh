#!/usr/bin/env bash
# The node's policy by who has signed: rules that name owners, keys and generations, through containerd, the shim and floxd,
# with metadata that the node has verified.
export FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_containerd
start_catalog
POLICY=/etc/flox/policy.toml
sign_for acme
publish_tool hello 0.9
publish_tool hello 1.0
sign_for beta
publish_tool other 1.0
export FLOX_OWNER=acme
flox init -d "$WORLD/env" -n web
flox --root "$LAPTOP_ROOT" install -d "$WORLD/env" hello >&2
flox push -d "$WORLD/env" >&2
export FLOX_AUDIT=$WORLD/audit/audit.jsonl
start_node
key_id=$(flox trust show acme --json | jq -r '[.roles[] | select(.role == "publishers") | .keys[0].id][0]')
equal "${#key_id}" 64

number=0
try() {  # ENVIRONMENT [VARIABLE=VALUE]: what the command named like its package says
  number=$((number + 1))
  ctr -n k8s.io run --rm --runtime "$SHIM" --annotation io.kubernetes.cri.sandbox-namespace=shop --annotation "flox.dev/environment=$1" \
    ${2:+--env "$2"} docker.io/flox/empty:1.0.0 "try-$number" "${3:-hello}"
}
put() { cat >"$POLICY.new" && chmod 644 "$POLICY.new" && mv "$POLICY.new" "$POLICY"; }
allow() { printf '[[allow]]\nname = "shop"\nnamespaces = ["shop"]\n%s\n' "$1" | put; }

step "an owner's packages are those that the owner has signed, whatever they are called"
allow 'owners = ["acme"]'
equal "$(try hello)" "hello 1.0"
equal "$(try acme/web)" "hello 1.0"
refused "does not allow package other@1.0" try other '' other

step "a rule that asks for a key lets pass what it has signed, by its name and by its id"
allow $'packages = ["hello"]\nenvironments = ["acme/web"]\nsigners = ["demo-*"]'
equal "$(try hello)" "hello 1.0"
equal "$(try acme/web)" "hello 1.0"
equal "$(try acme/web FLOX_PACKAGE_VERSION=0.9)" "hello 0.9"
contains "$(tail -1 "$FLOX_AUDIT" | jq -c .signers)" "$key_id"
allow "packages = [\"hello\"]"$'\n'"signers = [\"$key_id\"]"
equal "$(try hello)" "hello 1.0"
allow $'packages = ["hello"]\nenvironments = ["acme/web"]\nsigners = ["other-1"]'
refused "asks for a signature of other-1 on package hello@1.0, which is signed by" try hello
refused "asks for a signature of other-1 on environment acme/web:1, which is signed by" try acme/web

step "the latest generation is known once the catalog has answered"
allow 'environments = ["acme/web:1"]'
equal "$(try acme/web)" "hello 1.0"
allow 'environments = ["acme/web:>=2"]'
refused "does not allow environment acme/web:1" try acme/web

step "what a denied owner has signed is denied, in a lock of the pod's own, too, and nothing else is"
put <<'TOML'
[[deny]]
name = "not-beta"
owners = ["beta"]

[[allow]]
name = "open"
namespaces = ["*"]
packages = ["*"]
environments = ["*/*"]
install = true
TOML
equal "$(try hello)" "hello 1.0"
equal "$(try acme/web)" "hello 1.0"
refused "rule 'not-beta' ($POLICY:1) denies package other@1.0" try other '' other
start_pod p-shop --annotation io.kubernetes.cri.sandbox-namespace=shop --annotation io.kubernetes.cri.sandbox-name=p-shop
lock() { lock_of "$1" | jq --arg n "$2" '.packages[0] += {install_id: $n, attr_path: $n, version: "1.0"}'; }
lock "$(flox show hello --json | jq -r '.[] | select(.version == "1.0") | .outputs.out')" hello >"$WORLD/hello.lock"
lock "$(flox show other --json | jq -r '.[0].outputs.out')" other >"$WORLD/other.lock"
realise() { pod_call p-shop Realise "lock_json=@$1" system="$NIX_SYSTEM" mode=run; }
contains "$(realise "$WORLD/hello.lock")" "ok profile="
contains "$(realise "$WORLD/other.lock")" "rule 'not-beta' ($POLICY:1) denies package other@1.0"
# By another name it is a bare store path, which no catalog calls other: the rule that allows names does not allow it.
lock "$(flox show other --json | jq -r '.[0].outputs.out')" innocent >"$WORLD/innocent.lock"
contains "$(realise "$WORLD/innocent.lock")" "does not allow store path"
lock "$(flox show other --json | jq -r '.[0].outputs.out')" hello >"$WORLD/innocent.lock"
contains "$(realise "$WORLD/innocent.lock")" "does not allow store path"

step "flox policy test decides by the same signatures"
contains "$(flox policy test --namespace shop --environment hello)" "allowed"
contains "$(flox policy test --namespace shop --environment other || true)" "rule 'not-beta'"
