#!/usr/bin/env bash
# A yanked version: no new lock gets it unless it asks for it, who has locked it keeps it, and whoever meets it reads the reason. Only
# who may publish yanks, and neither a proxy nor the catalog's records hide a yank, or make one up.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
key=$(make_key key-1)
start_catalog --trusted-key "$key"
# Another machine, which trusts the owner.
node() { publisher env FLOX_TRUST_STATE_DIR="$dir/node-state" FLOX_ROOT="$dir/node" "$@"; }
publish() {
  mkdir -p "$dir/$1-$2/bin"
  printf '#!/bin/sh\necho %s %s\n' "$1" "$2" >"$dir/$1-$2/bin/$1"
  chmod +x "$dir/$1-$2/bin/$1"
  publisher flox publish --store-path "$(publisher flox store add --name "$1-$2" "$dir/$1-$2")" --name "$1" --version "$2" "${@:3}" >"$dir/said" 2>&1 ||
    die "$(cat "$dir/said")"
}
project() { mkdir -p "$dir/$1" && (cd "$dir/$1" && node flox init -n "$1" >/dev/null 2>&1); }
install() { (cd "$dir/$1" && node flox install "${@:2}") >"$dir/said" 2>&1; }
locked() { jq -r '.packages[] | select(.install_id == "web").version' "$dir/$1/.flox/env/manifest.lock"; }

publisher flox trust init acme >"$dir/said" 2>&1
publisher flox trust publish acme >"$dir/said" 2>&1
export FLOX_OWNER=acme
publish web 1.0
publish web 1.1
publish other 1.0
project before
install before web || die "$(cat "$dir/said")"
equal "$(locked before)" 1.1

step "who may not publish may not yank, and a token alone is not enough"
refused "publishing needs the catalog's token" publisher env FLOX_CATALOG_TOKEN=wrong flox yank web@1.1 --reason x
refused "pass either --reason or --undo" publisher flox yank web@1.1
refused "which version" publisher flox yank web --reason x
refused "has signed no version 7" publisher flox yank web@7 --reason x
equal "$(ask POST /api/v1/catalog/packages/web/versions/1.1/yank -H "Authorization: Bearer $token" -d '{"reason":"it is mine now"}')" 403
equal "$(ask POST /api/v1/catalog/packages/web/versions/1.1/yank -d '{"reason":"x"}')" 403
equal "$(ask POST /api/v1/catalog/packages/web/versions/1.1/yank -H "Authorization: Bearer $token" -d '{"reason":7}')" 400
equal "$(ask POST /api/v1/catalog/packages/web/versions/1.1/yank -H "Authorization: Bearer $token" -d '{"reason":"\u001b[31mred"}')" 400
equal "$(ask POST /api/v1/catalog/packages/web/versions/1.1/yank -H "Authorization: Bearer $token" -d "$(printf '{"reason":"%2000s"}' x)")" 400
equal "$(ask POST /api/v1/catalog/packages/web/builds -H "Authorization: Bearer $token" -d "$(curl -fs "$url/api/v1/catalog/packages/web" | jq -c '.items[0] | .yanked = "from the start"')")" 400
(umask 077; FLOX_CATALOG_TOKEN=$token FLOX_CATALOG_URL=$url HOME=$dir flox owner create beta 2>/dev/null
  FLOX_CATALOG_TOKEN=$token FLOX_CATALOG_URL=$url HOME=$dir flox auth token create --owner beta --scope publish 2>/dev/null >"$dir/beta")
equal "$(ask POST /api/v1/catalog/packages/web/versions/1.1/yank -H "Authorization: Bearer $(cat "$dir/beta")" -d '{"reason":"x"}')" 403
contains "$(answer .detail)" "belongs to another owner"
publisher flox show web >"$dir/shown"
! grep -q -i yanked "$dir/shown" || die "a refused yank is shown"

step "a new lock gets the version before, an old one stays as it is, and the reason is shown"
curl -fs -X POST "$url/api/v1/catalog/resolve" -d '{"items":[{"descriptors":[{"install_id":"web","attr_path":"web","systems":["'"$(uname -m)"'-linux"]}]}]}' >"$dir/old-answer"
publisher flox yank web@1.1 --reason 'it loses messages' >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "web 1.1 is yanked: it loses messages"
contains "$(publisher flox yank web@1.1 --reason 'it loses messages' 2>&1)" "(as before)"
project after
install after web || die "$(cat "$dir/said")"
equal "$(locked after)" 1.0
install before other || die "$(cat "$dir/said")"
equal "$(locked before)" 1.1
contains "$(cd "$dir/before" && node flox activate -- web)" "web 1.1"
contains "$(publisher flox show web)" "Latest:   web@1.0"
contains "$(publisher flox show web)" "web@1.1 (yanked: it loses messages)"
! publisher flox search web | grepq yanked || die "web has versions that are not yanked"
equal "$(publisher flox show web --json | jq -r '.[] | select(.version == "1.1").yanked')" "it loses messages"

step "who asks for exactly that version gets it, with the reason; a range does not"
project exactly
install exactly web@1.1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "web' 1.1 was yanked by acme: it loses messages"
equal "$(locked exactly)" 1.1
project range
if install range 'web@>=1.1'; then die "a range gave a yanked version"; fi
contains "$(cat "$dir/said")" "was yanked: 1.1 (it loses messages)"

step "what is published later leaves it yanked"
publish web 1.2
publisher flox yank web@1.2 --reason 'so does this' >"$dir/said" 2>&1
equal "$(publisher flox show web --json | jq -r '[.[].yanked] | @json')" '["so does this","it loses messages",null]'

step "a catalog or proxy that hides a yank, or makes one up, is not believed"
cat >"$dir/proxy.py" <<'PY'
# In front of the catalog: answers "resolve" for this system from a file if there is one, and changes "yanked" in lists of builds.
import http.server, json, os, sys, urllib.error, urllib.request
upstream, port_file, directory = sys.argv[1:]
class Proxy(http.server.BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        request = urllib.request.Request(upstream + self.path, body, {k: v for k, v in self.headers.items() if k != "Host"}, method=self.command)
        try: status, data = 200, urllib.request.urlopen(request).read()
        except urllib.error.HTTPError as error: status, data = error.code, error.read()
        if self.path.endswith("/resolve") and os.path.exists(directory + "/replay.json"):
            document, replay = json.loads(data), json.load(open(directory + "/replay.json"))
            for number, item in enumerate(json.loads(body)["items"]):
                if item["descriptors"][0]["systems"] == [os.uname().machine + "-linux"]: document["items"][number] = replay["items"][0]
            document["evidence"] = replay["evidence"]
            data = json.dumps(document).encode()
        if self.path.endswith("/packages/web"):
            document = json.loads(data)
            for build in document["items"]:
                build.pop("yanked", None)
                if build["version"] == "1.0": build["yanked"] = "made up"
            data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(data)
    do_GET = do_POST = do_PUT = do_HEAD = answer
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
open(port_file, "w").write(str(server.server_port))
server.serve_forever()
PY
python3 "$dir/proxy.py" "$url" "$dir/proxy.port" "$dir" &
proxy=$!
trap 'kill $proxy; stop_catalog; stop_backend; rm -rf "$dir"' EXIT
wait_for_process $proxy 20 "the proxy" test -s "$dir/proxy.port"
catalog_url=http://127.0.0.1:$(cat "$dir/proxy.port")
equal "$(publisher flox show web --json | jq -r '[.[].yanked] | @json')" '["so does this","it loses messages",null]'
# The answer of before, with what was signed then: this machine has seen newer.
cp "$dir/old-answer" "$dir/replay.json"
project replayed
if install replayed web; then die "an answer of before the yank was taken"; fi
contains "$(cat "$dir/said")" "seen here before"
# Today's evidence with the yanked version as the answer.
curl -fs -X POST "$url/api/v1/catalog/resolve" -d '{"items":[{"descriptors":[{"install_id":"web","attr_path":"web","version":"1.1","systems":["'"$(uname -m)"'-linux"]}]}]}' >"$dir/replay.json"
if install replayed web; then die "a yanked version was taken for the newest"; fi
contains "$(cat "$dir/said")" "has signed version 1.0"
rm "$dir/replay.json"
catalog_url=

step "it can be taken back"
publisher flox yank web@1.1 --undo >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(publisher flox show web)" "Latest:   web@1.1"
project undone
install undone web || die "$(cat "$dir/said")"
equal "$(locked undone)" 1.1
contains "$(curl -fs "$url/metrics")" "flox_catalog_yanked_total 3"
equal "$(jq -r 'select(.action | test("yank")) | select(.result == "done") | .what' "$data/audit.log" | sort -u | xargs)" \
  "/api/v1/catalog/packages/web/versions/1.1/yank /api/v1/catalog/packages/web/versions/1.2/yank"

step "the operator yanks what nobody has signed, and nodes are told so by the catalog alone"
unset FLOX_OWNER
make_path 7 nobodys
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
equal "$(record nobodys "$(build 1.0 | jq -c '.name = "nobodys"')")" 201
contains "$(publisher flox yank nobodys@1.0 --reason 'it was a test' 2>&1)" "nobody's"
contains "$(publisher flox search nobodys)" "all versions yanked: it was a test"
project unsigned
if (cd "$dir/unsigned" && node env FLOX_ALLOW_UNSIGNED=true flox install nobodys) >"$dir/said" 2>&1; then die "it was resolved"; fi
contains "$(cat "$dir/said")" "was yanked: 1.0 (it was a test)"
