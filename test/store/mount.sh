#!/usr/bin/env bash
# Store paths that are mounted from a cache: names are there before bytes, a file's bytes come when they are read, and nothing
# that differs from the signed index is ever seen, whatever the cache sends.
. "$(dirname "$0")/support.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: mounts"; exit 77; }
[ -w /dev/fuse ] || { echo "needs /dev/fuse"; exit 77; }
if [ -z "${FLOX_TEST_MOUNTS:-}" ]; then FLOX_TEST_MOUNTS=1 exec unshare --mount --propagation private "$0"; fi
unset http_proxy

# cache NAME DIRECTORY: serves the directory; its URL is in $URL then, and what it gave in $WORK/gave-NAME.
cache() {
  local port
  port=$(free_port)
  python3 "$PROJECT/test/node/counting_cache.py" "$2" "127.0.0.1:$port" "$WORK/gave-$1" &
  CACHE=$!
  STARTED+=("$CACHE")
  URL=http://127.0.0.1:$port
  wait_until 20 "the cache $1" curl -fs "$URL/nix-cache-info"
}
# bytes_of NAME: of NAR files, given so far.
bytes_of() { awk '/ \/nar\/.*\.nar/ { sum += $1 } END { print sum + 0 }' "$WORK/gave-$1"; }
# mounted ARGUMENT…: mounts at $WORK/mnt; the process is $MOUNT, which is flox-lazy-keeper by then.
mounted() {
  mkdir -p "$WORK/mnt"
  rm -f "$WORK/log"  # of the one before
  flox --root "$WORK/node" store mount "$WORK/mnt" --trusted-key "$(<"$WORK/pub")" --files "$WORK/files" "$@" >"$WORK/log" 2>&1 &
  MOUNT=$!
  STARTED+=("$MOUNT")
  wait_until 60 "the mount" grep -q '^mounted ' "$WORK/log"
}
unmounted() {
  kill -TERM "$MOUNT"
  wait "$MOUNT" || die "flox store mount ended with $?: $(<"$WORK/log")"
  if mountpoint -q "$WORK/mnt"; then die "it is still mounted"; fi
  equal "$(ls "$WORK/files")" "" "what came"
}

mkdir "$WORK/files"
flox store keygen test-1 --out "$WORK/key" >"$WORK/pub"
mkdir -p "$WORK/lib/share" "$WORK/app/bin"
head -c 12000000 /dev/urandom >"$WORK/lib/share/data"
ln -s share/data "$WORK/lib/link"
LIB=$(flox --root "$WORK/store" store add "$WORK/lib")
printf '#!/bin/sh\nexec head -c 20 %s/link\n' "$WORK/mnt/${LIB#/nix/store/}" >"$WORK/app/bin/app"
echo "$LIB" >"$WORK/app/refers"
chmod 755 "$WORK/app/bin/app"
APP=$(flox --root "$WORK/store" store add "$WORK/app" --scan)
flox --root "$WORK/store" store copy --to "file://$WORK/cache" --key "$WORK/key" "$APP" >/dev/null
NAME=${LIB#/nix/store/} APP_NAME=${APP#/nix/store/}

step "names, sizes and links are there without a byte of a NAR; a part of a file brings a part of its NAR"
cache one "$WORK/cache"
mounted --cache "$URL" "$APP"
contains "$(<"$WORK/log")" "mounted 2 store paths"
equal "$(ls "$WORK/mnt" | sort)" "$(printf '%s\n' "$NAME" "$APP_NAME" | sort)" "the paths"
equal "$(stat -c '%s %a %Y' "$WORK/mnt/$NAME/share/data")" "12000000 444 1" "size, mode and time"
equal "$(readlink "$WORK/mnt/$NAME/link")" share/data "the link"
equal "$(bytes_of one)" 0 "bytes of NARs"
equal "$(tail -c 1000 "$WORK/mnt/$NAME/share/data" | sha256sum)" "$(tail -c 1000 "$WORK/lib/share/data" | sha256sum)" "the end of a file"
[ "$(bytes_of one)" -lt 6000000 ] || die "the end of a file of 12 MB took $(bytes_of one) bytes"
equal "$("$WORK/mnt/$APP_NAME/bin/app" | sha256sum)" "$(head -c 20 "$WORK/lib/share/data" | sha256sum)" "what a program of it reads"
diff -r "$WORK/lib" "$WORK/mnt/$NAME" || die "it differs"
refused "Read-only file system" touch "$WORK/mnt/$NAME/new"
unmounted

step "another mount with the same directory for its files leaves those of one that is there alone"
mounted --cache "$URL" "$APP"
ls "$WORK/files" >"$WORK/first"
mkdir "$WORK/beside" "$WORK/nothing"
if flox --root "$WORK/node" store mount "$WORK/beside" --files "$WORK/files" --cache "file://$WORK/nothing" "$LIB" >"$WORK/log-other" 2>&1; then
  die "it mounted what no cache has"
fi
equal "$(ls "$WORK/files")" "$(<"$WORK/first")" "the first one's files"
[ -e "$(echo "$WORK"/files/*/mount.json)" ] || die "the files of the first mount are gone"
diff -r "$WORK/lib" "$WORK/mnt/$NAME" || die "it differs"
unmounted

step "a cache that sends other bytes: their readers get an error, all others what was signed"
cp -r "$WORK/cache" "$WORK/lying"
NAR=$WORK/lying/$(sed -n 's/^URL: //p' "$WORK/lying/${NAME%%-*}.narinfo")
printf 'x' | dd of="$NAR" bs=1 seek=7000000 conv=notrunc status=none
cache lying "$WORK/lying"
LYING=$URL LYING_CACHE=$CACHE
mounted --cache "$LYING" "$APP"
head -c 1000000 "$WORK/mnt/$NAME/share/data" | cmp - "$WORK/lib/share/data" -n 1000000 || die "the part that is right cannot be read"
refused "Input/output error" cmp "$WORK/mnt/$NAME/share/data" "$WORK/lib/share/data"
contains "$(<"$WORK/log")" "frame "
unmounted

step "with a second cache nobody notices, neither that the first lies nor that it goes away"
cache two "$WORK/cache"
mounted --cache "$LYING" --cache "$URL" "$APP"
diff -r "$WORK/lib" "$WORK/mnt/$NAME" || die "it differs"
unmounted
mounted --cache "$LYING" --cache "$URL" "$APP"
kill -KILL "$LYING_CACHE"
diff -r "$WORK/lib" "$WORK/mnt/$NAME" || die "it differs"
unmounted

step "a cache that is away is an error to whoever reads, and none when it is there again"
mounted --cache "$URL" "$APP"
kill -KILL "$CACHE"
refused "Input/output error" cmp "$WORK/mnt/$NAME/share/data" "$WORK/lib/share/data"
python3 "$PROJECT/test/node/counting_cache.py" "$WORK/cache" "${URL#http://}" "$WORK/gave-two" &
STARTED+=($!)
wait_until 20 "the cache" curl -fs "$URL/nix-cache-info"
diff -r "$WORK/lib" "$WORK/mnt/$NAME" || die "it differs"
unmounted

step "what nobody trusted has signed is not mounted: path, index, or another index; the next cache is asked"
flox store keygen other-1 --out "$WORK/other" >"$WORK/other.pub"
try() { flox --root "$WORK/node" store mount "$WORK/mnt" --trusted-key "$(<"$WORK/pub")" --cache "file://$1" "$LIB"; }
flox --root "$WORK/store" store copy --to "file://$WORK/foreign" --key "$WORK/other" "$LIB" >/dev/null
refused "whom we do not trust" try "$WORK/foreign"
cp -r "$WORK/cache" "$WORK/unsigned"
sed -i '/^FloxIndexSig/d' "$WORK/unsigned/"*.narinfo
refused "its index is not signed by a trusted key" try "$WORK/unsigned"
cp -r "$WORK/cache" "$WORK/exchanged"
INDEX=$(sed -n 's/^FloxIndex: sha256://p' "$WORK/exchanged/${NAME%%-*}.narinfo")
OTHER=$(sed -n 's/^FloxIndex: sha256://p' "$WORK/exchanged/${APP_NAME%%-*}.narinfo")
cp "$WORK/exchanged/nar/$OTHER.index.zst" "$WORK/exchanged/nar/$INDEX.index.zst"
refused "the index is not the one that was signed" try "$WORK/exchanged"
mounted --cache "file://$WORK/foreign" --cache "file://$WORK/unsigned" --cache "file://$WORK/exchanged" --cache "file://$WORK/cache" "$LIB"
diff -r "$WORK/lib" "$WORK/mnt/$NAME" || die "it differs"
unmounted
cp -r "$WORK/cache" "$WORK/plain"
sed -i '/^FloxIndex/d' "$WORK/plain/"*.narinfo
refused "it has no index in any cache" try "$WORK/plain"
refused "no cache has it" flox --root "$WORK/node" store mount "$WORK/mnt" --cache "file://$WORK/cache" /nix/store/00000000000000000000000000000000-x
equal "$(ls "$WORK/mnt")" "" "the directory"
