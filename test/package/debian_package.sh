#!/usr/bin/env bash
# `flox import deb` makes programs of Debian packages run where there is nothing but the store.
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"

step "a static program with its applets"
$FLOX --root "$ROOT" import deb busybox-static --json -q >"$WORK/busybox.json"
busybox=$(jq -r '.[0].outputs.out' "$WORK/busybox.json")
[ "$(in_empty_root "$ROOT" "$busybox/bin/sh" -c 'echo $((6 * 7))')" = 42 ] || die "busybox's sh does not run"
[ "$(nix-store --query --references --store "$ROOT" "$busybox")" = "" ] || die "a static program refers to something"

step "python3 with the libraries that its modules need"
$FLOX --root "$ROOT" import deb python3 --json -q >"$WORK/python.json"
python=$(jq -r '.[0].outputs.out' "$WORK/python.json")
[ "$(jq -r '.[0].name + " " + .[0].system' "$WORK/python.json")" = "python3 $(uname -m)-linux" ] || die "wrong record: $(cat "$WORK/python.json")"
output=$(in_empty_root "$ROOT" "$python/bin/python3" -c '
import json, ssl, sqlite3, zlib, bz2, lzma, hashlib, ctypes, readline, curses, sys, threading
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
print(sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0], sys.prefix, sys.getfilesystemencoding())') || die "python3 does not run: $output"
expect_contains "$output" "42 $python/libexec/flox/python3 utf-8"
in_empty_root "$ROOT" "$python/bin/pydoc3" json >/dev/null || die "a script's interpreter is not found"

step "no program of it looks for a library outside the store"
loader=$(echo "$ROOT"/nix/store/*-libc6-*/lib/*/ld-linux-*.so.*)
find "$ROOT$python" "$ROOT"/nix/store/*-lib*[0-9]-[0-9]* -type f \( -name '*.so*' -o -perm -100 \) -print | grep -v -e '-libc6-' | sed "s|^$ROOT||" >"$WORK/files"
[ "$(wc -l <"$WORK/files")" -gt 50 ] || die "too few programs to check"
mkdir -p "$ROOT/nix/store/.test" && cp "$WORK/files" "$ROOT/nix/store/.test/files"
in_empty_root "$ROOT" "$busybox/bin/sh" -c '
  while read -r file; do
    [ "$(dd if="$file" bs=1 skip=1 count=3 2>/dev/null)" = ELF ] || continue
    '"${loader#"$ROOT"}"' --list "$file" >/tmp/out 2>&1 || { echo "$file: $(cat /tmp/out)"; continue; }
    grep -v -e "=> /nix/store/" -e linux-vdso -e "statically linked" -e "^	/nix/store/" /tmp/out | sed "s|^|$file: |"
  done </nix/store/.test/files' >"$WORK/list"
rm -r "$ROOT/nix/store/.test"
[ -s "$WORK/list" ] && die "libraries from elsewhere: $(head -5 "$WORK/list")"

step "nothing is set-user-id, and Nix finds nothing wrong"
[ -z "$(find "$ROOT/nix/store" -perm /6000)" ] || die "set-user-id files in the store"
nix_finds_nothing_wrong "$ROOT"

step "the same packages in another root give the same paths"
other=$WORK/other
$FLOX --root "$other" import deb python3 --json -q >"$WORK/other.json"
[ "$(jq -r '.[0].outputs.out' "$WORK/other.json")" = "$python" ] || die "another path: $(cat "$WORK/other.json")"
diff <(nix-store -qR --store "$ROOT" "$python" | sort) <(nix-store -qR --store "$other" "$python" | sort) || die "another closure"

step "packages that share others go together in an environment, which has their own programs alone"
paths() { $FLOX --root "$ROOT" import deb "$@" --no-smoke-run --json -q | jq -r '.[] | .name + " " + .outputs.out'; }
paths git perl python3 python3-requests >"$WORK/paths"
mkdir "$WORK/env"
$FLOX init -d "$WORK/env" -n env 2>/dev/null
{
  printf 'schema-version = "1.10.0"\n[install]\n'
  sed 's/^\(.*\) \(.*\)$/\1.store-path = "\2"/' "$WORK/paths"
} >"$WORK/env/.flox/env/manifest.toml"
in_environment() { $FLOX --root "$ROOT" activate -d "$WORK/env" -- "$@"; }
in_environment git init -q "$WORK/env/repository"
in_environment git clone -q "$WORK/env/repository" "$WORK/env/copy" 2>/dev/null || die "git does not clone"
expect_contains "$(in_environment git --exec-path)" /nix/store/
expect_contains "$(in_environment perl -MGit -MError -e 'print $INC{"Git.pm"}')" /share/perl5/Git.pm
in_environment python3 -c 'import requests, urllib3, sys; assert "/nix/store" in sys.prefix' || die "python3 does not find requests"
programs=$(in_environment sh -c 'ls $FLOX_ENV/bin')
for program in git perl python3; do grep -qx "$program" <<<"$programs" || die "no $program among: $programs"; done
for other in tar sed gzip dash; do ! grep -qx "$other" <<<"$programs" || die "nobody asked for $other"; done

step "an unknown package is a clear error"
if $FLOX --root "$ROOT" import deb no-such-package-at-all 2>"$WORK/error"; then die "it was imported"; fi
expect_contains "$(cat "$WORK/error")" "there is no Debian package 'no-such-package-at-all'"
if $FLOX --root "$ROOT" import deb '../etc' 2>"$WORK/error"; then die "it was imported"; fi
expect_contains "$(cat "$WORK/error")" "is not the name of a Debian package"
echo "ok"
