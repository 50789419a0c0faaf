#!/usr/bin/env bash
# Tokens of the catalog: made, shown once, hashed at rest, listed, expired, revoked; logging in with one and out again.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"

operator=$token
export HOME=$dir/home XDG_CONFIG_HOME=
mkdir "$HOME"
unset FLOX_CATALOG_TOKEN FLOX_CATALOG_TOKEN_FILE
start_catalog
export FLOX_CATALOG_URL=$url
push() { ask POST "/api/v1/environments/acme/web" -H "Authorization: Bearer $1" -d '{"manifest":"x","lock":{"lockfile-version":1,"manifest":{},"packages":[]}}'; }
operate() { FLOX_CATALOG_TOKEN=$operator flox "$@"; }

step "a token is printed alone, and stands nowhere else"
operate owner create acme
made=$(operate auth token create --owner acme --scope publish --days 2 --description "for CI" 2>"$dir/said")
[[ $made =~ ^flox_[0-9a-f]{12}_[0-9a-f]{64}$ ]] || die "not a token: $made"
id=${made%_*}
contains "$(cat "$dir/said")" "$id"
equal "$(push "$made")" 201
! grep -rqF "${made##*_}" "$dir/data" "$dir/log" "$dir/said" || die "the token stands in $(grep -rlF "${made##*_}" "$dir/data" "$dir/log")"

step "its list says what it is for, and when it was used"
contains "$(operate auth token list --owner acme)" "$id  publish  acme"
contains "$(operate auth token list --owner acme)" "for CI"
equal "$(operate auth token list --json | jq -r '.[0].created_by')" operator
[ "$(operate auth token list --json | jq -r '.[0].last_used_at')" != "" ] || die "its use was not noted"

step "bad wishes are refused"
refused "not in" operate auth token create --owner acme --scope all
refused "no such owner" operate auth token create --owner nobody --scope read
refused "for an owner" operate auth token create --scope read
refused "this token may not make tokens" env FLOX_CATALOG_TOKEN="$made" flox auth token create --owner acme --scope read

step "a login is stored for the user alone, and used after FLOX_CATALOG_TOKEN"
refused "there is no token" flox auth status
refused "has no issuer" flox auth login
(umask 077; echo "$made" >"$dir/made")
flox auth login --token-file "$dir/made"
credentials=$HOME/.config/flox/credentials.json
equal "$(stat -c %a "$credentials") $(stat -c %a "$HOME/.config/flox")" "600 700"
contains "$(flox auth status)" "$id, scope publish"
mkdir "$dir/env" && cd "$dir/env"
flox init
flox push --owner acme
refused "publishing needs the catalog's token" env FLOX_CATALOG_TOKEN=wrong flox push --owner acme
refused "this token may not publish for other" flox push --owner other
chmod 644 "$credentials"
refused "chmod" flox push --owner acme
chmod 600 "$credentials"

step "a revoked token is refused at once, and the refusal says so"
second=$(operate auth token create --owner acme --scope publish 2>/dev/null)
equal "$(push "$second")" 201
operate auth token revoke "${second%_*}"
equal "$(push "$second")" 403
contains "$(answer .detail)" "was revoked"
refused "no token flox_000000000000" operate auth token revoke flox_000000000000

step "logging out revokes, and forgets"
flox auth logout
equal "$(push "$made")" 403
equal "$(jq -r '.catalogs | length' "$credentials")" 0
refused "you are not logged in" flox auth logout

step "an expired token is refused; what is public can be read with it all the same"
third=$(operate auth token create --owner acme --scope publish 2>/dev/null)
stop_catalog
sql "update tokens set expires_at = $(($(date +%s) - 60)) where id = '${third%_*}'"
start_catalog
export FLOX_CATALOG_URL=$url
equal "$(push "$third")" 403
contains "$(answer .detail)" "has expired"
equal "$(ask GET /api/v1/environments/acme/web -H "Authorization: Bearer $third")" 200
equal "$(ask GET /api/v1/environments/acme/none -H "Authorization: Bearer $third")" 404
contains "$(answer .detail)" "has expired"
metrics=$(curl -fs "$url/metrics")
contains "$metrics" 'flox_catalog_refused_total{reason="expired_token"} 1'
equal "$(jq -r 'select(.reason == "revoked_token") | .token' "$dir/data/audit.log" | sort -u | wc -l)" 2
equal "$(jq -r 'select(.reason == "expired_token") | .token' "$dir/data/audit.log")" "${third%_*}"
equal "$(jq -r 'select(.reason == "revoked_token") | .reason' "$dir/data/audit.log" | wc -l)" 2

step "without an operator's token there is none; tokens that were given out go on"
stop_catalog
rm -f "$dir/port"
flox-catalog --listen 127.0.0.1:0 --data "$data" "${CATALOG_OPTIONS[@]}" --port-file "$dir/port" 2>>"$dir/log" &
catalog=$!
wait_until 20 "flox-catalog to listen" test -s "$dir/port"
url=http://127.0.0.1:$(cat "$dir/port")
equal "$(push "$operator")" 403
equal "$(push "$second")" 403
equal "$(ask POST /api/v1/owners -H "Authorization: Bearer " -d '{"name":"x","private":false}')" 403
