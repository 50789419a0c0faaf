#!/usr/bin/env bash
# A private environment in the image field: who brings a token of the catalog pulls it, whether by ctr or over CRI (where the
# kubelet sends a pod's imagePullSecrets); nobody else does, not even when it lies on the node; and the token is nowhere.
# prepare: containerd2
. "$(dirname "$0")/../shim/suites.sh"
if [ -z "${FLOX_WORLD_ENTERED:-}" ]; then
  asked=${FLOX_TEST_CONTAINERD:-}
  need_containerd2
  export CRICTL=$FLOX_TEST_CONTAINERD/crictl FLOX_TEST_CONTAINERD=$asked
fi
enter_world "$@"
. "$PROJECT/test/node/image_support.sh"
start_catalog
flox owner create secret --private
publish_tool open 1.0
FLOX_CATALOG_TOKEN=$(flox auth token create --owner secret --scope publish 2>/dev/null) publish_tool hidden 1.0
(umask 077; flox auth token create --owner secret --scope read 2>/dev/null >"$WORLD/reader")
reader=$(cat "$WORLD/reader")
path=$(FLOX_CATALOG_TOKEN=$reader flox show hidden --json | jq -r '.[0].outputs.out')
unset FLOX_CATALOG_TOKEN
trust_registry
start_containerd
start_image_floxd
crictl() { timeout 120 "$CRICTL" --runtime-endpoint "unix://$CONTAINERD_ADDRESS" "$@"; }
image=flox.local/hidden:1.0

step "without a token it does not exist"
refused "the catalog has no such package" pull $image
refused "the catalog has no such package" crictl pull $image
[ ! -e "$NODE_ROOT$path" ] || die "it was fetched"

step "with a wrong one neither"
for creds in "flox:wrong" "flox:$(tr 0-9a-f 1-9a-f0 <<<"$reader")"; do
  if crictl pull --creds "$creds" $image >"$WORLD/refusal" 2>&1; then die "a wrong token pulled it"; fi
  [ ! -e "$NODE_ROOT$path" ] || die "it was fetched"
done
refused "not a token" crictl pull --creds "flox:a b" $image

step "with a token it is pulled, over CRI and by ctr, and runs"
crictl pull --creds "flox:$reader" $image
equal "$(run_image $image a1 -- hidden)" "hidden 1.0"
pull $image --user "anybody:$reader" >/dev/null
equal "$(run_image $image a2)" "hidden 1.0"
crictl pull flox.local/open:1.0
equal "$(run_image flox.local/open:1.0 a3)" "open 1.0"

step "it lies on the node; who pulls without a token still gets nothing, by its tag and by its digests"
refused "the catalog has no such package" crictl pull $image
refused "the catalog has no such package" pull $image
digest=$(digest_of $image)
key="X-Flox-Node-Key: $(cat "$WORLD/registry.key")"
for token in anonymous wrong; do
  for digest in $(ctr -n k8s.io content ls -q); do
    code=$(in_net curl -s -o "$WORLD/answer" -w '%{http_code}' -H "$key" -H "Authorization: Bearer $token" "http://$IMAGE_REGISTRY/v2/hidden/blobs/$digest?ns=flox.local")
    [ "$code" != 200 ] || ! grep -aq hidden "$WORLD/answer" || die "a blob of the private image was given to $token"
  done
done

step "an image of somebody else with the marker of a private environment, or one that was made up, is nothing"
mkdir -p "$WORLD/forged"
echo "$(printf %064d 7) hidden@1.0" >"$WORLD/forged/.flox-image"
refused "this node has no record of its image" ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --rootfs "$WORLD/forged" b1 hidden

step "the token is neither logged nor stored"
secrets=$(grep -rlF -- "$reader" "$WORLD/logs" "$WORLD/node" "$WORLD/node-trust-state" "$WORLD/containerd/root" "$WORLD/run" 2>/dev/null || true)
equal "$secrets" ""
stop_server floxd
stop_server net-catalog
touch "$WORLD/net-catalog.pid"
start_image_floxd
equal "$(run_image $image c1)" "hidden 1.0"
