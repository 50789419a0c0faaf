#!/usr/bin/env bash
# From a running pod to keys, provenance and sources: flox build records, flox publish signs, the catalog keeps, flox verify
# and cosign check. A flipped byte, another's key, an attestation of another path: each is refused, by the catalog and, should
# the catalog be broken into, by who verifies.
# prepare: cosign
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
OTHER_KEY="$(flox store keygen limited --out "$WORLD/limited.key") other-*" start_catalog
attest() { "$PROJECT/test/security/attest.py" "$@"; }
node() { flox --root "$NODE_ROOT" "$@"; }
path_of() { curl -fs "$CATALOG_URL/api/v1/catalog/packages/$1" | jq -r '.items[0].outputs.out'; }
digest_of() { basename "$1" | cut -c1-32; }
nar_hash() { nix-store --dump "$LAPTOP_ROOT$1" | sha256sum | cut -c1-64; }
put() {  # put PATH FILE: the status; the answer is in $WORLD/answer
  curl -s -o "$WORLD/answer" -w '%{http_code}' -X PUT -H "Authorization: Bearer $FLOX_CATALOG_TOKEN" \
    --data-binary "@$2" "$CATALOG_URL/api/v1/attestations/$(digest_of "$1")"
}
get() { curl -fs "$CATALOG_URL/api/v1/attestations/$(digest_of "$1")?key=${2:-demo-1}"; }

step "flox build records what was built from what, and flox publish signs it"
mkdir -p "$WORLD/tools/hello-1.0"
(
  cd "$WORLD/tools/hello-1.0"
  git init -q . && git remote add origin https://ann:secret@git.example.org/hello.git
  printf '.flox/run\n.flox/cache\n.flox/log\n' >.gitignore
  git add . && git -c user.name=ann -c user.email=ann@example.org commit -qm one
)
publish_tool hello 1.0
contains "$(cat "$WORLD/logs/publish-hello-1.0.log")" "with provenance, signed by demo-1"
hello=$(path_of hello)
get "$hello" >"$WORLD/hello.att.json"
flox store key --pem --public "$PUBLIC_KEY" >"$WORLD/demo.pem"
equal "$(flox store key --pem --key "$KEY_FILE")" "$(cat "$WORLD/demo.pem")"
attest --verify "$WORLD/demo.pem" "$WORLD/hello.att.json" >"$WORLD/statement.json"
equal "$(jq -r '.subject[0].name' "$WORLD/statement.json")" "$hello"
equal "$(jq -r '.subject[0].digest.sha256' "$WORLD/statement.json")" "$(nar_hash "$hello")"
source=$(jq -c '.predicate.buildDefinition.resolvedDependencies[] | select(.name == "source")' "$WORLD/statement.json")
equal "$(jq -r .uri <<<"$source")" git+https://git.example.org/hello.git
equal "$(jq -r .digest.gitCommit <<<"$source")" "$(git -C "$WORLD/tools/hello-1.0" rev-parse HEAD)"
equal "$(jq -r .annotations.dirty <<<"$source")" true
equal "$(jq -r '.predicate.buildDefinition.resolvedDependencies[] | select(.name == "manifest.toml").digest.sha256' "$WORLD/statement.json")" \
  "$(sha256sum "$WORLD/tools/hello-1.0/.flox/env/manifest.toml" | cut -c1-64)"
contains "$(jq -r '.predicate.buildDefinition.resolvedDependencies[].name' "$WORLD/statement.json")" -busybox-static-
if grep -q secret "$WORLD/statement.json" || grep -q "$FLOX_CATALOG_TOKEN" "$WORLD/statement.json"; then die "a secret is in the statement"; fi

step "a colleague who publishes the same build keeps the first attestation, and is told"
(
  cd "$WORLD/tools/hello-1.0"
  git add . && git -c user.name=ann -c user.email=ann@example.org commit -qm two
  laptop build --quiet && laptop publish
) >"$WORLD/logs/again.log" 2>&1 || die "$(cat "$WORLD/logs/again.log")"
contains "$(cat "$WORLD/logs/again.log")" "has attested this path before"
cmp "$WORLD/hello.att.json" <(get "$hello") || die "the attestation has changed"
(cd "$WORLD/tools/hello-1.0" && rm result-hello.provenance.json && laptop publish) 2>"$WORLD/logs/without.log"
contains "$(cat "$WORLD/logs/without.log")" "without provenance"
jq -c '.subject[0].digest.sha256 = ("0" * 64)' "$WORLD/statement.json" >"$WORLD/tools/hello-1.0/result-hello.provenance.json"
refused "of another build" laptop publish -d "$WORLD/tools/hello-1.0"

step "an imported Debian package says which .deb it was, by hash, version and URL"
# publish_tool has imported it.
busybox=$(path_of busybox-static)
get "$busybox" >"$WORLD/busybox.att.json"
attest --verify "$WORLD/demo.pem" "$WORLD/busybox.att.json" >"$WORLD/busybox.json"
equal "$(jq -r '.predicate.buildDefinition.buildType' "$WORLD/busybox.json")" urn:flox-imageless:import-deb:v1
deb=$(jq -c '.predicate.buildDefinition.resolvedDependencies[] | select(.name == "busybox-static")' "$WORLD/busybox.json")
version=$(jq -r .annotations.version <<<"$deb")
fetched=$(compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/flox/debs/busybox-static_${version//:/%3a}_*.deb")
equal "$(dpkg-deb -f "$fetched" Version)" "$version"
equal "$(jq -r .digest.sha256 <<<"$deb")" "$(sha256sum "$fetched" | cut -c1-64)"
contains "$(jq -r .uri <<<"$deb")" /busybox-static_
contains "$(jq -r .annotations.purl <<<"$deb")" pkg:deb/debian/busybox-static@
contains "$(flox --root "$LAPTOP_ROOT" verify "$busybox" 2>&1)" "sources     busybox-static $version, sha256 $(jq -r '.digest.sha256[:16]' <<<"$deb")"

step "cosign accepts it, and nothing else"
if cosign=$("$PROJECT/script/cosign" 2>"$WORLD/logs/cosign.log"); then
  nix-store --dump "$LAPTOP_ROOT$hello" >"$WORLD/hello.nar"
  cosign_verify() {  # PEM ENVELOPE FILE
    HOME=$WORLD "$cosign/cosign" verify-blob-attestation --key "$1" --signature "$2" --type slsaprovenance1 --insecure-ignore-tlog=true "$3"
  }
  cosign_verify "$WORLD/demo.pem" "$WORLD/hello.att.json" "$WORLD/hello.nar" 2>&1 | grepq "Verified OK" || die "cosign refuses it"
  echo x >>"$WORLD/hello.nar"
  if cosign_verify "$WORLD/demo.pem" "$WORLD/hello.att.json" "$WORLD/hello.nar" 2>/dev/null; then die "cosign takes other contents"; fi
else
  step "cosign: $(tail -1 "$WORLD/logs/cosign.log")"
fi

step "a running pod, from its lease to keys and sources"
start_floxd
import_images
ctr -n k8s.io run -d --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation flox.dev/environment=hello \
  --annotation io.kubernetes.cri.sandbox-id=p1 --annotation io.kubernetes.cri.sandbox-namespace=shop \
  --annotation io.kubernetes.cri.sandbox-name=web --annotation io.kubernetes.cri.container-name=main docker.io/flox/empty:1.0.0 c1 sleep 1000000
node verify --pod shop/web >"$WORLD/tree" || die "$(cat "$WORLD/tree")"
for text in "pod shop/web" "leases /nix/store/" "✔ hello 1.0" "signed by   demo-1" "provenance  signed by demo-1" \
  "git+https://git.example.org/hello.git" "commit $(jq -r .digest.gitCommit <<<"$source"), with changes" "sandbox: none" "further path"; do
  contains "$(cat "$WORLD/tree")" "$text"
done
node verify --pod shop/web --require-provenance >/dev/null
node verify --pod shop/web --json >"$WORLD/verified"
equal "$(jq -r '.holds' "$WORLD/verified")" true
equal "$(jq -r '[.paths[] | select(.package).name] | join(" ")' "$WORLD/verified")" hello
equal "$(jq -r '.paths[] | select(.package).provenance[0].signer' "$WORLD/verified")" demo-1
equal "$(jq -r '.containers[0] | .container + " " + .id' "$WORLD/verified")" "main c1"
equal "$(node sbom --pod shop/web | jq -r '[.packages[] | select(.name == "hello")] | length')" 1

step "what is unsigned or has no provenance is said, and refused only where somebody asks for it"
mkdir -p "$WORLD/bare/share" && echo bare >"$WORLD/bare/share/bare"
laptop publish --store-path "$(laptop store add --name bare "$WORLD/bare")" --name bare --version 1.0 >"$WORLD/logs/bare.log" 2>&1 || die "$(cat "$WORLD/logs/bare.log")"
contains "$(cat "$WORLD/logs/bare.log")" "without provenance"
contains "$(laptop verify bare)" "provenance  none"
refused "it has no provenance" laptop verify bare --require-provenance
laptop verify busybox-static --require-provenance >/dev/null
unsigned=$(echo unsigned >"$WORLD/unsigned" && laptop store add "$WORLD/unsigned")
contains "$(laptop verify "$unsigned")" "signed by   nobody"
refused "never signed here" laptop verify "$unsigned" --require-signatures
contains "$(FLOX_CATALOG_URL='' laptop verify "$hello")" "unknown: no catalog is configured"
contains "$(FLOX_CATALOG_URL=http://127.0.0.1:1 laptop verify "$hello")" "unknown:"
refused "its provenance is unknown" env FLOX_CATALOG_URL= flox --root "$LAPTOP_ROOT" verify "$hello" --require-provenance

step "the catalog refuses what is not signed by who signed the path, or is of another one"
publish_tool other 1.0
other=$(path_of other)
flox store keygen demo-1 --out "$WORLD/forger.key" >/dev/null
flox store keygen stranger --out "$WORLD/stranger.key" >/dev/null
for key in forger stranger limited; do
  attest "$WORLD/$key.key" "$other" "$(nar_hash "$other")" >"$WORLD/bad"
  equal "$(put "$other" "$WORLD/bad")" 403
done
attest "$WORLD/stranger.key" "$other" "$(nar_hash "$other")" --keyid demo-1 >"$WORLD/bad"
equal "$(put "$other" "$WORLD/bad")" 403
equal "$(put "$other" "$WORLD/hello.att.json")" 400
attest "$KEY_FILE" "$hello" "$(nar_hash "$other")" >"$WORLD/bad"
equal "$(put "$hello" "$WORLD/bad")" 403
attest "$KEY_FILE" "$hello" "$(nar_hash "$hello")" >"$WORLD/bad"
equal "$(put "$hello" "$WORLD/bad")" 409
equal "$(put "$hello" "$WORLD/hello.att.json")" 200
python3 - "$WORLD/hello.att.json" "$WORLD/flipped" <<'PY'
import base64, json, sys
document = json.load(open(sys.argv[1]))
payload = bytearray(base64.b64decode(document["payload"]))
payload[payload.index(b"hello")] ^= 1
document["payload"] = base64.b64encode(payload).decode()
json.dump(document, open(sys.argv[2], "w"))
PY
case $(put "$hello" "$WORLD/flipped") in 400 | 403) ;; *) die "a flipped byte was taken: $(cat "$WORLD/answer")" ;; esac
head -c 600000 /dev/zero | tr '\0' ' ' >"$WORLD/large"
equal "$(put "$hello" "$WORLD/large")" 413
equal "$(curl -s -o /dev/null -w '%{http_code}' -X PUT --data-binary "@$WORLD/hello.att.json" "$CATALOG_URL/api/v1/attestations/$(digest_of "$hello")")" 403
equal "$(curl -s -o /dev/null -w '%{http_code}' "$CATALOG_URL/api/v1/attestations/..%2f..%2fetc")" 404
equal "$(curl -s -o /dev/null -w '%{http_code}' "$CATALOG_URL/api/v1/attestations/nonsense")" 400
cmp "$WORLD/hello.att.json" <(get "$hello") || die "the attestation has changed"

step "a catalog that is broken into convinces nobody"
database=$WORLD/catalog/catalog.sqlite
broken_into() {  # broken_into FILE TEXT: with that as hello's attestation, who verifies says TEXT
  sqlite3 "$database" "update attestations set envelope = cast(readfile('$1') as text) where digest = '$(digest_of "$hello")'"
  refused "$2" node verify --pod shop/web
  contains "$(node verify --pod shop/web 2>/dev/null || true)" "✘ hello 1.0"
  equal "$(node verify --pod shop/web --json 2>/dev/null | jq .holds)" false
}
broken_into "$WORLD/flipped" "not one of a trusted key"
attest "$WORLD/forger.key" "$hello" "$(nar_hash "$hello")" >"$WORLD/bad"
broken_into "$WORLD/bad" "not one of a trusted key"
attest "$KEY_FILE" "$other" "$(nar_hash "$other")" >"$WORLD/bad"
broken_into "$WORLD/bad" "it is of another path"
attest "$KEY_FILE" "$hello" "$(nar_hash "$other")" >"$WORLD/bad"
broken_into "$WORLD/bad" "it is of other contents"
printf '{"payloadType": "\033[2J"' >"$WORLD/bad"
broken_into "$WORLD/bad" "its attestation does not hold"
sqlite3 "$database" "update attestations set envelope = cast(readfile('$WORLD/hello.att.json') as text) where digest = '$(digest_of "$hello")'"
node verify --pod shop/web >/dev/null

step "a file that was changed on the node, and a signature that was, are named"
file=$NODE_ROOT$hello/bin/hello
cp -p "$file" "$WORLD/saved"
printf X | dd of="$file" bs=1 seek=3 conv=notrunc status=none
refused "$hello" node verify --pod shop/web
node verify --pod shop/web --no-contents >/dev/null
cat "$WORLD/saved" >"$file" && touch -r "$WORLD/saved" "$file"
node verify --pod shop/web >/dev/null
db=$NODE_ROOT/nix/var/nix/db/db.sqlite
signatures=$(sqlite3 "$db" "select sigs from ValidPaths where path = '$hello'")
sqlite3 "$db" "update ValidPaths set sigs = 'demo-1:$(printf 'A%.0s' {1..86})==' where path = '$hello'"
refused "the signature by demo-1 is wrong" node verify --pod shop/web
sqlite3 "$db" "update ValidPaths set sigs = '$signatures' where path = '$hello'"
node verify --pod shop/web >/dev/null
ctr -n k8s.io task kill -s KILL c1
echo "ok"
