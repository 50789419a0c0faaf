#!/usr/bin/env bash
# What is recorded of packages of PyPI and npm that are imported and published: each wheel and tarball with its address and hash, in
# provenance that `flox verify` finds signed, also on another machine; name, version, licence and package URL in the bill of
# materials; and what has changed afterwards is refused. On indexes of the test's own, then with a package of each real one, if it
# can be reached (PYPI_INDEX, NPM_REGISTRY).
# builds: flox flox-catalog
# ctest: COST 200
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/loopback_index.sh"
unset FLOX_OWNER
export HOME=$WORK/home FLOX_ALLOW_UNSIGNED=true FLOX_TRUST_STATE_DIR=$WORK/trust-state
debs=$(realpath -m "${XDG_CACHE_HOME:-/root/.cache}")
XDG_CACHE_HOME=$debs keep_debs
mkdir -p "$HOME"
CATALOG=
stop_all() { [ -z "$CATALOG" ] || kill "$CATALOG" 2>/dev/null || true; for server in "${SERVERS[@]}"; do kill -KILL "$server" 2>/dev/null || true; done; rm -rf --one-file-system "$WORK"; }
SERVERS=()
trap stop_all EXIT
KEY=$("$FLOX" store keygen acme-1 --out "$WORK/key")
(umask 077 && echo sesame >"$WORK/token")
flox-catalog --listen 127.0.0.1:0 --data "$WORK/catalog" --token-file "$WORK/token" --trusted-key "$KEY" --port-file "$WORK/port" 2>"$WORK/catalog.log" &
CATALOG=$!
for _ in $(seq 200); do [ -s "$WORK/port" ] && break || sleep 0.05; done
FLOX_CATALOG_URL=http://127.0.0.1:$(cat "$WORK/port")
export FLOX_CATALOG_URL FLOX_CATALOG_TOKEN=sesame FLOX_SIGNING_PRIVATE_KEY=$WORK/key FLOX_TRUSTED_KEYS=$KEY

# provenance_of PATH: the statement that was published of the store path.
provenance_of() { curl -fsS "$FLOX_CATALOG_URL/api/v1/attestations/${1:11:32}" | jq -r '.attestations[0].envelope' | jq -r .payload | base64 -d; }
# recorded FILE.json NAME VERSION ADDRESS ALGORITHM HASH PURL: what was imported has that as an input.
recorded() {
  local out
  out=$(out_of "$1")
  provenance_of "$out" >"$WORK/provenance.json" || die "no provenance of $out"
  [ "$(jq -r '.predicateType' "$WORK/provenance.json")" = https://slsa.dev/provenance/v1 ] || die "no SLSA provenance: $(cat "$WORK/provenance.json")"
  [ "$(jq -r '.subject[0].name' "$WORK/provenance.json")" = "$out" ] || die "of another path: $(jq -c .subject "$WORK/provenance.json")"
  jq -e --arg uri "$4" --arg algorithm "$5" --arg hash "$6" --arg version "$3" --arg purl "$7" --arg name "$2" \
    '.predicate.buildDefinition.resolvedDependencies[] | select(.name == $name and .uri == $uri and .digest[$algorithm] == $hash and .annotations.version == $version and .annotations.purl == $purl)' \
    "$WORK/provenance.json" >/dev/null || die "$2 $3 is not recorded so: $(jq -c .predicate.buildDefinition.resolvedDependencies "$WORK/provenance.json")"
}
# billed FILE.json NAME VERSION LICENCE PURL: the bill of materials in both forms has that package.
billed() {
  local out
  out=$(out_of "$1")
  "$FLOX" --root "$ROOT" sbom "$out" >"$WORK/spdx.json"
  jq -e --arg name "$2" --arg version "$3" --arg licence "$4" --arg purl "$5" \
    '.packages[] | select(.name == $name and .versionInfo == $version and .licenseDeclared == $licence and any(.externalRefs[]?; .referenceLocator == $purl))' \
    "$WORK/spdx.json" >/dev/null || die "SPDX lacks $5: $(jq -c '[.packages[] | {name, versionInfo, licenseDeclared, refs: [.externalRefs[]?.referenceLocator]}]' "$WORK/spdx.json")"
  "$FLOX" --root "$ROOT" sbom "$out" --format cyclonedx >"$WORK/cyclonedx.json"
  jq -e --arg version "$3" --arg licence "$4" --arg purl "$5" \
    '[.metadata.component, .components[]] | .[] | select(.version == $version and .purl == $purl and any(.licenses[]?; (.license.id // .license.name // .expression) == $licence))' "$WORK/cyclonedx.json" >/dev/null ||
    die "CycloneDX lacks $5: $(jq -c '[.components[] | {name, version, purl, licenses}]' "$WORK/cyclonedx.json")"
}
# verified NAME TEXT…: another machine takes the package from the catalog and finds who signed it and what it was made from.
verified() {
  local name=$1 text
  shift
  rm -rf "$WORK/elsewhere" "$WORK/use"
  mkdir "$WORK/use"
  "$FLOX" --root "$WORK/elsewhere" init -d "$WORK/use" -n use 2>/dev/null
  "$FLOX" --root "$WORK/elsewhere" install -d "$WORK/use" "$name" >"$WORK/out" 2>&1 || die "it cannot be installed: $(cat "$WORK/out")"
  "$FLOX" --root "$WORK/elsewhere" verify -d "$WORK/use" >"$WORK/out" 2>&1 || die "it does not verify: $(cat "$WORK/out")"
  for text in "provenance  signed by acme-1" "$@"; do expect_contains "$(cat "$WORK/out")" "$text"; done
}
# changed PATH NAME: the file of that name in the other machine's store is another one now: that is found.
changed() {
  local file
  file=$(find "$WORK/elsewhere$1" -type f -name "$2" | head -1)
  [ -n "$file" ] || die "$1 has no $2"
  chmod u+w "$file"
  echo "# another line" >>"$file"
  chmod u-w "$file"
  if "$FLOX" --root "$WORK/elsewhere" verify -d "$WORK/use" >"$WORK/out" 2>&1; then die "a changed file verifies: $(cat "$WORK/out")"; fi
  expect_contains "$(cat "$WORK/out")" "${1:11:32}"
}

step "PyPI: the wheels are recorded by address and hash"
serve_index python_index.py && SERVERS+=("$SERVER")
wheel() { python3 "$PROJECT/test/package/python_index.py" wheel "$INDEX/$1-$2-py3-none-any.whl" "$1" "$2" "${@:3}"; }
import() { "$FLOX" --root "$ROOT" import pypi --index "$URL/simple" -q --no-smoke-run "$@"; }
wheel words 1.5 words.py='WORD = "one"'
wheel says 2.0 says.py='def run():
  import words; print(words.WORD)' --requires words --entry 'says = says:run'
import says==2.0 --publish --json >"$WORK/says.json" 2>"$WORK/said" || die "it was not imported: $(cat "$WORK/said")"
for one in "says 2.0" "words 1.5"; do
  read -r name version <<<"$one"
  file=$name-$version-py3-none-any.whl
  recorded "$WORK/says.json" "$name" "$version" "$URL/files/$file" sha256 "$(sha256sum "$INDEX/$file" | cut -d' ' -f1)" "pkg:pypi/$name@$version"
  billed "$WORK/says.json" "$name" "$version" MIT "pkg:pypi/$name@$version"
done
verified says "says 2.0, sha256 $(sha256sum "$INDEX/says-2.0-py3-none-any.whl" | cut -c1-16)…"
changed "$(part_of "$WORK/says.json" words)" words.py

step "a wheel that is not what the index says, or was, is refused, and nothing of it is published"
wheel liar 1.0 liar.py='' && echo liar-1.0-py3-none-any.whl >"$INDEX/lies"
import_refused "which the index says" liar --publish
rm "$INDEX/lies"
[ "$(curl -s -o /dev/null -w '%{http_code}' "$FLOX_CATALOG_URL/api/v1/catalog/packages/liar")" = 404 ] || die "it was published"
# Same name and version, other bytes: another store path, which the version that is published cannot become.
wheel words 1.5 words.py='WORD = "another"'
import_refused "2.0" says==2.0 --publish

step "npm: the tarballs are recorded by address and integrity"
serve_index npm_registry.py registry && SERVERS+=("$SERVER")
pack() { python3 "$PROJECT/test/package/npm_registry.py" pack "$INDEX" "$@"; }
import() { "$FLOX" --root "$ROOT" import npm --registry "$URL" -q --no-smoke-run "$@"; }
pack left 1.0.0 'index.js=module.exports = "left"' --json '{"license":"ISC"}'
pack spoken 1.2.0 'cli.js=console.log(require("left"))' --json '{"bin":{"spoken":"./cli.js"},"license":"MIT","dependencies":{"left":"^1.0.0"}}'
import spoken@1.2.0 --publish --json >"$WORK/spoken.json" 2>"$WORK/said" || die "it was not imported: $(cat "$WORK/said")"
for one in "spoken 1.2.0 MIT" "left 1.0.0 ISC"; do
  read -r name version licence <<<"$one"
  address=$(curl -fsS "$URL/$name" | jq -r --arg version "$version" '.versions[$version].dist.tarball')
  recorded "$WORK/spoken.json" "$name" "$version" "$address" sha512 "$(sha512sum "$INDEX/$name-$version.tgz" | cut -d' ' -f1)" "pkg:npm/$name@$version"
  billed "$WORK/spoken.json" "$name" "$version" "$licence" "pkg:npm/$name@$version"
done
verified spoken "spoken 1.2.0, sha512 $(sha512sum "$INDEX/spoken-1.2.0.tgz" | cut -c1-16)…"
changed "$(part_of "$WORK/spoken.json" left)" index.js
pack liar 1.0.0 index.js= && echo liar-1.0.0.tgz >"$INDEX/lies"
import_refused "which the index says" liar --publish

step "a package of each real index"
PYPI_INDEX=${PYPI_INDEX:-https://pypi.org/simple} NPM_REGISTRY=${NPM_REGISTRY:-https://registry.npmjs.org}
if curl -fsS -m 20 -o /dev/null "$PYPI_INDEX/iniconfig/" 2>/dev/null; then
  "$FLOX" --root "$ROOT" import pypi --index "$PYPI_INDEX" -q --no-smoke-run iniconfig==2.0.0 --publish --json >"$WORK/real.json" 2>"$WORK/said" || die "iniconfig: $(cat "$WORK/said")"
  hash=$(curl -fsS -H 'Accept: application/vnd.pypi.simple.v1+json' "$PYPI_INDEX/iniconfig/" | jq -r '.files[] | select(.filename == "iniconfig-2.0.0-py3-none-any.whl") | .hashes.sha256')
  billed "$WORK/real.json" iniconfig 2.0.0 MIT "pkg:pypi/iniconfig@2.0.0"
  verified iniconfig "iniconfig 2.0.0, sha256 ${hash:0:16}…"
else
  echo "skipped: $PYPI_INDEX cannot be reached"
fi
if curl -fsS -m 20 -o /dev/null "$NPM_REGISTRY/ms" 2>/dev/null; then
  "$FLOX" --root "$ROOT" import npm --registry "$NPM_REGISTRY" -q --no-smoke-run ms@2.1.3 --publish --json >"$WORK/real.json" 2>"$WORK/said" || die "ms: $(cat "$WORK/said")"
  hash=$(curl -fsS "$NPM_REGISTRY/ms" | jq -r '.versions["2.1.3"].dist.integrity' | sed 's/^sha512-//' | base64 -d | od -An -tx1 | tr -d ' \n')
  billed "$WORK/real.json" ms 2.1.3 MIT "pkg:npm/ms@2.1.3"
  verified ms "ms 2.1.3, sha512 ${hash:0:16}…"
else
  echo "skipped: $NPM_REGISTRY cannot be reached"
fi
nix_finds_nothing_wrong "$ROOT"
