#!/usr/bin/env bash
# What it costs that a container has no image: `ctr run --rm` of the same program from a plain image, and without
# one, with an environment of 400 store paths that the store has already, seeing the whole store or its closure only.
# All under our shim and runc.
. "$(dirname "$0")/../test/lib.sh"
RUNS=${RUNS:-30} PATHS=${PATHS:-400}
enter_world "$@"
start_containerd
start_catalog

step "publishing an environment of $PATHS store paths"
whole=$("$BUILD_DIR/bench/make_closure" "$LAPTOP_ROOT" "$PATHS")
flox --root "$LAPTOP_ROOT" publish --store-path "$whole" --name whole --version 1.0 >&2
start_floxd
import_images

step "a plain image with the same program"
image=$WORLD/image
mkdir -p "$image/root/bin"
cp "$(type -P busybox)" "$image/root/bin/busybox"
ln -s busybox "$image/root/bin/true"
tar -C "$image/root" -cf "$image/layer.tar" .
cat >"$image/config.json" <<JSON
{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Cmd":["true"]},
 "rootfs":{"type":"layers","diff_ids":["sha256:$(sha256sum "$image/layer.tar" | cut -d' ' -f1)"]}}
JSON
echo '[{"Config":"config.json","RepoTags":["docker.io/library/plain:1"],"Layers":["layer.tar"]}]' >"$image/manifest.json"
tar -C "$image" -cf "$WORLD/plain.tar" manifest.json config.json layer.tar
ctr -n k8s.io images import "$WORLD/plain.tar" >&2

median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
run() {  # KIND OPTIONS… IMAGE: one container, its time to KIND.us
  local kind=$1
  shift
  "$BUILD_DIR/bench/stopwatch" "$WORLD/logs/bench.log" ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" \
    "$@" "$kind" true >>"$WORLD/$kind.us" || { cat "$WORLD/logs/bench.log" >&2; die "the container failed: $*"; }
}
for ((round = -2; round < RUNS; round++)); do
  run plain docker.io/library/plain:1
  run node --annotation flox.dev/environment=whole docker.io/flox/empty:1.0.0
  run closure --annotation flox.dev/environment=whole --annotation flox.dev/store-view=closure docker.io/flox/empty:1.0.0
  [ $round -ge 0 ] || rm "$WORLD"/*.us  # the first rounds fetch the environment and make the view
done
plain=$(median "$WORLD/plain.us")
printf '%d paths, medians of %d: ctr run --rm from a plain image %.1f ms\n' "$PATHS" "$RUNS" "$((plain / 10))e-2"
for kind in node closure; do
  took=$(median "$WORLD/$kind.us")
  target=3
  [ $kind = node ] || target=5
  printf 'imageless, store-view %-8s %.1f ms, %+.1f ms, ratio %.2f  (target: within %d ms)\n' "$kind" "$((took / 10))e-2" \
    "$(((took - plain) / 10))e-2" "$((took * 100 / plain))e-2" $target
done
