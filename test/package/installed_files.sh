#!/usr/bin/env bash
# With no mirror in reach nothing is imported, unless --installed asks for the files of this machine, which is told; a package
# that is not installed is a clear error.
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
export XDG_CACHE_HOME=$WORK/cache
# apt without a way out: a proxy on a port that nobody listens on, and no archives kept by the machine.
cat >"$WORK/apt.conf" <<'C'
Acquire::http::Proxy "http://127.0.0.1:9";
Acquire::https::Proxy "http://127.0.0.1:9";
Acquire::Retries "0";
C
export APT_CONFIG=$WORK/apt.conf
dpkg-query --status busybox-static >/dev/null 2>&1 || skip "needs busybox-static installed"

if $FLOX --root "$ROOT" import deb busybox-static 2>"$WORK/error"; then die "it was imported from nowhere"; fi
expect_contains "$(cat "$WORK/error")" "lists cannot be fetched"
$FLOX --root "$ROOT" import deb busybox-static --installed --json >"$WORK/json" 2>"$WORK/steps"
expect_contains "$(cat "$WORK/steps")" "using the installed files of version"
[ "$(jq -r '.[0].from_installed[0]' "$WORK/json")" = busybox-static ] || die "not told: $(cat "$WORK/json")"
path=$(jq -r '.[0].outputs.out' "$WORK/json")
[ "$(in_empty_root "$ROOT" "$path/bin/sh" -c 'echo alive')" = alive ] || die "it does not run"

if $FLOX --root "$ROOT" import deb no-such-package-here --installed 2>"$WORK/error"; then die "it was imported from nowhere"; fi
expect_contains "$(cat "$WORK/error")" "there is no Debian package 'no-such-package-here'"
if $FLOX --root "$ROOT" import deb busybox-static --installed --suite trixie 2>"$WORK/error"; then die "two sources were taken"; fi
nix_finds_nothing_wrong "$ROOT"
echo "ok"
