#!/usr/bin/env bash
# Environments as people have them in their repositories (corpus.py): commands that read leave every byte as it is; an edit
# and its undoing leave none changed.
. "$(dirname "$0")/../lib.sh"
python3 -c 'import tomllib' 2>/dev/null || { echo "python3 with tomllib (3.11) is missing"; exit 77; }
enter_world "$@"
start_catalog
publish_tool hello 1.0
publish_tool other 2.1
export FLOX_ROOT=$LAPTOP_ROOT
(mkdir "$WORLD/first" && cd "$WORLD/first" && flox init && flox install other) 2>/dev/null
path=$(flox list -d "$WORLD/first" --json | jq -r '.[0].outputs.out')
python3 "$PROJECT/test/env/corpus.py" "$WORLD/corpus" "$path"
here=$(uname -m)-linux

# Everything in a directory: names, modes, times and contents.
state() { (cd "$1" && find . "${@:2}" -printf '%p %M %T@ %l\n' | sort && find . "${@:2}" -type f -print0 | sort -z | xargs -0r sha256sum); }
apart_from_run=(-path ./.flox/run -prune -o -path ./.flox/cache -prune -o -path ./.flox/log -prune -o -mindepth 2 -not -path ./.flox/run -not -path ./.flox/cache -not -path ./.flox/log)

step "commands that read change nothing"
read_all() {
  flox list && flox list --name && flox list --config && flox list --json | jq -e 'type == "array"'
}
count=0
for environment in "$WORLD"/corpus/*; do
  cd "$environment"
  before=$(state .)
  read_all >"$WORLD/logs/read.log" 2>&1 || { cat "$WORLD/logs/read.log"; die "reading $environment failed"; }
  if grep -q 'was not made for' "$WORLD/logs/read.log"; then die "the lock of $environment is not taken for what it is"; fi
  (flox sbom && flox verify --no-contents) >"$WORLD/logs/sbom.log" 2>&1 || true
  if python3 -c 'import sys, tomllib; sys.exit(not tomllib.load(open(sys.argv[1], "rb")).get("include", {}).get("environments"))' .flox/env/manifest.toml; then  # what all come to
    flox list --config 2>/dev/null | python3 -c 'import sys, tomllib; sys.exit("include" in tomllib.load(sys.stdin.buffer))' ||
      die "flox list --config of $environment is no manifest, or includes others"
  else
    flox list --config | cmp - .flox/env/manifest.toml || die "flox list --config of $environment is not its manifest"
  fi
  equal "$(state .)" "$before"
  count=$((count + 1))
done
[ $count -ge 60 ] || die "only $count environments"

step "an activation changes nothing but .flox/run, .flox/cache and .flox/log"
for environment in "$WORLD"/corpus/*; do
  cd "$environment"
  before=$(state . "${apart_from_run[@]}")
  if jq -e --arg here "$here" '.packages == [] or any(.packages[]; .system == $here)' .flox/env/manifest.lock >/dev/null; then
    # Of the packages that are not ours only those with a store path of their own cannot be fetched.
    grep -q store_path .flox/env/manifest.lock || flox activate -c 'exit 0' 2>"$WORLD/logs/activate.log" ||
      { cat "$WORLD/logs/activate.log"; die "activating $environment failed"; }
  else
    refused "no packages for" flox activate -- true
  fi
  equal "$(state . "${apart_from_run[@]}")" "$before"
done

step "an installation and its undoing change nothing"
for environment in "$WORLD"/corpus/*; do
  cd "$environment"
  before=$(cd .flox/env && sha256sum manifest.*)
  case $environment in
    */darwin-*) refused "is not published for aarch64-darwin" flox install hello ;;
    */store-path-*) refused "not" flox install hello ;;
    *)
      flox install hello 2>"$WORLD/logs/install.log" || { cat "$WORLD/logs/install.log"; die "installing into $environment failed"; }
      flox list --name >"$WORLD/logs/names"
      grep -qx hello "$WORLD/logs/names" || die "hello is not in $environment"
      flox uninstall hello 2>"$WORLD/logs/uninstall.log" || { cat "$WORLD/logs/uninstall.log"; die "uninstalling from $environment failed"; }
      ;;
  esac
  equal "$(cd .flox/env && sha256sum manifest.*)" "$before"
done
