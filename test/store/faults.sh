#!/usr/bin/env bash
# A store that is looked after on a bad day: commands killed at any moment, a full disk, a read-only disk, a database that
# somebody holds locked. Never a half path, always a clear error, and the next run succeeds.
. "$(dirname "$0")/support.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: it mounts small file systems"; exit 77; }
ROOT=$WORK/store
store() { flox --root "$ROOT" store "$@"; }

# sound ROOT: every valid path has its files, unchanged.
sound() { output=$(flox --root "$1" store verify 2>&1) || die "after $2: $output"; }

step "killed at any moment, 60 times each: gc, optimise, add"
make_trees 60 20000
ADDED=$(store add "$WORK"/trees/*)
ln -s "$(head -1 <<<"$ADDED")" "$ROOT/nix/var/nix/gcroots/kept"
killed() {  # COMMAND…
  "$@" >/dev/null 2>&1 &
  local pid=$!
  sleep 0.0$((RANDOM % 40 + 10))
  kill -KILL $pid 2>/dev/null || true
  wait $pid 2>/dev/null || true
}
for ((round = 0; round < 60; round++)); do
  killed flox --root "$ROOT" store add "$WORK"/trees/*
  killed flox --root "$ROOT" store optimise
  killed flox --root "$ROOT" store gc -q
  [ $((round % 20)) != 19 ] || sound "$ROOT" "round $round"
done
store add "$WORK"/trees/* >/dev/null
equal "$(store closure $ADDED | wc -l)" 60 "paths after everything was killed"
clean "$ROOT"
store gc -q >/dev/null
equal "$(ls -A "$ROOT/nix/store" | wc -l)" 2 ".links and the path that is rooted"
equal "$(find "$ROOT/nix/var/nix/flox/trash" "$ROOT/nix/var/nix/temproots" -mindepth 1 | wc -l)" 0 "what the killed left behind"
store add "$WORK/trees/2" >/dev/null && store optimise >/dev/null
equal "$(find "$ROOT/nix/var/nix/flox/scratch" -mindepth 1 | wc -l)" 0 "what killed optimisers and adders left behind"
clean "$ROOT"

step "a full disk: refused with the reason; garbage can still be collected"
mkdir "$WORK/small"
mount -t tmpfs -o size=12M tmpfs "$WORK/small"
trap 'stop_all; { umount "$WORK/read-only"; umount "$WORK/small"; } 2>/dev/null || true; rm -rf --one-file-system "$WORK"' EXIT
small() { flox --root "$WORK/small/root" store "$@"; }
make_trees 8 3000000
FIRST=$(small add "$WORK/trees/1")
ln -s "$FIRST" "$WORK/small/root/nix/var/nix/gcroots/first"
refused "No space left on device" small add "$WORK"/trees/{2,3,4,5,6,7,8}
sound "$WORK/small/root" "the disk was full"
dd if=/dev/zero of="$WORK/small/ballast" bs=1M 2>/dev/null || true
small gc -q >/dev/null || die "garbage cannot be collected on a full disk"
equal "$(small closure "$FIRST")" "$FIRST" "what is rooted"
rm "$WORK/small/ballast"
small add "$WORK/trees/2" >/dev/null || die "after collecting there is room"
clean "$WORK/small/root"

step "a read-only disk"
mkdir "$WORK/read-only"
mount --bind "$WORK/small" "$WORK/read-only"
mount -o remount,bind,ro "$WORK/read-only"
for command in gc optimise "add $WORK/trees/3"; do
  refused "Read-only file system" flox --root "$WORK/read-only/root" store $command
done
umount "$WORK/read-only"

step "a database that somebody holds locked"
mkfifo "$WORK/sql"
sqlite3 "$ROOT/nix/var/nix/db/db.sqlite" <"$WORK/sql" &
STARTED+=($!)
exec 3>"$WORK/sql"
printf 'begin immediate;\n.system touch %s\n' "$WORK/locked" >&3
wait_until 10 "the lock" test -e "$WORK/locked"
export FLOX_STORE_LOCK_TIMEOUT=1s
refused "database is locked" store gc
refused "fuser -v" store add "$WORK/trees/5"
store info "$(head -1 <<<"$ADDED")" >/dev/null || die "reading needs no lock"
exec 3>&-
wait "${STARTED[0]}"
STARTED=()
store add "$WORK/trees/5" >/dev/null || die "the lock is gone, and adding fails"
store gc -q >/dev/null
clean "$ROOT"
