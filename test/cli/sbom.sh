#!/usr/bin/env bash
# flox sbom: documents of the exact closure that real validators of SPDX 2.3 and CycloneDX 1.6 take, the same bytes for the
# same closure, and what differs between two; Debian imports with version, licence and package URL.
# prepare: sbom-venv
debs=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/support.sh"
venv=$(HOME=$(getent passwd "$(id -u)" | cut -d: -f6) XDG_CACHE_HOME=$debs "$PROJECT/script/sbom-venv") || { echo "the validators cannot be installed from PyPI"; exit 77; }
unset SOURCE_DATE_EPOCH

# A few store paths: two versions of a tool with a library, and a Debian package.
tool() {  # tool VERSION TEXT: prints the path
  local library
  mkdir -p "$WORK/libtool-0.$1" "$WORK/tool-$1/bin"
  echo "library $1" >"$WORK/libtool-0.$1/text"
  library=$(flox store add "$WORK/libtool-0.$1")
  echo "$2 $library" >"$WORK/tool-$1/bin/tool"
  flox store add --scan "$WORK/tool-$1"
}
one=$(tool 1.0 first)
two=$(tool 2.0 "second, with more")
XDG_CACHE_HOME=$debs flox import deb zstd --json -q >"$WORK/zstd.json" 2>"$WORK/import.log" || die "$(cat "$WORK/import.log")"
zstd=$(jq -r '.[0].outputs.out' "$WORK/zstd.json")
mkdir "$WORK/web"
cd "$WORK/web"
flox init -n web 2>/dev/null
cat >.flox/env/manifest.toml <<TOML
schema-version = "1.10.0"
[install]
tool.store-path = "$one"
zstd.store-path = "$zstd"
TOML
flox lock

step "a Debian import says what it was made from: version, licence, package URL"
version=$(jq -r '.[0].version' "$WORK/zstd.json")
equal "$(dpkg-deb -f "$debs/flox/debs/zstd_${version}_"*.deb Version)" "$version"
file=$FLOX_ROOT$zstd/nix-support/package.json
equal "$(jq -r '.packages[0] | .name + " " + .version' "$file")" "zstd $version"
case $(jq -r '.packages[0].purl' "$file") in "pkg:deb/debian/zstd@"*"?arch="*) ;; *) die "wrong package URL: $(cat "$file")" ;; esac
case $(jq -r '.packages[0].license' "$file") in *BSD-3-Clause*) ;; *) die "wrong licence: $(cat "$file")" ;; esac
equal "$(jq -r '.[0].license' "$WORK/zstd.json")" "$(jq -r '.packages[0].license' "$file")"
equal "$(jq -r '.packages[0].license // "unknown"' "$FLOX_ROOT"/nix/store/*-zlib1g-*/nix-support/package.json)" Zlib
again=$(XDG_CACHE_HOME=$debs flox --root "$WORK/again" import deb zstd --json -q 2>/dev/null | jq -r '.[0].outputs.out')
equal "$again" "$zstd"

step "the documents are valid, and are of the exact closure"
flox sbom >web.spdx.json
flox sbom --format cyclonedx >web.cdx.json
"$venv/bin/python" - web.spdx.json web.cdx.json <<'PY' || die "a document is not valid"
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

spdx, cyclonedx = sys.argv[1:]
document = parse_file(spdx)
messages = validate_full_spdx_document(document, "SPDX-2.3")
for message in messages:
    print(message.validation_message, message.context, file=sys.stderr)
wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(cyclonedx).read())
if wrong:
    print(wrong, file=sys.stderr)
for package in document.packages:
    for reference in package.external_references:
        url = PackageURL.from_string(reference.locator)
        assert url.name == package.name and url.version == package.version, (reference.locator, package.name)
sys.exit(1 if messages or wrong else 0)
PY
flox store closure "$one" "$zstd" | sort >closure
diff closure <(jq -r '.packages[] | .packageFileName // empty' web.spdx.json | sort) || die "SPDX: another closure"
diff closure <(jq -r '.components[].properties[] | select(.name == "flox:store-path").value' web.cdx.json | sort) || die "CycloneDX: another closure"
while read -r path; do
  hash=$(nix-store --dump "$FLOX_ROOT$path" 2>/dev/null | sha256sum | cut -c1-64)
  equal "$(jq -r --arg p "$path" '.packages[] | select(.packageFileName == $p).checksums[0].checksumValue' web.spdx.json)" "$hash"
done < <(head -3 closure)
id() { jq -r --arg p "$1" '.packages[] | select(.packageFileName == $p).SPDXID' web.spdx.json; }
library=$(grep -- '-libtool-' closure)
equal "$(jq --arg a "$(id "$one")" --arg b "$(id "$library")" '[.relationships[] | select(.spdxElementId == $a and .relationshipType == "DEPENDS_ON" and .relatedSpdxElement == $b)] | length' web.spdx.json)" 1
equal "$(jq -r --arg a "${one##*/}" '.dependencies[] | select(.ref == $a).dependsOn[]' web.cdx.json)" "${library##*/}"
equal "$(jq -r '.packages[] | select(.name == "tool").versionInfo' web.spdx.json)" 1.0

step "the same closure gives the same bytes, on another day and in another store; a time is said"
cmp web.spdx.json <(flox sbom) || die "another document the second time"
cp -r "$WORK/web" "$WORK/elsewhere"
key=$(flox store keygen test-1 --out "$WORK/key")
flox store copy --to "file://$WORK/cache" --key "$WORK/key" "$one" "$zstd" >/dev/null 2>&1
flox --root "$WORK/other" store realise --cache "file://$WORK/cache" --trusted-key "$key" "$one" "$zstd" >/dev/null
cmp web.cdx.json <(cd "$WORK/elsewhere" && FLOX_ROOT=$WORK/other flox sbom --format cyclonedx) || die "another document elsewhere"
equal "$(jq -r .creationInfo.created web.spdx.json)" 1970-01-01T00:00:01Z
equal "$(flox sbom --created 1800000000 | jq -r .creationInfo.created)" 2027-01-15T08:00:00Z
equal "$(SOURCE_DATE_EPOCH=1800000000 flox sbom --format cyclonedx | jq -r .metadata.timestamp)" 2027-01-15T08:00:00Z
ends 2 flox sbom --created yesterday
says "seconds since 1970"
ends 2 flox sbom --format html

step "what differs, by version, path and bytes"
ends 0 flox sbom diff "$one" "$two"
says "tool 1.0 → 2.0"
says "libtool 0.1.0 → 0.2.0"
says "$two"
flox sbom diff "$one" "$zstd" --json >diff.json
equal "$(jq -r '[.removed[].name] | join(" ")' diff.json)" "libtool tool"
equal "$(jq -r '.unchanged' diff.json)" 0
ends 0 flox sbom diff . "$zstd"
says "Removed (2)"
equal "$(flox sbom diff "$one" "$one" --json | jq -r '.added + .removed + .changed + .rebuilt | length')" 0

step "what a container of a pod has leased is what the pod runs"
mkdir -p "$FLOX_ROOT/var/lib/flox" "$FLOX_ROOT/nix/var/nix/gcroots/flox/c1" "$FLOX_ROOT/nix/var/nix/gcroots/flox/pod-p1"
printf '%s' '[{"id":"c1","pod_id":"p1","pod_namespace":"shop","pod_name":"web","name":"main","prepared_at":1,"view":""}]' >"$FLOX_ROOT/var/lib/flox/containers.json"
ends 1 flox sbom --pod shop/web
says "has leased nothing"
ln -s "$one" "$FLOX_ROOT/nix/var/nix/gcroots/flox/c1/${one##*/}"
equal "$(flox sbom --pod shop/web | jq '.packages | length')" 2
ln -s "$two" "$FLOX_ROOT/nix/var/nix/gcroots/flox/pod-p1/${two##*/}"
equal "$(flox sbom --pod shop/web | jq '.packages | length')" 4
ends 0 flox sbom diff "$one" pod:shop/web
says "Added (2)"

step "what is not there is said with what to do"
ends 1 flox sbom --pod shop/other
says "has prepared no pod shop/other"
ends 2 flox sbom --pod other
says "NAMESPACE/NAME"
ends 1 flox sbom /nix/store/00000000000000000000000000000000-x
says "flox store realise"
ends 1 flox sbom hello
says "no catalog is configured"
ends 2 flox sbom "$one" --pod shop/web
(cd "$WORK" && ends 1 flox sbom)
sed -i 's/^zstd.*//' .flox/env/manifest.toml
ends 1 flox sbom
says "Run 'flox lock'"

step "a hostile package neither stops the list nor reaches anything by it"
hostile() {  # hostile NAME: a path with what is in $WORK/hostile/nix-support
  local path
  path=$(flox store add --name "$1" "$WORK/hostile")
  ends 0 flox sbom "$path"
  says "by the store path only"
  flox sbom "$path" 2>/dev/null >hostile.json
  equal "$(jq -r '.packages[0].name' hostile.json)" evil
  if grep -q -e root: -e $'\x1b' hostile.json <<<"$output"; then die "something hostile got through"; fi
}
mkdir -p "$WORK/hostile/nix-support"
ln -s /etc/passwd "$WORK/hostile/nix-support/package.json"
hostile evil-1.0
rm "$WORK/hostile/nix-support/package.json"
printf '{"format":1,"packages":[{"name":"\\u001b[2Jx","version":"1","purl":"pkg:x/x"}]}' >"$WORK/hostile/nix-support/package.json"
hostile evil-1.1
head -c 300000 /dev/zero | tr '\0' '[' >"$WORK/hostile/nix-support/package.json"
hostile evil-1.2
rm -r "$WORK/hostile/nix-support"
ln -s /etc "$WORK/hostile/nix-support"
hostile evil-1.3
echo "ok"
