#!/usr/bin/env bash
# Shims and floxds of different releases understand each other: no message of an earlier release means something else now, a pod
# runs under a shim and a floxd of which one knows the earlier protocol only, and what that one cannot do is said, not left out.
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
earlier=$PROJECT/test/node/earlier_protocol

step "no field is renumbered, and none has another type"
"$earlier/earlier_protocol.py" check || die "programs of an earlier release misunderstand today's messages"
mkdir "$WORLD/other"
sed 's/string environment = 6;/string environment = 60;/; s/repeated string args = 8;/string args = 8;/' "$earlier/node.proto" >"$WORLD/other/node.proto"
said=$("$earlier/earlier_protocol.py" check "$WORLD/other/node.proto") && die "a renumbered field was not seen"
contains "$said" "field 60, environment"
contains "$said" "field 8, args"

step "a shim and a floxd with the earlier protocol between them"
start_containerd
start_catalog
publish_tool hello 1.0
shims=$FLOX_NODE_SOCKET
FLOX_NODE_SOCKET=$WORLD/run/floxd.sock start_floxd
start_server between "$earlier/earlier_protocol.py" between "$shims" "$WORLD/run/floxd.sock"
wait_until 10 "the earlier protocol's socket" test -S "$shims"
import_images
kube play - <<'YAML'
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: flox}
handler: flox
---
apiVersion: v1
kind: Pod
metadata: {name: web, annotations: {flox.dev/environment: hello}}
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "flox/empty:1.0.0", command: [/bin/sh, -c, "hello; exec sleep 600"]}]
YAML
greeted() { [ "$(kube logs web)" = "hello 1.0" ]; }
wait_until 30 "the pod's greeting" greeted
equal "$(kube exec web -- hello)" "hello 1.0"
[ "$(ls "$NODE_ROOT/nix/var/nix/gcroots/flox" | grep -vc '^kept-')" -ge 1 ] || die "the container has no lease"

step "what a floxd of that release cannot do is refused, in words that help"
# A container whose image is an environment: that floxd would give it a shell and nothing else.
mkdir "$WORLD/marked"
printf '%064d hello@1.0\n' 7 >"$WORLD/marked/.flox-image"
refused "does not know images that are environments" timeout 60 ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --rootfs "$WORLD/marked" marked /bin/sh -c true
