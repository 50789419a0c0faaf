#!/usr/bin/env bash
# A catalog mirrors what an owner has signed in another one, and nodes take it from there, without any key of the owner's or of the
# first catalog's: also after further changes, a new root, and through a mirror of the mirror. What a hostile catalog sends is refused,
# and what was mirrored stays. Store paths of any binary cache are copied, too.
# prepare: moto-venv
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/signed_world.sh"
each_backend "$@"
public_key=$(make_key key-1)
keys=(--trusted-key "$public_key")

# The first catalog is on SQLite; its mirror on the backend that is tested.
second=
stop_second() { [ -z "$second" ] || { kill "$second" && wait "$second" || true; }; second=; }
trap 'stop_second; stop_catalog; stop_backend; rm -rf "$dir"' EXIT
start_backend "$dir/backend"
at_mirror=("${CATALOG_OPTIONS[@]}")
CATALOG_OPTIONS=()
start_catalog "${keys[@]}"
first=$url
start_mirror() {  # DATA [OPTION…]
  rm -f "$dir/port-2"
  flox-catalog --listen 127.0.0.1:0 --data "$1" "${@:2}" "${keys[@]}" --token-file "$dir/token" --port-file "$dir/port-2" 2>>"$dir/log-2" &
  second=$!
  wait_for_process $second 20 "the start of the mirror, whose log is $dir/log-2" test -s "$dir/port-2"
  mirror=http://127.0.0.1:$(cat "$dir/port-2")
}
at() { local url=$1; shift; "$@"; }  # URL COMMAND…
fill_catalog
start_mirror "$dir/mirrored" "${at_mirror[@]}"
mirror_from() {  # URL NAME…
  flox-catalog mirror "$@" --data "$dir/mirrored" "${at_mirror[@]}" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/operator-state"
}
mirrored() { mirror_from "$first" "$@" >"$dir/told" 2>&1 || die "$(cat "$dir/told")"; cat "$dir/told"; }

step "the operator must trust the owner, and name the keys of store paths"
refused "flox trust accept acme" mirror_from "$first" acme
env FLOX_TRUST_DIR="$dir/operator-trust" FLOX_TRUST_STATE_DIR="$dir/operator-state" flox trust accept acme "$dir/trust/acme/root.json" >"$dir/said"
refused "no --trusted-key is given" flox-catalog mirror "$first" acme --data "$dir/mirrored"
refused "cannot be used" mirror_from "$first" "../etc"
refused "has nothing public that is asked for" mirror_from "$first" acme/packages/none
refused "flox trust accept secret" mirror_from "$first" secret

step "beside the running mirror: a package and an environment, and nodes take them"
contains "$(mirrored acme)" "1 package, 2 generations and 2 store paths"
at "$mirror" trusted_by_node
at "$mirror" trusted_by_node :1
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/hello)" 200
equal "$(answer '[.items[] | .version + " " + .owner + " " + .signer] | join(", ")')" "1.1 acme key-1, 1.0 acme key-1"
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/hidden)" 404
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/stray)" 404
pushed=$(curl -s "$first/api/v1/environments/acme/web?generation=1" | jq -r .pushed_at)
equal "$(curl -s "$mirror/api/v1/environments/acme/web?generation=1" | jq -r .pushed_at)" "$pushed"

step "once more: nothing is new; then what is new comes"
contains "$(mirrored acme)" "0 packages, 0 generations and 0 store paths"
publish_file hello 1.2 --owner acme
publish_file tool 1.0 --owner acme
contains "$(mirrored acme)" "2 packages, 0 generations and 2 store paths"
equal "$(curl -s "$mirror/api/v1/catalog/packages/hello" | jq -r '.items[0].version')" 1.2
at "$mirror" trusted_by_node

step "a version that is yanked is so there"
laptop yank hello@1.2 --reason 'it loses messages' >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
mirrored acme >"$dir/said"
equal "$(curl -s "$mirror/api/v1/catalog/packages/hello" | jq -r '.items[0] | .version + " " + .yanked')" "1.2 it loses messages"
laptop yank hello@1.2 --undo >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
mirrored acme >"$dir/said"
equal "$(curl -s "$mirror/api/v1/catalog/packages/hello" | jq -r '.items[0].yanked')" null

step "nobody publishes for a mirrored owner"
laptop uninstall -d "$dir/env" hello >"$dir/said" 2>&1
refused "is mirrored here from another catalog" at "$mirror" laptop push -d "$dir/env" --owner acme
refused "is mirrored here from another catalog" at "$mirror" laptop yank hello@1.1 --reason 'it is bad'
equal "$(at "$mirror" ask POST /api/v1/catalog/packages/hello/versions/1.1/yank -H "Authorization: Bearer $token" -d '{"reason":"it is bad"}')" 409
equal "$(at "$mirror" ask POST /api/v1/owners/acme/packages/hello/removals -H "Authorization: Bearer $token" -d '{"builds":[],"name_file":"{}"}')" 409
equal "$(at "$mirror" ask POST /api/v1/owners -H "Authorization: Bearer $token" -d '{"name":"other","private":false}')" 201
equal "$(at "$mirror" ask POST /api/v1/owners/other/packages/hello -H "Authorization: Bearer $token" -d '{"private":false}')" 409
contains "$(answer .detail)" "is mirrored here from another catalog"
env FLOX_CATALOG_URL="$mirror" FLOX_CATALOG_TOKEN="$token" flox catalog retention set --versions 1 2>"$dir/said" || die "$(cat "$dir/said")"
equal "$(env FLOX_CATALOG_URL="$mirror" FLOX_CATALOG_TOKEN="$token" flox catalog retention apply acme 2>"$dir/said")" ""
env FLOX_CATALOG_URL="$mirror" FLOX_CATALOG_TOKEN="$token" flox catalog retention set --none 2>"$dir/said"
at "$mirror" trusted_by_node
curl -s "$mirror/api/v1/trust/acme/root" >"$dir/root"
equal "$(at "$mirror" ask PUT /api/v1/trust/acme/root -H "Authorization: Bearer $token" --data-binary "@$dir/root")" 409
contains "$(answer .detail)" "is mirrored here from another catalog"
refused "publishes to this catalog itself" flox-catalog mirror "$mirror" acme --data "$data" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/operator-state"

step "a new root and other keys go along"
flox trust rotate acme root >"$dir/said" 2>&1 && flox trust rotate acme targets >"$dir/said" 2>&1 && flox trust publish acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
publish_file hello 1.3 --owner acme
mirrored acme >"$dir/said"
at "$mirror" trusted_by_node
equal "$(curl -s "$mirror/api/v1/trust/acme/root" | jq .signed.version)" 3
cmp <(curl -s "$first/api/v1/trust/acme/root/1") <(curl -s "$mirror/api/v1/trust/acme/root/1")

step "some names only: what is not mirrored is not there, what is mirrored is kept up to date"
mkdir "$dir/some"
some() { flox-catalog mirror "$1" "${@:2}" --data "$dir/some" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/some-state"; }
# A mirror of the mirror: proofs are made from what it was given.
some "$mirror" 'acme/packages/hel*' >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
stop_second
start_mirror "$dir/some"
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/tool)" 404
equal "$(at "$mirror" ask GET /api/v1/environments/acme/web)" 404
equal "$(at "$mirror" ask GET '/api/v1/trust/acme/evidence?name=packages/tool')" 404
rm -rf "$dir/env-2"
(
  unset FLOX_CATALOG_TOKEN_FILE
  export FLOX_CATALOG_URL=$mirror FLOX_TRUST_DIR=$dir/node-trust FLOX_TRUST_STATE_DIR=$dir/node-state FLOX_TRUSTED_KEYS=$public_key
  flox --root "$dir/node" init -d "$dir/env-2" -n some && flox --root "$dir/node" install -d "$dir/env-2" hello
) >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
some "$first" 'acme/environments/*' >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
at "$mirror" trusted_by_node

step "what is made private there goes; the others' proofs hold without its name"
equal "$(ask POST /api/v1/owners/acme/packages/tool -H "Authorization: Bearer $token" -d '{"private":true}')" 200
! curl -s "$first/api/v1/trust/acme/names" | grepq packages/tool || die "a private name is told"
publish_file hello 1.4 --owner acme
stop_second
start_mirror "$dir/mirrored" "${at_mirror[@]}"
contains "$(mirrored acme)" "gone here, because no longer public there: 1 name of acme"
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/tool)" 404
at "$mirror" trusted_by_node

step "while the owner publishes"
(for n in $(seq 1 8); do publish_file "moving-$n" 1.0 --owner acme; done) &
publisher=$!
count=0
while kill -0 $publisher 2>/dev/null; do mirrored acme >"$dir/said-2"; count=$((count + 1)); at "$mirror" trusted_by_node; done
wait $publisher
mirrored acme >"$dir/said-2"
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/moving-8)" 200

step "a mirror is moved like any catalog"
flox-catalog export "$dir/export" --data "$dir/mirrored" "${at_mirror[@]}" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
flox-catalog import "$dir/export" --data "$dir/moved" "${keys[@]}" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
stop_second
start_mirror "$dir/moved"
at "$mirror" trusted_by_node
stop_second
start_mirror "$dir/mirrored" "${at_mirror[@]}"

step "a new mirror takes what retention has left, and of a yank the owner's word, not the catalog's"
laptop catalog retention set acme --generations 1 2>"$dir/said"
contains "$(laptop catalog retention apply acme)" "removed acme/web:1"
sqlite3 "$data/catalog.sqlite" "update builds set record = json_set(record, '$.yanked', 'made up') where name = 'hello'"
equal "$(curl -s "$url/api/v1/catalog/packages/hello" | jq -r '.items[0].yanked')" "made up"
flox-catalog mirror "$url" acme --data "$dir/later" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/later-state" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
stop_second
start_mirror "$dir/later"
equal "$(curl -s "$mirror/api/v1/catalog/packages/hello" | jq -r '[.items[].yanked // empty] | length')" 0
equal "$(at "$mirror" ask GET '/api/v1/environments/acme/web?generation=1')" 404
at "$mirror" trusted_by_node
sqlite3 "$data/catalog.sqlite" "update builds set record = json_remove(record, '$.yanked') where name = 'hello'"
stop_second
start_mirror "$dir/mirrored" "${at_mirror[@]}"

step "what retention has removed is left out, and what is mirrored stays until retention here removes it"
laptop push -d "$dir/env" --owner acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
retention() { env FLOX_CATALOG_URL="$1" FLOX_CATALOG_TOKEN="$token" flox catalog retention "${@:2}"; }
retention "$url" set acme --generations 1 2>"$dir/said"
contains "$(retention "$url" apply acme 2>&1)" "removed acme/web:2"
mirrored acme >"$dir/said"
at "$mirror" trusted_by_node :1
at "$mirror" trusted_by_node :3
mkdir "$dir/late"
late() { flox-catalog mirror "$url" "$@" --data "$dir/late" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/late-state"; }
late acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "retention has removed it there: 2 generations of acme"
equal "$(stat -c %a "$dir/moved" "$dir/moved/catalog.sqlite" | xargs)" "700 600"
retention "$mirror" set acme --generations 1 2>"$dir/said"
contains "$(retention "$mirror" apply acme 2>&1)" "removed acme/web:1"
equal "$(at "$mirror" ask GET '/api/v1/environments/acme/web?generation=1')" 404
mirrored acme >"$dir/said"
at "$mirror" trusted_by_node

step "the latest generation cannot be hidden"
sqlite3 "$data/catalog.sqlite" "create table hidden as select * from environments; delete from environments where owner = 'acme' and number = 3"
refused "do not fit together" flox-catalog mirror "$url" acme --data "$dir/hidden" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/hidden-state"
sqlite3 "$data/catalog.sqlite" "insert into environments select * from hidden where owner = 'acme'; drop table hidden"

step "an older state, and what was changed on the way, is refused, and what is mirrored stays"
flox-catalog export "$dir/old" --data "$data" >"$dir/said"
publish_file hello 1.5 --owner acme
mirrored acme >"$dir/said"
curl -s "$mirror/api/v1/catalog/packages/hello" | jq -S . >"$dir/before"
stop_catalog
mv "$data" "$data-new"
flox-catalog import "$dir/old" --data "$data" "${keys[@]}" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
cp "$data-new/online.key" "$data/"
start_catalog "${keys[@]}"
refused "is older than version" mirror_from "$url" acme
sqlite3 "$data-new/catalog.sqlite" "update builds set record = replace(record, '\"1.5\"', '\"1.6\"'), version = '1.6' where version = '1.5'"
stop_catalog
rm -rf "$data" && mv "$data-new" "$data"
start_catalog "${keys[@]}"
flox-catalog mirror "$url" acme --data "$dir/fresh" "${keys[@]}" --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/fresh-state" >"$dir/said" 2>&1 && die "a build that nobody signed was mirrored"
[ "$(sqlite3 "$dir/fresh/catalog.sqlite" 'select (select count(*) from builds) + (select count(*) from metadata)')" = 0 ] || die "a part was mirrored"
curl -s "$mirror/api/v1/catalog/packages/hello" | jq -S . | diff "$dir/before" - || die "what was mirrored has changed"
refused "not a valid signature of a registered key" flox-catalog mirror "$mirror" acme/packages/hello --data "$dir/other-keys" --trusted-key "$(make_key other-1)" \
  --trust-dir "$dir/operator-trust" --trust-state-dir "$dir/other-state"

step "what is private at the mirror stays so, whatever another catalog has under its name; the other names come"
equal "$(at "$mirror" ask POST /api/v1/owners -H "Authorization: Bearer $token" -d '{"name":"vault","private":true}')" 201
equal "$(at "$mirror" ask POST /api/v1/auth/tokens -H "Authorization: Bearer $token" -d '{"owner":"vault","scope":"publish"}')" 201
vault_token=$(answer .token)
publish_file trap 1.0 --owner acme
publish_file beside 1.0 --owner acme
path=$(curl -s "$url/api/v1/catalog/packages/trap" | jq -r '.items[0].outputs.out')
private=$(basename "$path" | cut -c1-32).narinfo
head -c 5000 /dev/urandom >"$dir/nar"
hash=$(base32_hash "$dir/nar")
nar=nar/$hash.nar
narinfo key-1 >"$dir/narinfo"
equal "$(token=$vault_token at "$mirror" put "$nar" "$dir/nar")" 201
equal "$(token=$vault_token at "$mirror" put "$private" "$dir/narinfo")" 201
hidden_at_mirror() {
  for file in "$private" "$nar"; do
    equal "$(at "$mirror" ask GET "/cache/$file")" 404
    equal "$(at "$mirror" ask GET "/cache/$file" -H "Authorization: Bearer $vault_token")" 200
  done
}
hidden_at_mirror
refused "is here already, with other content" mirror_from "$url" acme
hidden_at_mirror
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/trap)" 404
equal "$(at "$mirror" ask GET /api/v1/catalog/packages/beside)" 200
at "$mirror" trusted_by_node

step "a name that the catalog does not tell as its owner has signed it stays as it is here; the other names come"
publish_file kept 1.0 --owner acme
publish_file other 1.0 --owner acme
mirror_from "$url" acme >"$dir/told" 2>&1 || true
publish_file kept 1.1 --owner acme
publish_file other 1.1 --owner acme
sqlite3 "$data/catalog.sqlite" "create table withheld as select * from builds; delete from builds where name = 'kept' and version = '1.1'"
refused "the catalog's answers about packages/kept do not fit together" mirror_from "$url" acme
sqlite3 "$data/catalog.sqlite" "insert into builds select * from withheld where name = 'kept' and version = '1.1'; drop table withheld"
versions_at_mirror() { curl -s "$mirror/api/v1/catalog/packages/$1" | jq -r '[.items[].version] | join(" ")'; }
equal "$(versions_at_mirror other)" "1.1 1.0"
equal "$(versions_at_mirror kept)" 1.0
mirror_from "$url" acme >"$dir/told" 2>&1 || true
equal "$(versions_at_mirror kept)" "1.1 1.0"

step "store paths from any cache: by name, by list, and what environments need"
laptop store add --name extra "$dir/tree" >"$dir/extra"
laptop store copy --to "file://$dir/cache" --key "$dir/key-1" "$(cat "$dir/extra")" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
copied() { flox-catalog copy "$@" --data "$dir/mirrored" "${at_mirror[@]}" "${keys[@]}"; }
contains "$(copied "file://$dir/cache" "$(cat "$dir/extra")" 2>/dev/null)" "copied 1 store path "
contains "$(copied "file://$dir/cache" --paths-from "$dir/extra" 2>/dev/null)" "there before: 1"
equal "$(at "$mirror" ask GET "/cache/$(basename "$(cat "$dir/extra")" | cut -c1-32).narinfo")" 200
refused "is not in" copied "file://$dir/cache" "/nix/store/$(printf '0%.0s' {1..32})-none"
refused "not a valid signature of a registered key" flox-catalog copy "file://$dir/cache" "$(cat "$dir/extra")" --data "$dir/nobody" --trusted-key "$(make_key other-2)"
step "an environment's paths of another cache"
laptop store add --name foreign "$dir/tree" >"$dir/foreign"
laptop store copy --to "file://$dir/cache" --key "$dir/key-1" "$(cat "$dir/foreign")" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
equal "$(at "$mirror" ask POST /api/v1/owners -H "Authorization: Bearer $token" -d '{"name":"unsigned","private":false}')" 201
curl -s "$mirror/api/v1/environments/acme/web" | jq -c --arg p "$(cat "$dir/foreign")" '{manifest, lock: (.lock | .packages[0].outputs = {out: $p})}' >"$dir/foreign-env"
equal "$(at "$mirror" ask POST /api/v1/environments/unsigned/web -H "Authorization: Bearer $token" --data-binary "@$dir/foreign-env")" 201
contains "$(copied "file://$dir/cache" --published 2>/dev/null)" "copied 1 store path "
equal "$(at "$mirror" ask GET "/cache/$(basename "$(cat "$dir/foreign")" | cut -c1-32).narinfo")" 200
