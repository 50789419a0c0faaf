#!/usr/bin/env bash
# Databases of every earlier schema (test/catalog/schema: dumps, which nobody changes) are brought up to date by a start on SQLite and
# on PostgreSQL, and served: what was in them is found, and what comes next can be written.
# prepare: moto-venv
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
schemas=$PROJECT/test/catalog/schema
user_token=flox_0123456789ab_$(printf '5e%.0s' {1..32})  # whose hash is in the dumps
start_backend "$dir/backend"
# What the dialect has as text is so in PostgreSQL (docs/formats/catalog-database.md).
in_postgres() { sed -E '/^(create|  )/ s/\btext\b/text collate "C"/g; s/ without rowid//' "$1"; }
load() {  # SCHEMA
  rm -rf "$data"
  mkdir "$data"
  if [ "$BACKEND" = local ]; then
    sqlite3 -bail "$data/catalog.sqlite" <"$schemas/$1.sql"
    [ ! -e "$schemas/$1-environments.sql" ] || sqlite3 -bail "$data/environments.sqlite" <"$schemas/$1-environments.sql"
  else
    empty_postgres
    # As the catalog itself, whose the tables are.
    in_postgres "$schemas/$1.sql" |
      PGPASSWORD=$(cat "$backend_dir/password") "$PG_BIN/psql" -Xq -v ON_ERROR_STOP=1 -d "$database_url" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  fi
}
serves() {  # SCHEMA, of which 0.1 is 0
  equal "$(ask GET /readyz)" 200
  equal "$(ask GET /api/v1/catalog/packages/web)" 200
  equal "$(answer '[.items[].version] | join(" ")')" "2.0 1.0"
  equal "$(ask GET "/api/v1/catalog/search?search_term=SERVES")" 200
  equal "$(answer '[.items[] | .name + " " + .version] | join(", ")')" "web 2.0"
  equal "$(resolve '{"install_id":"w","attr_path":"web","systems":["x86_64-linux"]}')" 200
  equal "$(answer '.items[0].page.packages[0].version')" 2.0
  equal "$(ask GET "/api/v1/environments/acme/web?generation=1")" 200
  equal "$(answer .manifest)" "version = 1"
  equal "$(ask GET /api/v1/environments/acme/web)" 200
  equal "$(answer '"\(.generation) \(.pushed_at)"')" "2 2026-11-22T08:00:00Z"
  if [ "$1" -ge 4 ]; then
    equal "$(ask GET /api/v1/catalog/packages/hidden)" 404
    equal "$(ask GET /api/v1/catalog/packages/hidden -H "Authorization: Bearer $token")" 200
    equal "$(ask GET /api/v1/auth/whoami -H "Authorization: Bearer $user_token")" 200
    equal "$(answer '.owners.acme')" admin
    equal "$(ask GET /api/v1/owners/acme -H "Authorization: Bearer $user_token")" 200
    equal "$(answer '.members[0].user')" alice@example.org
  fi
  if [ "$1" -ge 5 ]; then
    equal "$(ask GET "/api/v1/attestations/$(printf '1%.0s' {1..32})")" 200
    equal "$(answer '.attestations[0].key')" demo-1
  fi
  if [ "$1" -ge 6 ]; then
    equal "$(ask GET /api/v1/trust/acme/root)" 200
    equal "$(answer .signed.version)" 1
    equal "$(ask GET /api/v1/trust/acme/targets)" 200
  fi
  if [ "$1" -ge 7 ]; then
    equal "$(ask GET /api/v1/owners/acme/retention -H "Authorization: Bearer $token")" 200
    equal "$(answer .rule.generations)" 10
  fi
}
# The next generation, package and owner.
goes_on() {
  equal "$(ask POST /api/v1/owners -H "Authorization: Bearer $token" -d '{"name":"new","private":false}')" 201
  equal "$(ask POST /api/v1/environments/new/web -H "Authorization: Bearer $token" -d '{"manifest":"version = 3","lock":{"lockfile-version":1,"manifest":{"version":1},"packages":[]}}')" 201
  make_path "$tried" tool  # another path each time: the bucket keeps them
  narinfo key-1 >"$dir/narinfo"
  equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
  equal "$(record tool "$(build 1.0 | jq -c '.name = "tool"')")" 201
  equal "$(ask GET /api/v1/catalog/packages/tool)" 200
  profile_of "$path" >"$dir/profile"
  equal "$(ask PUT /api/v1/catalog/packages/tool/start-profile -H "Authorization: Bearer $token" --data-binary "@$dir/profile")" 200
  equal "$(ask GET /api/v1/catalog/packages/tool/start-profile)" 200
  cmp "$dir/answer" "$dir/profile"
}
make_key key-1 >/dev/null

tried=0
for file in "$schemas"/*.sql; do
  schema=$(basename "$file" .sql)
  case $schema in
    *-environments) continue ;;
    0.1) [ "$BACKEND" = local ] || continue ;;  # there was only SQLite
  esac
  step "schema $schema"
  load "$schema"
  start_catalog
  serves "${schema%.1}"
  goes_on
  stop_catalog
  : >"$dir/log"
  start_catalog  # has nothing more to do
  ! grep -q "the schema was brought" "$dir/log" || die "the second start changed the schema: $(cat "$dir/log")"
  serves "${schema%.1}"
  stop_catalog
  tried=$((tried + 1))
done
[ $tried -ge 4 ] || die "only $tried schemas were there"

step "every step that the program knows was tried, but for those that no release ended with"
last=$(sql 'select max(number) from schema_migrations')
[ -e "$schemas/$last.sql" ] || [ -e "$schemas/$((last - 1)).sql" ] ||
  die "test/catalog/schema has no dump of schema $((last - 1)): add it with something in each new table"
