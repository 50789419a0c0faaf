#!/usr/bin/env bash
# How a container can see its closure only: a tree of bind mounts, made once and cloned with rbind, or one overlay whose
# metadata layer redirects each path into the store. Both against a plain bind of the whole store. What counts is
# the OCI runtime's create (the mounts are its work), and what reading through the view costs.
. "$(dirname "$0")/../test/shim/support.sh"
RUNS=${RUNS:-30} PATHS=${PATHS:-400}

store=$WORLD/store
for ((i = 0; i < PATHS; i++)); do
  path=$store/$(printf '%032d' "$i")-package
  mkdir -p "$path/bin" "$path/share"
  for name in a b c d e f g h; do echo "$i" >"$path/bin/$name"; echo "$i" >"$path/share/$name"; done
done

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
microseconds() { "$BUILD_DIR/bench/stopwatch" "$WORLD/logs/bench.log" "$@" || { cat "$WORLD/logs/bench.log" >&2; die "failed: $*"; }; }

step "a tree of $PATHS bind mounts"
tree=$WORLD/tree
mkdir -p "$tree"
mount -t tmpfs tmpfs "$tree"
for path in "$store"/*; do
  mkdir "$tree/${path##*/}"
  mount --bind "$path" "$tree/${path##*/}"
done
mount --make-rprivate "$tree"

step "an overlay of $PATHS redirects"
overlay=$WORLD/overlay
mkdir -p "$overlay"
mount -t tmpfs tmpfs "$overlay"
mkdir -p "$overlay/meta/view" "$overlay/merged"
for path in "$store"/*; do
  mkdir "$overlay/meta/view/${path##*/}"
  setfattr -n trusted.overlay.redirect -v "/${path##*/}" "$overlay/meta/view/${path##*/}"
done
mount -t overlay overlay -o "ro,redirect_dir=follow,lowerdir=$overlay/meta:$store" "$overlay/merged"

mkdir -p "$WORLD/bundle" "$ROOTFS/nix/store"
cd "$WORLD/bundle"
runc spec
jq --arg root "$ROOTFS" '.root.path = $root | .root.readonly = false | .process.terminal = false' config.json >base.json
cp "$BUILD_DIR/bin/flox-pause" "$ROOTFS/bin/"
declare -A source=([node]=$store [tree]=$tree [overlay]=$overlay/merged/view)
for ((run = 0; run < RUNS; run++)); do
  for view in node tree overlay; do
    jq --arg source "${source[$view]}" '.process.args = ["/bin/true"] | .mounts += [{"destination": "/nix/store", "type": "bind",
      "source": $source, "options": ["rbind", "rprivate", "ro", "nosuid", "nodev"]}]' base.json >config.json
    microseconds runc --root "$WORLD/state" create --pid-file pid "$view$run" >>"$WORLD/$view.create"
    microseconds runc --root "$WORLD/state" delete --force "$view$run" >>"$WORLD/$view.delete"
    microseconds cat "${source[$view]}"/*/bin/a >>"$WORLD/$view.read"
    microseconds find "${source[$view]}" -type f >>"$WORLD/$view.walk"
  done
done
[ "$(find "${source[overlay]}" -type f | wc -l)" = $((PATHS * 16)) ] || die "the overlay does not show the closure"
printf '%d paths, medians of %d\n%-10s %12s %12s %16s %14s\n' "$PATHS" "$RUNS" view 'runc create' 'runc delete' "read $PATHS files" 'walk it all'
for view in node tree overlay; do
  for what in create delete read walk; do declare "$what=$(median "$WORLD/$view.$what" | awk '{ printf "%.1f ms", $1 / 1000 }')"; done
  # shellcheck disable=SC2154
  printf '%-10s %12s %12s %16s %14s\n' $view "$create" "$delete" "$read" "$walk"
done
