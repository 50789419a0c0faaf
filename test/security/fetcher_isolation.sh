#!/usr/bin/env bash
# Whoever takes a fetcher over is in a cell: no file of the host, no process, no socket, no program, no namespace is in
# reach, and nothing of the store can be written. A fetcher that dies in the middle is an error that says so; what it
# had done is not lost; one that never reads, or never stops, is ended in time. Caches that answer without end, too much or too deep are refused.
. "$(dirname "$0")/../../script/lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: what it tries, only root could do"; exit 77; }
[ "${1:-}" = inside ] || exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" inside
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
STARTED=()
trap '{ [ ${#STARTED[@]} = 0 ] || kill -KILL "${STARTED[@]}" && wait "${STARTED[@]}"; } 2>/dev/null || true; umount "$WORK"/probed/nix/var/nix/flox/scratch/* 2>/dev/null || true; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY
export HOME=$WORK
contains() { case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac; }
PROBE=$BUILD_DIR/unit/fetcher_probe
[ -x "$PROBE" ] || { echo "needs $PROBE"; exit 77; }

step "what one can do in a fetcher's place"
mount -t tmpfs flox-test /etc/cron.d 2>/dev/null || true  # if the cell leaks, the machine stays as it is
echo secret >"$WORK/secret"
chmod 600 "$WORK/secret"
python3 - "$WORK/node.sock" <<'PY' &
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(16)
while True:
    server.accept()
PY
STARTED+=($!)
wait_until 30 "the socket" test -S "$WORK/node.sock"
"$PROBE" "$WORK/probed" "$WORK/secret" "$WORK/node.sock" >"$WORK/tried" 2>"$WORK/errors" || {
  awk -F '\t' '($2 == "done") != ($1 ~ /^honest-/)' "$WORK/tried" >&2
  cat "$WORK/errors" >&2
  die "a fetcher can do what it must not, or cannot do what it must"
}
[ "$(wc -l <"$WORK/tried")" -gt 50 ] || die "too little was tried"
[ "$(cat "$WORK/secret")" = secret ] || die "the secret changed"
! grep -q forged "$WORK/errors" || die "a fetcher writes lines into the log of who started it"

for how in deaf chatty; do
  step "one that is $how: it asks or tells for ever"
  "$PROBE" "--$how" >"$WORK/$how" 2>&1 &
  STARTED+=($!)
  wait_until 60 "the end of serving it" test -s "$WORK/$how"
  contains "$(cat "$WORK/$how")" "in the time that it was given"
done

step "the same attempts succeed outside of the cell"
FLOX_PROBE_UNCONFINED=1 "$PROBE" "$WORK/probed" "$WORK/secret" "$WORK/node.sock" >"$WORK/free" 2>/dev/null || true
for name in read-shadow read-database read-parents-memory write-beside-secret write-store rename-into-store write-staging \
  signal-parent fork user-namespace mount unix-socket datagram-pair-connected-anew serve-tcp follow-own-link-out connect-to-another-port \
  connect-to-another-port-by-mptcp connect-to-another-port-by-fast-open connect-to-another-port-by-fast-open-of-many; do
  grep -qP "^$name\tdone" "$WORK/free" || die "the attempt proves nothing: $(grep "^$name" "$WORK/free")"
done

step "a closure of two paths, at a cache that stops in the middle of the larger one"
PUBLISHER=$WORK/publisher NODE=$WORK/node
mkdir -p "$WORK/small" "$WORK/large" "$WORK/whole"
echo small >"$WORK/small/file"
head -c 20000000 /dev/urandom >"$WORK/large/file"
SMALL=$(flox store add "$WORK/small" --root "$PUBLISHER")
LARGE=$(flox store add "$WORK/large" --root "$PUBLISHER")
echo "$SMALL $LARGE" >"$WORK/whole/references"
WHOLE=$(flox store add "$WORK/whole" --scan --root "$PUBLISHER")
KEY=$(flox store keygen test-1 --out "$WORK/key")
flox store copy --root "$PUBLISHER" --to "file://$WORK/cache" --key "$WORK/key" "$WHOLE" >/dev/null
cat >"$WORK/server.py" <<'PY'
import http.server, os, sys, time
root, port_file = sys.argv[1:3]
def mode():
    try: return open(root + "/mode").read().strip()
    except FileNotFoundError: return ""
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def endless(self, line):
        self.send_response(200); self.end_headers()
        try:
            while True: self.wfile.write(line * 1000)
        except OSError: self.close_connection = True
    def do_GET(self):
        open(root + "/requests", "a").write(self.path + "\n")
        how = mode()
        if self.path.endswith(".narinfo"):
            if how == "endless narinfo": return self.endless(b"Sig: a:b\n")
            if how == "deep narinfo": return self.endless(b"(" * 100)
        if self.path == "/nix-cache-info" and how == "endless info": return self.endless(b"Priority: 1\n")
        file = root + "/cache" + self.path
        if not os.path.isfile(file):
            self.send_response(404); self.send_header("Content-Length", "0"); self.end_headers(); return
        body = open(file, "rb").read()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        try:
            if how == "stop" and len(body) > 10000000:
                self.wfile.write(body[:5000000]); self.wfile.flush()
                while mode() == "stop": time.sleep(0.05)
                self.close_connection = True
                return
            self.wfile.write(body)
        except OSError: self.close_connection = True
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(port_file + ".new", "w").write(str(server.server_port)); os.rename(port_file + ".new", port_file)
server.serve_forever()
PY
python3 "$WORK/server.py" "$WORK" "$WORK/port" &
STARTED+=($!)
wait_until 30 "the cache" test -s "$WORK/port"
CACHE=http://127.0.0.1:$(cat "$WORK/port")
realise() { flox store realise --root "$NODE" --cache "$CACHE" --trusted-key "$KEY" "$WHOLE"; }
begin_to_realise() {  # its pid to $realising
  flox store realise --root "$NODE" --cache "$CACHE" --trusted-key "$KEY" "$WHOLE" >"$WORK/out" 2>&1 &
  realising=$!
}
requests() { grep -c "$1" "$WORK/requests" 2>/dev/null || true; }
nar_of() { sed -n 's/^URL: //p' "$WORK/cache/$(basename "$1" | cut -c1-32).narinfo"; }
staged() { ls "$NODE/nix/var/nix/flox/staging" 2>/dev/null | grepq "$(basename "$1" | cut -c1-32)"; }

for signal in KILL SEGV; do
  step "a fetcher that is killed by SIG$signal"
  rm -rf "$NODE"
  : >"$WORK/requests"
  echo stop >"$WORK/mode"
  begin_to_realise
  wait_until 60 "the small path to be staged" staged "$SMALL"
  wait_until 60 "the large path to be asked for" grep -q "$(nar_of "$LARGE")" "$WORK/requests"
  fetcher=$(pgrep -P "$realising" -x flox-fetcher) || die "there is no fetcher below $realising"
  kill "-$signal" "$fetcher"
  ! wait "$realising" || die "it was realised by a killed fetcher"
  contains "$(cat "$WORK/out")" "the fetcher died of signal $(kill -l $signal)"
  staged "$SMALL" || die "what the fetcher had done is lost"
  [ -z "$(ls -A "$NODE/nix/var/nix/flox/scratch")" ] || die "the fetcher left something behind"
  rm "$WORK/mode"
  realise >/dev/null || die "the next realise failed"
  [ "$(requests "$(nar_of "$SMALL")")" = 1 ] || die "the small path was fetched again"
  flox store verify --root "$NODE" >/dev/null || die "the store is damaged"
done

step "a realise that is killed takes its fetcher with it"
rm -rf "$NODE"
echo stop >"$WORK/mode"
begin_to_realise
wait_until 60 "the fetcher to start" pgrep -P "$realising" -x flox-fetcher
fetcher=$(pgrep -P "$realising" -x flox-fetcher)
kill -KILL "$realising"
wait "$realising" 2>/dev/null || true
wait_until 30 "the fetcher to end" bash -c "! kill -0 $fetcher"
rm "$WORK/mode"

for how in "endless info" "endless narinfo" "deep narinfo"; do
  step "a cache with an $how"
  rm -rf "$NODE"
  echo "$how" >"$WORK/mode"
  ! output=$(realise 2>&1) || [ "$how" = "endless info" ] || die "it was believed"
  rm "$WORK/mode"
  case $how in *narinfo) contains "$output" "cache $CACHE" ;; esac
  realise >/dev/null || die "a good answer is not taken any more"
done
echo "passed"
