#!/usr/bin/env bash
# Commands that write, killed at points spread over all its calls that change something, then run twice at once. What is there
# afterwards is what was there before or what was to be there, whole; the same command run again succeeds.
#   POINTS=8   points at which each command is killed
# builds: flox flox-catalog
# ctest: COST 120
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
KILLED=$WORLD/killed
. "$PROJECT/test/killed_at_points.sh"
export XDG_CONFIG_HOME=$WORLD/config XDG_STATE_HOME=$WORLD/state TMPDIR=$WORLD/tmp
mkdir "$TMPDIR"
start_catalog
publish_tool hello 1.0
export FLOX_ROOT=$LAPTOP_ROOT
store_is_whole() { laptop store verify >"$WORLD/verified" 2>&1 || { cat "$WORLD/verified"; return 1; }; }

step "flox config --set"
config=$XDG_CONFIG_HOME/flox/config.toml
prepare_config() { mkdir -p "${config%/*}"; printf '# mine\nowner = "old"\n' >"$config"; }
check_config() { [ "$(cat "$config")" = $'# mine\nowner = "old"' ] || [ "$(cat "$config")" = $'# mine\nowner = "new"' ]; }
at_points "config --set" prepare_config check_config flox config --set owner new
prepare_config
pids=()
for i in 1 2 3; do
  flox config --set owner "owner$i" --set signing_private_key "/key$i" >"$WORLD/said" 2>&1 &
  pids+=($!)
done
wait "${pids[@]}"
equal "$(sed -n 's/^owner = "owner\(.\)"$/\1/p' "$config")" "$(sed -n 's/^signing_private_key = "\/key\(.\)"$/\1/p' "$config")"
prepare_config
flox config --set catalog_token_file /token &
first=$!
flox config --set signing_private_key /key
wait $first
contains "$(cat "$config")" 'catalog_token_file = "/token"'
contains "$(cat "$config")" 'signing_private_key = "/key"'
rm "$config"

step "flox auth login"
credentials=$XDG_CONFIG_HOME/flox/credentials.json
other='{"catalogs":{"http://other":{"token":"t","user":"u","expires_at":""}}}'
prepare_login() { rm -f "$credentials"; (umask 077; mkdir -p "${credentials%/*}"; echo "$other" >"$credentials"); }
check_login() { [ "$(jq -r '.catalogs["http://other"].token' "$credentials")" = t ] && [ "$(stat -c %a "$credentials")" = 600 ]; }
login=(env -u FLOX_CATALOG_TOKEN -u FLOX_CATALOG_TOKEN_FILE flox auth login --token-file "$WORLD/token")
at_points "auth login" prepare_login check_login "${login[@]}"
[ "$(jq '.catalogs | length' "$credentials")" = 2 ] || die "it has not logged in: $(cat "$credentials")"
at_once 3 "${login[@]}"
check_login || die "logins at once: $(cat "$credentials")"
rm -f "$credentials"

step "flox store keygen --out"
prepare_key() { rm -f "$WORLD/key"; }
check_key() { [ ! -e "$WORLD/key" ] || { [ "$(stat -c %a "$WORLD/key")" = 600 ] && grep -qE '^test-1:.{88}$' "$WORLD/key"; }; }
ALREADY="exists already" at_points "store keygen" prepare_key check_key flox store keygen test-1 --out "$WORLD/key"

step "flox init, and an environment's files"
mkdir "$WORLD/made"
prepare_init() { rm -rf "$WORLD/made" && mkdir "$WORLD/made"; }
check_init() { [ ! -e "$WORLD/made/.flox" ] || flox list -d "$WORLD/made" >/dev/null 2>&1; }
ALREADY="has an environment already" at_points init prepare_init check_init flox init -n made "$WORLD/made"
prepare_install() { prepare_init; flox init -n made "$WORLD/made" >/dev/null 2>&1; }
check_install() {
  local there
  there=$(flox list -d "$WORLD/made" --name 2>/dev/null) || return 1
  [ -z "$there" ] || [ "$there" = hello ] || return 1
  flox activate -d "$WORLD/made" -- true
}
at_points install prepare_install check_install flox install -d "$WORLD/made" hello
prepare_uninstall() { flox install -d "$WORLD/made" hello >/dev/null 2>&1; }
ALREADY="not installed|no package" at_points uninstall prepare_uninstall check_install flox uninstall -d "$WORLD/made" hello

step "flox build"
mkdir "$WORLD/project" && cd "$WORLD/project"
flox init -n tool >/dev/null 2>&1
cat >.flox/env/manifest.toml <<'TOML'
schema-version = "1.10.0"
[build.tool]
version.file = "VERSION"
command = "mkdir -p $out/bin; cp VERSION $out/version; printf '#!/bin/sh\necho tool\n' >$out/bin/tool; chmod +x $out/bin/tool"
TOML
version=0
prepare_build() { version=$((version + 1)); echo "1.$version" >VERSION; }
# The link leads to a whole build, of this version or the one before; and what is left of it says the same.
check_build() {
  [ -e result-tool ] || { [ ! -L result-tool ] && [ $version = 1 ]; } || return 1
  [ ! -e result-tool.json ] || jq -e . result-tool.json >/dev/null || return 1
  store_is_whole
}
POINTS=$(((POINTS + 1) / 2)) at_points build prepare_build check_build flox build --quiet
equal "$(cat result-tool/version)" "1.$version"
at_once 2 flox build --quiet
check_build || die "two builds at once"

enough_killed
