#!/usr/bin/env bash
# Who holds the catalog's token can add to what is published, and take nothing away: of a published path an upload can
# change neither address nor content, and what an upload says of itself is compared with what it is.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"
keys=(--trusted-key "$(make_key key-1)" --trusted-key "$(make_key key-2)")
start_catalog "${keys[@]}"
make_path 0
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
equal "$(record web "$(build 1.0)")" 201
curl -fs "$url/cache/$digest.narinfo" >"$dir/published"

unchanged() {
  curl -fs "$url/cache/$digest.narinfo" | cmp - "$dir/published" || die "$1: the narinfo has changed"
  curl -fs "$url/cache/$nar" | cmp - "$dir/nar" || die "$1: the NAR has changed"
}
# changed STATUS SED…: an upload of the narinfo as sed makes it, signed for the path as it is published.
changed() {
  local status=$1
  shift
  sed "$@" "$dir/narinfo" >"$dir/changed"
  equal "$(put "$digest.narinfo" "$dir/changed")" "$status"
  unchanged "sed $*"
}

step "its address stays"
head -c 5000 /dev/urandom >"$dir/other"
other=nar/$(base32_hash "$dir/other").nar
equal "$(put "$other" "$dir/other")" 201
for address in "$other" http://127.0.0.1:1/x.nar http://169.254.169.254/latest nar/../x ../x "nar/$hash.nar.zst"; do changed 409 "s|^URL: .*|URL: $address|"; done
step "its sizes and hashes and references stay"
changed 403 's/^FileSize: .*/FileSize: 4999/'
changed 403 's/^Compression: .*/Compression: xz/'
changed 403 "s/^FileHash: .*/FileHash: sha256:${other:4:52}/"
# These are signed, so that the old signature is none; with a new one it is another content.
changed 403 's/^NarSize: .*/NarSize: 4999/'
sed -e 's/^NarSize: .*/NarSize: 4999/' -e '/^Sig/d' "$dir/narinfo" >"$dir/changed"
echo "Sig: $(sign "$dir/key-1" "$path" "$hash" 4999)" >>"$dir/changed"
equal "$(put "$digest.narinfo" "$dir/changed")" 409
unchanged "another size, signed"
step "so do the members that no signature covers"
sed '/^Sig/i Deriver: 99999999999999999999999999999999-x.drv\nCA: fixed:r:sha256:0000000000000000000000000000000000000000000000000000' "$dir/narinfo" >"$dir/changed"
equal "$(put "$digest.narinfo" "$dir/changed")" 201
unchanged "with a deriver"

step "its file stays"
equal "$(put "$nar" "$dir/other")" 403
unchanged "another file of its name"
equal "$(put "$nar" "$dir/nar")" 201
unchanged "the same file"
for method in DELETE POST PATCH; do
  equal "$(ask $method "/cache/$nar" -H "Authorization: Bearer $token")" 404
  equal "$(ask $method "/cache/$digest.narinfo" -H "Authorization: Bearer $token")" 404
done
unchanged "other methods"

step "signatures do not pile up, and the version stays fetchable"
for i in 1 2 3; do
  { cat "$dir/narinfo"; for n in $(seq 200); do echo "Sig: k$i-$n:$(printf 'A%.0s' {1..86})=="; done; } >"$dir/changed"
  equal "$(put "$digest.narinfo" "$dir/changed")" 201
done
{ cat "$dir/narinfo"; for n in $(seq 3000); do echo "Sig: k-$n:$(printf 'A%.0s' {1..86})=="; done; } >"$dir/changed"
equal "$(put "$digest.narinfo" "$dir/changed")" 413
unchanged "three thousand signatures"
step "a valid signature of a registered key is added, once"
narinfo key-2 >"$dir/changed"
equal "$(put "$digest.narinfo" "$dir/changed")" 201
equal "$(put "$digest.narinfo" "$dir/changed")" 201
equal "$(curl -fs "$url/cache/$digest.narinfo" | grep -c ^Sig:)" 2

step "a NAR is unpacked to see that it is what its narinfo says"
published=$nar
make_path 1
narinfo key-1 | sed 's/^NarSize: .*/NarSize: 4999/' >"$dir/changed"
sed -i '/^Sig/d' "$dir/changed"
echo "Sig: $(sign "$dir/key-1" "$path" "$hash" 4999)" >>"$dir/changed"
equal "$(put "$digest.narinfo" "$dir/changed")" 403
contains "$(answer .detail)" "NarHash or NarSize"
# A small file that unpacks to a gigabyte, said to be a small NAR.
head -c 1G /dev/zero | zstd -q >"$dir/bomb"
bomb=$(base32_hash "$dir/bomb")
equal "$(put "nar/$bomb.nar.zst" "$dir/bomb")" 201
{
  printf '%s\n' "StorePath: $path" "URL: nar/$bomb.nar.zst" "Compression: zstd" "FileHash: sha256:$bomb" "FileSize: $(stat -c %s "$dir/bomb")" \
    "NarHash: sha256:$hash" "NarSize: 5000" "References: " "Sig: $(sign "$dir/key-1" "$path" "$hash" 5000)"
} >"$dir/changed"
equal "$(put "$digest.narinfo" "$dir/changed")" 403
equal "$(ask GET "/cache/$digest.narinfo")" 404
[ "$(peak_rss)" -le 131072 ] || die "flox-catalog held $(peak_rss) KiB at its peak"
step "a file that is not what its name says it is compressed with is refused"
# As brotli its first byte asks for a small window: a file that asks for a large one is unpacked once its narinfo comes.
{ printf '\0' && head -c 4000 /dev/urandom; } >"$dir/junk"
for suffix in zst xz bz2 gz br; do equal "$(put "nar/$(base32_hash "$dir/junk").nar.$suffix" "$dir/junk")" 400; done

step "after a restart everything is as it was"
stop_catalog
start_catalog "${keys[@]}"
equal "$(ask GET "/cache/$published")" 200
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(answer '.items[0].signer')" key-1
