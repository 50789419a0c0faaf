#!/usr/bin/env bash
# A release for this machine's architecture: two makings give the same bytes, signatures included; every file has its bill of materials, and
# a stranger verifies it with sha256sum and openssl. What was changed afterwards is found.
# prepare: sbom-venv
. "$(dirname "$0")/../lib.sh"
[ -n "${FLOX_TEST_RELEASE:-}" ] || { echo "needs FLOX_TEST_RELEASE=1: two makings of a whole release take many minutes"; exit 77; }
[ -e "$PROJECT/.git" ] || { echo "needs the sources' repository"; exit 77; }
for program in dpkg-deb dpkg-shlibdeps openssl jq; do type -P $program >/dev/null || { echo "needs $program"; exit 77; }; done
work=$(mktemp -d "${TMPDIR:-/tmp}/flox-release-test-XXXXXX")
trap 'rm -rf "$work"' EXIT
export FLOX_BUILD_DIR=$BUILD_DIR

# The tree as it is, committed: a release is of a commit.
git clone -q --shared "$PROJECT" "$work/clone"
git -C "$PROJECT" ls-files -z --cached --others --exclude-standard | (cd "$PROJECT" && xargs -0 ls -d 2>/dev/null | tar --no-recursion -T - -cf -) | tar -C "$work/clone" -xf -
git -C "$work/clone" add -A
git -C "$work/clone" -c user.name=Test -c user.email=test@example.org commit -q --allow-empty -m "as it is"
release() { "$work/clone/script/release" "$@"; }
openssl genpkey -algorithm ed25519 -out "$work/key.pem" 2>/dev/null
openssl pkey -in "$work/key.pem" -pubout -out "$work/key.pub"
openssl genpkey -algorithm ed25519 -out "$work/other.pem" 2>/dev/null
openssl pkey -in "$work/other.pem" -pubout -out "$work/other.pub"

step "what cannot be made again is refused"
echo >>"$work/clone/README.md"
refused "not committed" release --built --key "$work/key.pem" "$work/one"
git -C "$work/clone" checkout -q README.md
refused "no key is given" release --built "$work/one"
openssl genpkey -algorithm ec -pkeyopt ec_paramgen_curve:P-256 -out "$work/p256.pem" 2>/dev/null
refused "no Ed25519 key" release --built --key "$work/p256.pem" "$work/one"
[ ! -e "$work/one" ] || die "a refused release left a directory"

step "two makings give the same bytes"
release --built --key "$work/key.pem" "$work/one"
TZ=Asia/Tokyo release --built --key "$work/key.pem" "$work/two"
diff -r "$work/one" "$work/two" || die "the second differs"
refused "is there already" release --built --key "$work/key.pem" "$work/one"
! grep -rqaF -e "$work" -e "$PROJECT/" "$work/one" || die "a file holds a path of this machine: $(grep -rlaF -e "$work" -e "$PROJECT/" "$work/one")"

step "every artefact has a valid bill of materials"
venv=$("$PROJECT/script/sbom-venv" | tail -1) || venv=''
cd "$work/one"
for file in *.deb *.tar.gz *.tgz *.oci.tar; do
  [[ $file == flox-imageless-* ]] || [ -s "$file.spdx.json" ] || die "$file has no bill of materials"
done
if [ -n "$venv" ]; then
  "$venv/bin/python" - *.spdx.json <<'PY' || die "a bill of materials is not valid"
import sys
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
wrong = 0
for name in sys.argv[1:]:
    for message in validate_full_spdx_document(parse_file(name), "SPDX-2.3"):
        print(name, message.validation_message, file=sys.stderr)
        wrong = 1
sys.exit(wrong)
PY
fi
equal "$(jq '[.relationships[] | select(.relationshipType == "DEPENDS_ON" and .relatedSpdxElement == "SPDXRef-debian-libcurl4")] | length' flox_*.deb.spdx.json)" 1
equal "$(jq '[.relationships[] | select(.relationshipType == "STATIC_LINK" and .relatedSpdxElement == "SPDXRef-debian-libprotobuf-dev")] | length' containerd-shim-flox_*.deb.spdx.json)" 1

step "a stranger verifies it with common tools"
openssl pkeyutl -verify -rawin -pubin -inkey "$work/key.pub" -in SHA256SUMS -sigfile SHA256SUMS.sig >/dev/null
sha256sum --check --strict --quiet SHA256SUMS
"$PROJECT/test/security/attest.py" --verify "$work/key.pub" provenance.intoto.jsonl >"$work/statement"
equal "$(jq -r '.predicate.buildDefinition.resolvedDependencies[0].digest.gitCommit' "$work/statement")" "$(git -C "$work/clone" rev-parse HEAD)"
equal "$(jq '.subject | length' "$work/statement")" "$(ls | grep -cvxF -e SHA256SUMS -e SHA256SUMS.sig -e provenance.intoto.jsonl)"
cd "$work"
release --verify "$work/one" --key "$work/key.pub"

step "what was changed is found"
changed() {  # changed TEXT COMMAND…: the command changes a copy, in its directory
  local text=$1
  shift
  rm -rf "$work/copy"
  cp -r "$work/one" "$work/copy"
  (cd "$work/copy" && "$@")
  refused "$text" release --verify "$work/copy" --key "$work/key.pub"
}
flip() { printf '\xff' | dd of="$(compgen -G "$1")" bs=1 seek=1000 conv=notrunc status=none; }
changed "not what SHA256SUMS says" flip 'floxd_*.deb'
changed "not what SHA256SUMS says" sh -c 'rm floxd_*.deb.spdx.json'
changed "does not have: more" touch more
changed "is not signed" sh -c 'sed -i 1d SHA256SUMS'
refused "is not signed" release --verify "$work/one" --key "$work/other.pub"
# Whoever has signed other checksums with the key has not signed this provenance.
again() { "$@" && ls | grep -vxF -e SHA256SUMS -e SHA256SUMS.sig | LC_ALL=C sort | xargs sha256sum >SHA256SUMS && openssl pkeyutl -sign -rawin -inkey "$work/key.pem" -in SHA256SUMS -out SHA256SUMS.sig; }
changed "provenance does not belong" again touch more
resealed() { jq -c '.payload |= (@base64d | fromjson | .predicate.runDetails.builder.id = "urn:other" | tojson | @base64)' provenance.intoto.jsonl >../p && mv ../p provenance.intoto.jsonl; }
changed "provenance is not signed" again resealed

step "what it has"
tar -xzOf "$work/one"/flox-node-*.tar.gz opt/flox/bundle.json | jq -e '.closure | length > 5' >/dev/null
tar -xOf "$work/one"/flox-node-*.oci.tar index.json | jq -e '.manifests | length == 1' >/dev/null
version=$(sed -n 's/^version: //p' < <(tar -xzOf "$work/one"/chart-flox-0*.tgz flox/Chart.yaml))
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.]+)?$ ]] || die "the chart's version is not semantic: $version"
dpkg --compare-versions "$(dpkg-deb -f "$work/one"/flox_*.deb Version)" lt 0.1.0-1 || die "a snapshot is not older than the release"
git -C "$work/clone" tag v0.1.0
equal "$(release --print-version)" 0.1.0
