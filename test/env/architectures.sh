#!/usr/bin/env bash
# A package that is published for both architectures, under one name: one manifest and one lock give each architecture its own build, and
# a node fetches its own alone. test/release/aarch64.sh activates the other one, too, by flox for aarch64.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/architectures/published.sh"
enter_world "$@"
start_catalog
publish_said

step "one lock has both builds"
lock_said
own=$(uname -m)-linux
case $own in x86_64-linux) other=aarch64-linux ;; *) other=x86_64-linux ;; esac
equal "$(jq -r '[.packages[].system] | sort | join(" ")' .flox/env/manifest.lock)" "aarch64-linux x86_64-linux"
locked() { jq -r --arg system "$1" '.packages[] | select(.system == $system).outputs.out' .flox/env/manifest.lock; }
[ "$(locked "$own")" != "$(locked "$other")" ] || die "both systems have the same build"

step "a node fetches its own, and not the other"
equal "$(node activate -- /bin/sh -c "$SAID")" "made for $own"
[ -e "$WORLD/node$(locked "$own")" ] || die "its own build is not in the store"
[ ! -e "$WORLD/node$(locked "$other")" ] || die "the other system's build was fetched, too"

step "what is published for one alone is refused for both, by name"
mkdir -p "$WORLD/alone/share"
path=$(laptop store add --name alone-1.0 "$WORLD/alone")
laptop import nix "$path" --name alone --version 1.0 --system "$other" --publish >"$WORLD/logs/alone.log" 2>&1 || { cat "$WORLD/logs/alone.log" >&2; die "not published"; }
echo 'alone.pkg-path = "alone"' >"$WORLD/line"
sed -i "/^said.pkg-path/r $WORLD/line" .flox/env/manifest.toml
refused "there is no package 'alone' for $own" node lock
