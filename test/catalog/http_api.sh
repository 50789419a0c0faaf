#!/usr/bin/env bash
# The catalog's HTTP API as docs/reference/catalog-api.md has it: shapes, refusals, and a server that a bad request, a killed
# upload or a stranger does no harm. No store and no packages: what is uploaded is made here.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"

keys=(--trusted-key "$(make_key key-1)" --trusted-key "$(make_key key-2)" --verbose)
start_catalog "${keys[@]}"
step "it says where it listens, and that it is well"
contains "$(cat "$dir/log")" "listening on $url"
equal "$(ask GET /healthz)" 200
equal "$(ask GET /readyz)" 200
equal "$(ask GET /metrics)" 200
contains "$(cat "$dir/answer")" "flox_catalog_builds 0"
equal "$(ask GET /cache/nix-cache-info)" 200
contains "$(cat "$dir/answer")" "StoreDir: /nix/store"

step "a path is uploaded, NAR first"
make_path 0
lose_file "$nar"
narinfo key-1 >"$dir/narinfo"
equal "$(put $digest.narinfo "$dir/narinfo")" 404
contains "$(answer .detail)" "must be uploaded first"
equal "$(put "$nar" "$dir/nar")" 201
equal "$(put $digest.narinfo "$dir/narinfo")" 201
curl -fsL "$url/cache/nar/$hash.nar" | cmp - "$dir/nar"
contains "$(curl -fsI "$url/cache/nar/$hash.nar")" "Content-Length: 5000"

step "a record is published once, and found by name, version, system and CPU"
build() { jq -nc --arg v "$1" --arg p "${2:-$path}" '{name:"web",version:$v,system:"x86_64-linux",signer:"key-1",description:"A web",outputs:{out:$p}}'; }
equal "$(record web "$(build 1.0)")" 201
equal "$(record web "$(build 1.0)")" 200
equal "$(record web "$(build 1.2)")" 201
equal "$(record web "$(build 2.0-rc1)")" 201
equal "$(record web "$(build 1.0 | jq -c '.variant = "x86-64-v3"')")" 201
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(answer '[.items[].version] | unique | length')" 3
equal "$(answer '.items[0].version')" 2.0-rc1
equal "$(answer '.items[0].closure_size')" 5000
equal "$(ask GET '/api/v1/catalog/search?search_term=a%20web&system=x86_64-linux')" 200
equal "$(answer .total_count)" 1
equal "$(ask GET '/api/v1/catalog/search?search_term=web&system=aarch64-linux')" 200
equal "$(answer .total_count)" 0
equal "$(resolve '{"attr_path":"web","systems":["x86_64-linux"]}')" 200
equal "$(answer '.items[0].page.packages[0].version')" 1.2
equal "$(resolve '{"attr_path":"web","systems":["x86_64-linux"],"version":"1.0","cpu_level":"x86-64-v4"}')" 200
equal "$(answer '.items[0].page.packages[0].variant')" x86-64-v3
equal "$(resolve '{"attr_path":"wep","systems":["x86_64-linux"]}')" 200
equal "$(answer '.items[0].messages[0].context.advice')" "Did you mean web?"

step "a bad request is the client's fault, and says which member"
for bad in '[' '[]' '{"items":[1]}' '{"items":[{}]}'; do equal "$(ask POST /api/v1/catalog/resolve -d "$bad")" 400; done
equal "$(resolve '{"attr_path":"web","systems":["x86_64-linux"],"version":3}')" 400
contains "$(answer .detail)" "'version'"
equal "$(resolve '{"attr_path":"web","systems":["x86_64-linux"],"version":">="}')" 400
contains "$(answer .advice)" "1.2"
equal "$(record web "$(build 3.0 | jq -c '.variant = 4')")" 400
equal "$(record web "$(build 3.0 | jq -c '.variant = "avx2"')")" 400
equal "$(record web "$(build 3.0 | jq -c '.signer = "somebody"')")" 403
equal "$(record web "$(build 3.0 /nix/store/11111111111111111111111111111111-web)")" 400
contains "$(answer .detail)" "is not in the cache"
equal "$(record web "$(build 3.0 /nix/store/$digest-other)")" 400
equal "$(ask DELETE /cache/nix-cache-info)" 403
equal "$(ask DELETE /cache/nix-cache-info -H "Authorization: Bearer $token")" 404
equal "$(ask GET /nothing)" 404
equal "$(answer .status)" 404

step "names that lead elsewhere lead nowhere"
for name in ../catalog.sqlite nar/../../catalog.sqlite %2e%2e/catalog.sqlite ..%2fcatalog.sqlite uploads; do equal "$(ask GET "/cache/$name")" 404; done
equal "$(put ../escaped "$dir/nar")" 400
equal "$(put "nar/..%2f..%2fescaped" "$dir/nar")" 400
equal "$(find "$dir" -name escaped | wc -l)" 0

step "a store path never changes"
sed -e "s/^NarSize: .*/NarSize: 7/" -e '/^Sig/d' "$dir/narinfo" >"$dir/changed"
echo "Sig: $(sign "$dir/key-1" $path $hash 7)" >>"$dir/changed"
equal "$(put $digest.narinfo "$dir/changed")" 409
narinfo key-2 >"$dir/cosigned"
equal "$(put $digest.narinfo "$dir/cosigned")" 201
equal "$(curl -fs "$url/cache/$digest.narinfo" | grep -c ^Sig:)" 2

step "a stranger's upload is refused unread; a publisher's is asked for"
truncate -s 200M "$dir/big"
sent=$(curl -s -m 20 -o "$dir/answer" -w '%{http_code} %{size_upload}' --expect100-timeout 15 -T "$dir/big" "$url/cache/nar/$hash.nar.xz")
equal "$sent" "403 0"
contains "$(answer .advice)" FLOX_CATALOG_TOKEN
# Without an Expect answer, curl would wait for 15 s here.
equal "$(curl -s -m 10 -o "$dir/answer" -w '%{http_code}' --expect100-timeout 15 -H "Authorization: Bearer $token" -H 'Expect: 100-continue' -T "$dir/nar" "$url/cache/nar/$hash.nar")" 201
equal "$(spooled)" 0

step "an upload that a crash cut off leaves nothing; what was published stays"
unknown=$(printf '0%.0s' {1..52})
curl -s -o /dev/null --limit-rate 1M -H "Authorization: Bearer $token" -H Expect: -T "$dir/big" "$url/cache/nar/$unknown.nar" &
uploader=$!
is_uploading() { [ "$(spooled)" = 1 ]; }
wait_for_process $catalog 10 "the upload to begin" is_uploading
stop_catalog KILL
wait $uploader || true
start_catalog "${keys[@]}"
equal "$(spooled)" 0
equal "$(ask GET "/cache/nar/$unknown.nar")" 404
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(answer .total_count)" 4

step "SIGTERM ends it with success; options that cannot be meant are refused"
code=0
stop_catalog TERM
equal "$code" 0
(umask 077 && : >"$dir/empty")
refused "it is empty" flox-catalog --listen 127.0.0.1:0 --data "$dir/data" --token-file "$dir/empty"
refused "not of the form ADDRESS:PORT" flox-catalog --listen 127.0.0.1 --data "$dir/data"

step "a catalog that is down, and one that is none, are told apart"
export FLOX_CATALOG_URL=$url
refused "cannot be reached" flox search web
refused "FLOX_CATALOG_URL" flox search web
