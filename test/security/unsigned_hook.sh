#!/usr/bin/env bash
# Who says what an environment is: a proxy on plain HTTP that adds a hook to it, and a thief of the publishing token who
# pushes a generation with one, had their hook run as root in the container. With an owner's signature they do not, nor
# do those who hold back, replay or swap what was signed, or sign with keys that may not.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_catalog  # FLOX_ALLOW_UNSIGNED is true
publish_tool hello 1.0
PROXY_PORT=$(free_port)
mkdir -p "$WORLD/proxy"
start_server proxy "$SECURITY/catalog_proxy.py" "$CATALOG_URL" "$PROXY_PORT" "$WORLD/proxy"
PROXY_URL=http://127.0.0.1:$PROXY_PORT
wait_until 10 "the proxy" curl -fs "$PROXY_URL/readyz"
attack() { echo "$*" >"$WORLD/proxy/attack"; }

# The node asks through the proxy; the publisher asks the catalog.
start_node_of() {  # ALLOW-UNSIGNED
  stop_server floxd
  local CATALOG_URL=$PROXY_URL
  FLOX_ALLOW_UNSIGNED=$1 start_floxd
}
n=0
pod() {  # ENVIRONMENT: what a pod of it says
  n=$((n + 1))
  ctr -n k8s.io run --rm --runtime "$SHIM" --cgroup "$CGROUP_PARENT/p$n" --annotation "flox.dev/environment=$1" \
    "${@:2}" docker.io/flox/empty:1.0.0 "p$n" hello 2>&1
}
metadata_refused() { curl -fs "http://$METRICS_ADDRESS/metrics" | awk '$1 == "flox_metadata_refused_total" { print $2 }'; }
pod_refused() {  # TEXT ENVIRONMENT: the pod does not start, and floxd logs and counts why
  local before
  before=$(metadata_refused)
  refused "$1" pod "$2"
  [ "$(metadata_refused)" -gt "$before" ] || die "$2: the refusal was not counted"
  contains "$(grep ' warning refused: ' "$WORLD/logs/floxd.log" | tail -1)" "$1"
}
environment() {  # OWNER: its environment web, in a directory of its own
  rm -rf "$WORLD/env-$1"
  flox init -d "$WORLD/env-$1" -n web
  flox --root "$LAPTOP_ROOT" install -d "$WORLD/env-$1" hello >&2
}
thief_pushes() {  # OWNER: a generation with a hook, with the token alone; prints the status
  curl -fsS "$CATALOG_URL/api/v1/environments/$1/web" |
    jq -c '{manifest, lock: (.lock | .manifest.hook = {"on-activate": "echo \"hooked as $(id -u)\""})}' |
    curl -sS -o "$WORLD/answer" -w '%{http_code}' -X POST -H "Authorization: Bearer $FLOX_CATALOG_TOKEN" -d @- \
      "$CATALOG_URL/api/v1/environments/$1/web"
}

step "before: nobody signs, and the node takes what it gets"
start_containerd
start_node_of true
import_images
environment old
flox push -d "$WORLD/env-old" --owner old
equal "$(pod old/web)" "hello 1.0"
attack hook
contains "$(pod old/web)" "hooked as 0"
contains "$(cat "$WORLD/logs/floxd.log")" "allow_unsigned: environment 'old/web' is used although"
attack ""
equal "$(thief_pushes old)" 201
contains "$(pod old/web)" "hooked as 0"

step "an owner signs: the node says whose it is and who signed it"
export FLOX_ALLOW_UNSIGNED=false
sign_for acme
environment acme 2>"$WORLD/said" && die "an unsigned package was installed"
contains "$(cat "$WORLD/said")" "no owner has signed it"
BUSYBOX=''  # nobody's, too, so far
publish_tool hello 1.0
publish_tool hello 0.9
environment acme
contains "$(flox push -d "$WORLD/env-acme")" "acme/web is at generation 1, signed for acme"
contains "$(flox show hello)" "signed by demo-1"
start_node_of false
equal "$(pod acme/web)" "hello 1.0"
contains "$(grep "environment acme/web" "$WORLD/logs/floxd.log")" "environments/web version 1, signed by demo-1"
equal "$(pod hello)" "hello 1.0"
contains "$(grep "environment hello" "$WORLD/logs/floxd.log")" "(role publishers of acme)"
pod_refused "its owner old is not trusted here" old/web
# What the pod's author sets in the pod changes nothing on the node.
refused "its owner old is not trusted here" pod old/web --env FLOX_ALLOW_UNSIGNED=true --env FLOX_TRUST_DIR=/tmp --env "FLOX_CATALOG_URL=$CATALOG_URL"

step "a proxy cannot add a hook, leave the signature out, or exchange a store path"
attack hook
pod_refused "is not what acme has signed" acme/web
attack hook-bare
pod_refused "generation 1 is not signed" acme/web
busybox=$(flox show busybox-static --json | jq -r '.[0].outputs.out')
attack path "$busybox"
pod_refused "has other store paths than acme has signed" hello
refused "has other store paths than acme has signed" env FLOX_CATALOG_URL="$PROXY_URL" flox --root "$LAPTOP_ROOT" install -d "$WORLD/env-acme" hello@0.9
attack ""

step "a thief of the token cannot push or publish for the owner"
equal "$(thief_pushes acme)" 403
contains "$(cat "$WORLD/answer")" "acme signs its environments"
record=$(jq -nc --arg p "$busybox" --arg s "$NIX_SYSTEM" '{name: "hello", version: "2.0", system: $s, signer: "demo-1", outputs: {out: $p}}')
equal "$(curl -sS -o "$WORLD/answer" -w '%{http_code}' -X POST -H "Authorization: Bearer $FLOX_CATALOG_TOKEN" -d "$record" "$CATALOG_URL/api/v1/catalog/packages/hello/builds")" 403
contains "$(cat "$WORLD/answer")" "acme signs its packages, and this is not signed"
equal "$(flox show hello --json | jq -r '.[0].version')" "1.0"
# Not even with the catalog's database.
stop_server catalog
sqlite3 "$WORLD/catalog/catalog.sqlite" "insert into environments select owner, name, number + 1, manifest,
  json_set(lock, '$.manifest.hook', json_object('on-activate', 'echo hooked')), pushed_at from environments where owner = 'acme'"
restart_catalog
pod_refused "generation 1 is signed" acme/web
contains "$(flox show hello)" "signed by demo-1"
stop_server catalog
sqlite3 "$WORLD/catalog/catalog.sqlite" "delete from environments where owner = 'acme' and number = 2"
restart_catalog
equal "$(pod acme/web)" "hello 1.0"

step "a key signs what was delegated to it, and nothing else"
OTHER_FILE=$WORLD/other.key
OTHER=$(flox store keygen other-1 --out "$OTHER_FILE")
refused "acme has not delegated packages/hello to key 'other-1'" env FLOX_METADATA_KEYS="$OTHER_FILE" \
  flox --root "$LAPTOP_ROOT" publish --store-path "$busybox" --name hello --version 3.0
flox trust add-key acme others "$OTHER" --paths 'packages/other-*'
flox trust publish acme
refused "Ask one who may sign it, demo-1" env FLOX_METADATA_KEYS="$OTHER_FILE" \
  flox --root "$LAPTOP_ROOT" publish --store-path "$busybox" --name hello --version 3.0
FLOX_METADATA_KEYS=$OTHER_FILE flox --root "$LAPTOP_ROOT" publish --store-path "$busybox" --name other-box --version 1.0
# Without our programs: the catalog refuses what a node would refuse.
next=$(curl -fsS "$CATALOG_URL/api/v1/trust/acme/evidence?name=packages/hello" | jq -r .name_file |
  "$SECURITY/sign_metadata.py" "$OTHER_FILE" 'signed["version"] += 1')
record=$(flox show hello --json | jq -c --arg f "$next" '.[0] + {name_file: $f}')
publish_record() { curl -sS -o "$WORLD/answer" -w '%{http_code}' -X POST -H "Authorization: Bearer $FLOX_CATALOG_TOKEN" -d "$1" "$CATALOG_URL/api/v1/catalog/packages/hello/builds"; }
equal "$(publish_record "$record")" 403
contains "$(cat "$WORLD/answer")" "packages/hello"
skipping=$(jq -r .name_file <<<"$record" | "$SECURITY/sign_metadata.py" "$KEY_FILE" 'signed["version"] += 7')
equal "$(publish_record "$(jq -c --arg f "$skipping" '.name_file = $f' <<<"$record")")" 409
contains "$(curl -fs "$CATALOG_URL/metrics")" "flox_catalog_metadata_refused_total 1"

step "what was seen does not go back: an old answer is not taken again, though it was signed once"
attack keep
equal "$(pod acme/web)" "hello 1.0"
equal "$(pod hello)" "hello 1.0"
attack ""
sed -i 's/^\[vars\]/[vars]\nWHAT = "new"/' "$WORLD/env-acme/.flox/env/manifest.toml"
flox push -d "$WORLD/env-acme"
equal "$(pod acme/web)" "hello 1.0"
attack replay
pod_refused "was seen here before" acme/web
attack old-evidence
pod_refused "was seen here before" acme/web
attack ""
equal "$(pod acme/web:1)" "hello 1.0"  # whoever asks for an older generation by its number gets it

step "a catalog whose word is held back is not believed for ever"
stop_server catalog
restart_catalog --timestamp-life 3s
start_node_of false
attack keep
equal "$(pod acme/web)" "hello 1.0"
attack replay
held_back() { ! pod acme/web >"$WORLD/said" 2>&1; }
wait_until 30 "the timestamp to expire" held_back
contains "$(cat "$WORLD/said")" "timestamp.json"
pod_refused "timestamp.json" acme/web
attack ""
equal "$(pod acme/web)" "hello 1.0"

step "a revoked key counts no more, and what it signed is signed anew"
stop_server catalog
restart_catalog
NEW_FILE=$WORLD/new.key
NEW=$(flox store keygen new-1 --out "$NEW_FILE")
flox trust add-key acme publishers "$NEW"
flox trust revoke acme demo-1
flox trust publish acme
pod_refused "packages/hello" hello
pod_refused "environments/web" acme/web
export FLOX_METADATA_KEYS=$NEW_FILE
refused "pass --start-over" flox --root "$LAPTOP_ROOT" publish -d "$WORLD/tools/hello-1.0" hello
flox --root "$LAPTOP_ROOT" publish -d "$WORLD/tools/hello-1.0" hello --start-over
equal "$(pod hello)" "hello 1.0"
refused "no published version satisfies" pod hello@0.9
flox push -d "$WORLD/env-acme"
equal "$(pod acme/web)" "hello 1.0"

step "doctor says what a node trusts, and that it lets unsigned things pass"
contains "$(flox node doctor 2>&1 || true)" "acme: root.json version 1"
contains "$(FLOX_ALLOW_UNSIGNED=true flox node doctor 2>&1 || true)" "allow_unsigned is set"
