#!/usr/bin/env bash
# The commands that look after a store: info, ls, cat, closure, roots, gc, optimise, verify --repair, sign, serve, copy;
# what they print to people and to scripts, and that Nix agrees.
. "$(dirname "$0")/support.sh"
ROOT=$WORK/store
store() { flox --root "$ROOT" store "$@"; }

step "a closure to look at"
mkdir -p "$WORK/base/share" "$WORK/lib" "$WORK/app/bin"
printf 'hello\n' >"$WORK/base/share/text"
BASE=$(store add "$WORK/base")
echo "$BASE/share/text" >"$WORK/lib/refers"
LIB=$(store add "$WORK/lib" --scan)
printf '#!%s\n' "$LIB/refers" >"$WORK/app/bin/app" && chmod +x "$WORK/app/bin/app"
ln -s "$BASE/share" "$WORK/app/share"
APP=$(store add "$WORK/app/" --scan)
equal "$(store add --json "$WORK/base" "$WORK/lib" --scan | jq -r '.[].path' | sort)" "$(printf '%s\n' "$BASE" "$LIB" | sort)" "add --json"
refused "one path" store add --name x "$WORK/base" "$WORK/lib"

step "ls and cat"
equal "$(store ls "$APP")" "$(printf 'bin/\nshare')" "ls"
contains "$(store ls -lR "$APP")" "-r-xr-xr-x"
contains "$(store ls -l "$APP")" "share -> $BASE/share"
equal "$(store ls --json "$APP" | jq -r '.root.entries.bin.entries.app.executable')" true "ls --json"
equal "$(store cat "$APP/share/text")" hello "cat through a symlink into another path"
refused "is a directory" store cat "$APP/bin"
refused "there is no" store ls "$APP/nothing"
refused "is not in the store" store ls "/nix/store/11111111111111111111111111111111-x"

step "closure: paths, sizes, tree, why, dot, JSON"
equal "$(store closure "$APP")" "$(nix-store --store "$ROOT" -qR "$APP" | sort)" "the closure"
equal "$(store closure --json "$APP" | jq '[.[].narSize] | add')" "$(nix --store "$ROOT" path-info -S "$APP" | awk '{ print $2 }')" "the closure's size"
contains "$(store closure --sizes "$APP")" "in 3 paths"
equal "$(store closure --tree "$APP" | grep -c 'base')" 2 "the tree names base twice: below app and below lib"
equal "$(store closure --why "$APP" "$BASE" --json | jq -r '.[0], .[-1]')" "$(printf '%s\n' "$APP" "$BASE")" "why"
refused "does not refer to" store closure --why "$BASE" "$APP"
contains "$(store closure --dot "$APP")" "\"${APP##*/}\" -> \"${LIB##*/}\";"

step "sign, serve, copy --from"
KEY=$(store keygen care-1 --out "$WORK/key")
contains "$(store sign --key "$WORK/key" --recursive "$APP")" "3 paths signed as care-1"
equal "$(store info --json "$APP" | jq -r '.[0].signatures[0]')" "$(nix --store "$ROOT" path-info --json "$APP" | jq -r '.[0].signatures[0]')" "the signature"
refused "not of the form" store serve --listen nonsense
flox --root "$ROOT" store serve --listen 127.0.0.1:0 --port-file "$WORK/port" >/dev/null &
STARTED+=($!)
wait_until 10 "the server" test -s "$WORK/port"
URL=http://127.0.0.1:$(cat "$WORK/port")
contains "$(flox --root "$WORK/node" store copy --from "$URL" --trusted-key "$KEY" "$APP")" "3 paths fetched"
nix copy --from "$URL" --to "$WORK/nix-node" --option trusted-public-keys "$KEY" "$APP" || die "Nix cannot copy from us"
clean "$WORK/node"
clean "$WORK/nix-node"
kill -TERM "${STARTED[0]}" && wait "${STARTED[0]}" || die "the server does not stop when asked"
STARTED=()

step "copy --to: compressions, listings, unsigned paths"
refused "has no signature" flox --root "$WORK/unsigned" store copy --to "file://$WORK/x" "$(flox --root "$WORK/unsigned" store add "$WORK/base")"
for method in none xz zstd; do
  store copy --to "file://$WORK/cache-$method" --compression $method --listings "$APP" >/dev/null
  nix copy --from "file://$WORK/cache-$method" --to "$WORK/from-$method" --option trusted-public-keys "$KEY" "$APP" || die "Nix cannot copy from our $method cache"
done
nix --store "$ROOT" copy --to "file://$WORK/cache-of-nix?compression=none&write-nar-listing=1" "$APP"
digest=$(basename "$APP" | cut -c1-32)
equal "$(jq -S . "$WORK/cache-none/$digest.ls")" "$(jq -S . "$WORK/cache-of-nix/$digest.ls")" "the listing that Nix writes"
grep -v '^\(Sig\|URL\|FileHash\|FileSize\)' "$WORK/cache-none/$digest.narinfo" >"$WORK/ours"
grep -v '^\(Sig\|URL\|FileHash\|FileSize\)' "$WORK/cache-of-nix/$digest.narinfo" >"$WORK/nix"
diff "$WORK/ours" "$WORK/nix" || die "the narinfos differ"

step "damage is found, and mended from a cache"
chmod u+w "$ROOT$BASE/share/text" && echo more >>"$ROOT$BASE/share/text"
refused "1 of 3 paths are damaged" store verify
equal "$(store verify --json 2>/dev/null | jq -r '.damaged[0].path')" "$BASE" "verify --json"
mkdir "$WORK/empty-cache"
refused "does not have it" store verify --repair --cache "file://$WORK/empty-cache"
contains "$(store verify --repair --cache "file://$WORK/cache-zstd")" "repaired"
contains "$(store verify)" "3 paths, all as they were registered"
mv "$ROOT$BASE" "$WORK/moved"
refused "its files are missing" store verify --no-contents
store verify --repair --cache "file://$WORK/cache-xz" "$BASE" >/dev/null
clean "$ROOT"

step "optimise"
make_trees 4 100000
cp -r "$WORK/trees/1/." "$WORK/trees/3"
store add "$WORK"/trees/* >/dev/null
equal "$(store optimise --json | jq .files_linked)" 2 "files that were equal"
clean "$ROOT"
contains "$(nix-store --store "$ROOT" --optimise -vv 2>&1)" "0.00 MiB freed by hard-linking 0 files"

step "roots and garbage"
ln -s "$LIB" "$ROOT/nix/var/nix/gcroots/lib"
contains "$(store roots)" "gcroots/lib -> $LIB"
equal "$(store roots --json | jq -r --arg p "$LIB" '.[] | select(.path == $p) | .kind')" permanent "roots --json"
equal "$(store gc --dry-run --json | jq '.removed | length')" 5 "what a dry run would remove"
equal "$(store gc --dry-run --keep-newer 1h --json | jq '.removed | length')" 0 "with --keep-newer"
equal "$(store gc --dry-run -q | cut -d' ' -f1)" 5 "for people"
refused "is not a size" store gc --max-freed lots
refused "is not a duration" store gc --keep-newer yesterday
equal "$(store gc --json --max-freed 1 | jq '.removed | length')" 1 "one path is enough for one byte"
store gc >/dev/null
equal "$(store closure "$LIB" | sort)" "$(sqlite3 "$ROOT/nix/var/nix/db/db.sqlite" 'select path from ValidPaths order by path')" "what is left"
equal "$(ls -A "$ROOT/nix/store" | sort)" "$(printf '.links\n%s\n%s\n' "${BASE##*/}" "${LIB##*/}" | sort)" "the store directory"
equal "$(ls "$ROOT/nix/store/.links" | wc -l)" 2 "links that are in use"
clean "$ROOT"
