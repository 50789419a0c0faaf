#!/usr/bin/env bash
# Locking asks the catalog for all packages at once. The lock is, byte by byte, the one that a catalog gives that takes one question at a
# time, with a signature each, of one system alone, and one of them yanked; and so is what is refused.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"
proxy=
trap '[ -z "$proxy" ] || { kill $proxy && wait $proxy || true; }; stop_catalog; stop_backend; rm -rf "$dir"' EXIT
umask 077
key=$(make_key key-1)
public_key=$key
start_catalog --trusted-key "$key"
. "$(dirname "$0")/../catalog/signed_world.sh"
export FLOX_CATALOG_URL=$url FLOX_OWNER=acme
catalog_url=$url

step "a catalog of signed packages: for this system alone, and one in a version that was yanked"
flox trust init acme >"$dir/said" 2>&1 && flox trust publish acme 2>"$dir/said" || die "$(cat "$dir/said")"
for ((i = 1; i <= 30; i++)); do publish_file "tool$i" 1.0 --owner acme; done
publish_file tool7 1.1 --owner acme
laptop yank tool7@1.1 --reason 'it loses messages' 2>"$dir/said" || die "$(cat "$dir/said")"

step "and one that takes one question at a time, and counts"
cat >"$dir/proxy.py" <<'PY'
import http.server, json, sys, urllib.error, urllib.request
catalog, directory, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.endswith("/resolve"):
            count = len(json.loads(body)["items"])
            with open(directory + "/questions", "a") as log: log.write(f"{count}\n")
            if count > most: return self.answer(400, {"Content-Type": "application/problem+json"}, b'{"detail":"one at a time"}')
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("content-length", "connection")}
        request = urllib.request.Request(catalog + self.path, body or None, headers, method=self.command)
        try: reply = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error: reply = error
        self.answer(reply.status, {name: value for name, value in reply.headers.items() if name.lower() in ("content-type", "etag")}, reply.read())
    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers.items(): self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = forward
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(directory + "/proxy.port", "w") as file: file.write(str(server.server_address[1]))
server.serve_forever()
PY
through() {  # MOST: a catalog that takes at most so many questions at once
  [ -z "$proxy" ] || { kill $proxy && wait $proxy || true; }
  rm -f "$dir/proxy.port" "$dir/questions"
  python3 "$dir/proxy.py" "$catalog_url" "$dir" "$1" 2>"$dir/proxy.log" &
  proxy=$!
  wait_for_process $proxy 20 "the proxy, whose log is $dir/proxy.log" test -s "$dir/proxy.port"
  url=http://127.0.0.1:$(cat "$dir/proxy.port")
}
project=$dir/project
laptop init -d "$project" -n many 2>"$dir/said" || die "$(cat "$dir/said")"
manifest() {  # NAME…
  printf 'schema-version = "1.10.0"\n[install]\n'
  for name in "$@"; do printf '%s\n' "$name"; done
}
# lock: the lock of the manifest, or what is said instead, with the addresses of both catalogs as one.
lock() {
  rm -f "$project/.flox/env/manifest.lock" "$dir/lock"
  laptop lock -d "$project" >"$dir/out" 2>&1 && cp "$project/.flox/env/manifest.lock" "$dir/lock" || cp "$dir/out" "$dir/lock"
  sed "s|$url|CATALOG|g" "$dir/lock"
}
# same NAME…: the lock of these is the same through both; what is asked stands in $dir/questions.one and .all
same() {
  manifest "$@" >"$project/.flox/env/manifest.toml"
  through 1
  lock >"$dir/lock.one"
  mv "$dir/questions" "$dir/questions.one"
  through 100
  lock >"$dir/lock.all"
  mv "$dir/questions" "$dir/questions.all"
  cmp "$dir/lock.one" "$dir/lock.all" || die "$(diff "$dir/lock.one" "$dir/lock.all")"
}

step "thirty packages for four systems: three questions"
mapfile -t wanted < <(for ((i = 1; i <= 30; i++)); do echo "tool$i.pkg-path = \"tool$i\""; done)
same "${wanted[@]}"
equal "$(jq '.packages | length' "$dir/lock.all")" 30
equal "$(jq -r '.packages[] | select(.install_id == "tool7").version' "$dir/lock.all")" 1.0
equal "$(cat "$dir/questions.all" | paste -sd' ')" "50 50 20"
equal "$(grep -c '^1$' "$dir/questions.one")" 120

step "a version that was yanked and is asked for by its number"
same 'tool7 = { pkg-path = "tool7", version = "1.1" }' 'tool8.pkg-path = "tool8"'
equal "$(jq -r '.packages[0].version' "$dir/lock.all")" 1.1

step "what there is not, and a version that is none, are refused with the same words"
same "${wanted[@]}" 'wrong.pkg-path = "tol7"'
contains "$(cat "$dir/lock.all")" "package 'tol7'"
same "${wanted[@]}" 'tool31 = { pkg-path = "tool3", version = ">=" }'
contains "$(cat "$dir/lock.all")" "package 'tool3' >="
same 'a = { pkg-path = "tool1", systems = ["x86_64-linux", "aarch64-linux"] }' 'b.pkg-path = "tool2"'
contains "$(cat "$dir/lock.all")" 'Write a.systems = ["x86_64-linux"]'

step "and an owner that nobody trusts here"
export FLOX_TRUST_DIR=$dir/nobody FLOX_TRUST_STATE_DIR=$dir/nobody-state
same "${wanted[@]}"
contains "$(cat "$dir/lock.all")" "its owner acme is not trusted here"
