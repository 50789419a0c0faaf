#!/usr/bin/env bash
# The API is what docs/reference/openapi.json says: a real validator takes the document, every operation of it is called through
# the real programs, by flox and by hand, and each answer's status, headers and body, refusals too, are held against it
# (test/catalog/openapi/proxy.py stands between). Then a fuzzer that knows nothing but the document has its turn.
# prepare: moto-venv openapi-venv
. "$(dirname "$0")/../lib.sh"
venv=$("$PROJECT/script/openapi-venv") || { echo "the validator of OpenAPI cannot be installed from PyPI"; exit 77; }
. "$(dirname "$0")/support.sh"
each_backend "$@"
document=$PROJECT/docs/reference/openapi.json
proxy=
trap '[ -z "$proxy" ] || { kill $proxy && wait $proxy || true; }; stop_catalog; stop_backend; rm -rf "$dir"' EXIT
umask 077

step "the document is OpenAPI 3.1"
"$venv/bin/openapi-spec-validator" --schema 3.1 "$document" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"

# A workload's token and the key of who issues it.
python3 - "$dir" <<'PY'
import base64, json, subprocess, sys, time
directory = sys.argv[1]
encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", directory + "/ci.pem"], check=True)
public = subprocess.run(["openssl", "pkey", "-in", directory + "/ci.pem", "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout[-32:]
json.dump({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "ci", "x": encode(public)}]}, open(directory + "/ci.jwks", "w"))
claims = {"iss": "https://ci.example.org", "aud": "flox-catalog", "sub": "repo:acme/web", "iat": int(time.time()), "exp": int(time.time()) + 3600}
text = encode(json.dumps({"alg": "EdDSA", "kid": "ci"}).encode()) + "." + encode(json.dumps(claims).encode())
open(directory + "/text", "w").write(text)
made = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", directory + "/ci.pem", "-in", directory + "/text"], check=True, capture_output=True).stdout
open(directory + "/jwt", "w").write(text + "." + encode(made))
PY
cat >"$dir/rules.toml" <<TOML
[[rule]]
issuer = "https://ci.example.org"
audience = "flox-catalog"
subject = "repo:acme/*"
owner = "acme"
keys-file = "$dir/ci.jwks"
TOML
key=$(make_key key-1)
start_catalog --trusted-key "$key" --oidc-rules "$dir/rules.toml"
catalog_url=$url
"$venv/bin/python" "$PROJECT/test/catalog/openapi/proxy.py" "$document" "$catalog_url" "$dir/proxy.port" "$dir/report" 2>"$dir/proxy.log" &
proxy=$!
wait_for_process $proxy 20 "the proxy, whose log is $dir/proxy.log" test -s "$dir/proxy.port"
url=http://127.0.0.1:$(cat "$dir/proxy.port")
export HOME=$dir FLOX_CATALOG_URL=$url FLOX_CATALOG_TOKEN_FILE=$dir/token FLOX_TRUST_DIR=$dir/trust FLOX_TRUST_STATE_DIR=$dir/state
# call STATUS METHOD PATH [CURL…]: with the operator's token.
call() {
  local expected=$1
  shift
  local status
  status=$(ask "$@" -H "Authorization: Bearer $token")
  [ "$status" = "$expected" ] || die "$*: $status instead of $expected: $(cat "$dir/answer")"
}
json() { printf '%s\n' -H 'Content-Type: application/json' -d "$1"; }
call_json() { mapfile -t with < <(json "$4"); call "$1" "$2" "$3" "${with[@]}"; }

step "the service itself"
for path in /healthz /readyz /metrics /api/v1/openapi.json; do equal "$(ask GET $path)" 200; equal "$(ask HEAD $path --head)" 200; done
ask GET /api/v1/openapi.json >"$dir/status"
cmp "$dir/answer" "$document" || die "another document is served"

step "the cache"
make_path 0
narinfo key-1 >"$dir/narinfo"
equal "$(put $digest.narinfo "$dir/narinfo")" 201
for file in nix-cache-info $digest.narinfo "$nar"; do
  for how in -L -LI; do equal "$(curl -s $how -o "$dir/answer" -w '%{http_code}' "$url/cache/$file")" 200; done
done
call 404 GET /cache/$(printf 1%.0s {1..32}).narinfo
call 400 PUT /cache/what -T "$dir/nar"
equal "$(ask PUT "/cache/$nar" -T "$dir/nar")" 403

step "packages"
for version in 1.0 1.1 2.0; do call_json 201 POST /api/v1/catalog/packages/web/builds "$(build $version)"; done
call_json 200 POST /api/v1/catalog/packages/web/builds "$(build 1.0)"
call_json 400 POST /api/v1/catalog/packages/web/builds '{"name":"web"}'
call 200 GET '/api/v1/catalog/search?search_term=web&system=x86_64-linux&page_size=1'
call 200 GET '/api/v1/catalog/packages/web?page_size=2'
equal "$(answer '[.items[].version] | join(" ")')" "2.0 1.1"
call 200 GET "/api/v1/catalog/packages/web?page_size=2&cursor=$(answer .next)"
equal "$(answer '[.items[].version] | join(" ")')" 1.0
equal "$(answer .next)" null
call 200 GET '/api/v1/catalog/packages/web?page_size=1&page=2'
call 400 GET '/api/v1/catalog/packages/web?cursor=x'
call 404 GET /api/v1/catalog/packages/wep
equal "$(flox show web --json | jq length)" 3
call_json 200 POST /api/v1/catalog/resolve '{"items":[{"name":"toplevel","descriptors":[{"install_id":"web","attr_path":"web","systems":["x86_64-linux","aarch64-linux"]},{"attr_path":"wep","systems":["x86_64-linux"]}]}]}'
call_json 400 POST /api/v1/catalog/resolve '{"items":1}'

step "a yanked version, and what is said of it to those who resolve"
yank() { call_json "$1" POST "/api/v1/catalog/packages/$2/versions/$3/yank" "$4"; }
yank 200 web 2.0 '{"reason":"it loses messages"}'
equal "$(answer '[.name, .version, .yanked] | join(" ")')" "web 2.0 it loses messages"
call 200 GET '/api/v1/catalog/packages/web'
equal "$(answer '[.items[].yanked] | @json')" '["it loses messages",null,null]'
call 200 GET '/api/v1/catalog/search?search_term=web'
equal "$(answer '.items[0].version')" 1.1
resolved() { call_json 200 POST /api/v1/catalog/resolve "{\"items\":[{\"descriptors\":[{\"attr_path\":\"web\",\"version\":\"$1\",\"systems\":[\"x86_64-linux\"]}]}]}"; }
resolved 2.0
equal "$(answer '.items[0] | .page.complete, .page.packages[0].version, (.messages[] | .level, .type, .message)' | xargs)" "true 2.0 warning yanked it loses messages"
resolved '>=2.0'
equal "$(answer '.items[0] | .page.complete, (.messages[] | .level, .type)' | xargs)" "false error version_yanked"
yank 400 web 2.0 '{"reason":""}'
yank 400 web 2.0 '{}'
yank 404 web 9 '{"reason":"x"}'
yank 404 wep 2.0 '{"reason":"x"}'
equal "$(ask POST /api/v1/catalog/packages/web/versions/2.0/yank -d '{"reason":"x"}')" 403
call_json 400 POST /api/v1/catalog/packages/web/builds "$(build 3.0 | jq -c '.yanked = "from the start"')"
yank 200 web 2.0 '{"reason":null}'
equal "$(answer .yanked)" null

step "what starts of a package read first"
profile=/api/v1/catalog/packages/web/start-profile
call 404 GET $profile
profile_of "$path" >"$dir/profile"
put_profile() { call "$1" PUT "$2" -H 'Content-Type: application/json' --data-binary "@$3"; }
put_profile 200 $profile "$dir/profile"
equal "$(answer '[.paths, .ranges, .bytes] | @json')" '[1,1,4096]'
profile_of "$path" bin/other >"$dir/profile"
put_profile 200 $profile "$dir/profile"
equal "$(answer .ranges)" 2
call 200 GET $profile
equal "$(answer '[.paths[0].ranges[][0]] | join(" ")')" "bin/other bin/web"
tag=$(curl -s -D - -o /dev/null -H "Authorization: Bearer $token" "$url$profile" | sed -n 's/^ETag: \(.*\)\r$/\1/p')
call 304 GET $profile -H "If-None-Match: $tag"
flox node profile publish - web <"$dir/profile"
profile_of "/nix/store/$digest-tool" >"$dir/profile"
put_profile 400 $profile "$dir/profile"
head -c 5000000 /dev/zero >"$dir/profile"
put_profile 413 $profile "$dir/profile"
equal "$(ask PUT $profile --data-binary '{}')" 403
call 200 DELETE $profile
call 404 DELETE $profile

step "environments; a push upon what is not the latest any more is refused"
lock='{"lockfile-version":1,"manifest":{},"packages":[]}'
push() { call_json "$1" POST /api/v1/environments/acme/web "{\"manifest\":\"$2\",\"lock\":$lock}"; }
push 201 one
tag=$(curl -s -D - -o /dev/null -H "Authorization: Bearer $token" "$url/api/v1/environments/acme/web" | sed -n 's/^ETag: \(.*\)\r$/\1/p')
call 304 GET /api/v1/environments/acme/web -H "If-None-Match: $tag"
push_upon() { mapfile -t with < <(json "{\"manifest\":\"$3\",\"lock\":$lock}"); call "$1" POST /api/v1/environments/acme/web -H "If-Match: $2" "${with[@]}"; }
push_upon 201 "$tag" two
push_upon 201 "$tag" two # once more, as if its answer had been lost
equal "$(answer .generation)" 2
push_upon 412 "$tag" three
call 200 GET /api/v1/environments/acme/web -H "If-None-Match: $tag"
equal "$(answer .manifest)" two
call 200 GET '/api/v1/environments/acme/web?generation=1'
call 404 GET '/api/v1/environments/acme/web?generation=9'
call 200 GET /api/v1/environments/acme/web/generations
equal "$(answer '[.items[].generation] | @json')" '[2,1]'
call 200 GET '/api/v1/environments/acme/web/generations?page_size=1'
call 404 GET /api/v1/environments/acme/none/generations
call 400 GET /api/v1/environments/acme
web='{"lockfile-version":1,"manifest":{},"packages":[{"attr_path":"web","install_id":"web","version":"1","system":"x86_64-linux","outputs":{"out":"'$path'"}}]}'
call_json 201 POST /api/v1/environments/acme/lazy "{\"manifest\":\"one\",\"lock\":$web}"
profile=/api/v1/environments/acme/lazy/start-profile
call 404 GET $profile
profile_of "$path" >"$dir/profile"
put_profile 200 $profile "$dir/profile"
put_profile 400 /api/v1/environments/acme/web/start-profile "$dir/profile"
call 200 GET $profile
flox node profile publish "$dir/profile" acme/lazy
flox node profile unpublish acme/lazy
call 404 DELETE $profile
call_json 400 POST /api/v1/environments/acme '{}'
call_json 400 POST /api/v1/environments/acme/web '{}'
mapfile -t with < <(json '{"name":"x","private":false}')
call 400 POST /api/v1/owners -H 'If-Match: *' "${with[@]}"

step "owners and their members"
flox owner create beta
flox owner add beta ada@example.com --role publish
flox owner list >"$dir/said"
call 200 GET '/api/v1/owners?page_size=1'
call 200 GET /api/v1/owners/beta
call_json 201 POST /api/v1/owners/beta/members '{"user":"ada@example.com","role":"read"}'
flox owner remove beta ada@example.com
call 404 DELETE /api/v1/owners/beta/members/ada@example.com
call_json 201 POST /api/v1/owners '{"name":"acme","private":false}'
call_json 409 POST /api/v1/owners '{"name":"acme","private":false}'
call_json 200 POST /api/v1/owners/acme/packages/web '{"private":false}'
call_json 404 POST /api/v1/owners/acme/packages/wep '{"private":false}'
call_json 200 POST /api/v1/owners/acme/environments/web '{"private":true}'
call_json 404 POST /api/v1/owners/acme/environments/wep '{"private":true}'

step "tokens, and an exchange for one"
call 200 GET /api/v1/auth/login
call 200 GET /api/v1/auth/whoami
equal "$(ask GET /api/v1/auth/whoami)" 403
for scope in read publish admin; do flox auth token create --owner acme --scope $scope >"$dir/token-$scope" 2>"$dir/said"; done
call 200 GET '/api/v1/auth/tokens?owner=acme&page_size=2'
first=$(answer '.items[].id')
call 200 GET "/api/v1/auth/tokens?owner=acme&page_size=2&cursor=$(answer .next)"
equal "$({ echo "$first"; answer '.items[].id'; } | sort -u | wc -l)" 3
equal "$(flox auth token list --owner acme --json | jq length)" 3
flox auth token revoke "$(answer '.items[0].id')" 2>"$dir/said"
call 404 DELETE /api/v1/auth/tokens/flox_000000000000
call_json 400 POST /api/v1/auth/tokens '{"scope":"everything"}'
exchange() { ask POST /api/v1/auth/exchange -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange -d subject_token_type=urn:ietf:params:oauth:token-type:jwt --data-urlencode "subject_token=$1"; }
equal "$(exchange "$(cat "$dir/jwt")")" 200
equal "$(exchange a.b.c)" 403

step "what nodes report, on pages, to who may see it; a node that reports what is none, or too much"
nodes=()
for owner in acme beta; do nodes+=("$(flox auth token create --owner $owner --scope read 2>"$dir/said")"); done
report() {  # STATUS TOKEN NODE BODY
  mapfile -t with < <(json "$4")
  equal "$(ask POST "/api/v1/nodes/$3" -H "Authorization: Bearer $2" "${with[@]}")" "$1"
}
runs() { jq -nc --arg owner "$1" --argjson last "$2" '{valid_seconds: 900, environments: [range(1; $last + 1) | {owner: $owner, name: "web", generation: ., containers: 3}]}'; }
report 200 "${nodes[0]}" node-1 "$(runs acme 2)"
report 200 "${nodes[0]}" node-1 "$(runs acme 256)"  # but it has two generations
report 400 "${nodes[0]}" node-1 "$(runs acme 257)"
report 400 "${nodes[0]}" node-1 '{"valid_seconds":1,"environments":[]}'
report 400 "${nodes[0]}" no%20node "$(runs acme 1)"
report 200 "${nodes[1]}" node-2 "$(runs acme 2)"  # whose environment it may not see
report 403 "$token" node-3 "$(runs acme 1)"
call 200 GET '/api/v1/environments/acme/web/nodes?page_size=1'
equal "$(answer '.items[0] | "\(.node) \(.generation) \(.containers)"')" "node-1 1 3"
call 200 GET "/api/v1/environments/acme/web/nodes?page_size=1&cursor=$(answer .next)"
equal "$(answer '.items[0].generation, .next, .other_nodes' | xargs)" "2 null 0"
equal "$(ask GET /api/v1/environments/acme/web/nodes -H "Authorization: Bearer ${nodes[1]}")" 404
equal "$(ask GET /api/v1/environments/acme/web/nodes)" 403
call 400 GET '/api/v1/environments/acme/web/nodes?cursor=x'
flox auth token revoke "${nodes[0]%_*}" 2>"$dir/said"
call 200 GET /api/v1/environments/acme/web/nodes
equal "$(answer '.items | length')" 0

step "signed metadata"
call 200 GET /api/v1/trust/online-key
call 404 GET /api/v1/trust/acme/root
flox trust init acme --signing-key "$key" >"$dir/fingerprint" 2>"$dir/said"
flox trust publish acme 2>"$dir/said"
for file in root root/1 targets names 'evidence?name=packages/web'; do call 200 GET "/api/v1/trust/acme/$file"; done
call 400 GET /api/v1/trust/acme/root/one
put_root() { call "$1" PUT /api/v1/trust/acme/root -H 'Content-Type: application/json' --data-binary "@$2"; }
put_root 201 "$FLOX_TRUST_DIR/acme/repository/1.root.json"  # the same once more
echo '{}' >"$dir/none"
put_root 400 "$dir/none"

step "attestations"
make_path 1 tool
narinfo key-1 >"$dir/narinfo"
equal "$(put $digest.narinfo "$dir/narinfo")" 201
"$PROJECT/test/security/attest.py" "$dir/key-1" "$path" "$(sha256sum "$dir/nar" | cut -c1-64)" >"$dir/attestation"
attestation() { call "$1" PUT "/api/v1/attestations/$digest" -H 'Content-Type: application/vnd.dsse.envelope.v1+json' --data-binary "@$2"; }
attestation 201 "$dir/attestation"
attestation 200 "$dir/attestation"
attestation 400 "$dir/none"
call 200 GET "/api/v1/attestations/$digest"
call 200 GET "/api/v1/attestations/$digest?key=key-1"
call 404 GET "/api/v1/attestations/$digest?key=key-2"
call_json 200 POST /api/v1/attestations "{\"digests\":[\"$digest\"]}"
call_json 400 POST /api/v1/attestations '{"digests":["x"]}'

step "what an owner has signed: yanked, and removed as its rule has it"
export FLOX_ROOT=$dir/laptop FLOX_OWNER=acme FLOX_SIGNING_PRIVATE_KEY=$dir/key-1 FLOX_TRUSTED_KEYS=$key
for version in 1.0 1.1 1.2; do
  echo "signed $version" >"$dir/content"
  flox publish --store-path "$(flox store add --name "signed-$version" "$dir/content")" --name signed --version $version >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
done
flox yank signed@1.2 --reason 'it loses messages' 2>"$dir/said"
flox yank signed@1.2 --undo 2>"$dir/said"
yank 403 signed 1.2 '{"reason":"nobody has signed this"}'
call_json 200 POST /api/v1/catalog/resolve '{"items":[{"descriptors":[{"attr_path":"signed","systems":["x86_64-linux","aarch64-linux"]}]}]}'
equal "$(answer '.evidence | keys[]')" packages/signed
retention() { call_json "$1" POST "/api/v1/$2/retention" "{\"rule\":$3}"; }
for of in owners/acme catalog; do
  call 200 GET "/api/v1/$of/retention"
  equal "$(answer '[.rule, .default] | @json')" '[null,null]'
done
retention 200 owners/acme '{"versions":1,"generations":0,"days":0}'
retention 200 catalog '{"versions":1,"generations":1,"days":0}'
retention 400 catalog '{"versions":-1,"generations":0,"days":0}'
retention 400 owners/acme '{"versions":1}'
retention 404 owners/nobody null
contains "$(flox catalog retention show acme)" "the newest version, all generations"
tag=$(curl -s -D - -o /dev/null -H "Authorization: Bearer $token" "$url/api/v1/owners/acme/retention" | sed -n 's/^ETag: \(.*\)\r$/\1/p')
call 304 GET /api/v1/owners/acme/retention -H "If-None-Match: $tag"
for path in owners/acme/retention catalog/retention; do equal "$(ask GET "/api/v1/$path")" 403; done
call_json 200 POST /api/v1/owners/acme/retention/apply '{"dry_run":true}'
equal "$(answer '[.to_sign[] | .package, (.build | split("/")[0]), .owner] | join(" ")')" "signed 1.1 acme signed 1.0 acme"
removals() { call_json "$1" POST /api/v1/owners/acme/packages/signed/removals "$2"; }
removals 409 '{"builds":["1.2/x86_64-linux/any"],"name_file":"{}"}'
removals 400 '{"builds":[7],"name_file":""}'
removals 400 '{"builds":[]}'
flox catalog retention apply acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
equal "$(flox show signed --json | jq -r '[.[].version] | join(" ")')" 1.2

step "what the rules of the catalog let go, and the garbage that is left"
call_json 200 POST /api/v1/catalog/retention/apply '{"dry_run":true}'
equal "$(answer '[.dry_run, (.generations | length), (.builds | length), (.to_sign | length)] | @json')" '[true,0,0,0]'
retention 200 owners/acme null
call_json 200 POST /api/v1/catalog/retention/apply '{"dry_run":true}'
equal "$(answer '.generations[] | "\(.environment)@\(.generation)"')" acme/web@1
flox catalog retention apply >"$dir/said"
call 404 GET '/api/v1/environments/acme/web?generation=1'
call_json 400 POST /api/v1/catalog/retention/apply '{"dry_run":1}'
call_json 200 POST /api/v1/catalog/gc '{"dry_run":true}'
equal "$(answer .paths)" 0
[ "$(answer .kept_young_paths)" -gt 0 ] || die "nothing is young: $(cat "$dir/answer")"
flox catalog gc --grace 0 >"$dir/said"
call_json 200 POST /api/v1/catalog/gc '{"dry_run":true,"grace_hours":0}'
equal "$(answer '[.dry_run, .paths, .kept_young_paths] | @json')" '[true,0,0]'
call_json 400 POST /api/v1/catalog/gc '{"dry_run":false,"grace_hours":9000}'
equal "$(ask POST /api/v1/catalog/gc -d '{"dry_run":true}')" 403

step "no answer was another than the document has it, and every operation of it was called"
equal "$(jq -r '.wrong[]' "$dir/report")" ""
jq -r '.paths | to_entries[] | .key as $path | .value | keys[] | ascii_upcase + " " + $path' "$document" | sort >"$dir/operations"
jq -r '.seen | keys[]' "$dir/report" | sort >"$dir/called"
equal "$(comm -23 "$dir/operations" "$dir/called")" ""
# Those whose every answer was a refusal were not really called.
equal "$(jq -r '.seen | to_entries[] | select(.value | all(. >= 400)) | .key' "$dir/report" | grep -v -e 'environments/{owner}$' -e ' None$')" ""

step "a fuzzer finds no answer that the document does not have, and no 5xx"
fuzz() {
  "$venv/bin/schemathesis" run "$catalog_url/api/v1/openapi.json" --phases examples,coverage,fuzzing --max-examples "${FUZZ_EXAMPLES:-$(exhaustive && echo 8 || echo 4)}" --seed 1 \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance \
    --exclude-operation-id putNar --generation-database none --no-color "$@" >"$dir/fuzz.log" 2>&1 || { tail -120 "$dir/fuzz.log" >&2; die "the fuzzer has found something"; }
}
cd "$dir"
# What it answers to who is not signed in is decided before a backend is asked.
if [ "$BACKEND" = local ] || exhaustive; then fuzz; fi
fuzz -H "Authorization: Bearer $token" --exclude-path-regex '^/(api/v1/openapi.json|healthz|metrics)'
equal "$(ask GET /healthz)" 200
