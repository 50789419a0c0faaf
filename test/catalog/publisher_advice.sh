#!/usr/bin/env bash
# What a publisher is told who has just begun: each error says what to do next, files are named as one types them, and what was done
# before is said to be so.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
key=$(make_key key-1)
mkdir -p "$dir/home" "$dir/work"
start_catalog --trusted-key "$key"
export FLOX_OWNER=acme
cd "$dir/work"
mkdir -p web-1.0/share web-1.1/share env
echo 1.0 >web-1.0/share/web
echo 1.1 >web-1.1/share/web
path=$(publisher flox store add --name web-1.0 web-1.0)
publish=(flox publish --store-path "$path" --name web --version 1.0)

step "an owner begins: the fingerprint is labelled, and alone on standard output"
fingerprint=$(publisher flox trust init acme 2>"$dir/said")
equal "${#fingerprint}" 64
contains "$(cat "$dir/said")" "The root's fingerprint"
refused "Run 'flox trust publish acme'" publisher "${publish[@]}"
publisher flox trust publish acme 2>"$dir/said"

step "files by their names alone"
publisher "${publish[@]}" --prepare g.json 2>"$dir/said" || die "$(cat "$dir/said")"
publisher flox trust sign g.json >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
publisher "${publish[@]}" --signed g.json 2>"$dir/said" || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "✔ Published web 1.0"

step "what is published already is said to be"
publisher "${publish[@]}" 2>"$dir/said" || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "! Published before: web 1.0"
contains "$(cat "$dir/said")" "0 paths uploaded"
contains "$(cat "$dir/said")" "signed anew for acme"

step "what was built here is not signed here: that is no attack, and the error stands behind the tree"
publisher flox verify "$path" --require-signatures >"$dir/said" 2>&1 && die "it is not signed: $(cat "$dir/said")"
contains "$(cat "$dir/said")" "it was built here and never signed here"
contains "$(cat "$dir/said")" "Run 'flox store sign -r PATH'"
[[ $(tail -n 3 "$dir/said") == *"ERROR: verifying"* && $(head -n 1 "$dir/said") != *ERROR* ]] || die "out of order: $(cat "$dir/said")"
contains "$(publisher flox store sign -r "$path")" "1 path signed as key-1"
publisher flox verify "$path" --require-signatures >"$dir/said" 2>&1 || die "$(cat "$dir/said")"

step "an environment goes to the catalog that the command line names, with its token"
cd "$dir/work/env"
publisher flox init -n web >/dev/null 2>&1
publisher flox install web >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
publisher flox push --prepare p.json 2>"$dir/said" || die "$(cat "$dir/said")"
publisher env -u FLOX_CATALOG_URL -u FLOX_CATALOG_TOKEN flox push --catalog "$url" --token-file "$dir/token" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "acme/web is at generation 1"

step "a token that is not known is not called a missing one"
refused "the token that was sent is not known here" publisher env FLOX_CATALOG_TOKEN=wrong flox yank web@1.0 --reason x
refused "the token that was sent is not known here" publisher env FLOX_CATALOG_TOKEN=wrong "${publish[@]}"
refused "run 'flox auth login'" publisher "${publish[@]}" --token-file "$dir/nothing"

step "durations are read one way"
operator=(flox catalog gc --dry-run --catalog "$url" --token-file "$dir/token")
for grace in 0 36 36h 7d; do "${operator[@]}" --grace $grace >"$dir/said" 2>&1 || die "$grace: $(cat "$dir/said")"; done
contains "$(cat "$dir/said")" "would remove 0 store paths and 0 NARs"
for grace in 90s soon 366d; do
  code=0
  "${operator[@]}" --grace $grace >"$dir/said" 2>&1 || code=$?
  equal "$code" 2
  contains "$(cat "$dir/said")" "--grace: "
done
flox catalog retention set acme --versions 1 --days 1 --catalog "$url" --token-file "$dir/token" 2>/dev/null
contains "$(flox catalog retention show acme --catalog "$url" --token-file "$dir/token")" "the newest version, all generations, and all that is younger than 1 day"

step "the doctor refuses what a node refuses: a catalog that was restored, and one with another key"
doctor() { HOME=$dir/home FLOX_TRUST_DIR=$dir/trust FLOX_TRUST_STATE_DIR=$dir/node-state FLOX_CATALOG_URL=$url flox node doctor 2>&1 || true; }
contains "$(doctor)" "acme: timestamp.json of the catalog, until "
stop_catalog
rm -rf "$dir/older" && cp -a "$data" "$dir/older"
start_catalog --trusted-key "$key"
publisher flox publish --store-path "$(publisher flox store add --name web-1.1 ../web-1.1)" --name web --version 1.1 2>"$dir/said" || die "$(cat "$dir/said")"
publisher "${publish[@]}" 2>"$dir/said" || die "$(cat "$dir/said")"  # who signs has seen what is there
publisher env FLOX_TRUST_STATE_DIR="$dir/node-state" flox install web@1.1 >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
stop_catalog
mv "$data" "$dir/newer" && cp -a "$dir/older" "$data"
start_catalog --trusted-key "$key"
seen=$(ls -lR "$dir/node-state")
said=$(doctor)
contains "$said" "acme: nothing new of this owner is accepted here"
contains "$said" "which was seen here before"
contains "$said" "Find out why the catalog goes back"
case $said in *"timestamp.json of the catalog, until"*) die "what is refused is shown as well: $said" ;; esac
equal "$(ls -lR "$dir/node-state")" "$seen"
refused "Find out why the catalog goes back" publisher "${publish[@]}"
stop_catalog
rm -rf "$data" && mv "$dir/newer" "$data"
start_catalog --trusted-key "$key" --online-key "$dir/other-online-key" --timestamp-life 2h
contains "$(doctor)" "flox trust rotate acme timestamp"
refused "flox trust rotate acme timestamp" publisher "${publish[@]}"
publisher flox trust renew acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
refused "run 'flox trust rotate acme timestamp', then 'flox trust publish acme'" publisher flox trust publish acme
stop_catalog
start_catalog --trusted-key "$key"

step "no catalog where one should be"
refused "Stop what listens there" flox-catalog --listen "${url#http://}" --data "$dir/second" --token-file "$dir/token"
refused "Write it as https://" publisher env FLOX_CATALOG_URL=nonsense "${publish[@]}"
refused "Write it as https://" publisher env FLOX_CATALOG_URL=nonsense flox push
refused "Name a directory that 'flox-catalog export' has written" flox-catalog import --unverified "$dir/nothing" --data "$dir/second"
refused "Name a directory that 'flox-catalog export' has written" flox-catalog import --unverified "$dir/home" --data "$dir/second"
stop_catalog
refused "Check that flox-catalog runs there" publisher "${publish[@]}"
refused "Check that flox-catalog runs there, and check the URL on the command line" \
  flox-catalog mirror "$url" acme --data "$dir/second" --trusted-key "$key" --trust-dir "$dir/trust" --trust-state-dir "$dir/mirror-state"
