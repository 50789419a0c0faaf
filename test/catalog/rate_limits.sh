#!/usr/bin/env bash
# One caller's flood is answered with 429 and Retry-After, counted and logged, and costs others nothing; flox waits as it is asked
# to; behind a proxy the client's address counts, and only if the proxy is trusted.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
export HOME=$dir
# flood [HEADER…]: thirty requests by one process, so that they are a flood on a busy machine, too: a status each. A header has the
# request's number in place of NUMBER. The last answer is in $dir/answer, its head in $dir/head.
flood() {
  local number header
  for number in $(seq 30); do
    [ "$number" = 1 ] || echo next
    printf 'url = "%s/api/v1/catalog/packages/web"\nsilent\nmax-time = 60\n' "$url"
    printf 'output = "%s/answer"\ndump-header = "%s/head"\nwrite-out = "%%{http_code}\\n"\n' "$dir" "$dir"
    for header in "$@"; do header=${header//NUMBER/$number} && printf 'header = "%s"\n' "${header//\"/\\\"}"; done
  done | curl --config -
}
# statuses [HEADER…]: of a flood, each status once.
statuses() { flood "$@" | sort -u | xargs; }
# limited [HEADER…]: at the end of such a flood the answer is 429.
limited() { equal "$(flood "$@" | tail -1)" 429; }

step "over the limit a stranger is told when to come again; those who watch the catalog are not strangers"
start_catalog --anonymous-rate-limit 2 --rate-burst 2
make_path 0
equal "$(statuses)" "404 429"
limited
contains "$(cat "$dir/head")" "Retry-After: 1"
equal "$(answer .title)" unavailable
contains "$(answer .advice)" "Try again in 1 s."
for path in /healthz /readyz /metrics; do equal "$(ask GET $path)" 200; done
contains "$(cat "$dir/log")" "too many requests: 127.0.0.1 is answered with 429"
equal "$(grep -c "too many requests" "$dir/log")" 1
[ "$(metric 'flox_catalog_rate_limited_total{by="address"}')" -ge 20 ] || die "not counted"
equal "$(metric 'flox_catalog_rate_limited_total{by="token"}')" 0

step "a token has an allowance of its own, and the operator's has none"
equal "$(statuses "Authorization: Bearer $token")" 404
export FLOX_CATALOG_URL=$url FLOX_CATALOG_TOKEN_FILE=$dir/token
flox owner create acme
reader=$(flox auth token create --owner acme --scope read 2>/dev/null)
equal "$(statuses "Authorization: Bearer $reader")" 404
unset FLOX_CATALOG_TOKEN_FILE

step "flox waits as it is asked to"
limited
for _ in 1 2 3 4; do refused "the catalog has no such package" flox show web; done

step "a flood of uploads is refused before it is read"
truncate -s 100M "$dir/big"
upload() { curl -s -m 20 -o "$dir/answer.$1" -w '%{http_code} %{size_upload}\n' --expect100-timeout 15 -T "$dir/big" "$url/cache/nar/$hash.nar.xz"; }
uploads=()
for number in $(seq 20); do
  upload "$number" >"$dir/sent.$number" &
  uploads+=($!)
done
wait "${uploads[@]}"
contains "$(cat "$dir"/sent.*)" "429 0"
equal "$(sort -u "$dir"/sent.* | grep -v "429 0" | grep -v "403 0")" ""

step "whatever a stranger says of others, it is its own allowance that is used"
limited 'X-Forwarded-For: 198.51.100.NUMBER'
limited 'Forwarded: for=198.51.100.NUMBER'
stop_catalog

step "behind a trusted proxy each client has one, and the audit log names it"
start_catalog --anonymous-rate-limit 2 --rate-burst 2 --rate-limit 3 --trusted-proxy 127.0.0.0/8
equal "$(statuses 'X-Forwarded-For: 198.51.100.1')" "404 429"
equal "$(ask GET /api/v1/catalog/packages/web -H 'X-Forwarded-For: 198.51.100.2')" 404
equal "$(ask GET /api/v1/catalog/packages/web -H 'Forwarded: for="[2001:db8::1]:80";proto=https')" 404
# What the client wrote itself stands before what the proxy has added.
limited 'X-Forwarded-For: 203.0.113.NUMBER, 198.51.100.1'
limited 'X-Forwarded-For: 203.0.113.NUMBER' 'X-Forwarded-For: 198.51.100.1'
equal "$(ask GET /api/v1/catalog/packages/web -H 'X-Forwarded-For: what')" 400
equal "$(ask GET /api/v1/catalog/packages/web -H 'X-Forwarded-For: 198.51.100.4' -H 'Forwarded: for=198.51.100.5')" 400
equal "$(ask POST /api/v1/owners -H 'X-Forwarded-For: 198.51.100.6' -d '{}')" 403
equal "$(jq -r 'select(.action == "POST /api/v1/owners") | .from' "$dir/data/audit.log" | tail -1)" 198.51.100.6
equal "$(statuses "Authorization: Bearer $reader" 'X-Forwarded-For: 198.51.100.7')" "404 429"
[ "$(metric 'flox_catalog_rate_limited_total{by="token"}')" -ge 1 ] || die "not counted"
contains "$(cat "$dir/log")" "too many requests: 198.51.100.1 is answered with 429"

step "settings that cannot be meant are refused"
stop_catalog
refused "neither an address nor a network" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --trusted-proxy proxy.example.org
refused "rate-burst" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --rate-burst 0
