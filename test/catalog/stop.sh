#!/usr/bin/env bash
# A catalog that is told to end: /readyz says so first, what is in progress goes to its end, keep-alive connections are told that
# they have had their last answer, and nothing that was confirmed is lost. A second signal ends it at once.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
is_stopping() { [ "$(ask GET /readyz)" = 503 ]; }
refuses() { [ "$(curl -s -o /dev/null -w '%{http_code}' "$url/healthz")" = 000 ]; }
has_grown() { [ "$(stat -c %s "$1" 2>/dev/null || echo 0)" -gt 10000 ]; }
# slowly get|put URL FILE: until $dir/go is there.
slowly() { TOKEN=$token python3 "$PROJECT/test/catalog/slow_client.py" "$@" "$dir/go"; }
# Nobody presigns here: what is fetched comes through the catalog.
through=(--presign never)

step "it says that it stops, and serves on until load balancers know"
start_catalog "${through[@]}" --stop-delay 4s --stop-timeout 2m
make_path 0
head -c 12M /dev/urandom >"$dir/big"
big=nar/$(base32_hash "$dir/big").nar
equal "$(put "$big" "$dir/big")" 201
head -c 12M /dev/urandom >"$dir/other"
other=nar/$(base32_hash "$dir/other").nar
slowly get "$url/cache/$big" "$dir/fetched" >"$dir/fetch-status" &
fetching=$!
slowly put "$url/cache/$other" "$dir/other" >"$dir/put-status" &
putting=$!
wait_until 30 "the download to begin" has_grown "$dir/fetched"
is_spooled() { [ "$(spooled)" = 1 ]; }
wait_until 30 "the upload to begin" is_spooled
equal "$(ask GET /readyz)" 200
kill -TERM "$catalog"
wait_until 30 "/readyz to tell" is_stopping
contains "$(cat "$dir/answer")" "catalog: stopping"
contains "$(cat "$dir/answer")" "database: ok"
# Two requests, for which curl keeps one connection if the server lets it.
curl -s -D "$dir/heads" -o /dev/null -o /dev/null "$url/healthz" "$url/api/v1/catalog/packages/none" -w '%{num_connects}\n' >"$dir/connects"
equal "$(cat "$dir/connects")" $'1\n1'
equal "$(grep -ci '^connection: close' "$dir/heads")" 2
equal "$(ask GET "/cache/$nar")" 200

step "then it listens no more, and ends once the transfers have ended"
wait_until 30 "it to listen no more" refuses
{ kill -0 $putting && kill -0 $fetching; } 2>/dev/null || die "the transfers had ended before: nothing was shown"
touch "$dir/go"
wait $fetching && wait $putting || die "a transfer was cut off: $(tail -n 3 "$dir/log")"
equal "$(cat "$dir/fetch-status")" 200
cmp "$dir/big" "$dir/fetched"
equal "$(cat "$dir/put-status")" 201
wait "$catalog"
catalog=
grep -q 'connections have a request in progress' "$dir/log" || die "the log does not say what it waits for"
if grep -q 'cut off' "$dir/log"; then die "it cut somebody off"; fi
start_catalog "${through[@]}"
equal "$(ask GET "/cache/$other")" 200
cmp "$dir/other" "$dir/answer"

step "an idle connection does not keep it"
exec 3<>"/dev/tcp/127.0.0.1/${url##*:}"
printf 'GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n' >&3
read -r -u 3 head
contains "$head" "200"
stop_catalog TERM
exec 3>&-
if grep -q 'cut off' "$dir/log"; then die "it cut somebody off"; fi

step "a second signal ends it at once, and the log says what was cut off"
start_catalog "${through[@]}" --stop-timeout 1h
rm "$dir/go"
slowly get "$url/cache/$big" "$dir/fetched" &
fetching=$!
open() { [ "$(curl -s "$url/metrics" | awk '/^flox_catalog_http_connections / { print $2 }')" -ge 2 ]; }
wait_until 30 "the download" open
kill -TERM "$catalog"
wait_until 30 "it to listen no more" refuses
kill -0 "$catalog" || die "it did not wait for the download"
stop_catalog TERM
kill $fetching 2>/dev/null || true
wait $fetching || true
grep -q '1 connections were cut off: a second signal came' "$dir/log" || die "the log says nothing of it: $(tail -3 "$dir/log")"
