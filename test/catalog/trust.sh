#!/usr/bin/env bash
# An owner's root through the catalog: its online key goes into the root, the root goes to the catalog, and another machine takes
# it from there, by the fingerprint that the owner tells, and later all that follow it.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
export HOME=$dir FLOX_CATALOG_TOKEN_FILE=$dir/token FLOX_TRUST_DIR=$dir/trust FLOX_TRUST_STATE_DIR=$dir/state
umask 077
make_key alice-1 >"$dir/alice.pub"
start_catalog
export FLOX_CATALOG_URL=$url
on_node() { env FLOX_TRUST_DIR="$dir/node" FLOX_TRUST_STATE_DIR="$dir/node-state" "$@"; }
version_on_node() { on_node flox trust show acme --json | jq .root.version; }

step "the catalog's online key is asked for"
fingerprint=$(flox trust init acme --signing-key "$dir/alice.pub" 2>"$dir/said")
equal "$(flox trust show acme --json | jq -r '.roles[] | select(.role == "timestamp") | .keys[0].id | length')" 64
refused "the catalog has no root of acme" on_node flox trust accept acme --from-catalog --fingerprint "$fingerprint"
flox trust publish acme 2>"$dir/said"

step "a root from the catalog needs the fingerprint that its owner tells"
refused "--from-catalog needs --fingerprint" on_node flox trust accept acme --from-catalog
refused "pass either FILE or --from-catalog" on_node flox trust accept acme
refused "Ask the owner which one is right" on_node flox trust accept acme --from-catalog --fingerprint "$(printf '0%.0s' {1..64})"
refused "Pass all 64 digits" on_node flox trust accept acme --from-catalog --fingerprint "${fingerprint:0:12}"
[ ! -e "$dir/node" ] || die "a refused root left something"
on_node flox trust accept acme --from-catalog --fingerprint "$fingerprint" >"$dir/said"
contains "$(cat "$dir/said")" "acme is trusted: root.json version 1"
equal "$(version_on_node)" 1

step "later roots follow by their chain"
flox trust rotate acme root 2>"$dir/said"
flox trust rotate acme targets 2>"$dir/said"
flox trust publish acme 2>"$dir/said"
newest=$(flox trust show acme --json | jq -r .fingerprint)
refused "Ask the owner which one is right" on_node flox trust accept acme --from-catalog --fingerprint "$fingerprint"
on_node flox trust accept acme --from-catalog --fingerprint "$newest" >"$dir/said"
equal "$(version_on_node)" 3

step "a thief of the targets key publishes versions ahead; with another key the owner goes on below them"
cp -a "$dir/trust" "$dir/thief"
make_key thief-1 >"$dir/thief.pub"
for n in 1 2 3 4; do FLOX_TRUST_DIR=$dir/thief flox trust add-key acme "thief-$n" "$dir/thief.pub" --paths '*' 2>"$dir/said"; done
FLOX_TRUST_DIR=$dir/thief flox trust publish acme 2>"$dir/said"
refused "the catalog has newer files of acme than this machine" flox trust publish acme
flox trust rotate acme targets 2>"$dir/said"
flox trust publish acme 2>"$dir/said"
equal "$(curl -fsS "$url/api/v1/trust/acme/targets" | jq .signed.version)" "$(flox trust show acme --json | jq .targets.version)"
stolen=$(find "$dir/thief/acme/repository" -name '*.targets.json' | sort -V | tail -1)
equal "$(ask PUT /api/v1/trust/acme/targets -H "Authorization: Bearer $token" --data-binary "@$stolen")" 403
contains "$(answer .detail)" "0 of the 1 signatures that role targets needs"

step "what expires soon is said: by metrics, in the catalog's log, and by flox trust show, with what to do"
expiry_of() { curl -fs "$url/metrics" | awk -v name="flox_catalog_metadata_expires_timestamp_seconds{file=\"$1\"}" '$1 == name { printf "%d", $2 }'; }
seconds_of() { date -d "$(flox trust show acme --json | jq -r ".$1.expires")" +%s; }
equal "$(expiry_of root.json)" "$(seconds_of root)"
equal "$(expiry_of targets.json)" "$(seconds_of targets)"
! grep -q "expires soon" "$dir/log" || die "a year is not soon"
flox trust renew acme --life 20d 2>"$dir/said"
flox trust publish acme 2>"$dir/said"
contains "$(flox trust show acme)" " days: run 'flox trust renew acme', then 'flox trust publish acme'"
stop_catalog
start_catalog
export FLOX_CATALOG_URL=$url
equal "$(expiry_of root.json)" "$(seconds_of root)"
contains "$(cat "$dir/log")" "metadata expires soon, or has expired; nodes accept nothing of its owner then: root.json of acme at"

step "without a catalog, what is missing is said"
stop_catalog
refused "cannot be reached" flox trust init other --signing-key "$dir/alice.pub"
FLOX_CATALOG_URL="" refused "FLOX_CATALOG_URL" flox trust init other --signing-key "$dir/alice.pub"
[ ! -e "$dir/trust/other" ] || die "a failed init left something"
