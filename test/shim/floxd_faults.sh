#!/usr/bin/env bash
# floxd is away, slow, or dies in the middle: a clear error in time, nothing left, and the next try succeeds.
. "$(dirname "$0")/support.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || skip "the reference shim knows no environments"
. "$(dirname "$0")/fake_node.sh"
of() { run_container --annotation "flox.dev/environment=$1" "${@:2}"; }
ask() { call neighbour "$@"; }
run_container -d --annotation flox.dev/environment=acme/web neighbour sleep 1000
neighbour_is_well() { equal "$(ctr task exec --exec-id check neighbour tool)" "tool of the environment"; }
releases() { grep -cx "release id=$1" "$ASKED" || true; }

step "a floxd that does not answer: the shim gives up when its client does, and says what may help"
mkdir -p "$WORLD/late/rootfs"
ROOTFS=$ROOTFS_OF_TOOLS run_container -d ordinary sleep 1000
jq '.annotations["flox.dev/environment"] = "never/web" | .process.args = ["tool"] | .root.path = "rootfs"' \
  "$bundle/ordinary/config.json" >"$WORLD/late/config.json"
end_container ordinary
answer=$(ask Create id=late bundle="$WORLD/late" timeout=1500)
contains "$answer" "Unavailable: asking floxd for the container's environment"
contains "$answer" "did not answer in time"
contains "$answer" "the next attempt finds what has come by then"
contains "$(ask State id=late)" NotFound
wait_until 5 "the lease to be given back" eval '[ "$(releases late)" = 1 ]'
[ -z "$(ls "$WORLD/late/rootfs")" ] || die "the root was filled without an answer"
neighbour_is_well

step "the next attempt succeeds"
jq '.annotations["flox.dev/environment"] = "acme/web"' "$WORLD/late/config.json" >"$WORLD/config" && mv "$WORLD/config" "$WORLD/late/config.json"
contains "$(ask Create id=late bundle="$WORLD/late" timeout=20000)" "ok 1="
equal "$(ask Start id=late | cut -c1-4)" "ok 1"
equal "$(ask Wait id=late)" "$(ask Wait id=late)"
contains "$(ask Delete id=late)" "ok 1="
wait_until 5 "the lease to be given back" eval '[ "$(releases late)" = 2 ]'

step "a floxd that is replaced while it is asked, and while it is away: the container waits, and the next one is asked again"
of once/web --rm replaced tool >"$WORLD/replaced" 2>&1 & replaced=$!
wait_until 20 "floxd to end" test -e "$FLOX_NODE_SOCKET.asked"
stop_server fake
of acme/web --rm early tool >"$WORLD/early" 2>&1 & early=$!
start_fake
wait $replaced $early
equal "$(cat "$WORLD/replaced")" "tool of the environment"
equal "$(cat "$WORLD/early")" "tool of the environment"
equal "$(grep -c "prepare id=replaced" "$ASKED")" 1  # of the second floxd, whose log it is

step "a floxd that dies while it is asked"
refused "asking floxd for the container's environment" of die/web --rm dying tool
refused "$FLOX_NODE_SOCKET" of acme/web --rm down tool
refused "Is floxd running on this node?" of acme/web --rm down tool
neighbour_is_well

step "what already runs can be stopped and deleted without floxd, whose lease is then the sweeper's business"
run_container --rm plain /nix/no-such-program >/dev/null 2>&1 || true
end_container neighbour
start_fake
equal "$(of acme/web --rm back tool)" "tool of the environment"

step "a floxd that answers nonsense"
stop_server fake
python3 - "$FLOX_NODE_SOCKET" <<'PY' &
import os, socket, struct, sys
os.path.exists(sys.argv[1]) and os.unlink(sys.argv[1])
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen()
while True:
    client, _ = server.accept()
    header = client.recv(10)
    stream = struct.unpack(">IIBB", header)[1]
    client.sendall(struct.pack(">IIBB", 5, stream, 2, 0) + b"\xff\xff\xff\xff\xff")
    client.close()
PY
liar=$!
wait_until 10 "it to listen" test -S "$FLOX_NODE_SOCKET"
refused "failed to create shim task" of acme/web --rm lied tool
kill $liar
expect_nothing_left
