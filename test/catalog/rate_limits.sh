#!/usr/bin/env bash
# One caller's flood is answered with 429 and Retry-After, counted and logged, and costs others nothing; flox waits as it is asked
# to; behind a proxy the client's address counts, and only if the proxy is trusted.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
export HOME=$dir
# statuses COUNT [CURL…]: of so many requests one after the other, each status once, sorted.
statuses() {
  local count=$1
  shift
  for _ in $(seq "$count"); do ask GET /api/v1/catalog/packages/web "$@"; echo; done | sort -u | xargs
}
# limited [CURL…]: within a flood such a request is answered with 429; each has a number in place of NUMBER.
limited() {
  local number
  for number in $(seq 60); do [ "$(ask GET /api/v1/catalog/packages/web "${@//NUMBER/$number}")" != 429 ] || return 0; done
  die "not limited: $*"
}

step "over the limit a stranger is told when to come again; those who watch the catalog are not strangers"
start_catalog --anonymous-rate-limit 2 --rate-burst 2
make_path 0
equal "$(statuses 30)" "404 429"
limited -D "$dir/head"
contains "$(cat "$dir/head")" "Retry-After: 1"
equal "$(answer .title)" unavailable
contains "$(answer .advice)" "Try again in 1 s."
for path in /healthz /readyz /metrics; do equal "$(ask GET $path)" 200; done
contains "$(cat "$dir/log")" "too many requests: 127.0.0.1 is answered with 429"
equal "$(grep -c "too many requests" "$dir/log")" 1
[ "$(metric 'flox_catalog_rate_limited_total{by="address"}')" -ge 20 ] || die "not counted"
equal "$(metric 'flox_catalog_rate_limited_total{by="token"}')" 0

step "a token has an allowance of its own, and the operator's has none"
equal "$(statuses 30 -H "Authorization: Bearer $token")" 404
export FLOX_CATALOG_URL=$url FLOX_CATALOG_TOKEN_FILE=$dir/token
flox owner create acme
reader=$(flox auth token create --owner acme --scope read 2>/dev/null)
equal "$(statuses 30 -H "Authorization: Bearer $reader")" 404
unset FLOX_CATALOG_TOKEN_FILE

step "flox waits as it is asked to"
equal "$(statuses 30)" "404 429"
for _ in 1 2 3 4; do refused "the catalog has no such package" flox show web; done

step "a flood of uploads is refused before it is read"
equal "$(statuses 30)" "404 429"
truncate -s 100M "$dir/big"
for _ in $(seq 60); do
  sent=$(curl -s -m 20 -o "$dir/answer" -w '%{http_code} %{size_upload}' --expect100-timeout 15 -T "$dir/big" "$url/cache/nar/$hash.nar.xz")
  [ "$sent" = "403 0" ] || break
done
equal "$sent" "429 0"

step "whatever a stranger says of others, it is its own allowance that is used"
limited -H 'X-Forwarded-For: 198.51.100.NUMBER'
limited -H 'Forwarded: for=198.51.100.NUMBER'
stop_catalog

step "behind a trusted proxy each client has one, and the audit log names it"
start_catalog --anonymous-rate-limit 2 --rate-burst 2 --rate-limit 3 --trusted-proxy 127.0.0.0/8
equal "$(statuses 30 -H 'X-Forwarded-For: 198.51.100.1')" "404 429"
equal "$(ask GET /api/v1/catalog/packages/web -H 'X-Forwarded-For: 198.51.100.2')" 404
equal "$(ask GET /api/v1/catalog/packages/web -H 'Forwarded: for="[2001:db8::1]:80";proto=https')" 404
# What the client wrote itself stands before what the proxy has added.
limited -H 'X-Forwarded-For: 203.0.113.NUMBER, 198.51.100.1'
limited -H 'X-Forwarded-For: 203.0.113.NUMBER' -H 'X-Forwarded-For: 198.51.100.1'
equal "$(ask GET /api/v1/catalog/packages/web -H 'X-Forwarded-For: what')" 400
equal "$(ask GET /api/v1/catalog/packages/web -H 'X-Forwarded-For: 198.51.100.4' -H 'Forwarded: for=198.51.100.5')" 400
equal "$(ask POST /api/v1/owners -H 'X-Forwarded-For: 198.51.100.6' -d '{}')" 403
equal "$(jq -r 'select(.action == "POST /api/v1/owners") | .from' "$dir/data/audit.log" | tail -1)" 198.51.100.6
equal "$(statuses 30 -H "Authorization: Bearer $reader" -H 'X-Forwarded-For: 198.51.100.7')" "404 429"
[ "$(metric 'flox_catalog_rate_limited_total{by="token"}')" -ge 1 ] || die "not counted"
contains "$(cat "$dir/log")" "too many requests: 198.51.100.1 is answered with 429"

step "settings that cannot be meant are refused"
stop_catalog
refused "neither an address nor a network" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --trusted-proxy proxy.example.org
refused "rate-burst" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --rate-burst 0
