#!/usr/bin/env bash
# The catalog's pages, with packages that were published as people publish them: in Chromium (both colour schemes, phone and desktop,
# without JavaScript, by keyboard, with axe), and by curl (fields, conditional requests, who sees what, what is refused).
# PAGES_PICTURES=DIRECTORY keeps the pictures.
# builds: flox flox-catalog
# ctest: COST 150
FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../lib.sh"
CHROMIUM=$(type -P chromium) || { echo "needs chromium" >&2; exit 77; }
export CHROMIUM
packages=$("$PROJECT/script/test-packages" test/catalog/browser) || exit 77
enter_world "$@"
start_catalog
operator=$FLOX_CATALOG_TOKEN

# look PATH [CURL…]: gives the status; the body is in $WORLD/answer, the fields in $WORLD/fields.
look() {
  local path=$1
  shift
  : >"$WORLD/answer"
  curl -s -m 60 --path-as-is -o "$WORLD/answer" -D "$WORLD/fields" -w '%{http_code}' "$@" "$CATALOG_URL$path"
}
body() { cat "$WORLD/answer"; }
# says PATH TEXT: the page is there and has the text.
says() { equal "$(look "$1")" 200; contains "$(body)" "$2"; }
lacks() { equal "$(look "$1")" 200; ! grep -qF -- "$2" "$WORLD/answer" || die "$1 shows $2"; }
field() { tr -d '\r' <"$WORLD/fields" | awk -v name="$1:" 'tolower($1) == tolower(name) { $1 = ""; print substr($0, 2) }'; }

step "a catalog in which nothing is published says what to do"
says / "Nothing is published here yet"
says /environments "Publish one with"
says /status "Everything works."

step "packages, an environment of two generations, what an owner keeps private, and what somebody hostile has published"
publish_tool web 1.0
publish_tool web 1.1
flox --root "$LAPTOP_ROOT" import deb curl --publish --quiet >/dev/null 2>&1
mkdir "$WORLD/shop" && cd "$WORLD/shop"
flox init -n shop 2>/dev/null
flox --root "$LAPTOP_ROOT" install web@1.0
flox --root "$LAPTOP_ROOT" push
flox --root "$LAPTOP_ROOT" install web@1.1 curl
sed -i 's|^\[vars\].*|&\nGREETING = "hello"|' .flox/env/manifest.toml
echo '# </code></pre><script>fooled = 1</script>' >>.flox/env/manifest.toml
flox --root "$LAPTOP_ROOT" push
path=$(flox show web --json | jq -r '.[0].outputs.out')
evil='<script>fooled = 1</script><img src="https://evil.example/x" onerror="fooled = 1">"'"'"'&amp;'
jq -nc --arg text "$evil" --arg path "$path" '{name: "evil", version: "1.0", system: "x86_64-linux", license: $text, description: ($text + "\u202E <b>bold</b>"), signer: "demo-1", outputs: {out: $path}}' |
  curl -fsS -o /dev/null -H "Authorization: Bearer $operator" -d @- "$CATALOG_URL/api/v1/catalog/packages/evil/builds"
flox owner create acme --private
(
  unset FLOX_OWNER
  export FLOX_CATALOG_TOKEN FLOX_ALLOW_UNSIGNED=true
  FLOX_CATALOG_TOKEN=$(flox auth token create --owner acme --scope publish 2>/dev/null)
  publish_tool secret 1.0
)
reader=$(flox auth token create --owner acme --scope read 2>/dev/null)

step "a search finds by name and description, and is narrowed by system, owner and licence"
says / "4 packages"
says "/?q=says+web" "1 package found"
says "/?system=aarch64-linux" "0 packages found"
says "/?system=x86_64-linux&owner=demo" "3 packages found"
says "/?owner=demo" 'aria-current="true"'
says "/?q=%3Cb%3E" "&lt;b&gt;bold&lt;/b&gt;"
equal "$(look "/?q=$(head -c 300 /dev/zero | tr '\0' a)")" 400
equal "$(look "/?page=x")" 400
contains "$(body)" "must be a number"
says "/?page=999" "4 packages"

step "a package: who signed it, what it needs, how it was built, how to run it"
says /packages/web 'class="badge good">Signed<'
says /packages/web "demo-1"
says /packages/web "flox install web@1.1"
says /packages/web "busybox-static"
says /packages/web "Attested by"
says /packages/evil "<dt>Built as</dt><dd>web 1.1</dd>"
says /packages/web "flox.dev/environment: &quot;web@1.1&quot;"
says "/packages/web?version=1.0" "flox install web@1.0"
says /packages/evil 'class="badge warn">Not signed<'
equal "$(look /packages/nothing -H 'Accept: text/html')" 404
contains "$(body)" "<h1>Not found</h1>"
equal "$(look "/packages/web?version=9")" 404

step "its Deployment is one that the policy of a node can be tried with"
says /packages/web "</html>"
python3 - "$WORLD/answer" >"$WORLD/deployment.yaml" <<'PY'
import html.parser, sys
class Snippet(html.parser.HTMLParser):
    inside = False
    def handle_starttag(self, tag, attributes):
        if tag == "pre": self.inside = ("aria-label", "Deployment") in attributes
    def handle_endtag(self, tag):
        if tag == "pre": self.inside = False
    def handle_data(self, data):
        if self.inside: sys.stdout.write(data)
Snippet().feed(open(sys.argv[1]).read())
PY
printf '[[allow]]\nname = "web"\nnamespaces = ["*"]\npackages = ["web@1.1"]\n' >"$WORLD/policy.toml"
contains "$(flox policy test --policy "$WORLD/policy.toml" "$WORLD/deployment.yaml" 2>/dev/null)" "allowed  Deployment default/web, container main: package web"

step "what changed between two versions and two generations"
says "/packages/web/difference?from=1.0&to=1.1&system=x86_64-linux" "1.0 → 1.1"
says "/packages/web/difference?from=1.1&to=1.1" "The closures are the same"
equal "$(look "/packages/web/difference?from=1.0")" 400
says "/environments/demo/shop/difference?from=1&to=2" "web 1.0 → web 1.1"
says "/environments/demo/shop/difference?from=1&to=2" 'class="plus">+ GREETING'
says "/environments/demo/shop" "kubectl patch deployment NAME"
says "/environments/demo/shop?generation=1" "demo/shop:1"
equal "$(look "/environments/demo/shop?generation=3")" 404
equal "$(look "/environments/demo/../../status")" 404

step "bills of materials, the same each time, of just the closure"
for format in spdx cyclonedx; do
  equal "$(look "/packages/web/sbom.$format.json?version=1.1")" 200
  cp "$WORLD/answer" "$WORLD/$format.json"
  look "/packages/web/sbom.$format.json?version=1.1" >/dev/null
  cmp "$WORLD/answer" "$WORLD/$format.json"
done
equal "$(jq -r .spdxVersion "$WORLD/spdx.json")" SPDX-2.3
equal "$(jq -r '[.bomFormat, .specVersion] | join(" ")' "$WORLD/cyclonedx.json")" "CycloneDX 1.6"
equal "$(jq '[.packages[] | select(.name == "web")] | length' "$WORLD/spdx.json")" 1
contains "$(jq -r '.packages[].name' "$WORLD/spdx.json")" busybox-static

step "an owner and its keys"
says /owners/demo "$(sed -n 's/^.*\([0-9a-f]\{64\}\).*$/\1/p' "$WORLD/demo.fingerprint" | head -1)"
says /owners/demo "demo/shop"
equal "$(look /owners/nobody)" 404
equal "$(look "/owners/..%2f")" 404

step "every command that a page shows is one that flox has, with arguments that it takes"
for page in / /environments /environments/demo/shop "/environments/demo/shop?generation=1" "/environments/demo/shop/difference?from=1&to=2" /packages/web \
  "/packages/web?version=1.0" /packages/evil "/packages/web/difference?from=1.0&to=1.1" /owners/demo /status "/?q=nothing-has-this"; do
  equal "$(look "$page")" 200
  python3 - "$WORLD/answer" <<'PY'
import html.parser, sys
class Commands(html.parser.HTMLParser):
    depth, text = 0, ""
    def handle_starttag(self, tag, attributes):
        if tag in ("pre", "code"): self.depth += 1
    def handle_endtag(self, tag):
        if tag not in ("pre", "code"): return
        self.depth -= 1
        if self.depth == 0:
            for line in self.text.splitlines():
                if line.startswith("flox "): print(line)
            self.text = ""
    def handle_data(self, data):
        if self.depth: self.text += data
Commands().feed(open(sys.argv[1]).read())
PY
done | sort -u >"$WORLD/commands"
for command in "flox install web@1.1" "flox pull demo/shop" "flox trust accept demo --from-catalog" "flox verify web@1.1" "flox sbom web@1.1"; do
  grep -qF -- "$command" "$WORLD/commands" || die "no page shows $command"
done
# On a machine of its own: 2 is the exit code of a command line that is wrong.
mkdir "$WORLD/reader"
while read -r command; do
  code=0
  (cd "$WORLD/reader" && HOME="$WORLD/reader" FLOX_TRUST_DIR="$WORLD/reader/trust" FLOX_TRUST_STATE_DIR="$WORLD/reader/state" \
    bash -c "flox --root '$WORLD/reader/root' ${command#flox }" </dev/null >"$WORLD/said" 2>&1) || code=$?
  [ $code != 2 ] || die "$command: $(cat "$WORLD/said")"
  [[ $command != "flox trust accept"* || $code == 0 ]] || die "$command: $(cat "$WORLD/said")"
done <"$WORLD/commands"

step "a yanked version: the reason first, and what to use in its place"
(cd "$WORLD" && flox yank web@1.0 --reason 'it loses messages') >"$WORLD/said" 2>&1 || die "$(cat "$WORLD/said")"
says "/packages/web?version=1.0" "This version is yanked: it loses messages"
lacks "/packages/web?version=1.0" "flox install web@1.0"
lacks "/packages/web?version=1.0" "flox.dev/environment"
says "/packages/web?version=1.0" "the newest version that is not yanked"
says "/packages/web" "flox install web@1.1"
(cd "$WORLD" && flox yank web@1.0 --undo) >"$WORLD/said" 2>&1 || die "$(cat "$WORLD/said")"

step "what is private is as if it were not there, but for its readers"
for path in / /status /owners/demo; do lacks "$path" secret; done
equal "$(look /packages/secret)" 404
equal "$(look /packages/secret/sbom.spdx.json)" 404
equal "$(look "/packages/secret/difference?from=1.0&to=1.0")" 404
equal "$(look /owners/acme)" 404
equal "$(look /packages/secret -H "Authorization: Bearer $reader")" 200
equal "$(field cache-control)" "private, no-cache"
contains "$(body)" busybox-static
lacks "/?q=secret" "says secret"

step "each answer has the fields that a browser obeys, and is asked for only once"
for path in / /packages/web /environments /status /nothing; do
  look "$path" -H 'Accept: text/html' >/dev/null
  contains "$(field content-security-policy)" "default-src 'none'; style-src 'self'"
  equal "$(field x-content-type-options)" nosniff
  equal "$(field referrer-policy)" same-origin
done
equal "$(look /packages/web)" 200
equal "$(field cache-control)" "public, no-cache"
equal "$(field content-type)" "text/html; charset=utf-8"
tag=$(field etag)
equal "$(look /packages/web -H "If-None-Match: $tag")" 304
[ ! -s "$WORLD/answer" ] || die "304 with a body"
equal "$(look /packages/web -H 'If-None-Match: "other"')" 200
style=$(body | grep -o '/assets/style-[0-9a-f]*\.css')
equal "$(look "$style")" 200
contains "$(field cache-control)" immutable
equal "$(curl -s -o /dev/null -w '%{http_code}' -I "$CATALOG_URL/packages/web")" 200
equal "$(look /nothing)" 404
contains "$(field content-type)" json

step "in Chromium"
cat >"$WORLD/pages" <<'PAGES'
packages /
found /?q=web&system=x86_64-linux
nothing-found /?q=nothing-has-this
package /packages/web
closure /packages/curl
hostile /packages/evil
versions /packages/web/difference?from=1.0&to=1.1&system=x86_64-linux
environments /environments
environment /environments/demo/shop
older-generation /environments/demo/shop?generation=1
generations /environments/demo/shop/difference?from=1&to=2
owner /owners/demo
status /status
PAGES
node "$PROJECT/test/catalog/browser/pages.mjs" "$packages" "$CATALOG_URL" "$WORLD/pages" ${PAGES_PICTURES:+"$PAGES_PICTURES"}

step "generations that retention has removed are not offered"
mkdir "$WORLD/kept" && cd "$WORLD/kept"
flox init -n kept 2>/dev/null
for generation in 1 2 3 4; do
  echo "# generation $generation" >>.flox/env/manifest.toml
  flox --root "$LAPTOP_ROOT" install web >"$WORLD/said" 2>&1
  flox --root "$LAPTOP_ROOT" push >"$WORLD/said" 2>&1 || die "$(cat "$WORLD/said")"
done
says /environments/demo/kept "4 generations, the newest first"
says /environments/demo/kept "demo/kept:3"
flox catalog retention set demo --generations 1 2>"$WORLD/said"
flox catalog retention apply demo >"$WORLD/said" 2>&1 || die "$(cat "$WORLD/said")"
says /environments/demo/kept "1 generation, the newest first"
lacks /environments/demo/kept "demo/kept:3"
lacks /environments/demo/kept "from=3"
says /environments/demo/kept "the oldest that is kept"
equal "$(look "/environments/demo/kept?generation=3" -H 'Accept: text/html')" 404
contains "$(body)" "was removed by a rule of retention"

step "once its key is revoked, a signature does not stand any more, and the page says why"
flox trust revoke demo demo-1
flox trust publish demo
says /packages/web "Signature does not stand"
says /packages/web "Nodes refuse it"

step "a catalog whose files are away still has pages, and says so"
mv "$WORLD/catalog/cache/nar" "$WORLD/catalog/cache/away"
equal "$(look /status)" 503
contains "$(body)" "Not available"
mv "$WORLD/catalog/cache/away" "$WORLD/catalog/cache/nar"
says /status "Everything works."
