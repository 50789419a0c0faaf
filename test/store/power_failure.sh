#!/usr/bin/env bash
# A machine that stops right after a realise: the disk is copied as it is at that moment, with what the kernel had not
# written missing, and used as the disk of the machine's next start. Some paths are valid there without contents; ours
# notices and fetches them again, and Nix then finds nothing wrong. With --sync nothing is missing in the first place.
. "$(dirname "$0")/support.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: it mounts file systems"; exit 77; }
losetup -f >/dev/null 2>&1 || { echo "needs loop devices"; exit 77; }
LOOPS=()
detach() {
  umount "$WORK"/mnt-* 2>/dev/null || true
  [ ${#LOOPS[@]} = 0 ] || losetup -d "${LOOPS[@]}" 2>/dev/null || true
}
trap 'detach; stop_all; rm -rf --one-file-system "$WORK"' EXIT

attach() {  # attach IMAGE NAME: mounts it at $WORK/mnt-NAME
  local device
  device=$(losetup -f --show --direct-io=on "$WORK/$1")
  LOOPS+=("$device")
  mkdir -p "$WORK/mnt-$2"
  mount "$device" "$WORK/mnt-$2"
}
# What a stop leaves on the disk of $WORK/mnt-NAME. SQLite brings its database there when the last process closes it.
stop_machine() { cp --sparse=always "$WORK/disk-$1" "$WORK/$2"; }  # stop_machine NAME IMAGE
start_machine() {  # start_machine IMAGE NAME: the copy is mounted, by a kernel that has another boot id
  attach "$1" "$2"
  sed -i 's/^[^ ]*/the-boot-before/' "$WORK/mnt-$2/nix/var/nix/flox/synced"
}
damaged() { { flox --root "$1" store verify --json || true; } | jq '.damaged | length'; }

step "a closure of 41 paths in a cache"
make_trees 40 100000
KEY=$(flox store keygen test-1 --out "$WORK/key")
for tree in "$WORK"/trees/*; do flox --root "$WORK/publisher" store add "$tree" >>"$WORK/whole"; done
WHOLE=$(flox --root "$WORK/publisher" store add "$WORK/whole" --scan)
flox --root "$WORK/publisher" store copy --to "file://$WORK/cache" --key "$WORK/key" "$WHOLE" >/dev/null
realise() { flox --root "$1" store realise --cache "file://$WORK/cache" --trusted-key "$KEY" "${@:2}" "$WHOLE" 2>&1; }
PATHS=$(flox --root "$WORK/publisher" store closure "$WHOLE" | wc -l)
for name in eager synced; do
  truncate -s 256M "$WORK/disk-$name"
  mkfs.ext4 -q -F "$WORK/disk-$name"
  attach "disk-$name" "$name"
  flox --root "$WORK/mnt-$name" store gc >/dev/null  # makes the store
  sync -f "$WORK/mnt-$name"
done

step "the machine stops right after a realise"
realise "$WORK/mnt-eager" >/dev/null
equal "$(damaged "$WORK/mnt-eager")" 0 "damaged while the machine runs"
stop_machine eager disk-after
start_machine disk-after after
equal "$(sqlite3 "$WORK/mnt-after/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths')" "$PATHS" "valid paths"
lost=$(damaged "$WORK/mnt-after")
[ "$lost" -gt 0 ] || die "the copy of the disk has all files: the test has shown nothing"

step "$lost of $PATHS paths lost their contents: the next realise mends them"
output=$(realise "$WORK/mnt-after")
contains "$output" "$WHOLE"
clean "$WORK/mnt-after"

step "the same with --sync: nothing is lost"
realise "$WORK/mnt-synced" --sync >/dev/null
stop_machine synced disk-after-sync
attach disk-after-sync after-sync
equal "$(sqlite3 "$WORK/mnt-after-sync/nix/var/nix/db/db.sqlite" 'select count(*) from ValidPaths')" "$PATHS" "valid paths"
clean "$WORK/mnt-after-sync"
equal "$(cut -d' ' -f2 "$WORK/mnt-after-sync/nix/var/nix/flox/synced")" $((PATHS + 1)) "the mark"

# A sanitizer needs /proc itself (script/sanitize).
[ -z "${FLOX_SANITIZED:-}" ] || exit 0
step "in a bare chroot nobody can tell boots apart: what was realised there is looked at, once"
without_proc() { unshare --mount bash -c 'mount -t tmpfs none /proc && exec "$@"' _ "$@"; }
bare() { without_proc flox --root "$WORK/bare" store realise --cache "file://$WORK/cache" --trusted-key "$KEY" "$WHOLE" 2>&1; }
bare >/dev/null
contains "$(bare)" "verifying them"
case $(bare) in *comparing*) die "what had been looked at was compared again" ;; esac
clean "$WORK/bare"
