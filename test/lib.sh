# What the behaviour tests share, on top of script/lib.sh and script/world.sh. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../script/lib.sh"
. "$PROJECT/script/world.sh"
. "$PROJECT/test/metrics.sh"
# Catalogs of worlds whose subject is not who signs what. A test of that says false before it starts its catalog.
export FLOX_ALLOW_UNSIGNED=${FLOX_ALLOW_UNSIGNED:-true}

# refused TEXT COMMAND…: the command must fail, and say TEXT.
refused() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then die "should have been refused: $*"; fi
  grep -qF -- "$text" <<<"$output" || die "$*: the message lacks '$text': $output"
}
equal() { [ "$1" = "$2" ] || die "expected '$2', got '$1'"; }
contains() { grep -qF -- "$2" <<<"$1" || die "'$2' is not in: $1"; }

# pod_field POD FILTER: of what `flox kube ps` says of the pod.
pod_field() { kube ps --json | jq -r --arg pod "$1" ".[] | select(.name == \$pod) | $2"; }

laptop() { flox --root "$LAPTOP_ROOT" "$@"; }

# publish_tool NAME VERSION: a package with one small script that prints its name and version, and busybox to run it.
publish_tool() {
  local dir=$WORLD/tools/$1-$2
  mkdir -p "$dir"
  if [ -z "${BUSYBOX:-}" ]; then
    laptop import deb busybox-static --publish --quiet >/dev/null 2>&1
    BUSYBOX=$(readlink "$LAPTOP_ROOT/nix/var/nix/gcroots/flox-imports/busybox-static")
  fi
  (
    cd "$dir"
    [ -d .flox ] || flox init -n "$1" 2>/dev/null
    cat >.flox/env/manifest.toml <<TOML
schema-version = "1.10.0"
[install]
busybox-static.pkg-path = "busybox-static"
[build.$1]
version = "$2"
description = "Says $1 $2"
command = """
mkdir -p \$out/bin
printf '#!%s/bin/sh\\necho "%s %s"\\n' "$BUSYBOX" "$1" "$2" >\$out/bin/$1
chmod +x \$out/bin/$1
"""
TOML
    laptop build --quiet
    laptop publish
  ) >"$WORLD/logs/publish-$1-$2.log" 2>&1 || { cat "$WORLD/logs/publish-$1-$2.log" >&2; die "publishing $1 $2 failed"; }
}

# push_web PACKAGE COLOUR: the next generation of acme/web, an environment with the package and a variable COLOUR.
push_web() {
  mkdir -p "$WORLD/web"
  (
    cd "$WORLD/web"
    [ -d .flox ] || { laptop init -n web; laptop install "$1"; sed -i '/^\[vars\]/a COLOUR = "none"' .flox/env/manifest.toml; }
    sed -i "s/^COLOUR = .*/COLOUR = \"$2\"/" .flox/env/manifest.toml
    laptop push --owner acme
  ) >"$WORLD/logs/push-$2.log" 2>&1 || { cat "$WORLD/logs/push-$2.log" >&2; die "pushing failed"; }
}
