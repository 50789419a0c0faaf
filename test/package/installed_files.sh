#!/usr/bin/env bash
# With no mirror in reach, an installed package is imported from its installed files, and is told so; one that is
# not installed is a clear error.
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
compgen -G '/var/cache/apt/archives/busybox-static_*.deb' >/dev/null && skip "/var/cache/apt has busybox-static, so no mirror is needed"

$FLOX --root "$ROOT" import deb busybox-static --json >"$WORK/json" 2>"$WORK/steps"
expect_contains "$(cat "$WORK/steps")" "using the installed files of version"
[ "$(jq -r '.[0].from_installed[0]' "$WORK/json")" = busybox-static ] || die "not told: $(cat "$WORK/json")"
path=$(jq -r '.[0].outputs.out' "$WORK/json")
[ "$(in_empty_root "$ROOT" "$path/bin/sh" -c 'echo alive')" = alive ] || die "it does not run"

absent=$(apt-cache pkgnames | sort | comm -23 - <(dpkg-query -W -f '${Package}\n' | sort) | grep -m1 '^hello' || true)
[ -n "$absent" ] || skip "every package that apt knows is installed"
if $FLOX --root "$ROOT" import deb "$absent" 2>"$WORK/error"; then die "$absent was imported from nowhere"; fi
expect_contains "$(cat "$WORK/error")" "cannot be downloaded, and it is not installed"
nix_finds_nothing_wrong "$ROOT"
echo "ok"
