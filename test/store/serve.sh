#!/usr/bin/env bash
# flox store serve as others see it: parts of NARs for curl, transfers that break off in the middle and go on where they
# stopped, for us and for Nix, and NARs that are compressed while they are sent.
. "$(dirname "$0")/support.sh"
ROOT=$WORK/store
unset http_proxy

# serve NAME ARGUMENT…: serves the store; its URL is in $URL then.
serve() {
  local port=$WORK/port-$1
  flox --root "$ROOT" store serve --listen 127.0.0.1:0 --port-file "$port" --key "$WORK/key" "${@:2}" >"$WORK/log-$1" &
  STARTED+=($!)
  wait_until 10 "the server $1" test -s "$port"
  URL=http://127.0.0.1:$(<"$port")
}

# relay NAME URL: passes on what the server says, but breaks off the first NAR after 1 MB; notes what it is asked. Its URL is
# in $RELAY then.
relay() {
  python3 - "${2##*:}" "$WORK/port-$1" "$WORK/asked-$1" <<'PYTHON' &
import os, socket, sys, threading
server, port_file, asked = int(sys.argv[1]), sys.argv[2], sys.argv[3]
broken = threading.Event()

def connection(client):
    upstream = socket.create_connection(("127.0.0.1", server))
    nar = threading.Event()

    def requests():
        while data := client.recv(65536):
            with open(asked, "ab") as log:
                log.write(data)
            if b"GET /nar/" in data:
                nar.set()
            upstream.sendall(data)
    threading.Thread(target=requests, daemon=True).start()
    passed = 0
    while data := upstream.recv(65536):
        client.sendall(data)
        passed += len(data)
        if nar.is_set() and passed > 1_000_000 and not broken.is_set():
            broken.set()
            break
    for end in client, upstream:
        end.shutdown(socket.SHUT_RDWR)
        end.close()

listening = socket.create_server(("127.0.0.1", 0))
with open(port_file + ".new", "w") as file:
    file.write(str(listening.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=connection, args=(listening.accept()[0],), daemon=True).start()
PYTHON
  STARTED+=($!)
  wait_until 10 "the relay $1" test -s "$WORK/port-$1"
  RELAY=http://127.0.0.1:$(<"$WORK/port-$1")
}

step "a path of 3 MB"
make_trees 1 3000000
KEY=$(flox store keygen serve-1 --out "$WORK/key")
DATA=$(flox --root "$ROOT" store add "$WORK/trees/1")
serve plain
NAR=$URL/$(curl -fs "$URL/$(basename "$DATA" | cut -c1-32).narinfo" | sed -n 's/^URL: //p')

step "parts of a NAR"
curl -fs "$NAR" -o "$WORK/whole"
equal "$(sha256sum <"$WORK/whole" | cut -d' ' -f1)" "$(nix-store --store "$ROOT" --dump "$ROOT$DATA" | sha256sum | cut -d' ' -f1)" "the NAR"
equal "$(curl -fs -r 1000000-1999999 "$NAR" | sha256sum)" "$(tail -c +1000001 "$WORK/whole" | head -c 1000000 | sha256sum)" "the middle"
equal "$(curl -fs -r -1000 "$NAR" | sha256sum)" "$(tail -c 1000 "$WORK/whole" | sha256sum)" "the end"
head -c 1234567 "$WORK/whole" >"$WORK/part"
curl -fs -C - -o "$WORK/part" "$NAR"
cmp "$WORK/part" "$WORK/whole" || die "what curl has gone on with differs"
status() { curl -s -o /dev/null -w '%{http_code}' "$@" "$NAR"; }
equal "$(status -r 5-10)" 206 "a part"
equal "$(status -r 99999999-)" 416 "beyond the end"
equal "$(status -r 5-10 -H 'If-Range: "another"')" 200 "a part of another NAR"
etag=$(curl -fsI "$NAR" | tr -d '\r' | sed -n 's/^ETag: //p')
equal "$(status -r 5-10 -H "If-Range: $etag")" 206 "a part of this NAR"

step "a transfer that breaks off goes on where it stopped"
relay ours "$URL"
flox --root "$WORK/node" store realise --cache "$RELAY" --trusted-key "$KEY" "$DATA" >/dev/null
clean "$WORK/node"
grep -q '^Range: bytes=[1-9]' "$WORK/asked-ours" || die "we asked for everything again"
relay nix "$URL"
nix copy --from "$RELAY" --to "$WORK/nix-node" --option trusted-public-keys "$KEY" "$DATA" 2>"$WORK/log" || die "Nix: $(<"$WORK/log")"
clean "$WORK/nix-node"
grep -q '^Range: bytes=[1-9]' "$WORK/asked-nix" || die "Nix asked for everything again"

step "compressed while it is sent"
refused "compression" flox --root "$ROOT" store serve --listen 127.0.0.1:0 --compression rar
serve compressed --compression zstd
narinfo=$(curl -fs "$URL/$(basename "$DATA" | cut -c1-32).narinfo")
contains "$narinfo" "Compression: zstd"
case $narinfo in *File*) die "the narinfo says what nobody knows: $narinfo" ;; esac
NAR=$URL/$(sed -n 's/^URL: //p' <<<"$narinfo")
equal "$(curl -fs "$NAR" | zstd -qdc | sha256sum)" "$(sha256sum <"$WORK/whole")" "the NAR, decompressed"
equal "$(curl -fs --http1.0 "$NAR" | zstd -qdc | sha256sum)" "$(sha256sum <"$WORK/whole")" "the same over HTTP/1.0"
equal "$(status -r 5-10)" 200 "a part"
flox --root "$WORK/node2" store realise --cache "$URL" --trusted-key "$KEY" "$DATA" >/dev/null
clean "$WORK/node2"
nix copy --from "$URL" --to "$WORK/nix-node2" --option trusted-public-keys "$KEY" "$DATA" || die "Nix cannot copy from us"
clean "$WORK/nix-node2"
