#!/usr/bin/env bash
# Who may publish what: owners, their members and tokens; what another owner's token is refused, logged and counted; what is
# private is not there for others; database files of the release before there were owners open as they are.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"

operator=$token
key=$(make_key key-1)
# as TOKEN COMMAND…: with that token instead of the operator's.
as() { local token=$1; shift; "$@"; }
flox_as() { FLOX_CATALOG_TOKEN=$1 FLOX_CATALOG_URL=$url HOME=$dir flox "${@:2}"; }
new_token() { flox_as "$operator" auth token create --owner "$1" --scope "$2" 2>/dev/null; }
audit() { jq -c "$1" "$dir/data/audit.log"; }
counted() { metric "flox_catalog_refused_total{reason=\"$1\"}"; }
push() { ask POST "/api/v1/environments/$1" -H "Authorization: Bearer $token" -d '{"manifest":"x","lock":{"lockfile-version":1,"manifest":{},"packages":[]}}'; }
get() { ask GET "$1" -H "Authorization: Bearer $token"; }

step "database files of the release before open, and what they have is the operator's"
if [ "$BACKEND" = local ]; then
mkdir -p "$dir/data"
python3 - "$dir/data" <<'PY'
import json, sqlite3, sys
record = {"name": "old", "version": "1.0", "system": "x86_64-linux", "variant": "", "description": "An old one", "license": "",
          "outputs": {"out": "/nix/store/" + "2" * 32 + "-old"}, "signer": "", "closure_size": 5, "published_at": "2026-01-01T00:00:00Z"}
catalog = sqlite3.connect(sys.argv[1] + "/catalog.sqlite")
catalog.executescript("""create table builds (name text not null, version text not null, system text not null, variant text not null,
  record text not null, primary key (name, version, system, variant));
  pragma user_version = 1; create table settings (name text primary key, value text not null);""")
catalog.execute("insert into builds values ('old', '1.0', 'x86_64-linux', '', ?)", [json.dumps(record)])
catalog.commit()
environments = sqlite3.connect(sys.argv[1] + "/environments.sqlite")
environments.execute("""create table environments (owner text not null, name text not null, number integer not null, manifest text not null,
  lock text not null, pushed_at text not null, primary key (owner, name, number))""")
environments.execute("insert into environments values ('acme', 'old', 1, 'x', '{\"lockfile-version\":1,\"manifest\":{},\"packages\":[]}', '2026-01-01T00:00:00Z')")
environments.commit()
PY
fi
start_catalog --trusted-key "$key"
if [ "$BACKEND" = shared ]; then
  # No release had PostgreSQL: its rows as the first migration would have found them.
  record='{"name":"old","version":"1.0","system":"x86_64-linux","variant":"","description":"An old one","license":"","outputs":{"out":"/nix/store/22222222222222222222222222222222-old"},"signer":"","closure_size":5,"published_at":"2026-01-01T00:00:00Z"}'
  sql "insert into builds (name, version, system, variant, record) values ('old', '1.0', 'x86_64-linux', '', '$record')"
  sql "insert into environments (owner, name, number, manifest, lock, pushed_at) values ('acme', 'old', 1, 'x', '{\"lockfile-version\":1,\"manifest\":{},\"packages\":[]}', '2026-01-01T00:00:00Z')"
fi
equal "$(ask GET /api/v1/catalog/packages/old)" 200
equal "$(ask GET /api/v1/environments/acme/old)" 200

step "the operator makes owners, and tokens for them"
flox_as "$operator" owner create acme
flox_as "$operator" owner create beta
flox_as "$operator" owner create quiet --private
refused "there is an owner acme already" flox_as "$operator" owner create acme
for name in Acme ACME; do refused "the name '$name' could be taken for the owner 'acme'" flox_as "$operator" owner create $name; done
refused "name" flox_as "$operator" owner create $'\xd0\xb0cme'  # with a Cyrillic a
refused "no owner nobody" flox_as "$operator" owner add nobody ada@example.com --role read
acme=$(new_token acme publish) beta=$(new_token beta publish) quiet=$(new_token quiet publish) reader=$(new_token quiet read)
refused "this needs the operator's token" flox_as "$acme" owner create gamma
contains "$(flox_as "$acme" auth status)" "Owner:    acme (publish)"

step "a token publishes for its owner"
make_path 0
narinfo key-1 >"$dir/narinfo"
equal "$(put $digest.narinfo "$dir/narinfo")" 201
equal "$(as "$acme" record web "$(build 1.0)")" 201
equal "$(as "$acme" push acme/web)" 201
equal "$(as "$acme" push acme/old)" 201

step "the token of another owner is refused, logged and counted"
equal "$(as "$beta" record web "$(build 2.0)")" 403
contains "$(answer .detail)" "belongs to another owner"
equal "$(as "$beta" push acme/web)" 403
equal "$(as "$acme" record old "$(build 2.0 | jq -c '.name = "old"')")" 403
equal "$(as "$acme" record other "$(build 1.0 | jq -c '.name = "other" | .owner = "beta"')")" 403
equal "$(ask POST /api/v1/environments/acme/web -d '{}')" 403
equal "$(counted other_owner)" 4
equal "$(counted no_token)" 1
id=$(cut -d_ -f1,2 <<<"$beta")
line=$(audit "select(.token == \"$id\" and .action == \"POST /api/v1/environments/{owner}/{name}\")")
equal "$(jq -r '[.who, .what, .result, .reason, .status, .from] | map(tostring) | join(" ")' <<<"$line")" \
  "beta /api/v1/environments/acme/web refused other_owner 403 127.0.0.1"
equal "$(audit 'select(.who == "" and .result == "refused") | .reason')" '"no_token"'
equal "$(audit 'select(.who == "acme" and .result == "done") | .what' | sort -u | wc -l)" 3
absent() { ! grep -q "$1" "${@:2}" || die "'$1' stands in ${*:2}"; }
for secret in "$acme" "$beta" "$operator"; do absent "${secret##*_}" "$dir/data/audit.log" "$dir/log"; done

step "the operator gives a package away"
equal "$(ask POST /api/v1/owners/acme/packages/old -H "Authorization: Bearer $operator" -d '{"private":false}')" 200
equal "$(as "$acme" record old "$(build 2.0 | jq -c '.name = "old"')")" 201

step "of two who claim a name at the same time one has it"
for round in 1 2 3 4 5 6 7 8; do
  body=$(build 1.0 | jq -c ".name = \"race-$round\"")
  curl -s -o "$dir/one" -w '%{http_code}' -X POST -H "Authorization: Bearer $acme" -d "$body" "$url/api/v1/catalog/packages/race-$round/builds" >"$dir/one.code" &
  one=$!
  curl -s -o "$dir/two" -w '%{http_code}' -X POST -H "Authorization: Bearer $beta" -d "$body" "$url/api/v1/catalog/packages/race-$round/builds" >"$dir/two.code"
  wait $one
  equal "$(cat "$dir/one.code" <(echo) "$dir/two.code" | sort | paste -sd ' ')" "201 403"
done

step "what is private is not there for others: record, narinfo, NAR"
make_private() { make_path 1 quiet; narinfo key-1 >"$dir/narinfo"; put $digest.narinfo "$dir/narinfo"; }
equal "$(as "$quiet" make_private)" 201
path=/nix/store/11111111111111111111111111111111-quiet digest=11111111111111111111111111111111
nar=$(as "$quiet" get /cache/$digest.narinfo >/dev/null && sed -n 's/^URL: //p' "$dir/answer")
equal "$(as "$quiet" record quiet "$(build 1.0 | jq -c '.name = "quiet"')")" 201
equal "$(as "$quiet" push quiet/env)" 201
for resource in /cache/$digest.narinfo "/cache/$nar" /api/v1/catalog/packages/quiet /api/v1/environments/quiet/env; do
  equal "$(as "$reader" get "$resource")" 200
  equal "$(as "$beta" get "$resource")" 404
  hidden=$(jq -r .detail "$dir/answer")
  equal "$(ask GET "$resource")" 404
  equal "$(as "$beta" get "${resource/quiet/absent}")" 404
done
equal "$(as "$beta" get '/api/v1/catalog/search?search_term=quiet')" 200
equal "$(answer .total_count)" 0
# As Nix brings it, from a netrc file.
equal "$(ask GET /cache/$digest.narinfo -u "anybody:$reader")" 200

step "a member sees and fetches what is private with flox, another does not"
contains "$(flox_as "$reader" show quiet)" "quiet"
refused "the catalog has no such package" flox_as "$beta" show quiet
refused "the catalog has no such package" env -u FLOX_CATALOG_TOKEN FLOX_CATALOG_URL="$url" HOME="$dir" flox show quiet

step "it can be made public"
refused "this token may not manage" flox_as "$quiet" owner visibility quiet public --package quiet
flox_as "$operator" owner visibility quiet public --package quiet
equal "$(ask GET /api/v1/catalog/packages/quiet)" 200
equal "$(ask GET /cache/$digest.narinfo)" 200
equal "$(ask GET /api/v1/environments/quiet/env)" 404

step "a restart keeps who may do what"
stop_catalog
start_catalog --trusted-key "$key" --verbose
equal "$(as "$beta" record web "$(build 2.0)")" 403
equal "$(as "$acme" push acme/web)" 201

step "strangers cannot push the others out of the audit log"
lines=$(wc -l <"$dir/data/audit.log")
seq 300 | xargs -P 8 -I{} curl -s -o /dev/null -X POST -d '{}' "$url/api/v1/environments/acme/web"
[ $(($(wc -l <"$dir/data/audit.log") - lines)) -lt 200 ] || die "every request of a stranger was logged"
equal "$(counted no_token)" 300
