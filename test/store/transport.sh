#!/usr/bin/env bash
# How caches are reached, each way on a real server (nginx, moto): HTTP/2 over TLS on one connection, passwords from a netrc
# file, bearer tokens that no other server gets to see, a proxy, an S3 bucket with keys from the environment and from a
# profile. And two processes that realise overlapping closures at once fetch each path once.
# prepare: moto-venv
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}  # where moto is installed once for all tests
. "$(dirname "$0")/support.sh"
unset NIX_SSL_CERT_FILE SSL_CERT_FILE CURL_CA_BUNDLE http_proxy https_proxy HTTPS_PROXY no_proxy NO_PROXY
command -v nginx >/dev/null || { echo "needs nginx (package nginx-light)"; exit 77; }
TLS=$(free_port) TOKEN=$(free_port) PASSWORD=$(free_port) OPEN=$(free_port) PROXY=$(free_port) MOTO=$(free_port)

step "a cache of 31 paths"
PUBLISHER=$WORK/publisher CACHE=$WORK/cache
WHOLE=$("$BUILD_DIR/bench/make_closure" "$PUBLISHER" 30)
KEY=$(flox store keygen test-1 --out "$WORK/key")
flox store copy --root "$PUBLISHER" --to "file://$CACHE" --key "$WORK/key" "$WHOLE" >"$WORK/log"
PATHS=$(flox store closure --root "$PUBLISHER" "$WHOLE" | wc -l)
realise() { flox store realise --root "$WORK/$1" --cache "$2" --trusted-key "$KEY" "$WHOLE"; }
# fetched NAME: the closure is in the store $WORK/NAME, which is removed.
fetched() {
  equal "$(sqlite3 "$WORK/$1/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths')" "$PATHS" "valid paths in $1"
  rm -rf "${WORK:?}/$1"
}

step "nginx: TLS, a token, a password, open, a proxy"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -keyout "$WORK/tls.key" -out "$WORK/tls.crt" 2>"$WORK/log" || die "openssl: $(<"$WORK/log")"
echo "reader:$(openssl passwd -apr1 'open sesame')" >"$WORK/passwords"
cat >"$WORK/nginx.conf" <<CONF
daemon off; master_process off; user root; pid $WORK/nginx.pid; error_log $WORK/nginx.err; worker_processes 1;
events { worker_connections 256; }
http {
  log_format asked '\$server_protocol \$connection \$status \$request_method \$request_uri "\$http_authorization"';
  client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  root $CACHE; keepalive_requests 100000;
  server { listen 127.0.0.1:$TLS ssl http2; ssl_certificate $WORK/tls.crt; ssl_certificate_key $WORK/tls.key; access_log $WORK/tls.log asked; }
  server { listen 127.0.0.1:$TOKEN; access_log $WORK/token.log asked; if (\$http_authorization != "Bearer s3cret") { return 401; } }
  server { listen 127.0.0.1:$PASSWORD; access_log $WORK/password.log asked; auth_basic cache; auth_basic_user_file $WORK/passwords; }
  server { listen 127.0.0.1:$OPEN; access_log $WORK/open.log asked; }
  server { listen 127.0.0.1:$PROXY; access_log $WORK/proxy.log asked; location / { proxy_pass http://\$http_host\$request_uri; } }
}
CONF
nginx -c "$WORK/nginx.conf" -e "$WORK/nginx.err" &
STARTED+=($!)
wait_until 10 nginx curl -fs "http://127.0.0.1:$OPEN/nix-cache-info"
: >"$WORK/open.log"

step "HTTP/2"
refused "certificate" realise tls "https://localhost:$TLS"
SSL_CERT_FILE=$WORK/tls.crt realise tls "https://localhost:$TLS" >/dev/null
fetched tls
equal "$(cut -d' ' -f1 "$WORK/tls.log" | sort -u)" HTTP/2.0 "the protocol"
equal "$(cut -d' ' -f2 "$WORK/tls.log" | sort -u | wc -l)" 1 "connections"

step "a password"
refused "answered 401" realise password "http://127.0.0.1:$PASSWORD"
(umask 077 && printf 'machine 127.0.0.1 login reader password "open sesame"\n' >"$WORK/netrc")
NETRC=$WORK/netrc realise password "http://127.0.0.1:$PASSWORD" >/dev/null
fetched password

step "a token, which goes to its cache only"
refused "answered 401" realise token "http://127.0.0.1:$TOKEN"
(umask 077 && echo s3cret >"$WORK/token-file")
realise token "http://127.0.0.1:$TOKEN?token-file=$WORK/token-file" >/dev/null
fetched token
cp -r "$CACHE" "$WORK/elsewhere"
sed -i "s|^URL: |URL: http://127.0.0.1:$OPEN/|" "$CACHE"/*.narinfo
refused "leads to another server" realise token "http://127.0.0.1:$TOKEN?token-file=$WORK/token-file"
rm -rf "${WORK:?}/token"
realise token "http://127.0.0.1:$TOKEN?token-file=$WORK/token-file&nar-url=http://127.0.0.1:$OPEN" >/dev/null
fetched token
equal "$(grep -c ' GET /nar/' "$WORK/open.log")" "$PATHS" "files fetched where the narinfos point"
equal "$(grep -o '"[^"]*"$' "$WORK/open.log" | sort -u)" '"-"' "the authorization there"
cp "$WORK"/elsewhere/*.narinfo "$CACHE/"

step "a proxy"
http_proxy=http://127.0.0.1:$PROXY realise proxied "http://127.0.0.1:$OPEN" >/dev/null
fetched proxied
equal "$(grep -c ' 200 GET .*\.narinfo' "$WORK/proxy.log")" "$PATHS" "narinfos that the proxy was asked for"
: >"$WORK/proxy.log"
http_proxy=http://127.0.0.1:$PROXY no_proxy=127.0.0.1 realise direct "http://127.0.0.1:$OPEN" >/dev/null
fetched direct
equal "$(wc -l <"$WORK/proxy.log")" 0 "what the proxy was asked for in spite of no_proxy"

step "two processes, overlapping closures"
: >"$WORK/open.log"
OTHER=$(flox store closure --root "$PUBLISHER" "$WHOLE" | grep -v "^$WHOLE$" | tail -20)
for paths in "$WHOLE" "$OTHER"; do
  # shellcheck disable=SC2086 # several paths
  flox store realise --root "$WORK/shared" --cache "http://127.0.0.1:$OPEN" --trusted-key "$KEY" $paths >"$WORK/log" &
  realisers+=($!)
done
for realiser in "${realisers[@]}"; do wait "$realiser" || die "a realise failed"; done
clean "$WORK/shared"
fetched shared
equal "$(grep -o 'GET /nar/[^ ]*' "$WORK/open.log" | sort | uniq -d | wc -l)" 0 "files fetched twice"

step "an S3 bucket"
XDG_CACHE_HOME=$TOOLS bash "$PROJECT/test/ticket/moto.sh" start "$MOTO" "$WORK/moto.pid" "$WORK/moto.log"
STARTED+=("$(<"$WORK/moto.pid")")
curl -fs -X PUT "http://127.0.0.1:$MOTO/packages" >/dev/null
BUCKET="s3://packages?endpoint=http://127.0.0.1:$MOTO&region=us-east-1"
AWS_ACCESS_KEY_ID=AKIATEST AWS_SECRET_ACCESS_KEY=secret flox store copy --root "$PUBLISHER" --to "$BUCKET" --key "$WORK/key" "$WHOLE" >"$WORK/log"
contains "$(<"$WORK/log")" "$PATHS paths uploaded"
AWS_ACCESS_KEY_ID=AKIATEST AWS_SECRET_ACCESS_KEY=secret realise bucket "$BUCKET" >/dev/null
fetched bucket
printf '[reader]\naws_access_key_id = AKIATEST\naws_secret_access_key = secret\n' >"$WORK/credentials"
AWS_SHARED_CREDENTIALS_FILE=$WORK/credentials realise bucket "$BUCKET&profile=reader" >/dev/null
fetched bucket
refused "AWS profile writer: it is not in" env AWS_SHARED_CREDENTIALS_FILE="$WORK/credentials" \
  flox store realise --root "$WORK/bucket" --cache "$BUCKET&profile=writer" --trusted-key "$KEY" "$WHOLE"
