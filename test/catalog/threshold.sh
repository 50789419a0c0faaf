#!/usr/bin/env bash
# A role that wants two signatures, with keys on different machines: one prepares, others look at it and sign, and only then it is
# published. What one has signed alone, what was changed on the way, what comes late and what is of something else is refused.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
export FLOX_ALLOW_UNSIGNED=false FLOX_OWNER=acme
unset XDG_CONFIG_HOME XDG_STATE_HOME FLOX_CATALOG_TOKEN
umask 077
for name in alice bob carol; do make_key $name-1 >"$dir/$name.pub"; done
start_catalog --trusted-key "$(cat "$dir/alice.pub")"
export FLOX_CATALOG_URL=$url
# on MACHINE COMMAND…: a machine with a home, a store, keys and trust of its own.
on() {
  mkdir -p "$dir/$1"
  env HOME="$dir/$1" FLOX_ROOT="$dir/$1/root" FLOX_TRUST_DIR="$dir/$1/trust" FLOX_TRUST_STATE_DIR="$dir/$1/state" "${@:2}"
}
alice() { on alice env FLOX_SIGNING_PRIVATE_KEY="$dir/alice-1" FLOX_CATALOG_TOKEN_FILE="$dir/token" "$@"; }
bob() { on bob env FLOX_SIGNING_PRIVATE_KEY="$dir/bob-1" "$@"; }
carol() { on carol env FLOX_SIGNING_PRIVATE_KEY="$dir/carol-1" "$@"; }
publish() { alice flox publish --store-path "$path" --name web --version "$@"; }
said() { "$@" 2>&1; }

step "an owner wants two of three signatures"
fingerprint=$(on owner flox trust init acme --signing-key "$dir/alice.pub" --signing-key "$dir/bob.pub" 2>"$dir/said")
on owner flox trust add-key acme publishers "$dir/carol.pub" --threshold 2 2>"$dir/said"
on owner env FLOX_CATALOG_TOKEN_FILE="$dir/token" flox trust publish acme 2>"$dir/said"
for machine in alice bob carol node; do on $machine flox trust accept acme --from-catalog --fingerprint "$fingerprint" >"$dir/said"; done
echo web >"$dir/file"
path=$(alice flox store add --name web-1.0 "$dir/file")

step "one signature publishes nothing, and the message says how to get the other"
refused "packages/web version 1 of acme has 1 of the 2 signatures that it needs; it lacks bob-1" publish 1.0
refused "--prepare FILE" publish 1.0
refused "the catalog has no such package" on node flox show web

step "prepared: the closure is in the cache, and nobody finds it"
output=$(said publish 1.0 --prepare "$dir/web.json")
contains "$output" "with 1 of 2 signatures"
contains "$output" "it lacks bob-1"
refused "the catalog has no such package" on node flox show web
refused "has 1 of the 2 signatures" publish 1.0 --signed "$dir/web.json"
record=$(jq -nc --arg p "$path" --arg s "$(uname -m)-linux" --rawfile f "$dir/web.json" \
  '{name: "web", owner: "acme", version: "1.0", system: $s, signer: "alice-1", outputs: {out: $p}, name_file: $f}')
equal "$(record web "$record")" 403  # the catalog takes one signature from nobody, either
contains "$(answer .detail)" "not signed by keys that acme has delegated it to"

step "the other holder sees what it would change, and signs on a machine of their own"
refused "its root is not trusted here" on stranger env FLOX_SIGNING_PRIVATE_KEY="$dir/bob-1" flox trust sign "$dir/web.json"
before=$(sha256sum <"$dir/web.json")
contains "$(said bob flox trust sign "$dir/web.json" --dry-run)" "+ 1.0/$(uname -m)-linux/any: out $path"
equal "$(sha256sum <"$dir/web.json")" "$before"
[ ! -e "$dir/bob/state" ] || die "looking at it wrote something down"
make_key mallory-1 >"$dir/mallory.pub"
refused "Pass one of these with --signer: bob-1" bob flox trust sign "$dir/web.json" --signer "$dir/mallory-1"
equal "$(sha256sum <"$dir/web.json")" "$before"
contains "$(said bob flox trust sign "$dir/web.json")" "✔ Signed packages/web version 1 of acme"
publish 1.0 --signed "$dir/web.json" 2>"$dir/said"
contains "$(on node flox show web)" "signed by alice-1"
contains "$(on node flox show web)" "bob-1"
publish 1.0 --signed "$dir/web.json" 2>"$dir/said"  # once more, because the answer was lost

step "several holders sign copies at the same time"
publish 1.1 --prepare "$dir/web.json" 2>"$dir/said"
cp "$dir/web.json" "$dir/b.json"
cp "$dir/web.json" "$dir/c.json"
bob flox trust sign "$dir/b.json" 2>"$dir/said" & one=$!
carol flox trust sign "$dir/c.json" 2>"$dir/said-c" & two=$!
wait $one && wait $two || die "one could not sign: $(cat "$dir/said" "$dir/said-c")"
publish 1.1 --signed "$dir/b.json" --signed "$dir/c.json" 2>"$dir/said"
contains "$(on node flox show web)" "web@1.1"

step "what was changed on the way, and copies of different files, are not published"
publish 1.2 --prepare "$dir/web.json" 2>"$dir/said"
jq -c '.signed.targets[].custom.outputs.out |= sub("web-1.0"; "evil-1")' "$dir/web.json" >"$dir/changed.json"
contains "$(said bob flox trust sign "$dir/changed.json" --dry-run)" "evil-1"
bob flox trust sign "$dir/changed.json" 2>"$dir/said"
refused "the files of acme do not say the same" publish 1.2 --signed "$dir/web.json" --signed "$dir/changed.json"
refused "has 1 of the 2 signatures that it needs; it lacks alice-1" publish 1.2 --signed "$dir/changed.json"  # she signs nothing anew
refused "is of packages/web of acme, not of packages/other" alice flox publish --store-path "$path" --name other --version 1.2 --signed "$dir/web.json"
head -c 9000000 /dev/zero | tr '\0' ' ' >"$dir/big.json"
refused "bytes" bob flox trust sign "$dir/big.json"
refused "bytes" publish 1.2 --signed "$dir/big.json"

step "somebody else is quicker: what was prepared before is signed by nobody any more"
cp "$dir/web.json" "$dir/late.json"
bob flox trust sign "$dir/web.json" 2>"$dir/said"
refused "does not list web 9.9" publish 9.9 --signed "$dir/web.json"
publish 1.2 --signed "$dir/web.json" 2>"$dir/said"
refused "is at version 3 in the catalog, and version 3 is not the next" carol flox trust sign "$dir/late.json"

step "without the catalog: the owner's targets.json says who may sign"
publish 1.3 --prepare "$dir/web.json" 2>"$dir/said"
curl -fsS "$url/api/v1/trust/acme/targets" >"$dir/targets.json"
offline() { bob env FLOX_CATALOG_URL= flox trust sign "$dir/web.json" "$@"; }
refused "pass the owner's targets.json with --delegations" offline
jq -c '.signed.delegations.roles[0].threshold = 1' "$dir/targets.json" >"$dir/forged.json"
refused "0 of the 1 signatures that role targets needs" offline --delegations "$dir/forged.json"
offline --delegations "$dir/targets.json" 2>"$dir/said"
contains "$(cat "$dir/said")" "+ 1.0/"
contains "$(cat "$dir/said")" "+ 1.3/"

step "an environment: the holder compares what is signed with what is in their own checkout"
alice flox init -d "$dir/project" -n site 2>"$dir/said"
refused "has 1 of the 2 signatures" alice flox push -d "$dir/project"
alice flox push -d "$dir/project" --prepare "$dir/site.json" 2>"$dir/said"
refused "has no environment acme/site" on node flox pull acme/site -d "$dir/pulled"
contains "$(said bob flox trust sign "$dir/site.json")" "+ manifest.toml: $(stat -c %s "$dir/project/.flox/env/manifest.toml") bytes, sha256 $(sha256sum "$dir/project/.flox/env/manifest.toml" | cut -d' ' -f1)"
cp "$dir/project/.flox/env/manifest.toml" "$dir/manifest"
echo "# another" >>"$dir/project/.flox/env/manifest.toml"
refused "of another manifest or lock of site than is here" alice flox push -d "$dir/project" --signed "$dir/site.json"
cp "$dir/manifest" "$dir/project/.flox/env/manifest.toml"
contains "$(said alice flox push -d "$dir/project" --signed "$dir/site.json")" "acme/site is at generation 1, signed for acme"
contains "$(said alice flox push -d "$dir/project" --signed "$dir/site.json")" "acme/site is at generation 1"
on node flox pull acme/site -d "$dir/pulled" 2>"$dir/said"

step "options that contradict each other, and an owner that is not there"
refused "--prepare cannot be used together with --signed" publish 1.4 --prepare "$dir/a" --signed "$dir/b.json"
refused "there is no owner here for whom to sign" alice env FLOX_OWNER= flox publish --store-path "$path" --name web --version 1.4 --prepare "$dir/a"
for name in a b; do jq -nc --arg n $name --arg p "$path" --arg s "$(uname -m)-linux" '{name: $n, version: "1.0", system: $s, outputs: {out: $p}}' >"$dir/project/result-$name.json"; done
refused "of one build at a time" alice flox publish a b -d "$dir/project" --prepare "$dir/a"
[ ! -e "$dir/a" ] || die "a refused preparation wrote a file"
