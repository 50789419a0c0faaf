#!/usr/bin/env bash
# Environments made of others: [include] of directories and of the catalog, what overrides what, and when it is read again.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
type -P strace >/dev/null || { echo "needs strace"; exit 77; }
python3 -c 'import tomllib' 2>/dev/null || { echo "needs python3 with tomllib (3.11)"; exit 77; }
enter_world "$@"
start_catalog
for tool in hello other third; do publish_tool $tool 1.0; done
publish_tool hello 1.1
export FLOX_ROOT=$LAPTOP_ROOT XDG_STATE_HOME=$WORLD/state FLOX_OWNER=acme
lock_of() { jq -c "$1" "${2:-.}/.flox/env/manifest.lock"; }
files() { cat .flox/env/manifest.toml .flox/env/manifest.lock; }
manifest() { cat >"$1/.flox/env/manifest.toml"; }

step "a directory is included once it is locked, and what is above overrides it"
mkdir "$WORLD/common" "$WORLD/web"
flox init -d "$WORLD/common"
manifest "$WORLD/common" <<'TOML'
version = 1
[install]
hello.pkg-path = "hello"
hello.version = "1.0"
other.pkg-path = "other"
[vars]
WHO = "common"
WHERE = "common"
[hook]
on-activate = "export ORDER=common"
[options]
activate.mode = "run"
TOML
cd "$WORLD/web"
flox init
manifest . <<'TOML'
version = 1
[install]
hello.pkg-path = "hello"
hello.version = "1.1"
[vars]
WHO = "web"
[hook]
on-activate = 'export ORDER="$ORDER web"'
[include]
environments = [
  { dir = "../common" },
]
TOML
refused "manifest.toml:11:3: including ../common: the environment in $WORLD/common is not locked as its manifest is" flox lock
refused "Run 'flox lock -d $WORLD/common'" flox activate -- true
cp -a "$WORLD/web" "$WORLD/self"
sed -i 's|"../common"|"../self"|' "$WORLD/self/.flox/env/manifest.toml"
refused "manifest.toml:11:3: including ../self: an environment cannot include itself" flox lock -d "$WORLD/self"
rm -r "$WORLD/self"
flox lock -d "$WORLD/common"
contains "$(flox list --config)" 'WHERE = "common"' # before there is a lock, too
[ ! -e .flox/env/manifest.lock ] || die "flox list --config wrote a lock"
flox lock
equal "$(lock_of '.compose.include | map({name, descriptor})')" '[{"name":"common","descriptor":{"dir":"../common"}}]'
equal "$(lock_of '.compose.warnings | map(.warning.Overriding | join("."))')" '["install.hello","vars.WHO"]'
equal "$(lock_of '.manifest.include')" null
equal "$(flox activate -c 'hello; other; echo $WHO $WHERE $ORDER' 2>/dev/null | xargs)" "hello 1.1 other 1.0 web common common web"
equal "$(flox list --name | xargs)" "hello other"
merged() { flox list --config 2>"$WORLD/logs/merged" | python3 -c 'import json, sys, tomllib; json.dump(tomllib.load(sys.stdin.buffer), sys.stdout)' | jq -cS .; }
equal "$(merged)" "$(lock_of '.manifest' | jq -cS .)"
contains "$(cat "$WORLD/logs/merged")" "It is itself in $WORLD/web/.flox/env/manifest.toml"
equal "$(flox list)" "hello: hello (1.1)
other: other (1.0), included from 'common'"
refused "'other' comes from an environment that 'web' includes" flox uninstall other
refused "'nonsense' is not installed" flox uninstall nonsense
# As Flox has it in its published schema.
equal "$(lock_of '.compose | keys')" '["composer","include","warnings"]'

step "an edit and its undoing leave every byte as it was, and read the included environment again no more"
before=$(files)
sed -i 's/"1.0"/"1.1"/; s/WHERE = "common"/WHERE = "changed"/' "$WORLD/common/.flox/env/manifest.toml"
flox lock -d "$WORLD/common"
flox install third
equal "$(flox activate -c 'echo $WHERE' 2>/dev/null)" common
flox uninstall third
equal "$(files)" "$before"

step "flox include upgrade reads it again, and says what is new"
refused "it includes no 'nonsense'" flox include upgrade nonsense
equal "$(files)" "$before"
contains "$(flox include upgrade common 2>&1)" "~ [vars] WHERE"
equal "$(flox activate -c 'echo $WHERE' 2>/dev/null)" changed
contains "$(flox include upgrade 2>&1)" "nothing that environment 'web' includes has changed"
for who in overridden common; do
  sed -i "s/WHO = .*/WHO = \"$who\"/" "$WORLD/common/.flox/env/manifest.toml"
  flox lock -d "$WORLD/common"
  contains "$(flox include upgrade 2>&1)" "what is new in 'common', which changes nothing here"
done
refused "it includes no environments" flox include upgrade -d "$WORLD/common"

step "an environment of the catalog is included, its latest generation or the one that is named"
flox push -d "$WORLD/common"
refused "manifest.toml:11:3: it includes the directory ../common, which others do not have" flox push
sed -i 's|{ dir = "../common" }|{ remote = "acme/common", name = "base" }|' .flox/env/manifest.toml
flox lock
equal "$(lock_of '.compose.include | map(.name)')" '["base"]'
equal "$(flox activate -c 'hello; other; echo $WHERE' 2>/dev/null | xargs)" "hello 1.1 other 1.0 changed"
contains "$(flox push)" "acme/web is at generation 1"
sed -i 's/WHERE = .*/WHERE = "later"/' "$WORLD/common/.flox/env/manifest.toml"
flox push -d "$WORLD/common"
flox lock
equal "$(lock_of '.manifest.vars.WHERE')" '"changed"'
flox include upgrade base
equal "$(lock_of '.manifest.vars.WHERE')" '"later"'
sed -i 's|remote = "acme/common"|remote = "acme/common", generation = 1|' .flox/env/manifest.toml
flox lock
equal "$(lock_of '.manifest.vars.WHERE')" '"changed"'
flox activate -r acme/web -- other

step "what includes others is included with them, and two of one name are not"
mkdir "$WORLD/top" && cd "$WORLD/top"
flox init
manifest . <<'TOML'
version = 1
[include]
environments = [{ dir = "../web" }, { remote = "acme/common" }]
TOML
flox lock
equal "$(flox activate -c 'hello; echo $WHO $WHERE' 2>/dev/null | xargs)" "hello 1.1 common later"
before=$(files)
sed -i 's|{ remote = "acme/common" }|{ remote = "acme/common", name = "web" }|' .flox/env/manifest.toml
changed=$(cat .flox/env/manifest.toml)
refused "manifest.toml:3:37: two included environments have the name 'web'" flox lock
equal "$(cat .flox/env/manifest.toml)" "$changed"
equal "$(jq -c '.compose.include | map(.name)' .flox/env/manifest.lock)" '["web","common"]'

step "the systems that an included environment names are those of all: a package that only some have is installed for these"
mkdir "$WORLD/named" "$WORLD/above"
flox init -d "$WORLD/named"
here=$(uname -m)-linux
manifest "$WORLD/named" <<TOML
version = 1
[options]
systems = ["aarch64-darwin", "$here"]
TOML
flox lock -d "$WORLD/named"
cd "$WORLD/above"
flox init
manifest . <<'TOML'
version = 1
[include]
environments = [{ dir = "../named" }]
TOML
flox lock
before=$(files)
contains "$(flox install third 2>&1)" "'third' is installed for $here only"
contains "$(cat .flox/env/manifest.toml)" "[install.third]
pkg-path = \"third\"
systems = [\"$here\"]"
flox uninstall third
equal "$(files)" "$before"
cd "$WORLD/top"

step "what cannot be included is refused with its place, and nothing changes"
refuse_include() {  # TEXT ELEMENT
  printf 'version = 1\n[include]\nenvironments = [%s]\n' "$2" >.flox/env/manifest.toml
  refused "manifest.toml:3:" flox lock
  refused "$1" flox lock
}
lock=$(cat .flox/env/manifest.lock)
refuse_include "no environment in" '{ dir = "../nowhere" }'
refuse_include "has no environment acme/nonsense" '{ remote = "acme/nonsense" }'
refuse_include "is not the name of an environment" '{ remote = "../../etc" }'
refuse_include "Write remote = \"acme/common\", generation = 1" '{ remote = "acme/common:1" }'
refuse_include "has no generation 99" '{ remote = "acme/common", generation = 99 }'
refuse_include "needs either dir or remote" '{ name = "x" }'
refuse_include "unknown key 'url'" '{ dir = "../web", url = "x" }'
equal "$(cat .flox/env/manifest.lock)" "$lock"

step "killed at any system call that changes files, an upgrade has happened or not"
cd "$WORLD/web"
sed -i 's|, generation = 1||' .flox/env/manifest.toml
flox lock
older=$(files)
sed -i 's/WHERE = .*/WHERE = "newest"/' "$WORLD/common/.flox/env/manifest.toml"
flox push -d "$WORLD/common"
cp -r .flox/env "$WORLD/env"
flox include upgrade
newer=$(files)
[ "$older" != "$newer" ] || die "the upgrade changed nothing"
kills=0
for call in mkdirat linkat fsync renameat2 renameat unlinkat symlinkat fchmod; do
  for number in $(seq 1 12); do
    cp "$WORLD"/env/* .flox/env/
    code=0
    strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number flox include upgrade >/dev/null 2>&1 || code=$?
    now=$(files)
    [ "$now" = "$older" ] || [ "$now" = "$newer" ] || die "killed at $call $number: $now"
    flox activate -- other >"$WORLD/logs/activated" 2>&1 || die "killed at $call $number: it cannot be activated: $(cat "$WORLD/logs/activated")"
    [ $code -ne 0 ] || break
    kills=$((kills + 1))
  done
done
[ $kills -ge 5 ] || die "only $kills runs were killed"

step "an upgrade beside installations loses neither"
cp "$WORLD"/env/* .flox/env/
flox install third & one=$!
flox include upgrade & other=$!
wait $one
wait $other
equal "$(lock_of '.manifest.vars.WHERE') $(flox list --name | xargs)" '"newest" hello other third'
