#!/usr/bin/env bash
# The server of a mount is killed over and over while readers compare every byte: they wait and never see what is wrong. The
# keeper is killed: they get an error and do not wait. The disk is full: the reader gets an error, and none when there is room.
#   KILLS=60 READERS=30   how often, and how many read meanwhile
# ctest: COST 150
. "$(dirname "$0")/support.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: mounts"; exit 77; }
[ -w /dev/fuse ] || { echo "needs /dev/fuse"; exit 77; }
if [ -z "${FLOX_TEST_MOUNTS:-}" ]; then FLOX_TEST_MOUNTS=1 exec unshare --mount --propagation private "$0"; fi
unset http_proxy
trap 'stop_all; umount -l "$WORK/mnt" "$WORK/files" 2>/dev/null || true; rm -rf --one-file-system "$WORK"' EXIT
KILLS=${KILLS:-60} READERS=${READERS:-30}
# Looks at no file of the mount: without a server nobody would answer.
is_mounted() { grep -q " $WORK/mnt " /proc/self/mountinfo; }
server() { pgrep -P "$MOUNT"; }
# mounted ARGUMENT…: mounts $TOP at $WORK/mnt; the keeper is $MOUNT.
mounted() {
  mkdir -p "$WORK/mnt" "$WORK/files"
  rm -f "$WORK/log"  # of the one before
  flox --root "$WORK/node" store mount "$WORK/mnt" --trusted-key "$(<"$WORK/pub")" --files "$WORK/files" --cache "$URL" "$@" "$TOP" >"$WORK/log" 2>&1 &
  MOUNT=$!
  STARTED+=("$MOUNT")
  wait_until 60 "the mount" grep -q '^mounted ' "$WORK/log"
}
unmounted() {
  kill -TERM "$MOUNT"
  wait "$MOUNT" || die "it ended with $?: $(tail -5 "$WORK/log")"
  if is_mounted; then die "it is still mounted"; fi
  equal "$(ls "$WORK/files")" "" "what came"
}
cache() {  # cache BYTES_A_SECOND
  local port
  port=$(free_port)
  python3 "$PROJECT/test/node/counting_cache.py" "$WORK/cache" "127.0.0.1:$port" "$WORK/gave" "$1" 2>"$WORK/cache-log" &  # a killed server breaks its connections
  CACHE=$!
  STARTED+=("$CACHE")
  URL=http://127.0.0.1:$port
  wait_until 20 "the cache" curl -fs "$URL/nix-cache-info"
}

flox store keygen test-1 --out "$WORK/key" >"$WORK/pub"
mkdir -p "$WORK/top/bin" "$WORK/top/share"
for ((i = 1; i <= 12; i++)); do head -c $((i * 700000)) /dev/urandom >"$WORK/top/share/large$i"; done
for ((i = 1; i <= 200; i++)); do head -c $((i * 37)) /dev/urandom >"$WORK/top/share/small$i"; done
printf '#!/bin/sh\necho ran\nexit 7\n' >"$WORK/top/bin/program.sh"
chmod 755 "$WORK/top/bin/program.sh"
TOP=$(flox --root "$WORK/store" store add "$WORK/top")
flox --root "$WORK/store" store copy --to "file://$WORK/cache" --key "$WORK/key" "$TOP" >/dev/null
NAME=${TOP#/nix/store/}

step "$READERS readers compare every byte while the server is killed $KILLS times"
cache 20000000
mounted
went_on() { grep -c 'serving .* again' "$WORK/log" || true; }
READER=()
for ((i = 1; i <= READERS; i++)); do
  "$PROJECT/test/store/reader.py" "$WORK/mnt/$NAME" "$WORK/top" "$WORK/stop" "$i" >"$WORK/reader$i" 2>&1 &
  READER+=($!)
done
STARTED+=("${READER[@]}")
before=-1 last=
for ((kill = 1; kill <= KILLS; kill++)); do
  # Half of them die at any time, the others when they have something to answer.
  # One that the keeper has not reaped yet is none.
  until one=$(server) && [ "$one" != "$last" ]; do sleep 0.005; done
  if ((kill % 2)); then wait_until 60 "server $kill" eval "((\$(went_on) > before))"; fi
  sleep "0.$(printf %03d $((RANDOM % 400)))"
  before=$(went_on)
  kill -KILL "$one" 2>/dev/null || true
  last=$one
done
touch "$WORK/stop"
reads=0
for ((i = 1; i <= READERS; i++)); do
  wait "${READER[i - 1]}" || die "reader $i: $(<"$WORK/reader$i")"
  reads=$((reads + $(<"$WORK/reader$i")))
done
deaths=$(grep -c 'died of signal 9: starting another one' "$WORK/log")
echo "$reads reads were right; $deaths servers died, $(went_on) went on; the cache gave $(awk '{ sum += $1 } END { print sum }' "$WORK/gave") bytes of $(du -sb "$WORK/cache" | cut -f1)"
[ "$deaths" -ge $((KILLS - 5)) ] || die "only $deaths deaths of $KILLS"
diff -r "$WORK/top" "$WORK/mnt/$NAME" || die "it differs"
unmounted

step "the keeper is killed: its server goes with it, whoever waits gets an error, and nothing but right bytes was seen"
cache 0
mounted
cmp "$WORK/mnt/$NAME/share/small7" "$WORK/top/share/small7" || die "it differs"
kill -STOP "$CACHE"
cat "$WORK/mnt/$NAME/share/large12" >"$WORK/seen" 2>"$WORK/error" &
WAITS=$!
STARTED+=("$WAITS")
SERVER=$(server)
kill -KILL "$MOUNT"
wait "$MOUNT" && die "it ended well"
if wait "$WAITS"; then die "a read ended well that nobody could answer"; fi
equal "$(stat -c %s "$WORK/seen")" 0 "bytes that the reader saw"
contains "$(<"$WORK/error")" "large12: "
refused "Transport endpoint is not connected" ls "$WORK/mnt/$NAME"
wait_until 20 "the server's end" test ! -e "/proc/$SERVER/exe"
umount "$WORK/mnt"
rm -rf "$WORK/files"
kill -CONT "$CACHE"

step "others unmount it: the keeper and its server end, and what came is removed"
mounted
umount "$WORK/mnt"
wait "$MOUNT" || die "it ended with $?: $(tail -5 "$WORK/log")"
equal "$(ls "$WORK/files")" "" "what came"

step "a server that goes on verifies what it goes on with: files that somebody changed end the mount"
# ends SAYING: the server's successor does not begin, and with it the mount ends.
ends() {
  kill -KILL "$(server)"
  if wait "$MOUNT"; then die "it ended well"; fi
  contains "$(<"$WORK/log")" "$1"
  if is_mounted; then die "it is still mounted"; fi
  equal "$(ls "$WORK/files")" "" "what came"
}
mounted
printf x >>"$(echo "$WORK/files"/*/known/"$NAME")"
ends "the index is not the one that was signed"
mounted
sed -i '1s/test-1:/other-1:/g' "$WORK/files"/*/known/"$NAME"
ends "whom we do not trust"
mounted
echo '{' >"$(echo "$WORK/files"/*/mount.json)"
ends "mount.json:"

step "the disk is full: a reader gets an error that the log explains; with room again the bytes come, also from a new server"
rm -rf "$WORK/files"
mkdir "$WORK/files"
mount -t tmpfs -o size=4m tmpfs "$WORK/files"
mounted
refused "Input/output error" cmp "$WORK/mnt/$NAME/share/large12" "$WORK/top/share/large12"
contains "$(<"$WORK/log")" "No space left on device"
kill -KILL "$(server)"
refused "Input/output error" cmp "$WORK/mnt/$NAME/share/large12" "$WORK/top/share/large12"
mount -o remount,size=100m "$WORK/files"
kill -KILL "$(server)"
diff -r "$WORK/top" "$WORK/mnt/$NAME" || die "it differs"
unmounted
umount "$WORK/files"
