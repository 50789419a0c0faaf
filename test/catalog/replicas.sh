#!/usr/bin/env bash
# Two catalogs over one PostgreSQL and one bucket: what one receives the other serves, of two publishers that race one wins,
# no signature and no generation is lost, and a catalog that is killed leaves nothing half visible.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
only_shared
public_key=$(make_key key-1)
keys=(--trusted-key "$public_key" --trusted-key "$(make_key key-2)")
start_backend "$dir/backend"
start_s3_proxy  # in front of the second one's bucket

# Two catalogs, started at once on an empty database. here and there choose which one is asked.
start_replica() {  # NUMBER
  rm -f "$dir/port-$1"
  local options=("${CATALOG_OPTIONS[@]}")
  [ "$1" = 1 ] || options=("${options[@]/endpoint=$S3_URL/endpoint=$S3_PROXY}")
  flox-catalog --listen 127.0.0.1:0 --data "$dir/data-$1" "${options[@]}" --online-key "$dir/online.key" --presign always "${keys[@]}" --token-file "$dir/token" --port-file "$dir/port-$1" 2>>"$dir/log-$1" &
  replica[$1]=$!
}
replica=()
stop_replicas() { for one in "${replica[@]}"; do kill "$one" 2>/dev/null && wait "$one" || true; done; }
trap 'stop_replicas; stop_backend; rm -rf "$dir"' EXIT
await() {
  wait_for_process "${replica[$1]}" 30 "the start of catalog $1, whose log is $dir/log-$1" test -s "$dir/port-$1"
}
here() { url=http://127.0.0.1:$(cat "$dir/port-1"); }
there() { url=http://127.0.0.1:$(cat "$dir/port-2"); }
step "two that start at once make one schema"
start_replica 1
start_replica 2
await 1
await 2
equal "$(sql 'select count(*) from schema_migrations')" "$(sql 'select max(number) from schema_migrations')"
equal "$(cat "$dir"/log-[12] | grep -c 'the schema was brought from 0 to')" 1
for side in here there; do $side; equal "$(ask GET /readyz)" 200; done

step "what one receives, the other publishes and serves"
here
make_path 0
there
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
here
equal "$(record web "$(build 1.0)")" 201
there
equal "$(record web "$(build 1.0)")" 200
equal "$(ask GET "/cache/$nar")" 307
curl -fsL "$url/cache/$nar" | cmp - "$dir/nar"

step "flox and Nix follow the redirect, and the bucket is not told the catalog's token nor its own keys"
there
head -c 100 /dev/zero >"$dir/file"
# A real NAR, and a path that both can read.
mkdir -p "$dir/laptop" "$dir/home"
real=$(HOME=$dir/home flox --root "$dir/laptop" store add --name file "$dir/file")
HOME=$dir/home FLOX_CATALOG_TOKEN=$token flox --root "$dir/laptop" store copy --to "$url/cache?token-file=$dir/token" --key "$dir/key-1" "$real" >"$dir/copied" 2>&1 || die "$(cat "$dir/copied")"
: >"$backend_dir/proxy.log"
HOME=$dir/home FLOX_CATALOG_TOKEN=$token flox --root "$dir/node" store realise --cache "$url/cache?token-file=$dir/token&nar-url=$S3_PROXY/bucket/cache/nar" --trusted-key "$public_key" "$real" >"$dir/realised" 2>&1 || die "$(cat "$dir/realised")"
cmp "$dir/file" "$dir/node$real"
NIX_CONFIG="experimental-features = nix-command" HOME=$dir/home XDG_CACHE_HOME=$dir/home nix copy --from "$url/cache" --to "$dir/nix" --option trusted-public-keys "$public_key" "$real"
cmp "$dir/file" "$dir/nix$real"
jq -sc '[.[] | select(.path | contains("X-Amz-Signature="))]' "$backend_dir/proxy.log" >"$dir/redirected"
equal "$(jq length "$dir/redirected")" 2
equal "$(jq '[.[] | select(.headers | has("authorization") or has("x-amz-security-token"))] | length' "$dir/redirected")" 0
if grep -qF "$token" "$backend_dir/proxy.log"; then die "the bucket was told the catalog's token"; fi

step "both sign timestamps with one key: what one publishes for an owner, a machine verifies with the other"
signing() {
  env HOME="$dir/home" FLOX_ALLOW_UNSIGNED=false FLOX_TRUST_DIR="$dir/trust" FLOX_TRUST_STATE_DIR="$dir/trust-state" FLOX_CATALOG_URL="$url" \
    FLOX_CATALOG_TOKEN="$token" FLOX_SIGNING_PRIVATE_KEY="$dir/key-1" FLOX_TRUSTED_KEYS="$public_key" "$@"
}
online_key() { curl -fs "$url/api/v1/trust/online-key" | jq -r .public_key; }
here
first=$(online_key)
signing flox trust init signers 2>"$dir/said"
signing flox trust publish signers 2>>"$dir/said"
there
equal "$(online_key)" "$first"
signing flox --root "$dir/laptop" publish --owner signers --store-path "$real" --name signed --version 1.0 2>>"$dir/said" || die "$(cat "$dir/said")"
here
signing flox --root "$dir/laptop" publish --owner signers --store-path "$real" --name signed --version 1.1 2>>"$dir/said" || die "$(cat "$dir/said")"
for side in here there; do
  $side
  contains "$(signing flox show signed)" "packages/signed version 2, signed by key-1"
done

step "the names of packages that one has in memory are those that the other publishes"
here
equal "$(resolve '{"attr_path":"toll","systems":["x86_64-linux"]}')" 200
there
equal "$(record tool "$(build 1.0 | jq -c '.name = "tool"')")" 201
here
equal "$(resolve '{"attr_path":"toll","systems":["x86_64-linux"]}')" 200
equal "$(answer '.items[0].messages[0].context.advice')" "Did you mean tool?"

step "of two publishers that race for a version one wins, and the other is told"
here
cp "$dir/nar" "$dir/nar-0"
first=$path
make_path 1
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
second=$path
publish() {  # URL PATH OUT
  curl -s -o /dev/null -w '%{http_code}\n' -X POST -H "Authorization: Bearer $token" -d "$(path=$2 build "$version")" "$1/api/v1/catalog/packages/web/builds" >"$3"
}
for version in 2.{0..9}; do
  publish "http://127.0.0.1:$(cat "$dir/port-1")" "$first" "$dir/one" &
  one=$!
  publish "http://127.0.0.1:$(cat "$dir/port-2")" "$second" "$dir/two"
  wait $one
  equal "$(sort "$dir/one" "$dir/two" | xargs)" "201 409"
done
equal "$(sql "select count(*) from builds where name = 'web' and version like '2.%'")" 10

step "generations that are pushed at once all count"
push() {  # URL TEXT
  curl -fs -o /dev/null -X POST -H "Authorization: Bearer $token" "$1/api/v1/environments/acme/web" \
    -d "{\"manifest\":\"$2\",\"lock\":{\"lockfile-version\":1,\"manifest\":{},\"packages\":[]}}"
}
pushes=()
for i in {1..10}; do
  push "http://127.0.0.1:$(cat "$dir/port-1")" "a$i" & pushes+=($!)
  push "http://127.0.0.1:$(cat "$dir/port-2")" "b$i" & pushes+=($!)
done
for one in "${pushes[@]}"; do wait "$one" || die "a push failed"; done
equal "$(sql "select count(*), max(number), count(distinct manifest) from environments")" "20|20|20"

step "signatures that are added at once on both stay"
for number in 2 3 4 5; do
  here
  make_path $number
  for key in key-1 key-2; do narinfo $key >"$dir/narinfo-$key"; done
  curl -fs -o /dev/null -T "$dir/narinfo-key-1" -H "Authorization: Bearer $token" "$url/cache/$digest.narinfo" &
  one=$!
  there
  curl -fs -o /dev/null -T "$dir/narinfo-key-2" -H "Authorization: Bearer $token" "$url/cache/$digest.narinfo"
  wait $one
  equal "$(curl -fs "$url/cache/$digest.narinfo" | grep -c ^Sig:)" 2
done

step "one is killed in the middle of an upload: the other goes on, and nothing is half there"
here
head -c 20M /dev/urandom >"$dir/big"
big=nar/$(base32_hash "$dir/big").nar
curl -s -o /dev/null --limit-rate 2M -H "Authorization: Bearer $token" -H Expect: -T "$dir/big" "$url/cache/$big" &
uploader=$!
is_uploading() { [ "$(spooled_in "$dir/data-1/uploads" "${replica[1]}")" = 1 ]; }
wait_for_process "${replica[1]}" 20 "the upload to begin" is_uploading
kill -KILL "${replica[1]}"
wait "${replica[1]}" $uploader || true
there
equal "$(ask GET "/cache/$big")" 404
equal "$(put "$big" "$dir/big")" 201
curl -fsL "$url/cache/$big" | cmp - "$dir/big"
start_replica 1
await 1
equal "$(spooled_in "$dir/data-1/uploads" "${replica[1]}")" 0

step "what cannot be shared is refused"
refused "'sometimes' is not known" flox-catalog --listen 127.0.0.1:0 --data "$dir/data-3" --presign sometimes
refused "--database" flox-catalog --listen 127.0.0.1:0 --data "$dir/data-3" --files s3://bucket/cache
refused "another flox-catalog uses" flox-catalog --listen 127.0.0.1:0 --data "$dir/data-1" "${CATALOG_OPTIONS[@]}"
refused "not a setting of a bucket" flox-catalog --listen 127.0.0.1:0 --data "$dir/data-3" --database "$database_url" --database-password-file "$backend_dir/password" --files 's3://bucket?priority=3'
refused "--database-password-file" flox-catalog --listen 127.0.0.1:0 --data "$dir/data-3" --database postgresql://catalog:sesame@127.0.0.1/catalog
