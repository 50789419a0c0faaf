#!/usr/bin/env bash
# What a catalog keeps: rules of retention of the operator and of owners, with a dry run; what a kept generation needs stays; what
# an owner has signed only the owner takes back. Garbage collection frees what nothing needs, says how much, and neither a publisher at the
# same moment nor a stranger comes to harm by it.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
key=$(make_key key-1)
start_catalog --trusted-key "$key"
publish() {  # NAME VERSION [OPTIONS]
  printf '%s %s' "$1" "$2" >"$dir/content"
  last=$(publisher flox store add --name "$1-$2" "$dir/content")
  publisher flox publish --store-path "$last" --name "$1" --version "$2" "${@:3}" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
}
versions() { curl -fs "$url/api/v1/catalog/packages/$1" | jq -r '[.items[].version] | join(" ")'; }
push() {  # OWNER/NAME STORE-PATH
  jq -nc --arg p "$2" '{manifest: ("needs " + $p), lock: {"lockfile-version": 1, manifest: {}, packages: []}}' >"$dir/body"
  equal "$(ask POST "/api/v1/environments/$1" -H "Authorization: Bearer $token" -d @"$dir/body")" 201
}
here() { [ "$(ask GET "/cache/${1:11:32}.narinfo")" = 200 ]; }
publisher flox trust init acme >"$dir/said" 2>&1
publisher flox trust publish acme >"$dir/said" 2>&1
publisher flox owner create plain >"$dir/said" 2>&1

step "without a rule everything stays, and rules are their owner's"
for version in 1.0 1.1 1.2 1.3; do publish signed $version --owner acme; done
for version in 1.0 1.1 1.2 1.3; do publish loose $version; [ $version != 1.0 ] || first=$last; [ $version != 1.1 ] || second=$last; done
push plain/env "$first"
contains "$(publisher flox catalog retention show acme)" "keeps everything"
equal "$(publisher flox catalog retention apply --dry-run 2>"$dir/said")" ""
contains "$(cat "$dir/said")" "Nothing has to go."
refused "the catalog has no owner nosuch" publisher flox catalog retention show nosuch
refused "the catalog has no owner nosuch" publisher flox catalog retention apply nosuch --dry-run
(umask 077; publisher flox auth token create --owner plain --scope admin 2>/dev/null >"$dir/plain")
refused "may not manage acme" publisher flox catalog retention set acme --versions 1 --token-file "$dir/plain"
refused "this needs the operator's token" publisher flox catalog retention set --versions 1 --token-file "$dir/plain"
refused "this needs the operator's token" publisher flox catalog gc --token-file "$dir/plain"
refused "what is to stay" publisher flox catalog retention set acme --days 3

step "a dry run says what would go, and changes nothing"
publisher flox catalog retention set --versions 1 --generations 1 2>"$dir/said"
contains "$(cat "$dir/said")" "the catalog keeps the newest version, the newest generation."
contains "$(publisher flox catalog retention show acme)" "(the catalog's rule)"
publisher flox catalog retention set acme --versions 2 2>"$dir/said"
contains "$(cat "$dir/said")" "acme keeps the newest 2 versions, all generations."
publisher flox catalog retention set acme --none 2>"$dir/said"
equal "$(cat "$dir/said")" "✔ acme keeps the newest version, the newest generation (the catalog's rule)."
publisher flox catalog retention apply --dry-run >"$dir/plan"
equal "$(sort "$dir/plan" | xargs)" "$(printf '%s\n' "would remove loose 1.1/$(uname -m)-linux/any: older than the newest 1" "would remove loose 1.2/$(uname -m)-linux/any: older than the newest 1" \
  "would sign and remove signed 1.0/$(uname -m)-linux/any: older than the newest 1" "would sign and remove signed 1.1/$(uname -m)-linux/any: older than the newest 1" "would sign and remove signed 1.2/$(uname -m)-linux/any: older than the newest 1" | sort | xargs)"
equal "$(versions loose)" "1.3 1.2 1.1 1.0"

step "what a generation needs stays as long as the generation; what is signed stays until its owner signs"
publisher flox catalog retention apply >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "only their owners can remove"
equal "$(versions loose)" "1.3 1.0"
equal "$(versions signed)" "1.3 1.2 1.1 1.0"
push plain/env /nix/store/nothing
publisher flox catalog retention apply >"$dir/said" 2>&1
contains "$(cat "$dir/said")" "removed plain/env:1: older than the newest 1"
equal "$(versions loose)" "1.3"
equal "$(ask GET '/api/v1/environments/plain/env?generation=1')" 404
contains "$(answer .detail)" "generation 1 of environment plain/env was removed by a rule of retention"
equal "$(answer .advice)" "Use one that it has: 2."
equal "$(ask GET '/api/v1/environments/plain/env?generation=9')" 404
contains "$(answer .detail)" "environment plain/env has no generation 9"
equal "$(ask GET '/api/v1/environments/plain/env')" 200

step "the owner takes signed versions back, and nodes verify what is left"
publisher flox catalog retention apply acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
equal "$(versions signed)" "1.3"
contains "$(publisher flox show signed)" "packages/signed version 5, signed by key-1"
publish signed 1.4 --owner acme
equal "$(versions signed)" "1.4 1.3"
publisher flox catalog retention set acme --versions 5 2>"$dir/said"
equal "$(publisher flox catalog retention apply acme --dry-run)" ""

step "garbage is counted first, and freed then"
here "$second" || die "retention removed a file"
contains "$(publisher flox catalog gc)" "removed 0 store paths"  # all of it is young
sql "update nars set used_at = 0" >/dev/null
dry=$(publisher flox catalog gc --dry-run --grace 0)
contains "$dry" "would remove 6 store paths and 6 NARs"
here "$second" || die "a dry run removed something"
equal "$(publisher flox catalog gc --grace 0 | head -1)" "$(head -1 <<<"${dry/would remove/removed}")"
! here "$second" || die "$second is still there"
equal "$(sql "select count(*) from nars where file not like '%index%'")" 3
equal "$(sql 'select count(*) from nars')" 6  # each with its index
equal "$(metric flox_catalog_gc_paths_total)" 6
[ "$(metric flox_catalog_gc_bytes_total)" -gt 0 ] || die "no bytes were counted"
rm -rf "$dir/fresh"
publisher env FLOX_ROOT="$dir/fresh" flox store realise --cache "$url/cache" --trusted-key "$key" "$last" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"

step "a version that is gone can be published again"
publish loose 1.1
equal "$(versions loose)" "1.3 1.1"

step "collections that leave no grace make publishers upload again at worst, and no record is ever without its files"
(while [ ! -e "$dir/stop" ]; do publisher flox catalog gc --grace 0 >"$dir/collected" 2>&1 || { cat "$dir/collected" >&2; exit 1; }; done) &
collector=$!
for version in 2.{0..14}; do
  tries=0
  until (publish busy $version --owner acme) 2>"$dir/why"; do [ $((tries += 1)) -lt 20 ] || die "$version cannot be published: $(cat "$dir/why")"; done
done
touch "$dir/stop"
wait $collector || die "a collection failed"
publisher flox catalog gc --grace 0 >"$dir/said" 2>&1
equal "$(versions busy | wc -w)" 15
curl -fs "$url/api/v1/catalog/packages/busy" | jq -r '.items[].outputs.out' | while read -r path; do here "$path" || die "$path was collected"; done

step "a publication that was cut off between a NAR and its narinfo goes on without the NAR"
printf 'half of it' >"$dir/content"
half=$(publisher flox store add --name half "$dir/content")
publisher flox store copy --to "$url/cache?token-file=$dir/token" --key "$dir/key-1" "$half" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
lose_file "${half:11:32}.narinfo"
publisher flox publish --store-path "$half" --name half --version 1.0 --owner acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "0 paths uploaded (0.0 MB compressed), 1 already there"
