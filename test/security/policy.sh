#!/usr/bin/env bash
# The node's policy, through containerd, the shim and floxd: what no rule allows is denied on every way a pod gets
# something, and a denial says which rule and where it stands.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_containerd
start_catalog
publish_tool hello 0.9
publish_tool hello 1.0
publish_tool other 1.0
start_node
POLICY=/etc/flox/policy.toml
AUDIT=$WORLD/audit/audit.jsonl

# try NAMESPACE ANNOTATIONS… -- COMMAND…: a container of a pod in the namespace; the annotations without flox.dev/ in front.
number=0
try() {
  local ns=$1 options=()
  shift
  while [ "$1" != -- ]; do options+=(--annotation "flox.dev/$1"); shift; done
  shift
  number=$((number + 1))
  ctr -n k8s.io run --rm --runtime "$SHIM" --annotation io.kubernetes.cri.image-name=ghcr.io/flox/flox:latest \
    --annotation "io.kubernetes.cri.sandbox-namespace=$ns" --annotation "io.kubernetes.cri.sandbox-name=pod-$number" \
    "${options[@]}" --env HOME=/tmp --cwd /tmp docker.io/flox/empty:1.0.0 "try-$number" "$@"
}
# put: standard input becomes the policy, at once.
put() { cat >"$POLICY.new" && chmod 644 "$POLICY.new" && mv "$POLICY.new" "$POLICY"; }
restart_floxd() { stop_server floxd; start_floxd; }

step "without a policy everything runs as before"
equal "$(try shop environment=hello -- hello)" "hello 1.0"
export FLOX_AUDIT=$AUDIT
restart_floxd

step "with a rule, what none allows is denied by default: another namespace, another package, a pod without an environment"
put <<'TOML'
[[allow]]
name = "shop"
namespaces = ["shop", "shop-*"]
packages = ["hello@>=1"]
install = false

[[allow]]
name = "lab"
namespaces = ["lab"]
environments = ["acme/tools"]
packages = ["other"]
install = true
store_view = "closure"
TOML
equal "$(try shop environment=hello -- hello)" "hello 1.0"
equal "$(try shop-2 environment=hello@1.0 -- hello)" "hello 1.0"
refused "no rule of $POLICY allows namespace 'elsewhere'" try elsewhere environment=hello -- hello
refused "no rule of $POLICY allows namespace 'elsewhere'" try elsewhere -- true
refused "rule 'shop' ($POLICY:1) does not allow package other to namespace 'shop'" try shop environment=other -- other
try shop -- true

step "a version is decided as the catalog has it, whatever the pod asks for"
refused "rule 'shop' ($POLICY:1) does not allow package hello@0.9" try shop environment=hello@0.9 -- hello
refused "does not allow package hello@0.9" try shop 'environment=hello@<1' -- hello

step "a version that the pod chooses by FLOX_PACKAGE_VERSION is decided as that version"
pinned() {
  number=$((number + 1))
  ctr -n k8s.io run --rm --runtime "$SHIM" --annotation io.kubernetes.cri.sandbox-namespace=shop --annotation flox.dev/environment=hello \
    --env "FLOX_PACKAGE_VERSION=$1" docker.io/flox/empty:1.0.0 "pinned-$number" hello
}
equal "$(pinned 1.0)" "hello 1.0"
refused "does not allow package hello@0.9" pinned 0.9

step "two namespaces side by side have each their own rule"
equal "$(try lab environment=other -- other)" "other 1.0"
refused "rule 'lab' ($POLICY:7) does not allow package hello to namespace 'lab'" try lab environment=hello -- hello

step "an environment is another thing than a package of its name, and an owner's prefix is not the owner"
refused "rule 'lab' ($POLICY:7) does not allow environment acme/other" try lab environment=acme/other -- true
refused "does not allow environment acme/toolset" try lab environment=acme/toolset -- true
refused "does not allow environment acme2/tools" try lab environment=acme2/tools -- true

step "a rule's store view cannot be widened, /nix is not changed, and the node's setting does not matter where a rule decides"
case $(try lab environment=other -- ls /nix/store) in *hello*) die "a pod sees its neighbour's package" ;; esac
refused "store-view 'node': rule 'lab' ($POLICY:7) shows containers only their own closure" try lab store-view=node environment=other -- other
refused "nix-mutable: rule 'shop' ($POLICY:1) does not allow containers to change /nix" try shop nix-mutable=true environment=hello -- hello

step "in a pod: install is denied by one rule and allowed by the other, for what that names"
start_pod p-shop --annotation io.kubernetes.cri.sandbox-namespace=shop --annotation io.kubernetes.cri.sandbox-name=p-shop
start_pod p-lab --annotation io.kubernetes.cri.sandbox-namespace=lab --annotation io.kubernetes.cri.sandbox-name=p-lab
hello=$(flox show hello --json | jq -r '.[] | select(.version == "1.0") | .outputs.out')
other=$(flox show other --json | jq -r '.[0].outputs.out')
resolve() { pod_call "$1" Resolve "install_id=$2" "descriptor_json={\"pkg-path\": \"$2\"}" system="$NIX_SYSTEM"; }
contains "$(resolve p-shop hello)" "may not install packages: rule 'shop' ($POLICY:1) forbids it"
contains "$(resolve p-lab other)" "ok package_json="
contains "$(resolve p-lab hello)" "rule 'lab' ($POLICY:7) does not allow package hello@1.0"
named_lock() { lock_of "$1" | jq --arg n "$2" --arg v "$3" '.packages[0] += {install_id: $n, attr_path: $n, version: $v}'; }
named_lock "$other" other 1.0 >"$WORLD/other.lock"
named_lock "$hello" hello 1.0 >"$WORLD/hello.lock"
named_lock "$hello" other 1.0 >"$WORLD/disguised.lock"
jq -s '.[0].packages += .[1].packages | .[0]' "$WORLD/other.lock" "$WORLD/disguised.lock" >"$WORLD/both.lock"
profile=$(realise_as p-lab "$WORLD/other.lock")
contains "$("$profile/bin/other")" "other 1.0"
realise() { pod_call "$1" Realise "lock_json=@$2" system="$NIX_SYSTEM" mode=run; }
contains "$(realise p-shop "$WORLD/other.lock")" "may not install packages: rule 'shop'"
contains "$(realise p-lab "$WORLD/hello.lock")" "does not allow package hello@1.0"

step "a lock that calls a package by another's name gets nothing: floxd asks the catalog, not the pod"
contains "$(realise p-lab "$WORLD/disguised.lock")" "does not allow store path $(basename "$hello")"
contains "$(realise p-lab "$WORLD/both.lock")" "does not allow store path $(basename "$hello")"
lock_of "$other" >"$WORLD/nameless.lock"
contains "$(realise p-lab "$WORLD/nameless.lock")" "does not allow store path $(basename "$other")"
restart_floxd
contains "$(realise p-lab "$WORLD/other.lock")" "ok profile="
contains "$(realise p-lab "$WORLD/disguised.lock")" "does not allow store path"

step "a file that changes is in force for the next pod; a running one is decided by it, too"
put <<'TOML'
[[allow]]
name = "open"
namespaces = ["*"]
environments = ["*/*"]
packages = ["*"]
store_paths = ["*"]
nix_mutable = true

[[deny]]
name = "no-hello"
namespaces = ["lab"]
packages = ["hello"]
reason = "CVE-2000-0001"
TOML
equal "$(try elsewhere environment=hello -- hello)" "hello 1.0"
equal "$(try shop nix-mutable=true environment=hello -- hello)" "hello 1.0"
refused "rule 'no-hello' ($POLICY:9) denies package hello to namespace 'lab': CVE-2000-0001" try lab environment=hello -- hello
contains "$(realise p-shop "$WORLD/hello.lock")" "ok profile="
contains "$(realise p-lab "$WORLD/hello.lock")" "rule 'no-hello'"

step "store paths that a rule denies are found anywhere in a closure"
busybox=$(basename "$BUSYBOX")
put <<TOML
[[allow]]
name = "open"
namespaces = ["*"]
packages = ["*"]
[[deny]]
name = "no-busybox"
namespaces = ["lab"]
store_paths = ["*-${busybox#*-}"]
TOML
equal "$(try shop environment=hello -- hello)" "hello 1.0"
refused "rule 'no-busybox' ($POLICY:5) denies closures with $busybox" try lab environment=hello -- hello

step "a closure over the rule's size is denied, fetched or not"
put <<'TOML'
[[allow]]
name = "small"
namespaces = ["small"]
packages = ["*"]
closure_size = 100
[[allow]]
name = "open"
namespaces = ["*"]
packages = ["*"]
closure_size = "1G"
realise_time = "5m"
TOML
refused "rule 'small' ($POLICY:1) allows closures of" try small environment=hello -- hello
equal "$(try shop environment=hello -- hello)" "hello 1.0"
publish_tool fresh 1.0
refused "within the limits of rule 'small' ($POLICY:1: closure_size" try small environment=fresh -- fresh
equal "$(try shop environment=fresh -- fresh)" "fresh 1.0"

step "a rule that asks for signers denies what has no verified signature"
put <<'TOML'
[[allow]]
name = "signed"
namespaces = ["*"]
packages = ["*"]
signers = ["acme-1"]
TOML
refused "rule 'signed' ($POLICY:1) asks for a signature of acme-1 on package hello@1.0, which has no verified one" try shop environment=hello -- hello
try shop -- true

step "a service account is known by its token, and a rule that names one denies where it is not known"
openssl ecparam -genkey -name prime256v1 -noout -out "$WORLD/sa.key" 2>/dev/null
openssl ec -in "$WORLD/sa.key" -pubout -out "$WORLD/sa.pub" 2>/dev/null
put <<'TOML'
[[allow]]
name = "robot"
namespaces = ["shop"]
service_accounts = ["robot"]
packages = ["hello"]
[[allow]]
name = "rest"
namespaces = ["shop"]
packages = ["other"]
TOML
# token ACCOUNT UID [KEY]: a directory as the kubelet mounts it.
token() {
  local directory=$WORLD/pods/$1-$2/volumes/kubernetes.io~projected/token
  mkdir -p "$directory/..2026"
  "$SECURITY/service_account_token.py" --key "${3:-$WORLD/sa.key}" --namespace shop --pod web-1 --uid "$2" --account "$1" >"$directory/..2026/token"
  ln -sfn ..2026 "$directory/..data"
  ln -sf ..data/token "$directory/token"
  echo "$directory"
}
with_token() {  # DIRECTORY PACKAGE
  number=$((number + 1))
  ctr -n k8s.io run --rm --runtime "$SHIM" --annotation io.kubernetes.cri.sandbox-namespace=shop --annotation io.kubernetes.cri.sandbox-name=web-1 \
    --annotation io.kubernetes.cri.sandbox-uid=uid-1 --annotation "flox.dev/environment=$2" \
    --mount "type=bind,src=$1,dst=/var/run/secrets/kubernetes.io/serviceaccount,options=rbind:ro" docker.io/flox/empty:1.0.0 "account-$number" "$2"
}
unknown="rule 'robot' ($POLICY:1) is for service accounts, and the pod's is not known"
refused "$unknown" with_token "$(token robot uid-1)" hello
export FLOX_SERVICE_ACCOUNT_KEYS=$WORLD/sa.pub
restart_floxd
equal "$(with_token "$(token robot uid-1)" hello)" "hello 1.0"
refused "rule 'rest' ($POLICY:6) does not allow package hello to namespace 'shop', service account 'human'" with_token "$(token human uid-1)" hello
equal "$(with_token "$(token human uid-1)" other)" "other 1.0"
refused "$unknown" with_token "$(token robot uid-2)" hello  # another pod's
openssl ecparam -genkey -name prime256v1 -noout -out "$WORLD/own.key" 2>/dev/null
refused "$unknown" with_token "$(token admin uid-1 "$WORLD/own.key")" other  # the pod's own writing
mkdir "$WORLD/shadow"
ln -s /etc "$WORLD/shadow/..data"
ln -s ../../etc/shadow "$WORLD/shadow/token"
refused "$unknown" with_token "$WORLD/shadow" other
refused "$unknown" try shop environment=other -- other
grep -q 'root:' "$WORLD/logs/floxd.log" && die "a file of the host is in floxd's log"

step "a bad file on reload changes nothing and says so: log, metric, doctor"
put <<'TOML'
[[allow]]
name = "open"
namespace = ["*"]
TOML
kill -HUP "$(cat "$WORLD/floxd.pid")"
wait_until 20 "floxd to say that the policy is bad" grep -q "policy.toml:3:1: unknown key 'namespace'" "$WORLD/logs/floxd.log"
refused "$unknown" try shop environment=other -- other
wait_until 20 "the metric" sh -c "curl -fs http://$METRICS_ADDRESS/metrics | grep -q '^flox_policy_stale 1'"
contains "$(flox node doctor 2>&1 || true)" "an older one is in force"
refused "$POLICY:3:1: unknown key 'namespace'" flox policy explain
put <<'TOML'
[[allow]]
name = "open"
namespaces = ["*"]
packages = ["hello"]
TOML
equal "$(try shop environment=hello -- hello)" "hello 1.0"
wait_until 20 "the metric" sh -c "curl -fs http://$METRICS_ADDRESS/metrics | grep -q '^flox_policy_stale 0'"
rm "$POLICY"
refused "does not allow package other to" try shop environment=other -- other

step "a bad file at the start stops floxd with its place"
stop_server floxd
printf '[[allow]]\nname = "x"\nnamespaces = "shop"\n' | put
refused "$POLICY:3:14: namespaces: a list of strings is needed" floxd --node-socket "$WORLD/other.sock"
refused "others than its owner can write" sh -c "chmod 666 $POLICY; floxd --node-socket $WORLD/other.sock"
refused "no-such.toml" floxd --policy "$WORLD/no-such.toml" --node-socket "$WORLD/other.sock"

step "flox policy test says what floxd does, for each container"
put <<'TOML'
[[allow]]
name = "shop"
namespaces = ["shop"]
packages = ["hello@>=1"]
[[deny]]
name = "never"
packages = ["other"]
reason = "not here"
TOML
start_floxd
cat >"$WORLD/pod.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations: { flox.dev/environment.good: hello, flox.dev/environment.old: hello@0.9, flox.dev/environment.bad: other, flox.dev/skip-containers: plain }
spec:
  runtimeClassName: flox
  containers:
  - { name: good, image: "flox/empty:1.0.0", command: [hello] }
  - { name: old, image: "flox/empty:1.0.0", command: [hello] }
  - { name: bad, image: "flox/empty:1.0.0", command: [other] }
  - { name: plain, image: "busybox:1", command: ["true"] }
YAML
code=0
said=$(flox policy test "$WORLD/pod.yaml" 2>/dev/null) || code=$?
equal "$code" 1
contains "$said" "allowed  Pod shop/web, container good: package hello: rule 'shop' ($POLICY:1)"
contains "$said" "denied   Pod shop/web, container old: package hello: rule 'shop' ($POLICY:1) does not allow package hello@0.9"
contains "$said" "denied   Pod shop/web, container bad: package other: rule 'never' ($POLICY:5) denies package other to namespace 'shop'"
contains "$said" "container plain: an ordinary image"
jq -n '{apiVersion: "batch/v1", kind: "CronJob", metadata: {name: "nightly"}, spec: {jobTemplate: {spec: {template: {metadata: {annotations: {"flox.dev/environment": "other"}},
  spec: {containers: [{name: "main", image: "flox/empty:1.0.0"}]}}}}}}' >"$WORLD/cronjob.json"
refused "denied   CronJob shop/nightly, container main: package other" flox policy test -n shop "$WORLD/cronjob.json"
refused "there is no pod" flox policy test <(echo '{"kind": "ConfigMap"}')
refused "Did you mean flox.dev/environment?" flox policy test - < <(sed 's|flox.dev/environment.good|flox.dev/enviroment|' "$WORLD/pod.yaml")
# What cannot be answered of one container says so, and the others are tested all the same.
sed 's/old: hello@0.9/old: missing, flox.dev\/environment.bad: hello@7/; s/flox.dev\/environment.bad: other, //' "$WORLD/pod.yaml" >"$WORLD/missing.yaml"
code=0
said=$(flox policy test "$WORLD/missing.yaml" 2>"$WORLD/logs/missing") || code=$?
equal "$code" 1
contains "$said" "allowed  Pod shop/web, container good"
contains "$said" "unknown  Pod shop/web, container bad: package hello: package 'hello' 7: no published version satisfies '7'"
contains "$said" "container plain: an ordinary image"
contains "$(cat "$WORLD/logs/missing")" "published versions: 1.0, 0.9"
equal "$(flox policy test --json "$WORLD/missing.yaml" 2>/dev/null | jq -c 'map(.allowed)')" '[true,false,null,true]'
equal "$(try shop environment=hello -- hello)" "hello 1.0"
for reference in hello@0.9 other; do
  why=$(flox policy test --namespace shop --unknown-account --environment $reference --json 2>/dev/null || true)
  refused "$(jq -r '.[0].why' <<<"$why")" try shop environment=$reference -- true
done
flox policy test --namespace shop --environment hello >/dev/null
refused "no rule of" flox policy test --namespace lab --environment hello
contains "$(flox policy explain)" "never (line 5): all namespaces: not here"
contains "$(flox policy admission)" "kind: ValidatingAdmissionPolicy"

step "each decision is a line of the audit log: who, what, which rule, which path, why not"
wait_until 20 "the last line" sh -c "tail -1 $AUDIT | jq -e '.rule == \"never\"'"
jq -es 'all(.[]; .time and .event and .decision and has("namespace") and has("service_account") and has("rule"))' "$AUDIT" >/dev/null || die "a line lacks members"
jq -es 'any(.[]; .event == "start" and .decision == "allowed" and .namespace == "shop" and .asked == ["package hello@1.0"] and .rule == "shop"
  and (.store_path | startswith("/nix/store/")) and (.nar_hash | startswith("sha256:")))' "$AUDIT" >/dev/null || die "no line of an allowed start"
jq -es 'any(.[]; .decision == "denied" and .namespace == "elsewhere" and (.why | contains("no rule of")))' "$AUDIT" >/dev/null || die "no line of a denied start"
jq -es 'any(.[]; .event == "realise" and .decision == "denied" and .pod == "p-lab")' "$AUDIT" >/dev/null || die "no line of a denied install"
jq -es 'any(.[]; .service_account == "robot" and .decision == "allowed")' "$AUDIT" >/dev/null || die "no line with a service account"
[ "$(metric flox_audit_lost_total)" = 0 ] || die "lines were lost"
[ "$(metric 'flox_policy_decisions_total{decision="denied"}')" -ge 1 ] || die "denials are not counted"

step "an audit log that cannot be written stops no pod; the metric and the doctor say it"
stop_server floxd
rm -rf "$WORLD/audit" && : >"$WORLD/audit"  # a file stands where its directory should
start_floxd
equal "$(try shop environment=hello -- hello)" "hello 1.0"
wait_until 20 "the lost line to be counted" sh -c "curl -fs http://$METRICS_ADDRESS/metrics | grep -q '^flox_audit_lost_total [1-9]'"
contains "$(flox node doctor 2>&1 || true)" "of the audit log could not be written"
