#!/usr/bin/env bash
# A private package from publishing to running, as its owner's CI, a member, a node, Nix and a stranger see it.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_catalog
operator=$FLOX_CATALOG_TOKEN
export HOME=$WORLD/person
mkdir "$HOME"
unset XDG_CONFIG_HOME

step "CI publishes for an owner whose things are private; what was public before stays so"
flox owner create acme --private
publish_tool open 1.0
FLOX_CATALOG_TOKEN=$(flox auth token create --owner acme --scope publish 2>/dev/null) publish_tool hello 1.0
path=$(flox show hello --json | jq -r '.[0].outputs.out')
busybox=$(readlink "$LAPTOP_ROOT/nix/var/nix/gcroots/flox-imports/busybox-static")
(umask 077; flox auth token create --owner acme --scope read 2>/dev/null >"$WORLD/reader")
reader=$(cat "$WORLD/reader")
unset FLOX_CATALOG_TOKEN
realise() { flox --root "$WORLD/$1" store realise "$path"; }

step "a stranger finds neither the package nor its files; the public one it needs is there for everyone"
refused "the catalog has no such package" flox show hello
refused "no package matches" flox search hello
refused "$(basename "$path")" realise stranger
[ ! -e "$WORLD/stranger$path" ] || die "it was fetched"
flox --root "$WORLD/stranger" store realise "$busybox"
[ -e "$WORLD/stranger$busybox" ] || die "what is public was not fetched"

step "a member who has logged in finds, installs and runs it"
flox auth login --token-file "$WORLD/reader"
contains "$(flox show hello)" "Latest:   hello@1.0"
realise member
equal "$("$LAPTOP_ROOT$path/bin/hello" 2>/dev/null || chroot "$WORLD/member" "$path/bin/hello")" "hello 1.0"
mkdir "$WORLD/project"
cd "$WORLD/project"
flox init
flox --root "$WORLD/member" install hello
refused "this token may not publish" flox push --owner acme
cd /
flox auth logout
refused "the catalog has no such package" flox show hello

step "a node's login stands in netrc"
FLOX_CATALOG_TOKEN=$operator flox auth token create --owner acme --scope read 2>/dev/null >"$WORLD/reader"
reader=$(cat "$WORLD/reader")
(umask 077; echo "machine 127.0.0.1 login node password $reader" >"$WORLD/netrc")
NETRC=$WORLD/netrc realise node
contains "$(NETRC=$WORLD/netrc flox show hello)" "hello@1.0"

step "real Nix fetches it so, too"
export NIX_CONFIG="experimental-features = nix-command"
nix_copy() { XDG_CACHE_HOME=$WORLD/nix-cache-$1 nix copy --from "$CATALOG_URL/cache" --to "$WORLD/$1" --option trusted-public-keys "$PUBLIC_KEY" "${@:2}" "$path"; }
refused "$(basename "$path")" nix_copy nix-stranger
nix_copy nix-member --option netrc-file "$WORLD/netrc"
[ -x "$WORLD/nix-member$path/bin/hello" ] || die "nix copy left no $path"
