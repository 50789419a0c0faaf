#!/usr/bin/env bash
# Tenants that have things prefetched: each by its own rule, none sees another's, none delays another's; and pods that ask for too much, for
# too long, for what is another's, or that go.
export FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_containerd
start_catalog
sign_for acme
publish_tool hello 1.0
publish_tool other 1.0
push_web hello red
mkdir "$WORLD/secret"
(cd "$WORLD/secret" && laptop init -n secret && laptop install other && laptop push --owner acme) >"$WORLD/logs/secret.log" 2>&1
cat >/etc/flox/policy.toml <<'TOML'
[[allow]]
name = "shop"
namespaces = ["shop"]
environments = ["acme/web"]
packages = ["hello"]

[[allow]]
name = "lab"
namespaces = ["lab"]
environments = ["acme/secret"]
packages = ["other"]
store_paths = ["*"]
closure_size = "1M"

[[allow]]
name = "none"
namespaces = ["none"]
environments = ["acme/web"]
prefetch = false
TOML
chmod 644 /etc/flox/policy.toml
export FLOX_AUDIT=$WORLD/audit.jsonl FLOX_PREFETCH_MIN_FREE=1M FLOX_PREFETCH_AT_ONCE=1 FLOX_NAMESPACE_PREFETCHES=300
start_node

tenant() { start_pod "$1" --annotation "io.kubernetes.cri.sandbox-namespace=$2" --annotation "io.kubernetes.cri.sandbox-name=$1"; }
tenant shop shop
tenant lab lab
tenant none none
prefetch() {
  local pod=$1
  shift
  FLOX_POD_SOCKET=$WORLD/run/pod/pod.sock as_pod "$pod" "$BUILD_DIR/bin/flox" node prefetch "$@"
}
node_prefetch() { flox node prefetch "$@"; }

step "a pod's request is decided as its start would be"
contains "$(prefetch shop --wait acme/web:1 hello)" "✔ acme/web:1 is present"
refused "rule 'shop' (/etc/flox/policy.toml:1) does not allow environment acme/secret" prefetch shop --wait acme/secret:1
refused "rule 'shop' (/etc/flox/policy.toml:1) does not allow package other" prefetch shop --wait hello other
refused "rule 'none' (/etc/flox/policy.toml:15) does not allow prefetching" prefetch none --wait acme/web:1
refused "rule 'lab' (/etc/flox/policy.toml:7" prefetch lab --wait other  # its closure is larger than it may be
wait_for_line() { jq -se --arg d "$1" 'any(.event == "prefetch" and .namespace == "shop" and .decision == $d)' "$FLOX_AUDIT"; }
wait_until 10 "the audit log's line of what was allowed" wait_for_line allowed
wait_until 10 "the audit log's line of what was denied" wait_for_line denied

step "no namespace sees or ends what another one asked for; the node's operator sees all"
contains "$(prefetch shop)" "acme/web:1"
contains "$(prefetch lab)" "other"
case $(prefetch lab) in *acme/web*) die "lab sees what shop has prefetched" ;; esac
refused "was not asked to be prefetched" prefetch lab --cancel acme/web:1
contains "$(node_prefetch)" "shop: acme/web:1"

step "what cannot be is refused whole: 10,000 names, a huge deadline, names that are none"
before=$(prefetch shop --json | jq '.prefetches | length')
refused "one request may name 1000" prefetch shop $(seq -f 'hello@1.%.0f' 10000)
refused "a deadline of" prefetch shop --deadline 5000w hello
contains "$(pod_call shop Add environments=hello deadline_seconds=18446744073709551615)" "a deadline of"
refused "environment '../../etc/passwd'" prefetch shop acme/web ../../etc/passwd
contains "$(pod_call shop Add "environments=$(printf 'a%.0s' {1..600})")" "more than 512 bytes"
contains "$(pod_call shop Add)" "no environment is named"
equal "$(prefetch shop --json | jq '.prefetches | length')" "$before"

step "a namespace with hundreds of them delays another one's by one"
kill -STOP "$(cat "$WORLD/catalog.pid")"
prefetch shop $(seq -f 'hello@>=0.%.0f' 250) >"$WORLD/many"
waiting() { metric 'flox_realise_queue{lane="prefetch",state="waiting"}'; }
[ "$(waiting)" -ge 200 ] || die "only $(waiting) wait"
refused "namespace 'shop' has " prefetch shop $(seq -f 'hello@>=0.0.%.0f' 100)
refused "may have 300 (namespace_prefetches)" prefetch shop $(seq -f 'hello@>=0.0.%.0f' 100)
path=$(readlink -f /nix/var/nix/gcroots/flox/prefetch-*/* | head -1)
prefetch lab "$path" >"$WORLD/one"
kill -CONT "$(cat "$WORLD/catalog.pid")"
settled() { prefetch lab --json | jq -e --arg e "$path" '.prefetches[] | select(.environment == $e) | .state == "present" or .state == "failed"'; }
wait_until 60 "the other namespace's" settled
[ "$(waiting)" -ge 50 ] || die "it came when all the others had come: $(waiting) wait"

step "what a pod asked for ends with the pod, what has come stays"
tenant brief shop
none_waits() { [ "$(waiting)" = 0 ]; }
wait_until 300 "the queue to be empty" none_waits
kill -STOP "$(cat "$WORLD/catalog.pid")"
prefetch brief $(seq -f 'hello@>=0.00.%.0f' 40) >"$WORLD/brief"
stop_pod brief
cancelled() { [ "$(metric 'flox_prefetch_total{result="cancelled"}')" -ge 39 ]; }  # one may have begun to ask
wait_until 60 "what waits to be cancelled" cancelled
kill -CONT "$(cat "$WORLD/catalog.pid")"
contains "$(node_prefetch)" "shop: acme/web:1 is present"
verify_store
