#!/usr/bin/env bash
# Traces go to a real OpenTelemetry collector: a request of flox is one trace with its caller, with the database and the files as
# parts of it; a collector that is away costs spans, which are counted, and no request.
# prepare: collector moto-venv
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/test/collector.sh"
need_collector
. "$(dirname "$0")/support.sh"
each_backend "$@"
collecting=
trap '[ -z "$collecting" ] || { kill $collecting && wait $collecting || true; }; stop_catalog; stop_backend; rm -rf "$dir"' EXIT
otlp_port=$(free_port)
collector_config "$dir/collector.yaml" "$otlp_port"
start_collector() {
  "$collector/collector" --config "file:$dir/collector.yaml" >>"$dir/collector.log" 2>&1 &
  collecting=$!
  wait_until 30 "the collector to listen" collector_listens
}
collector_listens() { (exec 3<>"/dev/tcp/127.0.0.1/$otlp_port"); }
show_trouble() { tail -n 40 "$dir/collector.log" >&2; }
has_span() { spans_of "$1" "$dir/collector.log" | grepq "^$2 "; }

start_collector
key=$(make_key key-1)
start_catalog --trusted-key "$key" --traces-to "http://127.0.0.1:$otlp_port"
export FLOX_CATALOG_URL=$url HOME=$dir FLOX_CATALOG_TOKEN_FILE=$dir/token

step "a request belongs to its caller's trace, and its parts to it"
trace=0af7651916cd43dd8448eb211c80319c
caller=b7ad6b7169203331
make_path 0
narinfo key-1 >"$dir/narinfo"
equal "$(put $digest.narinfo "$dir/narinfo")" 201
equal "$(record web "$(build 1.0)")" 201
TRACEPARENT=00-$trace-$caller-01 flox show web >"$dir/said"
request='GET_/api/v1/catalog/packages/{name}'
wait_until 30 "the request's span" has_span $trace "$request"
read -r _ parent id < <(spans_of $trace "$dir/collector.log" | grep "^$request ")
equal "$parent" $caller
wait_until 30 "the database's span" has_span $trace database_read
# flox show also asks for attestations; what the database does is a part of one of its requests.
of_database=$(spans_of $trace "$dir/collector.log" | awk '$1 == "database_read" { print $2 }' | sort -u)
contains "$of_database" "$id"
equal "$(comm -23 <(echo "$of_database") <(spans_of $trace "$dir/collector.log" | awk -v caller=$caller '$2 == caller { print $3 }' | sort -u))" ""
contains "$(cat "$dir/collector.log")" "service.name: Str(flox-catalog)"
contains "$(cat "$dir/collector.log")" "http.response.status_code: Int(200)"

step "the files are a part, too"
equal "$(ask GET "/cache/$nar" -H "traceparent: 00-11111111111111111111111111111111-$caller-01" -L)" 200
wait_until 30 "the files' span" has_span 11111111111111111111111111111111 "files_\(find\|read\)"  # a small one is read at once

step "who does not record is not recorded; a trace that is none begins a new one; no secret is in any"
equal "$(ask GET /readyz -H "traceparent: 00-22222222222222222222222222222222-$caller-01")" 200
equal "$(ask GET /api/v1/catalog/packages/web -H "traceparent: 00-33333333333333333333333333333333-$caller-00")" 200
equal "$(ask GET '/api/v1/catalog/search?search_term=mine-alone' -H "traceparent: nonsense")" 200
equal "$(ask GET /api/v1/catalog/packages/wep -H "traceparent: 00-44444444444444444444444444444444-$caller-01")" 404
wait_until 30 "the span of a failure" has_span 44444444444444444444444444444444 "$request"
equal "$(spans_of 22222222222222222222222222222222 "$dir/collector.log")$(spans_of 33333333333333333333333333333333 "$dir/collector.log")" ""
grep -q 'GET /api/v1/catalog/search' "$dir/collector.log" || die "the new trace is missing"
if grep -qE "$token|mine-alone" "$dir/collector.log"; then die "a secret went to the collector"; fi
equal "$(metric flox_catalog_spans_dropped_total)" 0

step "a collector that is away costs no request, and what is lost is counted"
kill $collecting && wait $collecting || true
collecting=
for _ in $(seq 50); do equal "$(ask GET /api/v1/catalog/packages/web)" 200; done
lost() { [ "$(metric flox_catalog_spans_dropped_total)" -ge 50 ]; }
wait_until 30 "lost spans to be counted" lost
contains "$(cat "$dir/log")" "they are lost"

step "and when it is back, traces go on"
start_collector
goes_on() { ask GET /api/v1/catalog/packages/web -H "traceparent: 00-55555555555555555555555555555555-$caller-01" >/dev/null; has_span 55555555555555555555555555555555 "$request"; }
wait_until 30 "spans to go on" goes_on

step "of those who begin no trace, the share is recorded that is asked for"
stop_catalog
start_catalog --trusted-key "$key" --traces-to "http://127.0.0.1:$otlp_port/" --trace-percent 0
before=$(grep -c '^Span #' "$dir/collector.log")
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(ask GET /api/v1/catalog/packages/web -H "traceparent: 00-66666666666666666666666666666666-$caller-01")" 200
wait_until 30 "the caller's span" has_span 66666666666666666666666666666666 "$request"
equal "$(spans_of 66666666666666666666666666666666 "$dir/collector.log" | wc -l)" "$(($(grep -c '^Span #' "$dir/collector.log") - before))"
refused "the collector of traces: this is not the URL" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --traces-to collector
