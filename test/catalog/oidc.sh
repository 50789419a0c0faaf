#!/usr/bin/env bash
# Logging in at a real OpenID Connect issuer (oidc-provider), by flox and at the pages, and exchanging workloads' tokens, with the issuer's
# own tokens and with forged ones.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"

packages=$("$PROJECT/script/test-packages" test/catalog/issuer 2>"$dir/why") || { cat "$dir/why" >&2; exit 77; }
operator=$token
export HOME=$dir/home XDG_CONFIG_HOME=
mkdir "$HOME"
unset FLOX_CATALOG_TOKEN FLOX_CATALOG_TOKEN_FILE
node=
end() { stop_catalog; [ -z "$node" ] || kill "$node" 2>/dev/null || true; rm -rf "$dir"; }
trap end EXIT

start_issuer() {
  node "$PROJECT/test/catalog/issuer/issuer.mjs" "$packages" >"$dir/issuer" 2>>"$dir/issuer.log" &
  node=$!
  wait_until 30 "the issuer to listen" grep -q '^http://' "$dir/issuer"
  issuer=$(head -1 "$dir/issuer")
}
start_issuer
catalog_port=$(free_port)
cat >"$dir/rules.toml" <<TOML
[[rule]]
issuer = "$issuer"
audience = "flox-catalog"
subject = "c*"
owner = "acme"
minutes = 5
claims = { client_id = "ci" }
TOML
oidc=(--oidc-issuer "$issuer" --oidc-client-id flox --oidc-rules "$dir/rules.toml")
start_catalog "${oidc[@]}"
export FLOX_CATALOG_URL=$url
operate() { FLOX_CATALOG_TOKEN=$operator flox "$@"; }
push() { ask POST "/api/v1/environments/acme/web" -H "Authorization: Bearer $1" -d '{"manifest":"x","lock":{"lockfile-version":1,"manifest":{},"packages":[]}}'; }
# log_in_as LOGIN: flox auth login, and somebody who opens the page.
log_in_as() {
  rm -f "$dir/login"  # the page of the login before
  flox auth login 2>"$dir/login" &
  local login=$!
  wait_until 30 "the login's page" grep -q '^Open http' "$dir/login"
  python3 "$PROJECT/test/catalog/issuer/approve.py" "$(sed -n 's/^Open \(http[^ ]*\) .*/\1/p' "$dir/login")" "$1"
  wait $login
}
exchange() {
  ask POST /api/v1/auth/exchange -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \
    -d "subject_token_type=urn:ietf:params:oauth:token-type:${2:-jwt}" --data-urlencode "subject_token=$1"
}
jwt_for() { curl -fs "$issuer/token" -u ci:ci-secret -d grant_type=client_credentials -d "resource=urn:$1" -d scope=publish | jq -r .access_token; }

step "a person logs in, and may nothing yet"
log_in_as ada
contains "$(cat "$dir/login")" "as ada@example.com until"
contains "$(flox auth status)" "ada@example.com"
mkdir "$dir/web" && cd "$dir/web"
flox init
refused "this token may not publish for acme" flox push --owner acme

step "the same person logs in with a browser on this machine; the token is theirs alone to read"
flox auth logout 2>/dev/null
printf '#!/bin/sh\nexec python3 "%s" "$1" ada\n' "$PROJECT/test/catalog/issuer/approve.py" >"$dir/browser"
chmod +x "$dir/browser"
BROWSER=$dir/browser flox auth login --browser 2>"$dir/login"
contains "$(cat "$dir/login")" "as ada@example.com until"
contains "$(flox auth status)" "ada@example.com"
equal "$(stat -c %a "$HOME/.config/flox/credentials.json" "$HOME/.config/flox" | paste -sd' ')" "600 700"

step "an admin makes the person a member, who then publishes"
operate owner create acme
operate owner add acme ada@example.com --role publish
flox push --owner acme
contains "$(operate owner members acme)" "publish  ada@example.com"
refused "this token may not manage acme" flox owner add acme eve@example.com --role admin
mine=$(flox auth token create --owner acme --scope publish --days 1 2>/dev/null)
equal "$(push "$mine")" 201

step "when the membership ends, so does what the person's tokens may"
operate owner remove acme ada@example.com
equal "$(push "$mine")" 403
refused "this token may not publish for acme" flox push --owner acme --force

step "whose address the issuer has not verified does not log in"
! log_in_as unverified || die "was logged in"
contains "$(cat "$dir/login")" "has not verified the email address"

step "at the pages: what is private is there for who signs in and may read it"
environment='{"manifest":"x","lock":{"lockfile-version":1,"manifest":{},"packages":[]}}'
operate owner create closed --private
operate owner add closed ada@example.com --role read
equal "$(ask POST /api/v1/environments/closed/web -H "Authorization: Bearer $operator" -d "$environment")" 201
page=/environments/closed/web
html=(-H 'Accept: text/html')
equal "$(ask GET /login)" 404  # there is no --public-url
equal "$(ask GET "$page" "${html[@]}")" 404
! grep -q 'href="/login' "$dir/answer" || die "a login is offered where there is none"
public() { stop_catalog; start_catalog "${oidc[@]}" --public-url "$@"; }
public "http://127.0.0.1:$catalog_port"
equal "$(ask GET "$page" "${html[@]}")" 404
contains "$(cat "$dir/answer")" 'href="/login?to=%2Fenvironments%2Fclosed%2Fweb"'
# sign_in LOGIN: the page comes to $dir/shown, and the session's cookie to $session.
sign_in() {
  python3 "$PROJECT/test/catalog/issuer/approve.py" "$url/login?to=$page" "$1" "$url/" "$dir/cookies" >"$dir/shown"
  session=$(cat "$dir/cookies")
}
sign_in ada
contains "$(cat "$dir/shown")" "closed/web"
contains "$(cat "$dir/shown")" "ada@example.com"
contains "$(cat "$dir/shown")" "Sign out"
equal "$(ask GET "$page" -b "$session" -D "$dir/head")" 200
grep -qi '^cache-control: private, no-cache' "$dir/head" || die "$(cat "$dir/head")"
grep -qi '^vary: authorization, cookie' "$dir/head" || die "$(cat "$dir/head")"
grep -qi "^content-security-policy: default-src 'none'" "$dir/head" || die "$(cat "$dir/head")"
equal "$(ask GET /environments -b "$session")" 200
contains "$(cat "$dir/answer")" "closed/web"
equal "$(ask GET "/login?to=$page" -b "$session" -D "$dir/head")" 303
grep -qi "^location: $page" "$dir/head" || die "who has signed in is sent to the issuer again"

step "the cookie opens the pages and nothing else: the API takes none, and its token only reads"
equal "$(ask GET /api/v1/environments/closed/web -b "$session")" 404
equal "$(ask GET /api/v1/auth/whoami -b "$session")" 403
token_of_session=${session#*=}
equal "$(push "$token_of_session")" 403
equal "$(ask POST /api/v1/auth/tokens -H "Authorization: Bearer $token_of_session" -d '{"owner":"closed","scope":"read"}')" 403
[ "$(($(date -d "$(FLOX_CATALOG_TOKEN=$token_of_session flox auth status --json | jq -r .expires_at)" +%s) - $(date +%s)))" -le 43200 ] || die "the session lasts too long"

step "another site can neither sign somebody out nor in"
equal "$(ask POST /logout -b "$session" -H 'Sec-Fetch-Site: cross-site' -d '')" 403
equal "$(ask POST /logout -b "$session" -H 'Sec-Fetch-Site: same-site' -H "Origin: $url" -d '')" 403
equal "$(ask POST /logout -b "$session" -H 'Origin: https://evil.example' -d '')" 403
equal "$(ask POST /logout -b "$session" -H 'Origin: null' -d '')" 403  # a frame of theirs, without an origin
equal "$(ask GET "$page" -b "$session")" 200
equal "$(ask GET "/login?to=//evil.example/" -D "$dir/head")" 303
grep -qi "^location: $issuer/auth?.*code_challenge_method=S256" "$dir/head" || die "$(cat "$dir/head")"
grep -qi '^set-cookie: flox-session=login\..*; Path=/; Max-Age=600; HttpOnly; SameSite=Lax' "$dir/head" || die "$(cat "$dir/head")"
waiting=$(sed -n 's/^[Ss]et-[Cc]ookie: \([^;]*\);.*/\1/p' "$dir/head")
state=$(sed -n 's/^[Ll]ocation: .*[?&]state=\([^&]*\)&.*/\1/p' "$dir/head")
refused_before=$(metric 'flox_catalog_refused_total{reason="exchange"}')
equal "$(ask GET "/login/callback?code=x&state=$state" "${html[@]}")" 403
equal "$(ask GET "/login/callback?code=x&state=x$state" -b "$waiting" "${html[@]}")" 403
equal "$(ask GET "/login/callback?code=x&iss=http://evil.example&state=$state" -b "$waiting" "${html[@]}")" 403
contains "$(cat "$dir/answer")" "the answer is of another issuer"
equal "$(ask GET "/login/callback?error=access_denied&iss=$issuer&state=$state" -b "$waiting" "${html[@]}")" 403
equal "$(metric 'flox_catalog_refused_total{reason="exchange"}')" $((refused_before + 4))
equal "$(ask GET "/login/callback?code=x&iss=$issuer&state=$state" -b "$waiting" "${html[@]}")" 503  # no code of the issuer's
! grep -q "$state" "$dir/answer" "$dir/log" "$dir/data/audit.log" || die "a state is shown"

step "signing out ends the token, and a copy of the cookie is worth nothing"
# As browsers say it of a form on a page whose Referrer-Policy is no-referrer, which a proxy may add.
equal "$(ask POST /logout -b "$session" -H 'Origin: null' -H 'Sec-Fetch-Site: same-origin' -d '' -D "$dir/head")" 303
grep -qi '^set-cookie: flox-session=; .*Max-Age=0' "$dir/head" || die "$(cat "$dir/head")"
equal "$(ask GET "$page" -b "$session" "${html[@]}")" 404
equal "$(jq -r 'select(.action == "GET /login/callback" and .status == 200) | .who' "$dir/data/audit.log")" ada@example.com
equal "$(jq -r 'select(.action == "POST /logout" and .status == 200) | .who' "$dir/data/audit.log")" ada@example.com
! grep -qF "$token_of_session" "$dir/data/audit.log" "$dir/log" || die "a token stands in a log"
sign_in eve
contains "$(cat "$dir/shown")" "eve@example.com"
! grep -q 'href="/login' "$dir/shown" || die "who has signed in is asked to"
sign_in unverified
contains "$(cat "$dir/shown")" "has not verified the email address"

step "a client of its own, with a secret; over https the cookie is bound to the host, and without it nobody signs in"
(umask 077; echo pages-secret >"$dir/pages-secret")
public "http://127.0.0.1:$catalog_port" --oidc-pages-client-id pages --oidc-pages-client-secret-file "$dir/pages-secret"
sign_in ada
contains "$(cat "$dir/shown")" "Sign out"
public https://catalog.example.com
equal "$(ask GET /login -D "$dir/head")" 303
grep -qi '^set-cookie: __Host-flox-session=login\..*; HttpOnly; SameSite=Lax; Secure' "$dir/head" || die "$(cat "$dir/head")"
grep -q 'redirect_uri=https%3A%2F%2Fcatalog.example.com%2Flogin%2Fcallback' "$dir/head" || die "$(cat "$dir/head")"
# Also behind a proxy that says "Host: 127.0.0.1"; the plain name, which a neighbour can set, counts for nothing there.
waiting=$(sed -n 's/^[Ss]et-[Cc]ookie: [^=]*=\([^;]*\);.*/\1/p' "$dir/head")
state=$(sed -n 's/^[Ll]ocation: .*[?&]state=\([^&]*\)&.*/\1/p' "$dir/head")
equal "$(ask GET "/login/callback?code=x&iss=$issuer&state=$state" -b "__Host-flox-session=$waiting" "${html[@]}")" 503
equal "$(ask GET "/login/callback?code=x&iss=$issuer&state=$state" -b "flox-session=$waiting" "${html[@]}")" 403
public http://catalog.example.com
equal "$(ask GET /login)" 404
stop_catalog
start_catalog "${oidc[@]}"

step "a workload's token is exchanged for minutes, by the rules"
jwt=$(jwt_for flox-catalog)
equal "$(exchange "$jwt")" 200
equal "$(answer '[.token_type, .scope, .owner] | join(" ")')" "Bearer publish acme"
[ "$(answer .expires_in)" -le 300 ] || die "lasts $(answer .expires_in) s"
workload=$(answer .access_token)
equal "$(push "$workload")" 201
equal "$(ask POST /api/v1/auth/tokens -H "Authorization: Bearer $workload" -d '{"owner":"acme","scope":"publish"}')" 403
equal "$(jq -r "select(.token == \"${workload%_*}\" and (.action | contains(\"exchange\"))) | .who" "$dir/data/audit.log")" acme

step "it logs nobody in, and a person's token is no workload's"
equal "$(exchange "$jwt" id_token)" 403

step "forged tokens are refused, logged and counted"
# forge CLAIM=VALUE… : the token with another header or claims, signed by a key of ours; KEY=VALUE with "header." for the header.
openssl genrsa -out "$dir/forger.key" 2048 2>"$dir/openssl.log"
forge() {
  python3 - "$dir/forger.key" "$jwt" "$@" <<'PY'
import base64, json, subprocess, sys
decode = lambda text: json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
forger = sys.argv[1]
header, claims, signature = sys.argv[2].split(".")
header, claims, keep = decode(header), decode(claims), False
for change in sys.argv[3:]:
    key, value = change.split("=", 1)
    if key == "keep":
        keep = True
    elif key.startswith("header."):
        header[key[7:]] = value
    else:
        claims[key] = json.loads(value)
text = encode(json.dumps(header).encode()) + "." + encode(json.dumps(claims).encode())
if header["alg"] == "none":
    print(text + ".")
elif keep:
    print(text + "." + signature)
else:
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", forger], input=text.encode(), check=True, capture_output=True)
    print(text + "." + encode(made.stdout))
PY
}
counted() { metric 'flox_catalog_refused_total{reason="exchange"}'; }
before=$(jq -c 'select(.reason == "exchange")' "$dir/data/audit.log" | wc -l)
counted_before=$(counted)
refuse_exchange() {
  equal "$(exchange "$2")" 403
  contains "$(answer .detail)" "$1"
}
refuse_exchange "signature is not valid" "$(forge)"
refuse_exchange "signature is not valid" "$(forge keep= 'jti="another"')"
refuse_exchange "'alg' is not taken" "$(forge header.alg=none)"
refuse_exchange "'alg' is not taken" "$(forge header.alg=HS256 keep=)"
refuse_exchange "its key is not one of its issuer's" "$(forge header.kid=other)"
refuse_exchange "it has expired" "$(forge exp=1000000000)"
refuse_exchange "it is not valid yet" "$(forge nbf=4000000000 exp=4000000001)"
refuse_exchange "no rule admits" "$(forge 'aud="other"')"
refuse_exchange "no rule admits" "$(forge 'iss="http://127.0.0.1:1"')"
refuse_exchange "no rule admits" "$(forge 'client_id="evil"')"
refuse_exchange "over 16384 bytes" "$(head -c 20000 /dev/zero | tr '\0' a)"
refuse_exchange "the token's claims:1:" "$(forge "deep=$(printf '[%.0s' {1..50})$(printf ']%.0s' {1..50})")"
refuse_exchange "not a signed JSON Web Token" "a.b"
refuse_exchange "no rule admits" "$(jwt_for other)"
counted=$(($(counted) - counted_before))
after=$(jq -c 'select(.reason == "exchange")' "$dir/data/audit.log" | wc -l)
[ $((after - before)) -eq 14 ] && [ "$counted" -eq 14 ] || die "$((after - before)) lines, $counted counted"
! grep -qF "$(cut -d. -f3 <<<"$jwt")" "$dir/data/audit.log" "$dir/log" || die "a token stands in a log"
equal "$(ask POST /api/v1/auth/exchange -d grant_type=password)" 400

step "an issuer that is away: keys that are known go on, a catalog that knows none says so, and serves all the same"
kill $node; wait $node || true
node=
equal "$(exchange "$jwt")" 200
stop_catalog
start_catalog "${oidc[@]}"
equal "$(exchange "$jwt")" 503
equal "$(push "$workload")" 201
equal "$(ask GET /api/v1/environments/acme/web)" 200

step "rules that cannot be meant are refused at the start, with their place"
printf '[[rule]]\nissuer = "http://ci.example.com"\n' >"$dir/bad.toml"
refused "bad.toml:2:" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --oidc-rules "$dir/bad.toml"
refused "only one of --oidc-issuer and --oidc-client-id" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --oidc-issuer "$issuer"
