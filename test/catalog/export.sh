#!/usr/bin/env bash
# A catalog becomes a directory while it serves, and the directory a catalog again, on the same backend and on the other: nodes take
# what it says as before. What is damaged, changed or hostile is refused before anything appears.
# prepare: moto-venv
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/signed_world.sh"
each_backend "$@"
public_key=$(make_key key-1)
keys=(--trusted-key "$public_key" --trusted-key "$(make_key key-2)")

# With what starts read first.
look_all() {
  look
  for name in environments/acme/web catalog/packages/hello; do curl -s "$url/api/v1/$name/start-profile"; done
}
start_catalog "${keys[@]}"
fill_catalog
hello=$(curl -s "$url/api/v1/catalog/packages/hello" | jq -r '.items[0].outputs.out')
profile_of "$hello" | flox node profile publish - acme/web
profile_of "$hello" share/hello/version | flox node profile publish - hello
look_all >"$dir/look"
grep -q hidden "$dir/look" || die "the look shows nothing"
trusted_by_node
export_catalog() { flox-catalog export "$1" --data "$data" "${CATALOG_OPTIONS[@]}"; }
sum_of() { (cd "$1" && find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum); }

step "an export beside the running catalog; the same once more, and the same elsewhere"
export_catalog "$dir/export" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
sha256=$(sed -n 's/^sha256 //p' "$dir/said")
equal "$(sha256sum <"$dir/export/export.json" | cut -d' ' -f1)" "$sha256"
first=$(sum_of "$dir/export")
export_catalog "$dir/export" >"$dir/said"
contains "$(cat "$dir/said")" " 0 copied now"
equal "$(sum_of "$dir/export")" "$first"
export_catalog "$dir/export-2" >"$dir/said"
equal "$(sum_of "$dir/export-2")" "$first"
equal "$(stat -c %a "$dir/export")" 700
! grep -rqF -e "$token" -e "$secret_token" "$dir/export" || die "a token is in the export"
! grep -rqF "$(cut -d: -f2 "$data/online.key")" "$dir/export" || die "the online key is in the export"

step "an export that was interrupted goes on, and what is no export is left alone"
rm "$dir/export-2/export.json" "$(find "$dir/export-2/cache/nar" -type f | head -1)"
printf x >>"$(find "$dir/export-2/cache/nar" -type f | tail -1)"
echo half >"$dir/export-2/records/builds.new"
export_catalog "$dir/export-2" >"$dir/said"
contains "$(cat "$dir/said")" " 2 copied now"
equal "$(sum_of "$dir/export-2")" "$first"
mkdir "$dir/mine" && touch "$dir/mine/letter"
refused "which is no part of an export" export_catalog "$dir/mine"
equal "$(ls "$dir/mine")" letter
refused "there is no catalog in" flox-catalog export "$dir/none" --data "$dir/nowhere"
[ ! -e "$dir/nowhere" ] || die "an export made a catalog"

step "an export of the running catalog is of one moment"
(for n in $(seq 1 12); do publish_file "moving-$n" 1.0 --owner acme; done) &
publisher=$!
count=0
while kill -0 $publisher 2>/dev/null; do
  count=$((count + 1))
  export_catalog "$dir/moving-$count" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
done
wait $publisher
[ $count -ge 2 ] || die "only $count exports ran beside the publisher"
for n in $(seq 1 $count); do
  flox-catalog import "$dir/moving-$n" --data "$dir/moving" "${keys[@]}" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  rm -rf "$dir/moving"
done

step "onto the other backend and back"
stop_catalog
refused "no --trusted-key is given" flox-catalog import "$dir/moving-1" --data "$dir/unverified"
[ ! -e "$dir/unverified" ] || die "something was imported without keys"
import() { flox-catalog import "$1" --data "$2" "${keys[@]}" "${@:3}"; }
import "$dir/export" "$dir/local" --sha256 "$sha256" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "timestamps of acme "
flox-catalog export "$dir/export-3" --data "$dir/local" >"$dir/said"
equal "$(sum_of "$dir/export-3")" "$first"
data=$dir/local
cp "$dir/data/online.key" "$dir/local/online.key"
MOVED=("${CATALOG_OPTIONS[@]}")
CATALOG_OPTIONS=()
start_catalog "${keys[@]}"
look_all >"$dir/look-2"
diff "$dir/look" "$dir/look-2" >"$dir/diff" || die "the imported catalog differs: $(head -20 "$dir/diff")"
trusted_by_node || die "a node refuses what was imported"

step "the same import once more changes nothing, not beside the running catalog either"
import "$dir/export" "$dir/local" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
contains "$(cat "$dir/said")" "(0 new)"
contains "$(cat "$dir/said")" "(0 store paths new)"

step "a catalog with something else stays as it is"
publish_file other 1.0 --owner acme
refused "Import into an empty catalog" import "$dir/export" "$dir/local"
equal "$(ask GET /api/v1/catalog/packages/other)" 200
stop_catalog
if [ "$BACKEND" = shared ]; then
  step "from a directory back to PostgreSQL and S3"
  empty_postgres
  stop_s3
  start_s3
  import "$dir/export-3" "$dir/data" "${MOVED[@]}" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  data=$dir/data
  CATALOG_OPTIONS=("${MOVED[@]}")
  start_catalog "${keys[@]}"
  look_all >"$dir/look-4"
  diff "$dir/look" "$dir/look-4" >"$dir/diff" || die "the catalog differs: $(head -20 "$dir/diff")"
  trusted_by_node || die "a node refuses what was imported"
  stop_catalog
fi

step "what was damaged or changed is refused, and nothing appears"
bad() {  # TEXT: an import of $dir/bad
  rm -rf "$dir/target"
  refused "$1" import "$dir/bad" "$dir/target" "${@:2}"
  equal "$(sqlite3 "$dir/target/catalog.sqlite" 'select (select count(*) from builds) + (select count(*) from owners) + (select count(*) from cache_readers)')" 0
  equal "$(find "$dir/target/cache" -name '*.narinfo' -o -name '*.nar*' -type f | wc -l)" 0
}
fresh() { rm -rf "$dir/bad"; cp -r "$dir/export" "$dir/bad"; }
# What somebody does who changes an export and makes its hashes fit: edit TABLE SED.
edit() {
  python3 - "$dir/bad" "$@" <<'PY'
import hashlib, json, os, re, sys
directory, table, old, new = sys.argv[1:]
index = json.load(open(f"{directory}/export.json"))
entry = index["tables"][table]
name = f"{directory}/records/{table}.{entry['sha256']}.jsonl"
text = open(name).read()
assert re.search(old, text), f"{old} is not in {name}"
text = re.sub(old, new, text)
os.remove(name)
entry.update(sha256=hashlib.sha256(text.encode()).hexdigest(), size=len(text.encode()), rows=text.count("\n"))
open(f"{directory}/records/{table}.{entry['sha256']}.jsonl", "w").write(text)
json.dump(index, open(f"{directory}/export.json", "w"))
PY
}
fresh
bad "is not $(printf '0%.0s' {1..64})" --sha256 "$(printf '0%.0s' {1..64})"
nar=$(find "$dir/bad/cache/nar" -type f | head -1)
cp "$nar" "$dir/nar" && python3 -c 'import sys; b = bytearray(open(sys.argv[1], "rb").read()); b[-1] ^= 1; open(sys.argv[1], "wb").write(b)' "$nar"
bad "damaged zstd data"
rm "$nar"
bad "is missing"
ln -s "$dir/nar" "$nar"
bad "is missing"
fresh
narinfo=$(find "$dir/bad/cache" -name '*.narinfo' | head -1)
echo "Deriver: x" >>"$narinfo"
bad "its hash is not the one that the export lists"
rm "$narinfo"; ln -s /etc/passwd "$narinfo"
bad "$(basename "$narinfo")"
fresh
records=$(find "$dir/bad/records" -name 'builds.*')
sed -i 's/T[0-9][0-9]:/T99:/' "$records"
bad "is not the file that export.json names"
mv "$records" "$dir/records" && ln -s "$dir/records" "$records"
bad "is missing, or is no file"
fresh; edit files '"name":"nar/[^"]*"' '"name":"../../../../tmp/escaped"'
bad "is no file of a binary cache"
fresh; edit files '(?m)^.*narinfo.*\n' ''
bad "no narinfo names"
fresh; edit builds '"name":"hello"' '"name":"jello"'
bad "the record is of another build than its row"
fresh; edit builds '(?s)^(.*\n)$' '\1\1'
bad "not in the order of their keys"
fresh; edit metadata '"role":"targets"' '"role":"unknown"'
bad "is no role of signed metadata"
fresh; edit metadata '(\\"sig\\": ?\\")[0-9a-f]{8}' '\g<1>00000000'
bad "root"
fresh; edit name_files '"sha256":"[0-9a-f]*"' '"sha256":"00"'
bad "is not the hash of the name file"
fresh; edit members publish king
bad "'role' is none"
fresh; edit builds '\}\n' '}'
bad "builds"
fresh; edit owners '"private"|"is_private":1' '"is_private":"yes"'
bad "is no number"
fresh; sed -i 's/"version": *1/"version": 7/' "$dir/bad/export.json"
bad "Import it with the release that exported it"
fresh; rm -rf "$dir/target"
refused "it bears no valid signature of a registered key" flox-catalog import "$dir/export" --data "$dir/target" --trusted-key "$(flox store keygen other-1 --out "$dir/other")"

step "an import that is killed goes on"
# Before the first step of the schema there is no such table.
builds_in() { sqlite3 -cmd '.timeout 10000' "$1/catalog.sqlite" 'select count(*) from builds' 2>/dev/null || echo 0; }
rm -rf "$dir/target"
for _ in $(seq 1 40); do
  flox-catalog import "$dir/export" --data "$dir/target" "${keys[@]}" >"$dir/said" 2>&1 &
  pid=$!
  sleep 0.0$((RANDOM % 9))
  kill -KILL $pid 2>/dev/null || { wait $pid; break; }
  wait $pid 2>/dev/null || true
  # All builds, or none.
  [ ! -s "$dir/target/catalog.sqlite" ] || [ "$(builds_in "$dir/target")" = 0 ] || equal "$(builds_in "$dir/target")" 4
done
import "$dir/export" "$dir/target" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
flox-catalog export "$dir/export-5" --data "$dir/target" >"$dir/said"
equal "$(sum_of "$dir/export-5")" "$first"
