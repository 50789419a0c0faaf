#!/usr/bin/env bash
# Where a binary cache may send a node: to files of its own, and by redirects to servers that are no nearer to the node
# than the cache itself is. The addresses are real ones of a private network namespace: a cloud's metadata service, a
# service of the node, a private network, the internet. What a refused place was asked is read from its server's log.
if [ -z "${FLOX_TEST_IN_NETWORK:-}" ]; then
  [ "$(id -u)" = 0 ] || { echo "needs root: it makes a network namespace"; exit 77; }
  unshare --net --mount true 2>/dev/null || { echo "needs the right to make network and mount namespaces"; exit 77; }
  FLOX_TEST_IN_NETWORK=1 exec unshare --net --mount -- "$0" "$@"
fi
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
SERVER=
trap '[ -z "$SERVER" ] || kill "$SERVER" 2>/dev/null; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG FLOX_SIGNING_PRIVATE_KEY NETRC
unset NIX_SSL_CERT_FILE SSL_CERT_FILE CURL_CA_BUNDLE http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
unset "${!AWS_@}"
export HOME=$WORK XDG_CACHE_HOME=$WORK/.cache
contains() { case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac; }
lacks() { case $1 in *"$2"*) die "'$2' is in: $1" ;; esac; }

step "a network with an internet, a private network, a metadata service and a service of the node"
METADATA=169.254.169.254:80 LOCAL=127.0.0.1:8001 PRIVATE=10.9.0.7:8000 PRIVATE2=10.9.0.8:8000
CACHE=203.0.113.7:8000 CDN=203.0.113.8:8000 SECURE=203.0.113.7:8443
ip link set lo up
for address in 169.254.169.254 10.9.0.7 10.9.0.8 203.0.113.7 203.0.113.8; do ip addr add $address/32 dev lo; done
ip -6 addr add fe80::7/64 dev lo nodad 2>/dev/null || true
printf '%s\n' "127.0.0.1 localhost" "169.254.169.254 rebound.test" "127.0.0.1 rebound-local.test" "10.9.0.7 private.test" \
  "203.0.113.8 cdn.test" >"$WORK/hosts"
mount --make-rprivate /
mount --bind "$WORK/hosts" /etc/hosts

step "a cache of one path"
mkdir -p "$WORK/site" && echo "the site" >"$WORK/site/index.html"
SITE=$(flox store add --root "$WORK/publisher" "$WORK/site" --name site)
KEY=$(flox store keygen test-1 --out "$WORK/key")
WWW=$WORK/www
flox store copy --root "$WORK/publisher" --to "file://$WWW" --key "$WORK/key" "$SITE" >/dev/null
NARINFO=$(basename "$WWW"/*.narinfo)
NAR=$(sed -n 's/^URL: //p' "$WWW/$NARINFO")
cp "$WWW/$NARINFO" "$WORK/narinfo"
mkdir -p "$WWW/latest/meta-data" && echo "ami-s3cret" >"$WWW/latest/meta-data/iam"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=cache -addext subjectAltName=IP:203.0.113.7 \
  -keyout "$WWW/tls.key" -out "$WWW/tls.crt" 2>"$WORK/log" || die "openssl: $(<"$WORK/log")"
python3 "$PROJECT/test/security/http_server.py" "$WWW" $METADATA $LOCAL $PRIVATE $PRIVATE2 $CACHE $CDN $SECURE,tls 2>"$WORK/server.log" &
SERVER=$!
for ((i = 0; i < 600; i++)); do [ ! -e "$WWW/ready" ] || break; sleep 0.1; done
[ -e "$WWW/ready" ] || die "the servers did not start: $(<"$WORK/server.log")"

# realise URL OPTION…: the path from this cache, into a fresh store; the output is in $OUTPUT.
realise() {
  rm -rf "${WORK:?}/node" "$WORK/.cache"
  OUTPUT=$(flox store realise --root "$WORK/node" --cache "$1" --trusted-key "$KEY" "$SITE" 2>&1)
}
works() {
  realise "$@" || die "$1: $OUTPUT"
  [ -e "$WORK/node$SITE/index.html" ] || die "$1: the path is not there"
}
# refused URL TEXT: fails, says TEXT and none of what the servers hold.
refused() {
  : >"$WWW/requests.log"
  ! realise "$1" || die "$1 should have been refused: $(cat "$WWW/rules.json" "$WWW/$NARINFO")"
  contains "$OUTPUT" "$2"
  lacks "$OUTPUT" s3cret
}
asked() { jq -r 'select(.server == "'"$1"'") | .path' "$WWW/requests.log" 2>/dev/null || true; }
# unasked SERVER…: no request has reached them.
unasked() {
  local server
  for server; do [ -z "$(asked "$server")" ] || die "$server was asked for: $(asked "$server")"; done
}
narinfo_url() { sed "s|^URL: .*|URL: $1|" "$WORK/narinfo" >"$WWW/$NARINFO"; }
rules() { printf '%s\n' "$1" >"$WWW/rules.json"; }
# redirect TARGET: the cache's own NAR file is said to be there.
redirect() { rules '{"'$CACHE' /'"$NAR"'": {"status": 302, "headers": {"Location": "'"$1"'"}}}'; }
rules '{}'

step "a cache works, by address and by name"
works "http://$CACHE"
works "http://cdn.test:8000"
works "http://$LOCAL"
works "http://$PRIVATE"

step "a narinfo names a file of its cache: no other server, no other path, no file"
for url in "http://$METADATA/latest/meta-data/iam" "http://$LOCAL/$NAR" "http://$PRIVATE/$NAR" "http://$CDN/$NAR" \
  "//$LOCAL/$NAR" "/$NAR" "http://$CACHE@$LOCAL/$NAR" "file://$WWW/$NAR" "../$NAR" "nar/../latest/meta-data/iam" \
  "nar/%2e%2e/latest/meta-data/iam" "nar/%252e%252e/latest/meta-data/iam" "nar/..%2flatest/meta-data/iam" \
  'nar/\\..\\latest' "nar/x y" "nar/%0d%0aX-Header:%20x" "$NAR#x" "http://2852039166/latest/meta-data/iam" \
  "https://$CACHE/$NAR" "HTTP://$CDN/$NAR" "gopher://$LOCAL/x"; do
  narinfo_url "$url"
  refused "http://$CACHE" "narinfo: URL: "
  unasked $METADATA $LOCAL $PRIVATE $CDN
  [ -z "$(asked $CACHE | grep -v -e nix-cache-info -e narinfo)" ] || die "$url: the cache was asked for $(asked $CACHE)"
done
narinfo_url "http://$METADATA/latest/meta-data/iam"
refused "file://$WWW" "narinfo: URL: "
unasked $METADATA
narinfo_url "../www/$NAR"
refused "file://$WWW" "narinfo: URL: "
ln -s "$WWW/latest/meta-data/iam" "$WWW/link.nar.zst"
narinfo_url "link.nar.zst"
refused "file://$WWW" "link"

step "an absolute URL of the same server, a query, and a server that the cache's URL names, are fine"
narinfo_url "http://$CACHE/$NAR"
works "http://$CACHE"
narinfo_url "$NAR?hash=1"
works "http://$CACHE"
narinfo_url "http://$CDN/$NAR"
works "http://$CACHE?nar-url=http://$CDN/nar"
narinfo_url "$NAR"

step "a redirect leads nowhere nearer than the cache is: nothing is sent there"
for target in "http://$METADATA/latest/meta-data/iam" "http://0251.0376.0251.0376/x" "http://[::ffff:169.254.169.254]/x" \
  "http://$LOCAL/$NAR" "http://localhost:8001/$NAR" "http://127.1:8001/$NAR" "http://[::ffff:127.0.0.1]:8001/$NAR" \
  "http://0.0.0.0:8001/$NAR" "http://$PRIVATE/$NAR" "http://[::ffff:10.9.0.7]:8000/$NAR"; do
  redirect "$target"
  refused "http://$CACHE" "may not lead"
  unasked $METADATA $LOCAL $PRIVATE
done

step "nor does one to a name, whatever it resolves to by then"
for target in "http://rebound.test/latest/meta-data/iam" "http://rebound-local.test:8001/$NAR" "http://private.test:8000/$NAR"; do
  redirect "$target"
  refused "http://$CACHE" "may not lead"
  unasked $METADATA $LOCAL $PRIVATE
done
rules '{}'
refused "http://rebound.test" "link-local"
unasked $METADATA

step "from a private network to a private network, from anywhere to the internet, is allowed"
rules '{"'$PRIVATE' /'"$NAR"'": {"status": 307, "headers": {"Location": "http://'$PRIVATE2/"$NAR"'"}}}'
works "http://$PRIVATE"
works "http://private.test:8000"
rules '{"'$PRIVATE' /'"$NAR"'": {"status": 307, "headers": {"Location": "http://'$LOCAL/"$NAR"'"}}}'
refused "http://$PRIVATE" "may not lead"
unasked $LOCAL
redirect "http://cdn.test:8000/$NAR"
works "http://$CACHE"

step "a loop, a login and a step down from TLS end it"
redirect "http://$CACHE/$NAR"
refused "http://$CACHE" "redirects more than 5 times"
redirect "http://me:x@$CDN/$NAR"
refused "http://$CACHE" "with a user or password"
unasked $CDN
rules '{"'$SECURE' /'"$NAR"'": {"status": 302, "headers": {"Location": "http://'$CDN/"$NAR"'"}}}'
export SSL_CERT_FILE=$WWW/tls.crt
refused "https://$SECURE" "from https to http"
unasked $CDN
rules '{}'
works "https://$SECURE"
unset SSL_CERT_FILE

step "no secret of one server reaches another"
redirect "http://$CDN/$NAR"
(umask 077 && echo tok-s3cret >"$WORK/token" && printf 'machine 203.0.113.7 login me password net-s3cret\nmachine 203.0.113.8 login me password other-s3cret\n' >"$WORK/netrc")
seen() { jq -r 'select(.server == "'"$1"'") | .headers | to_entries[] | .key + "=" + .value' "$WWW/requests.log"; }
: >"$WWW/requests.log"
works "http://$CACHE?token-file=$WORK/token"
contains "$(seen $CACHE)" "authorization=Bearer tok-s3cret"
lacks "$(seen $CDN)" authorization
: >"$WWW/requests.log"
NETRC=$WORK/netrc works "http://$CACHE"
contains "$(seen $CACHE)" "authorization=Basic "
lacks "$(seen $CDN)" authorization
: >"$WWW/requests.log"
works "http://me:url-s3cret@$CACHE"
contains "$(seen $CACHE)" "authorization=Basic "
lacks "$(seen $CDN)" authorization
mkdir -p "$WWW/bucket" && cp -r "$WWW"/nar "$WWW"/*.narinfo "$WWW/nix-cache-info" "$WWW/bucket/"
rules '{"'$CACHE' /bucket/'"$NAR"'": {"status": 302, "headers": {"Location": "http://'$CDN/"$NAR"'"}}}'
: >"$WWW/requests.log"
export AWS_ACCESS_KEY_ID=AKIATEST AWS_SECRET_ACCESS_KEY=key-s3cret AWS_SESSION_TOKEN=session-s3cret
works "s3://bucket?endpoint=http://$CACHE&region=us-east-1"
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN
contains "$(seen $CACHE)" "x-amz-security-token=session-s3cret"
lacks "$(seen $CDN)" x-amz
lacks "$(seen $CDN)" s3cret

step "what a server says about a failure is not repeated"
rules '{" /'"$NAR"'": {"status": 400, "body": "ami-s3cret"}}'
refused "http://$CACHE" "answered 400"
redirect "http://$CDN/problem"
rules '{"'$CACHE' /'"$NAR"'": {"status": 302, "headers": {"Location": "http://'$CDN/problem'"}}, "'$CDN' /problem":
  {"status": 400, "headers": {"Content-Type": "application/problem+json"}, "body": "{\"detail\": \"ami-s3cret\"}"}}'
refused "http://$CACHE" "answered 400"
rules '{" /'"$NAR"'": {"status": 400, "headers": {"Content-Type": "application/problem+json"}, "body": "{\"detail\": \"no \\u001b[31mroom\"}"}}'
refused "http://$CACHE" "answered 400: no "
lacks "$OUTPUT" $'\033'

step "a cache's login is in no message"
rules '{" /'"$NARINFO"'": {"status": 401}, " /nix-cache-info": {"status": 401}}'
refused "http://me:url-s3cret@$CACHE" "http://$CACHE"
refused "http://me:url-s3cret@$CACHE/a?odd=1" "not a setting"
refused "http://me:url-s3cret@203.0.113.7:1" "203.0.113.7:1"

step "small files are small, and headers end"
rules '{" /nix-cache-info": {"body": "StoreDir: /nix/store\n", "repeat": 100000}}'
refused "http://$CACHE" "larger than 4096 bytes"
rules '{" /'"$NARINFO"'": {"body": "Sig: x:y\n", "repeat": 100000}}'
refused "http://$CACHE" "larger than 262144 bytes"
rules '{" /'"$NAR"'": {"body": "xxxxxxxxxx", "repeat": 1000000}}'
refused "http://$CACHE" "larger than"
rules '{" /'"$NARINFO"'": {"endless": true}}'
refused "http://$CACHE" "headers are too many"
rules '{" /'"$NARINFO"'": {"status": 500, "body": "x", "repeat": 5000000}, " /nix-cache-info": {"status": 400, "body": "x", "repeat": 5000000}}'
refused "http://$CACHE" "answered 400"
