#!/usr/bin/env bash
# Rows and files that we would not have made, in Nix's database and beside it: whatever lists many goes on, what such rows
# hold is kept, and nothing of them is taken for a path of ours. Nix is asked about the same store.
. "$(dirname "$0")/../store/support.sh"
ROOT=$WORK/root
STATE=$ROOT/nix/var/nix
DB=$STATE/db/db.sqlite
store() { flox --root "$ROOT" store "$@"; }
sql() { sqlite3 "$DB" "pragma foreign_keys = off; pragma busy_timeout = 5000; $1" >/dev/null; }
# odd_row PATH [HASH [DERIVER]]: a row; its id is $ID.
odd_row() {
  sql "insert into ValidPaths (path, hash, registrationTime, deriver, narSize) values ('${1//\'/\'\'}', '${2:-sha256:00}', 1, ${3:-null}, 1)"
  ID=$(sqlite3 "$DB" "select max(id) from ValidPaths")
}
id_of() { sqlite3 "$DB" "select id from ValidPaths where path = '$1'"; }
# goes_on WHAT: everything that lists goes on, and keeps the honest paths.
goes_on() {
  local output command
  for command in "gc --dry-run" gc roots optimise verify "closure $ROOTED"; do
    output=$(store $command 2>&1) || die "$1: flox store $command: $output"
  done
  [ -e "$ROOT$ROOTED/share/data" ] && [ -e "$ROOT$LIB/share/data" ] || die "$1: an honest path is gone"
  equal "$(store closure "$ROOTED" 2>/dev/null | sort)" "$(printf '%s\n' "$ROOTED" "$LIB" | sort)" "$1: the closure"
}

step "an honest store: a path with a reference, rooted; one path that nothing keeps"
make_trees 3 5000
LIB=$(store add "$WORK/trees/1")
echo "$LIB" >"$WORK/trees/2/share/reference"
ROOTED=$(store add "$WORK/trees/2" --scan)
HELD=$(store add "$WORK/trees/3")
ln -s "$ROOTED" "$STATE/gcroots/mine"

step "a row whose name we would not have made keeps its files and what it refers to"
odd_row /nix/store/not-a-path
mkdir "$ROOT/nix/store/not-a-path" && echo mine >"$ROOT/nix/store/not-a-path/file"
sql "insert into Refs values ($ID, $(id_of "$HELD"))"
goes_on "an odd name"
[ "$(cat "$ROOT/nix/store/not-a-path/file")" = mine ] || die "the odd path's files were collected"
[ -e "$ROOT$HELD/share/data" ] || die "what the odd path refers to was collected"
contains "$(store gc 2>&1)" "not a store path"
equal "$(store gc 2>&1 | grep -c 'not a store path')" 1 "how often it is said"
# What our path refers to may be such a row, too.
sql "insert into Refs values ($(id_of "$ROOTED"), $ID)"
output=$(store verify 2>&1) && die "a path of ours that refers to such a row is not named"
contains "$output" "$ROOTED"
contains "$output" "1 of "
for command in "gc --dry-run" gc roots optimise "closure $ROOTED"; do store $command >/dev/null 2>&1 || die "flox store $command stops at an odd reference"; done
[ -e "$ROOT$ROOTED/share/data" ] && [ -e "$ROOT$LIB/share/data" ] && [ -e "$ROOT/nix/store/not-a-path/file" ] || die "an odd reference let go of something"
sql "delete from Refs where reference = $ID"

step "rows of every kind, one after the other and all together"
long=$(printf 'x%.0s' {1..3000})
for path in '' / /etc/passwd /nix/store /nix/store/ /nix/store/. /nix/store/.. /nix/store/../../etc/passwd garbage \
  /nix/store/11111111111111111111111111111111 /nix/store/EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEE-x "/nix/store/11111111111111111111111111111112-$long" \
  "/nix/store/11111111111111111111111111111113-a b" $'/nix/store/11111111111111111111111111111114-a\nb' '/nix/store/11111111111111111111111111111115-x/y' \
  $'/nix/store/11111111111111111111111111111116-\xff' /nix/store/.links "/nix/store/11111111111111111111111111111117-ü'"; do
  odd_row "$path"
  goes_on "the row '${path:0:60}'"
done
sql "insert into ValidPaths (path, hash, registrationTime) values (x'00ff2f6e6978', 'sha256:00', 1)"
goes_on "a row of bytes"
[ -e "$ROOT/nix/store/.links" ] || die "the directory of links was collected"

step "ids, sizes and times at the ends of their ranges, references to nowhere"
sql "insert into ValidPaths (id, path, hash, registrationTime, narSize) values (-5, '/nix/store/odd-negative', 'sha256:00', -9223372036854775808, -1)"
sql "insert into ValidPaths (id, path, hash, registrationTime, narSize) values (4611686018427387904, '/nix/store/odd-huge', 'sha256:00', 9223372036854775807, 9223372036854775807)"
sql "insert into ValidPaths (path, hash, registrationTime, narSize, sigs, ca) values ('/nix/store/odd-words', 'sha256:00', 'soon', 'much', '::: ::', 'what:')"
for pair in "-5, 4611686018427387904" "4611686018427387904, -5" "424242, $(id_of "$LIB")" "$(id_of "$LIB"), 424242" "-7, -8" "'x', 'y'"; do sql "insert into Refs values ($pair)"; done
goes_on "numbers at the ends"
sql "delete from Refs where referrer = $(id_of "$LIB")"

step "a path of ours whose row is odd is named, and the others are looked at all the same"
ODD=$(store add "$WORK/trees/3" --name odd-row)
sql "update ValidPaths set deriver = 'not a path', narSize = null, ca = 'x', sigs = x'ff00' where path = '$ODD'"
ln -s "$ODD" "$STATE/gcroots/odd"
odd_size=$(store verify 2>&1) && die "a size that is wrong was not found"
contains "$odd_size" "$ODD"
sql "update ValidPaths set hash = 'garbage' where path = '$ODD'"
output=$(store verify 2>&1) && die "a hash that is none was not found"
contains "$output" "$ODD"
contains "$output" "1 of "
for command in gc roots optimise "closure $ROOTED" "closure $ODD"; do store $command >/dev/null 2>&1 || die "flox store $command stops at an odd hash"; done
[ -e "$ROOT$ODD/share/data" ] || die "a rooted path was collected for its odd row"
rm "$STATE/gcroots/odd"
store gc >/dev/null 2>&1
[ ! -e "$ROOT$ODD" ] || die "a path of ours that nothing keeps stays for its odd row"

step "two paths with one digest: a root keeps the one that it names, also if it is the second"
TWIN=/nix/store/$(basename "$ROOTED" | cut -c1-32)-a-twin
mkdir "$ROOT$TWIN"
sql "insert into ValidPaths (path, hash, registrationTime, narSize) select '$TWIN', hash, 1, narSize from ValidPaths where path = '$ROOTED'"
store gc >/dev/null 2>&1
[ -e "$ROOT$ROOTED/share/data" ] || die "the rooted one of two was collected"
sql "delete from ValidPaths where path = '$TWIN'"
store gc >/dev/null 2>&1

step "odd names in the directories of roots, leases, last uses and damaged paths"
mkdir -p "$STATE/gcroots/flox/holder" "$STATE/gcroots/flox/ odd holder" "$STATE/gcroots/deep/a/b/c"
ln -s /nix/store/odd "$STATE/gcroots/flox/holder/odd"
ln -s /nix/store/x/../../../etc "$STATE/gcroots/deep/a/b/c/link"
ln -s loop "$STATE/gcroots/loop"
mkfifo "$STATE/gcroots/fifo" "$STATE/temproots/fifo"
mkdir "$STATE/temproots/directory"
ln -s /dev/zero "$STATE/temproots/zero"
printf 'garbage\0/nix/store/odd\0\0/nix/store/%s' "$long" >"$STATE/temproots/77"
touch "$STATE/gcroots/$(printf 'y%.0s' {1..255})" "$STATE/flox/last-used/odd" "$STATE/flox/last-used/11111111111111111111111111111111"
mkdir "$STATE/flox/last-used/$(basename "$LIB")"
printf 'garbage\n\n../../etc/passwd\n%s\n' "$long" >"$STATE/flox/damaged"
timeout 60 flox --root "$ROOT" store gc >"$WORK/gc.log" 2>&1 || die "the collector stops at odd names: $(cat "$WORK/gc.log")"
goes_on "odd names of roots"

step "odd entries of the store's directory are litter, and nothing behind them is touched"
mkdir "$WORK/outside" && echo keep >"$WORK/outside/file"
ln -s "$WORK/outside" "$ROOT/nix/store/link-out"
ln -s "$WORK/outside" "$ROOT/nix/store/22222222222222222222222222222222-link-out"
mkdir -p "$ROOT/nix/store/deep/$(printf 'd/%.0s' {1..300})" "$ROOT/nix/store/ "
ln -s "$WORK/outside" "$ROOT/nix/store/deep/d/d/out"
touch "$ROOT/nix/store/$(printf 'z%.0s' {1..255})" "$ROOT/nix/store/"$'new\nline'
store gc >/dev/null 2>&1 || die "the collector stops at litter"
equal "$(cat "$WORK/outside/file")" keep "a file behind a link"
equal "$(find "$ROOT/nix/store" -mindepth 1 -maxdepth 1 -name '*link-out' -o -maxdepth 1 -name deep)" "" "litter"

step "Nix lives with the same store, and finds the same of our paths right"
sql "delete from Refs where referrer not in (select id from ValidPaths) or reference not in (select id from ValidPaths)"
sql "delete from ValidPaths where path not in ('$ROOTED', '$LIB', '$HELD', '/nix/store/not-a-path')"
nix-store --store "$ROOT" --verify --check-contents >"$WORK/nix.log" 2>&1 || step "Nix: $(tail -1 "$WORK/nix.log")"
nix-store --store "$ROOT" -qR "$ROOTED" | sort >"$WORK/closure-of-nix"
equal "$(store closure "$ROOTED" 2>/dev/null | sort)" "$(cat "$WORK/closure-of-nix")" "the closure that Nix sees"
goes_on "after Nix"
