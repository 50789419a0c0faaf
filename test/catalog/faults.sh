#!/usr/bin/env bash
# PostgreSQL is restarted, S3 is away, the disk is full: requests end with 503 or 507 and say when to come again, /readyz says
# what is missing, nothing that was published is lost, and all goes on by itself.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
keys=(--trusted-key "$(make_key key-1)")
ready() { [ "$(ask GET /readyz)" = 200 ]; }
await_ready() {
  wait_until 30 "its recovery" ready
}
# comes_again STATUS CURL…: the request is refused with that status and a time.
comes_again() {
  local status=$1
  shift
  equal "$(ask "$@" -D "$dir/head")" "$status"
  grep -qi '^retry-after: [0-9]' "$dir/head" || die "no Retry-After: $(cat "$dir/head")"
}
# The same of what may be kept in memory for a second.
soon_comes_again() {
  local end=$((SECONDS + 10))
  until [ "$(ask "${@:2}")" = "$1" ] || [ $SECONDS -ge $end ]; do sleep 0.1; done
  comes_again "$@"
}
authorised=(-H "Authorization: Bearer $token")

hanging=()

if [ "$BACKEND" = local ]; then
  [ "$(id -u)" = 0 ] || { echo "a small file system needs root to be mounted"; exit 77; }
  [ -n "${IN_NAMESPACE:-}" ] || exec env IN_NAMESPACE=1 unshare -m "$0" "$@"
  mkdir -p "$data"
  mount -t tmpfs -o size=400M tmpfs "$data"
  trap 'stop_catalog; umount "$data"; rm -rf "$dir"' EXIT
  start_catalog "${keys[@]}"
  make_path 0
  narinfo key-1 >"$dir/narinfo"
  equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
  equal "$(record web "$(build 1.0)")" 201

  step "the disk is full: nothing is taken, and what is there is served"
  head -c 200M /dev/zero >"$data/ballast"
  comes_again 507 PUT "/cache/$nar" "${authorised[@]}" --upload-file "$dir/nar"
  comes_again 507 POST /api/v1/catalog/packages/web/builds "${authorised[@]}" -d "$(build 1.1)"
  contains "$(cat "$dir/log")" "no space left: its file system is full"
  equal "$(ask GET "/cache/$nar")" 200
  equal "$(ask GET /api/v1/catalog/packages/web)" 200
  equal "$(answer .total_count)" 1

  step "even for the database itself: a clear refusal, and no half of a record"
  head -c 400M /dev/zero >"$data/more" 2>/dev/null || true
  equal "$(ask GET /api/v1/catalog/packages/web)" 200
  comes_again 507 POST /api/v1/catalog/packages/web/builds "${authorised[@]}" -d "$(build 1.1)"

  step "with room again it goes on"
  rm "$data/ballast" "$data/more"
  equal "$(record web "$(build 1.1)")" 201
  await_ready
  exit 0
fi

start_catalog "${keys[@]}"
make_path 0
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
equal "$(record web "$(build 1.0)")" 201

step "PostgreSQL is stopped: 503, and /readyz says so"
stop_postgres
comes_again 503 GET /api/v1/catalog/packages/web
comes_again 503 POST /api/v1/catalog/packages/web/builds "${authorised[@]}" -d "$(build 1.1)"
comes_again 503 GET /readyz
contains "$(cat "$dir/answer")" "database: unavailable"
contains "$(cat "$dir/answer")" "files: ok"
equal "$(ask GET /healthz)" 200
equal "$(ask GET /metrics)" 200
contains "$(cat "$dir/answer")" 'flox_catalog_ready{part="database"} 0'
contains "$(cat "$dir/answer")" 'flox_catalog_ready{part="files"} 1'
equal "$(grep -c 'not ready: database: ' "$dir/log")" 1  # once, with the reason, however often it was asked
contains "$(HOME=$dir FLOX_CATALOG_URL=$url flox node doctor 2>&1 || true)" "is not ready: database: unavailable"
soon_comes_again 503 GET "/cache/$digest.narinfo"  # whether it is private stands in the database

step "it is back: nothing else is needed, and nothing is lost"
start_postgres
await_ready
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(answer .total_count)" 1
equal "$(record web "$(build 1.1)")" 201

step "restarted under publishers, it loses no record that was confirmed, and records none twice"
for i in {1..60}; do echo "2.$i"; done >"$dir/versions"
publish_all() {
  local version status end
  while read -r version; do
    end=$((SECONDS + 40))
    until status=$(curl -s -m 20 -o /dev/null -w '%{http_code}' -X POST "${authorised[@]}" -d "$(build "$version")" "$url/api/v1/catalog/packages/web/builds"); [ "$status" = 201 ] || [ "$status" = 200 ]; do
      [ "$status" = 503 ] || die "version $version: status $status"
      [ $SECONDS -lt $end ] || die "version $version is never taken"
      sleep 0.1
    done
  done
}
publish_all <"$dir/versions" &
publisher=$!
has_published() { [ "$(sql "select count(*) from builds where version like '2.%'")" -ge "$1" ]; }
for restart in 1 2; do
  wait_until 30 "the publisher to get on" has_published $((restart * 10))
  stop_postgres $([ $restart = 1 ] && echo INT || echo QUIT)
  start_postgres
done
wait $publisher || die "the publisher failed"
equal "$(sql "select count(*) from builds where version like '2.%'")" 60

step "PostgreSQL hangs: whoever needs it gets 503, the server is not stuck, and /readyz says so"
stop_all() { local pid; for pid in $postgres $(ps -o pid= --ppid "$postgres"); do kill "-$1" "$pid"; done; }
for i in {1..4}; do ask GET /api/v1/catalog/packages/web >/dev/null; done  # connections that are open already
stop_all STOP
for i in {1..8}; do curl -s -m 100 -o /dev/null -w '%{http_code}\n' "$url/api/v1/catalog/packages/web" >"$dir/hanging-$i" & hanging[i]=$!; done
equal "$(ask GET /healthz)" 200
for i in {1..8}; do wait "${hanging[i]}" || die "request $i got no answer"; equal "$(cat "$dir/hanging-$i")" 503; done
comes_again 503 GET /readyz
contains "$(cat "$dir/answer")" "database: unavailable"
contains "$(cat "$dir/answer")" "files: ok"
comes_again 503 POST /api/v1/catalog/packages/web/builds "${authorised[@]}" -d "$(build 2.99)"
equal "$(ask GET /metrics)" 200
contains "$(cat "$dir/answer")" "flox_catalog_ready{part=\"database\"} 0"
stop_all CONT
await_ready
equal "$(record web "$(build 2.99)")" 201
equal "$(ask GET /metrics)" 200
contains "$(cat "$dir/answer")" "flox_catalog_ready{part=\"database\"} 1"

step "S3 hangs: whoever needs it gets 503, and nobody else waits for that"
kill -STOP "$s3"
for i in {1..8}; do curl -s -m 60 -o /dev/null -w '%{http_code}\n' "$url/cache/$digest.narinfo" >"$dir/hanging-$i" & hanging[i]=$!; done
for i in {1..8}; do wait "${hanging[i]}" || die "request $i got no answer"; equal "$(cat "$dir/hanging-$i")" 503; done
equal "$(ask GET /api/v1/catalog/packages/web)" 200
kill -CONT "$s3"
await_ready
equal "$(ask GET "/cache/$digest.narinfo")" 200

step "S3 is away: 503, and /readyz says so"
stop_s3
soon_comes_again 503 GET "/cache/$digest.narinfo"
comes_again 503 PUT "/cache/$nar" "${authorised[@]}" --upload-file "$dir/nar"
comes_again 503 POST /api/v1/catalog/packages/web/builds "${authorised[@]}" -d "$(build 3.0)"
comes_again 503 GET /readyz
contains "$(cat "$dir/answer")" "database: ok"
contains "$(cat "$dir/answer")" "files: unavailable"
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(spooled)" 0

step "an empty bucket comes back: what is missing is said to be missing, and can be published again"
start_s3
is_missing() { [ "$(ask GET "/cache/$digest.narinfo")" = 404 ]; }
wait_until 20 "its recovery" is_missing
equal "$(put "$nar" "$dir/nar")" 201
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
equal "$(record web "$(build 3.0)")" 201

step "a server that ignores conditions is not used: two catalogs could lose each other's signatures"
stop_catalog
start_s3_proxy careless
refused "the server ignores If-None-Match" flox-catalog --listen 127.0.0.1:0 --data "$data" --database "$database_url" --database-password-file "$backend_dir/password" \
  --files "s3://bucket/cache?endpoint=$S3_PROXY"

step "a wrong password, a database that is not there and a bucket that is not there are said at the start"
(umask 077 && echo wrong >"$dir/wrong")
refused "password authentication failed" flox-catalog --listen 127.0.0.1:0 --data "$data" --database "$database_url" --database-password-file "$dir/wrong"
refused "does not exist" flox-catalog --listen 127.0.0.1:0 --data "$data" --database "${database_url%catalog}none" --database-password-file "$backend_dir/password"
refused "NoSuchBucket" flox-catalog --listen 127.0.0.1:0 --data "$data" --database "$database_url" --database-password-file "$backend_dir/password" --files "s3://none/cache?endpoint=$S3_URL"
for secret in "sesame's secret" wrong "$AWS_SECRET_ACCESS_KEY"; do
  if grep -qF -- "$secret" "$dir/log"; then die "the log has a secret"; fi
done
