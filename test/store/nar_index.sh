#!/usr/bin/env bash
# NARs in frames: a reader in another language that was written from the format's page reads them and their index; Nix and zstd
# take them for ordinary files; flox store index gives a mirror of others' NARs the same; a node that has another version fetches
# only what changed.
. "$(dirname "$0")/support.sh"
for program in zstd openssl python3 xz; do command -v $program >/dev/null || { echo "needs $program"; exit 77; }; done
export WORK
KEY=$(flox store keygen frames-1 --out "$WORK/key")
CACHE=$WORK/cache
digest() { basename "$1" | cut -c 1-32; }

# Three files that do not compress, of 3 MB each, many small ones, a link.
mkdir -p "$WORK/tree/bin" "$WORK/tree/share/doc/empty"
for name in one two three; do openssl enc -aes-128-ctr -K "$(printf '%032x' $((RANDOM + 1)))" -iv 0 -in /dev/zero 2>/dev/null | head -c 3000000 >"$WORK/tree/bin/$name" || true; done
chmod +x "$WORK/tree/bin/one"
for i in $(seq 200); do echo "text $i $RANDOM" >"$WORK/tree/share/doc/$i"; done
: >"$WORK/tree/share/nothing"
ln -s ../bin/one "$WORK/tree/share/link"
FIRST=$(flox --root "$WORK/publisher" store add --name tool-1.0 "$WORK/tree")
printf 'changed in the middle' | dd of="$WORK/tree/bin/two" bs=1 seek=1500000 conv=notrunc status=none
echo new >"$WORK/tree/share/new"
SECOND=$(flox --root "$WORK/publisher" store add --name tool-1.1 "$WORK/tree")
flox --root "$WORK/publisher" store copy --to "file://$CACHE" --key "$WORK/key" "$FIRST" "$SECOND"

step "a reader that was written from the page alone"
read -r frames files chunks < <(python3 "$PROJECT/test/store/nar_index.py" "$CACHE" "$(digest "$SECOND")" "$KEY" "$WORK/tree")
[ "$frames" -ge 5 ] && [ "$files" -eq 205 ] && [ "$chunks" -ge 240 ] || die "$frames frames, $files files, $chunks chunks"

step "zstd and Nix read it as an ordinary file"
url=$(sed -n 's/^URL: //p' "$CACHE/$(digest "$SECOND").narinfo")
zstd -qdc "$CACHE/$url" | cmp - <(nix-store --dump "$WORK/tree") || die "zstd unpacks something else"
nix copy --from "file://$CACHE" --to "$WORK/nix-node" --option trusted-public-keys "$KEY" "$SECOND" || die "Nix does not take it"
clean "$WORK/nix-node"

# A server with ranges, which notes what it is asked.
cat >"$WORK/server.py" <<'PYTHON'
import http.server, os, re, sys
root, port_file, log = sys.argv[1:]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path = os.path.join(root, self.path.lstrip("/"))
        if not os.path.isfile(path):
            self.send_response(404); self.send_header("Content-Length", "0"); self.end_headers(); return
        data, status = open(path, "rb").read(), 200
        range_ = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        size = len(data)
        if range_:
            first, last = int(range_[1]), min(int(range_[2]), size - 1)
            data, status = data[first:last + 1], 206
        with open(log, "a") as out: out.write(f"{status} {len(data)} {self.path}\n")
        self.send_response(status)
        if range_: self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(len(data))); self.end_headers(); self.wfile.write(data)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(port_file + ".new", "w").write(str(server.server_port)); os.rename(port_file + ".new", port_file)
server.serve_forever()
PYTHON
python3 "$WORK/server.py" "$CACHE" "$WORK/port" "$WORK/asked" &
STARTED+=($!)
wait_until 10 "the server" test -s "$WORK/port"
export FLOX_CACHES=http://127.0.0.1:$(<"$WORK/port") FLOX_TRUSTED_KEYS=$KEY

step "a node that has the version before fetches what changed"
flox --root "$WORK/node" store realise "$FIRST" >/dev/null
: >"$WORK/asked"
flox --root "$WORK/node" store realise "$SECOND" >/dev/null
clean "$WORK/node"
moved=$(awk '$3 ~ /nar/ { bytes += $2 } END { print bytes }' "$WORK/asked")
whole=$(stat -c %s "$CACHE/$url")
[ "$moved" -lt $((whole / 3)) ] || { cat "$WORK/asked"; die "$moved of $whole bytes were moved"; }
[ "$(grep -c '^206' "$WORK/asked")" -le 3 ] || { cat "$WORK/asked"; die "too many requests"; }
if grep -q '^200.*\.nar\.zst$' "$WORK/asked"; then die "the whole was fetched, too"; fi

step "a mirror of NARs that others have compressed gets indexes, and keeps the signatures of the paths"
MIRROR=$WORK/mirror
flox --root "$WORK/publisher" store copy --to "file://$MIRROR" --key "$WORK/key" --compression xz --level 1 "$FIRST" "$SECOND"
before=$(grep '^Sig: ' "$MIRROR/$(digest "$SECOND").narinfo")
OWN=$(flox store keygen mirror-1 --out "$WORK/mirror-key")
contains "$(flox store index "file://$MIRROR" --key "$WORK/mirror-key")" "2 paths indexed"
equal "$(grep '^Sig: ' "$MIRROR/$(digest "$SECOND").narinfo")" "$before" "the path's signature"
python3 "$PROJECT/test/store/nar_index.py" "$MIRROR" "$(digest "$SECOND")" "$OWN" "$WORK/tree" >/dev/null
contains "$(flox store index "file://$MIRROR" --key "$WORK/mirror-key")" "0 paths indexed"
nix copy --from "file://$MIRROR" --to "$WORK/nix-node-2" --option trusted-public-keys "$KEY" "$SECOND" || die "Nix does not take it"
refused "cannot be listed" flox store index "$FLOX_CACHES" --key "$WORK/mirror-key"
echo passed
