#!/usr/bin/env bash
# From a changed program to its run on another machine, which has all but the change: one store path of an environment of $PATHS
# is published, signed, and a new directory there is activated; or an image of the same files is packed, pushed to Debian's
# docker-registry on the same machine and pulled by containerd. An image in one layer is what copying an environment into an image
# gives; one whose last layer alone is new is the best that an image can be.
#   PATHS=500 BYTES=500000 RUNS=5   store paths of the environment, bytes of each
FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../test/lib.sh"
. "$PROJECT/test/shim/images.sh"
PATHS=${PATHS:-500} BYTES=${BYTES:-500000} RUNS=${RUNS:-5}
enter_world "$@"
REGISTRY=127.0.0.1:5000
start_containerd
start_catalog
start_registry

step "an environment of $PATHS store paths, on both machines"
whole=$("$BUILD_DIR/bench/make_closure" "$LAPTOP_ROOT" bytes $((PATHS - 1)) "$BYTES")
layers=$WORLD/layers
mkdir -p "$layers/base/nix/store" "$WORLD/elsewhere"
for path in $(flox --root "$LAPTOP_ROOT" store closure "$whole" --json | jq -r '.[].path // .[]'); do
  cp -a "$LAPTOP_ROOT$path" "$layers/base/nix/store/"
done
now() { date +%s%3N; }
# change VERSION: the program as a store path, $path, and as the image's last layer.
change() {
  local tree=$WORLD/tree
  rm -rf "$tree" "$layers/top" "$layers/whole" && mkdir -p "$tree/bin" "$layers/top/nix/store"
  printf '#!%s\n# of %s\necho web %s\n' "$(type -P bash)" "$whole" "$1" >"$tree/bin/web"
  chmod +x "$tree/bin/web"
  path=$(flox --root "$LAPTOP_ROOT" store add "$tree" --name "web-$1" --scan)
  cp -a "$LAPTOP_ROOT$path" "$layers/top/nix/store/"
  cp -al "$layers/base" "$layers/whole" && cp -a "$LAPTOP_ROOT$path" "$layers/whole/nix/store/"
}
imageless() {  # VERSION
  local directory=$WORLD/elsewhere/$1 began published
  flox init -n web "$directory" 2>/dev/null
  printf 'schema-version = "1.10.0"\n[install]\nweb.pkg-path = "web"\n' >"$directory/.flox/env/manifest.toml"
  began=$(now)
  flox --root "$LAPTOP_ROOT" publish --store-path "$path" --name web --version "$1" >"$WORLD/logs/publish.log" 2>&1 || { cat "$WORLD/logs/publish.log" >&2; die "publishing failed"; }
  published=$(now)
  equal "$(flox --root "$NODE_ROOT" activate -d "$directory" -- web 2>"$WORLD/logs/activate.log" || cat "$WORLD/logs/activate.log" >&2)" "web $1"
  echo "$((published - began)) $(($(now) - published)) $(($(now) - began))" >>"$WORLD/imageless"
}
image() {  # KIND ROOTS VERSION PACKED_ALREADY: the layers before the last one are in a builder's cache
  local began packed pushed packing=0
  if [ "$4" ]; then
    began=$(now)
    tar -C "$layers/top" -c . | gzip -n1 >"$WORLD/packed"
    packing=$(($(now) - began))
  fi
  began=$(now)
  make_image "$WORLD/layout-$1-$3" "$2" '{"Cmd": ["web"]}' "$REGISTRY/$1:$3"
  [ "$4" ] || packing=$(($(now) - began))
  packed=$(now)
  push_image "$WORLD/layout-$1-$3" "$1" "$3"
  pushed=$(now)
  in_net ctr images pull --plain-http "$REGISTRY/$1:$3" >"$WORLD/logs/pull.log" 2>&1 || { cat "$WORLD/logs/pull.log" >&2; die "the pull failed"; }
  echo "$((packing + pushed - packed)) $(($(now) - pushed)) $((packing + $(now) - packed))" >>"$WORLD/$1"
  rm -rf "$WORLD/layout-$1-$3"
}
for ((run = 0; run <= RUNS; run++)); do
  step "version 1.$run"
  change "1.$run"
  imageless "1.$run"
  image layered "$layers/base:$layers/top" "1.$run" cached
  image single "$layers/whole" "1.$run" ""
  [ $run -gt 0 ] || rm "$WORLD"/{imageless,layered,single}  # the first had everything to fetch
done

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
all() { cut -d' ' -f3 "$WORLD/$1" | median; }
printf '\nOne changed path of %s, to its run elsewhere: milliseconds, medians of %s\n  %-28s %8s %8s %8s\n' "$PATHS" "$RUNS" "" publish fetch all
for kind in imageless layered single; do
  printf '  %-28s' "$(case $kind in imageless) echo "a store path" ;; layered) echo "an image, its last layer" ;; single) echo "an image in one layer" ;; esac)"
  for column in 1 2 3; do printf ' %8s' "$(cut -d' ' -f$column "$WORLD/$kind" | median)"; done
  echo
done
awk -v a="$(all imageless)" -v b="$(all layered)" -v c="$(all single)" 'BEGIN {
  printf "  a store path: %d ms (target: at most 1000); an image in one layer takes %.1f times as long (target: 22), its last layer alone %.1f times\n", a, c / a, b / a }'
