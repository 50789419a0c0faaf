#!/usr/bin/env bash
# Environments in the image field: containerd pulls them from floxd as images, without any registry, and containers of
# these images run in them. What is wrong is the pull's error.
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
. "$PROJECT/test/node/image_support.sh"
start_catalog
publish_tool hello 0.9
publish_tool hello 1.0
push_web hello@0.9 blue
push_web hello@0.9 red
trust_registry
start_containerd
start_image_floxd

step "a package is pulled as an image, and runs: its own program, or another command of it"
pull flox.local/hello:1.0 >/dev/null
equal "$(run_image flox.local/hello:1.0 a1)" "hello 1.0"
equal "$(run_image flox.local/hello:1.0 a2 -- sh -c 'hello; echo in $FLOX_ENV' | sed 's|/nix/store/[a-z0-9]*|PATH|')" "hello 1.0
in PATH-environment"
pull flox.local/hello:0.9 >/dev/null
equal "$(run_image flox.local/hello:0.9 a3)" "hello 0.9"

step "an environment in a generation, and in its latest: each generation is an image of its own"
pull flox.local/acme/web:1 >/dev/null
pull flox.local/acme/web:latest >/dev/null
equal "$(run_image flox.local/acme/web:1 b1 -- sh -c 'hello; echo $COLOUR')" $'hello 0.9\nblue'
equal "$(run_image flox.local/acme/web:latest b2 -- sh -c 'hello; echo $COLOUR')" $'hello 0.9\nred'
[ "$(digest_of flox.local/acme/web:1)" != "$(digest_of flox.local/acme/web:latest)" ] || die "two generations have one digest"

step "a tag that moves is resolved anew by each pull; what was pulled stays what it is"
pull flox.local/acme/web:2 >/dev/null
equal "$(digest_of flox.local/acme/web:2)" "$(digest_of flox.local/acme/web:latest)"
push_web hello@0.9 green
equal "$(run_image flox.local/acme/web:latest c1 -- sh -c 'echo $COLOUR')" red
pull flox.local/acme/web:latest >/dev/null
equal "$(run_image flox.local/acme/web:latest c2 -- sh -c 'echo $COLOUR')" green
equal "$(run_image flox.local/acme/web:2 c3 -- sh -c 'echo $COLOUR')" red

step "a store path is an image, too, and can be named by an annotation"
path=$(flox show hello --json | jq -r '.[] | select(.version == "1.0") | .outputs.out')
pull "flox.local$path:latest" >/dev/null
equal "$(run_image "flox.local$path:latest" d1 -- hello)" "hello 1.0"
mkdir "$WORLD/root"
equal "$(ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation "flox.dev/environment=$path" --rootfs "$WORLD/root" d2 hello)" "hello 1.0"
refused "not a store path" ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation flox.dev/environment=/etc/passwd --rootfs "$WORLD/root" d3 hello

step "where pods may not install anything, they may not name store paths either: nobody's name stands for them"
stop_server floxd
start_image_floxd FLOX_POD_INSTALL=false
refused "this node forbids it" run_image "flox.local$path:latest" d4 -- hello
equal "$(run_image flox.local/hello:1.0 d5 -- hello)" "hello 1.0"
stop_server floxd
start_image_floxd

step "an annotation for all containers gives way to the image; one for the container itself is refused"
equal "$(run_image flox.local/hello:1.0 e1 --annotation flox.dev/environment=hello@0.9 -- hello)" "hello 1.0"
refused "Leave out one of the two." run_image flox.local/hello:1.0 e2 --annotation io.kubernetes.cri.container-name=main \
  --annotation flox.dev/environment.main=hello@0.9 -- hello

step "what is wrong is the pull's error"
refused "the catalog has no such package" pull flox.local/nonsense:1
refused "published versions: 1.0, 0.9" pull flox.local/hello:7
refused "has no generation 9" pull flox.local/acme/web:9
refused "is not a generation" pull flox.local/acme/web:stable
refused "is neither an environment" pull flox.local/a/b/c:1
publish_tool foreign 1.0
foreign=$(flox show foreign --json | jq -r '.[0].outputs.out')
sed -i 's/^Sig: demo-1:/Sig: nobody-1:/' "$WORLD/catalog/cache/$(basename "$foreign" | cut -c1-32).narinfo"
refused "signed by nobody-1, whom we do not trust" pull flox.local/foreign:1.0
[ ! -e "$NODE_ROOT$foreign" ] || die "an untrusted path is in the store"

step "a stranger on the node's network is answered nothing, and makes floxd fetch nothing"
publish_tool unseen 1.0
unseen=$(flox show unseen --json | jq -r '.[0].outputs.out')
ask() { in_net curl -sS -o "$WORLD/answer" -w '%{http_code}' "$@"; }
manifest=$(digest_of flox.local/hello:1.0)
for path in manifests/1.0 "manifests/$manifest" "blobs/$manifest" tags/list; do
  equal "$(ask "http://$IMAGE_REGISTRY/v2/unseen/$path?ns=flox.local")" 403
  equal "$(ask -H "X-Flox-Node-Key: $(head -c 32 /dev/zero | tr '\0' a)" "http://$IMAGE_REGISTRY/v2/hello/$path?ns=flox.local")" 403
done
equal "$(ask -I "http://$IMAGE_REGISTRY/v2/unseen/manifests/1.0?ns=flox.local")" 403
equal "$(ask -X PUT -d x "http://$IMAGE_REGISTRY/v2/hello/manifests/1.0?ns=flox.local")" 405
equal "$(ask -H "X-Flox-Node-Key: $(head -c 20000 /dev/zero | tr '\0' a)" "http://$IMAGE_REGISTRY/v2/hello/manifests/1.0?ns=flox.local")" 431
equal "$(ask "http://$IMAGE_REGISTRY/v2/flox/empty/manifests/1.0.0?ns=docker.io")" 200
[ ! -e "$NODE_ROOT$unseen" ] || die "a stranger had a package fetched"

step "the environment stays while containerd has the image, whatever the catalog and floxd do"
stop_server net-catalog
stop_server floxd
start_image_floxd_alone() { touch "$WORLD/net-catalog.pid"; start_image_floxd "$@"; rm "$WORLD/net-catalog.pid"; }
start_image_floxd_alone
flox --root "$NODE_ROOT" store gc >/dev/null
equal "$(run_image flox.local/acme/web:2 f1 -- sh -c 'hello; echo $COLOUR')" $'hello 0.9\nred'
refused "cannot be reached" pull flox.local/hello:0.9.1
# The metric counts containers and pods, of which none is left.
no_holders() { [ "$(metric flox_leases)" = 0 ]; }
wait_until 20 "flox_leases to be 0" no_holders

step "with the image goes its lease"
stop_server floxd
leases() { ls "$NODE_ROOT/nix/var/nix/gcroots/flox" 2>/dev/null | grep -c '^image-' || true; }
before=$(leases)
remove_image flox.local/acme/web:1
start_image_floxd_alone FLOX_IMAGE_KEEP=0s
has_leases() { [ "$(leases)" = "$1" ]; }
wait_until 20 "the lease to end" has_leases $((before - 1))
equal "$(run_image flox.local/acme/web:2 g1 -- sh -c 'echo $COLOUR')" red
for image in $(ctr -n k8s.io images ls -q | grep '^flox.local/'); do
  [ -z "$(digest_of "$image")" ] || remove_image "$image"  # two tags may be one image
done
wait_until 20 "all leases to end" has_leases 0
