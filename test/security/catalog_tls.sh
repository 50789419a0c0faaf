#!/usr/bin/env bash
# The catalog over TLS: the client that knows the authority gets in, the old protocols do not; a new certificate is taken
# at SIGHUP without a dropped connection; one that is of no use is not taken.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"
unset NIX_SSL_CERT_FILE http_proxy https_proxy HTTPS_PROXY
certificate() {  # NAME
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" -addext subjectAltName=IP:127.0.0.1,DNS:localhost \
    -keyout "$dir/$1.key" -out "$dir/$1.crt" 2>"$dir/openssl.log" || die "openssl: $(<"$dir/openssl.log")"
  chmod 600 "$dir/$1.key"
}
certificate first
certificate second
cp "$dir/first.crt" "$dir/tls.crt"
cp -p "$dir/first.key" "$dir/tls.key"
start_catalog --tls-cert "$dir/tls.crt" --tls-key "$dir/tls.key" --trusted-key "$(make_key key-1)"
contains "$(cat "$dir/log")" "listening on https://"
port=$(cat "$dir/port")
url=https://127.0.0.1:$port
export CURL_CA_BUNDLE=$dir/first.crt SSL_CERT_FILE=$dir/first.crt

step "curl and flox are served, uploads too"
equal "$(ask GET /healthz)" 200
make_path 0
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
curl -fs "$url/cache/$nar" | cmp - "$dir/nar"
equal "$(record web "$(build 1.0)")" 201
contains "$(HOME=$dir FLOX_CATALOG_URL=$url flox show web)" "(the catalog says key-1)"
head -c 8M /dev/urandom >"$dir/large"
large=nar/$(base32_hash "$dir/large").nar
equal "$(put "$large" "$dir/large")" 201
curl -fs "$url/cache/$large" | cmp - "$dir/large"
# A client that reads slowly fills the socket in the middle of a record; its connection goes on. Others do not wait for it, and one that
# goes away harms nobody.
curl -fs --limit-rate 4M -o "$dir/slow" "$url/cache/$large" -o "$dir/then" "$url/cache/$nar" &
slow=$!
curl -s -m 0.3 --limit-rate 100k -o "$dir/gone" "$url/cache/$large" && die "nobody went away"
curl -fs --tls-max 1.2 "$url/cache/$large" | cmp - "$dir/large"
wait $slow
cmp "$dir/slow" "$dir/large"
cmp "$dir/then" "$dir/nar"
equal "$(curl -s -o "$dir/answer" -w '%{http_code}' -X PUT --data-binary "@$dir/large" "$url/cache/$large")" 403

step "who does not know the authority, speaks an old protocol or no TLS, gets nothing"
(CURL_CA_BUNDLE=$dir/second.crt curl -s "$url/healthz") && die "a certificate of another authority was taken"
(SSL_CERT_FILE=$dir/second.crt HOME=$dir FLOX_CATALOG_URL=$url flox show web) >/dev/null 2>&1 && die "flox took a certificate of another authority"
curl -s --tls-max 1.1 "$url/healthz" && die "TLS 1.1 was spoken"
curl -s --tls-max 1.2 --ciphers AES128-SHA "$url/healthz" && die "a cipher without forward secrecy was taken"
equal "$(curl -fs --tls-max 1.2 "$url/healthz")" ok
curl -s -m 20 "http://127.0.0.1:$port/healthz" && die "plain HTTP was answered"

# A connection that stays open: asks once, then again when told.
python3 - "$port" "$dir/first.crt" "$dir/asked" "$dir/again" <<'PY' >"$dir/kept" &
import os, socket, ssl, sys, time
port, authority, asked, again = sys.argv[1:]
context = ssl.create_default_context(cafile=authority)
connection = context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname="127.0.0.1")
def ask():
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    return b"200 OK" in connection.recv(4096)
first = ask()
open(asked, "w").close()
end = time.time() + 40
while not os.path.exists(again) and time.time() < end:
    time.sleep(0.05)
print(first, ask())
PY
kept=$!
wait_until 20 "the catalog" test -e "$dir/asked"

step "a pair of no use is not taken, and the log says why"
cp "$dir/second.crt" "$dir/tls.crt"
kill -HUP $catalog
wait_until 20 "the refusal" grep -q "the old TLS certificate stays in use" "$dir/log"
contains "$(cat "$dir/log")" "key values mismatch"
equal "$(ask GET /healthz)" 200
cp "$dir/second.key" "$dir/tls.key"
chmod 644 "$dir/tls.key"
kill -HUP $catalog
wait_until 20 "the catalog" grep -q "chmod 600" "$dir/log"
equal "$(ask GET /healthz)" 200

step "a good pair is taken for new connections; the old ones go on"
chmod 600 "$dir/tls.key"
kill -HUP $catalog
wait_until 20 "the catalog" grep -q "were read again" "$dir/log"
equal "$(CURL_CA_BUNDLE=$dir/second.crt curl -fs "$url/healthz")" ok
curl -s "$url/healthz" && die "the old certificate is still shown"
touch "$dir/again"
wait $kept
equal "$(cat "$dir/kept")" "True True"

step "a pair that was renewed is taken without a signal, too"
cp "$dir/first.crt" "$dir/tls.crt"
cp -p "$dir/first.key" "$dir/tls.key"
wait_until 20 "the catalog" curl -fs "$url/healthz"
CURL_CA_BUNDLE=$dir/second.crt curl -s "$url/healthz" && die "the old certificate is still shown"
cp "$dir/second.crt" "$dir/tls.crt"
cp -p "$dir/second.key" "$dir/tls.key"
wait_until 20 "the catalog" env CURL_CA_BUNDLE="$dir/second.crt" curl -fs "$url/healthz"

step "handshakes that never end do not keep others out"
python3 - "$port" 3<"$dir/log" <<'PY' >"$dir/held" &
import socket, sys, time
held = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(300)]
for one in held[::2]:
    one.sendall(b"\x16\x03\x01")
print("held", flush=True)
end = time.time() + 60
for one in held:  # each is closed by the server
    one.settimeout(max(0.1, end - time.time()))
    try:
        assert one.recv(100) == b"" or True
    except (ConnectionResetError, OSError) as error:
        assert not isinstance(error, TimeoutError), "a handshake has no deadline"
print("closed", flush=True)
PY
handshakes=$!
wait_until 20 "the connections" grep -q held "$dir/held"
equal "$(CURL_CA_BUNDLE=$dir/second.crt curl -fs "$url/healthz")" ok
wait $handshakes || die "a handshake has no deadline"

step "options that do not go together are refused"
refused "only one of --tls-cert and --tls-key" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --tls-cert "$dir/tls.crt"
refused "key values mismatch" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --tls-cert "$dir/first.crt" --tls-key "$dir/second.key"
chmod 640 "$dir/second.key"
refused "chmod 600" flox-catalog --listen 127.0.0.1:0 --data "$dir/other" --tls-cert "$dir/second.crt" --tls-key "$dir/second.key"
