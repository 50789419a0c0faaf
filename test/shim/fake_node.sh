# A node whose floxd is a stand-in (src/shim/testing/fake_floxd.cc): what a shim asks is in $ASKED, what it is answered goes by the
# environment's name. Sourced after support.sh; the containers' root is empty from here on.
FAKE=$BUILD_DIR/unit/fake_floxd
[ -x "$FAKE" ] || skip "fake_floxd is not built"

STORE=$WORLD/store RUNTIME=/nix/store/r-runtime ROOTFS_OF_TOOLS=$ROOTFS
mkdir -p "$STORE/r-runtime/bin" "$STORE/p-profile/bin" "$WORLD/run" "$WORLD/pod" "$STORE/r-runtime/etc/ssl/certs"
cp -a "$ROOTFS_OF_TOOLS"/bin/* "$STORE/r-runtime/bin/"
echo certificates >"$STORE/r-runtime/etc/ssl/certs/ca-certificates.crt"
printf '#!/bin/sh\necho tool of the environment\n' >"$STORE/p-profile/bin/tool"
chmod +x "$STORE/p-profile/bin/tool"
touch "$WORLD/pod/pod.sock"
start_fake() {
  start_server fake "$FAKE" "$FLOX_NODE_SOCKET" "$STORE" "$RUNTIME" "$WORLD/pod" \
    PATH=/nix/store/p-profile/bin FLOX_ENV=/nix/store/p-profile
  wait_until 10 "fake_floxd to listen" test -S "$FLOX_NODE_SOCKET"
}
start_fake
ASKED=$WORLD/logs/fake.log
ROOTFS=$WORLD/empty  # from here on the containers' root is empty
mkdir -p "$ROOTFS"
ours() { run_container --annotation flox.dev/environment=acme/web "$@"; }
