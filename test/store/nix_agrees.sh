#!/usr/bin/env bash
# A store that `flox store` made is one that Nix could have made: same paths, same hashes, clean under --verify. A
# cache that it wrote feeds `nix copy`, a cache that Nix wrote feeds it. What is tampered with, unsigned or signed by
# a stranger is refused, and nothing of it stays.
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
trap 'rm -rf --one-file-system "$WORK"' EXIT
FLOX=${FLOX:-flox}
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG
export HOME=$WORK XDG_CACHE_HOME=$WORK/cache-of-nix
export NIX_CONFIG=$'experimental-features = nix-command\nbuild-users-group =\nnarinfo-cache-negative-ttl = 0'
command -v nix >/dev/null || { echo "needs nix (package nix-bin)"; exit 77; }

PUBLISHER=$WORK/publisher NODE=$WORK/node CACHE=$WORK/cache
equal() { [ "$1" = "$2" ] || die "$3: expected '$2', got '$1'"; }
contains() { case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac; }
nothing_left() {  # nothing_left ROOT: no temporary trees
  equal "$(find "$1/nix/var/nix/flox/scratch" "$1/nix/var/nix/flox/staging" -mindepth 1)" "" "leftovers below $1"
}
clean() {  # clean ROOT: Nix has nothing to complain about
  local output
  output=$(nix-store --store "$1" --verify --check-contents 2>&1) || die "nix-store --verify of $1: $output"
  case $output in *error* | *modified* | *disappeared*) die "nix-store --verify of $1: $output" ;; esac
  nothing_left "$1"
}

step "adding paths with references"
SELF=11111111111111111111111111111111
mkdir -p "$WORK/lib/share" "$WORK/app/bin" "$WORK/tool"
printf 'library\n' >"$WORK/lib/share/text"
LIB=$($FLOX store add "$WORK/lib" --root "$PUBLISHER")
printf '#!%s/share/text\nself=/nix/store/%s-app\n' "$LIB" $SELF >"$WORK/app/bin/app"
chmod +x "$WORK/app/bin/app"
ln -s "/nix/store/$SELF-app/bin/app" "$WORK/app/link"
APP=$($FLOX --root "$PUBLISHER" store add "$WORK/app" --scan --self $SELF)
ln -s "$APP/bin/app" "$WORK/tool/app"
TOOL=$($FLOX store add "$WORK/tool" --name a-tool --scan --root "$PUBLISHER")
equal "$(readlink "$PUBLISHER$APP/link")" "$APP/bin/app" "the self reference in a symlink"
clean "$PUBLISHER"
equal "$($FLOX store closure --root "$PUBLISHER" "$TOOL" | sort)" "$(nix-store --store "$PUBLISHER" -qR "$TOOL" | sort)" "the closure"
equal "$(nix --store "$WORK/other" store add-path "$WORK/lib")" "$LIB" "the path that Nix gives the same tree"
nix --store "$PUBLISHER" store verify "$LIB" "$APP" "$TOOL" || die "Nix does not accept the content addresses"

step "what Nix knows of the paths and what we know is the same"
facts='[.[] | {path, narSize, ca, references: (.references | sort)}] | sort_by(.path)'
equal "$($FLOX store info --json --root "$PUBLISHER" "$LIB" "$APP" "$TOOL" | jq -S "$facts")" \
  "$(nix --store "$PUBLISHER" path-info --json "$LIB" "$APP" "$TOOL" | jq -S "$facts")" "path-info"
equal "$($FLOX store info --json --root "$PUBLISHER" "$APP" | jq -r '.[0].narHash')" \
  "$(nix-store --store "$PUBLISHER" -q --hash "$APP")" "the NAR hash"

step "a cache that we wrote feeds Nix"
KEY=$($FLOX store keygen test-1 --out "$WORK/key")
equal "$(stat -c %a "$WORK/key")" 600 "mode of the secret key"
! $FLOX store keygen test-1 --out "$WORK/key" 2>"$WORK/err" || die "an existing key was overwritten"
contains "$(<"$WORK/err")" "exists already"
contains "$($FLOX store copy --root "$PUBLISHER" --to "file://$CACHE" --key "$WORK/key" "$TOOL")" "3 paths uploaded"
contains "$($FLOX store copy --root "$PUBLISHER" --to "file://$CACHE" --key "$WORK/key" "$TOOL")" "0 paths uploaded"
# Without their content addresses the paths stand by their signatures alone.
cp -r "$CACHE" "$WORK/signed" && sed -i '/^CA:/d' "$WORK"/signed/*.narinfo
nix copy --from "file://$WORK/signed" --to "$WORK/nix-node" --option trusted-public-keys "$KEY" "$TOOL" ||
  die "nix copy from our cache failed"
clean_nix=$(nix-store --store "$WORK/nix-node" --verify --check-contents 2>&1) || die "$clean_nix"
! nix copy --from "file://$WORK/signed" --to "$WORK/nix-node-2" --option trusted-public-keys "" "$TOOL" 2>/dev/null ||
  die "Nix took the paths without our key"

step "realising from our cache"
$FLOX store realise --root "$NODE" --cache "file://$CACHE" --trusted-key "$KEY" "$TOOL/app" >/dev/null
clean "$NODE"
diff -r --no-dereference "$PUBLISHER/nix/store" "$NODE/nix/store" || die "the stores differ"
contains "$($FLOX store verify --root "$NODE")" "3 paths, all as they were registered"

step "realising from a cache that Nix wrote, with every compression that it has"
for compression in xz zstd bzip2 gzip br none; do
  nix --store "$PUBLISHER" store sign --key-file "$WORK/key" --recursive "$TOOL"
  nix --store "$PUBLISHER" copy --to "file://$WORK/nix-$compression?compression=$compression" "$TOOL"
  $FLOX store realise --root "$WORK/node-$compression" --cache "file://$WORK/nix-$compression" --trusted-key "$KEY" "$TOOL" >/dev/null
  clean "$WORK/node-$compression"
done

refused() {  # refused CACHE KEY REASON: realising from the cache fails so, and leaves nothing
  rm -rf "$WORK/refused"
  ! $FLOX store realise --root "$WORK/refused" --cache "file://$1" --trusted-key "$2" "$TOOL" 2>"$WORK/err" ||
    die "realised although: $3"
  contains "$(<"$WORK/err")" "$3"
  contains "$(<"$WORK/err")" "/nix/store/"
  equal "$(ls -A "$WORK/refused/nix/store")" .links "paths in the store after '$3'"
  equal "$(sqlite3 "$WORK/refused/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths')" 0 "valid paths after '$3'"
  equal "$(find "$WORK/refused/nix/var/nix/flox/scratch" -mindepth 1)" "" "temporary trees after '$3'"
}
narinfo() { basename "$1" | cut -c1-32 | sed "s|.*|$2/&.narinfo|"; }

step "tampered, unsigned and wrongly signed paths are refused"
cp -r "$CACHE" "$WORK/tampered"
evil=$WORK/tampered/$(sed -n 's/^URL: //p' "$(narinfo "$APP" "$WORK/tampered")")
zstd -qdc "$evil" | sed 's/self=/evil=/' | zstd -qc >"$WORK/evil" && mv "$WORK/evil" "$evil"
refused "$WORK/tampered" "$KEY" "hash mismatch"
cp -r "$CACHE" "$WORK/unsigned" && sed -i '/^Sig:/d' "$(narinfo "$LIB" "$WORK/unsigned")"
refused "$WORK/unsigned" "$KEY" "it is not signed"
refused "$CACHE" "$($FLOX store keygen test-1 --out "$WORK/other-key")" "its signature by test-1 is wrong"
refused "$CACHE" "$($FLOX store keygen other-1 --out "$WORK/third-key")" "signed by test-1, whom we do not trust"
rm "$(narinfo "$LIB" "$CACHE")"
refused "$CACHE" "$KEY" "does not have it"

step "damage in the store is found"
chmod u+w "$NODE$LIB/share/text" && echo more >>"$NODE$LIB/share/text"
! output=$($FLOX store verify --root "$NODE" 2>&1) || die "the damage was not found"
contains "$output" "$LIB: its NAR hash is"
contains "$output" "1 of 3 paths are damaged"
