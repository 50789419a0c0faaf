#!/usr/bin/env bash
# Containers that name an environment: what floxd is asked, what the container finds, and what users are told.
. "$(dirname "$0")/support.sh"
[ -z "${FLOX_TEST_SHIM:-}" ] || skip "the reference shim knows no environments"
. "$(dirname "$0")/fake_node.sh"

step "the environment's command runs in an empty root"
equal "$(ours --rm web tool)" "tool of the environment"
contains "$(cat "$ASKED")" "prepare id=web pod=web namespace= container= environment=acme/web mode= uid=0 cwd=/"
wait_until 5 "the lease to be given back" grep -qx "release id=web" "$ASKED"
equal "$(grep -c 'release id=web$' "$ASKED")" 1
expect_nothing_left

step "the root has a shell, env, users, certificates, /tmp; the store is read-only"
output=$(ours --rm look /bin/sh -c '
  /usr/bin/env | grep FLOX_ENV; cat /etc/ssl/certs/ca-certificates.crt; grep root /etc/passwd
  touch /tmp/x && echo tmp works; touch /nix/store/x 2>&1; ls /run/flox; echo home $HOME')
for part in FLOX_ENV=/nix/store/p-profile certificates root:x:0:0 'tmp works' 'Read-only file system' pod.sock 'home /root'; do
  contains "$output" "$part"
done

step "execs run inside the activation; what they set themselves wins"
ours -d box sleep 1000
equal "$(ctr task exec --exec-id e1 box tool)" "tool of the environment"
end_container box
output=$(run_container -d --annotation flox.dev/environment=acme/web --annotation flox.dev/skip-containers-exec=c \
  --annotation io.kubernetes.cri.container-name=c outside sleep 1000 && ctr task exec --exec-id e1 outside env)
case $output in *FLOX_ENV*) die "the exec ran inside the activation: $output" ;; esac
end_container outside

step "an annotation for one container wins over the pod's"
run_container --rm --annotation flox.dev/environment=acme/web --annotation flox.dev/environment.two=acme/other \
  --annotation io.kubernetes.cri.container-name=two second tool >/dev/null
contains "$(cat "$ASKED")" "prepare id=second pod=second namespace= container=two environment=acme/other"

step "flox.dev/nix-mutable: a /nix of the container's own, over the node's store"
change='tool && echo mine >/nix/store/mine && cat /nix/store/mine && rm /nix/store/p-profile/bin/tool && mkdir /nix/var && ls /nix/store/p-profile/bin'
equal "$(ours --rm --annotation flox.dev/nix-mutable=true mutable sh -c "$change")" "tool of the environment
mine"
[ ! -e "$STORE/mine" ] && [ -x "$STORE/p-profile/bin/tool" ] || die "a container changed the node's store"
equal "$(ours --rm --annotation flox.dev/nix-mutable=true again tool)" "tool of the environment"
refused "Read-only file system" ours --rm --annotation flox.dev/nix-mutable=false immutable touch /nix/store/mine
refused 'nix-mutable is "yes"' ours --rm --annotation flox.dev/nix-mutable=yes bad0 tool
expect_nothing_left

step "two containers see one store: the same inode"
inode() { ours --rm "$1" stat -c '%d:%i' /nix/store/p-profile/bin/tool; }
equal "$(inode first)" "$(inode second)"

step "floxd's refusal is the container's error, with advice, and nothing stays"
refused "realising fail/web: no such environment" run_container --rm --annotation flox.dev/environment=fail/web bad tool
refused "Push it first." run_container --rm --annotation flox.dev/environment=fail/web bad2 tool
expect_nothing_left
refused "activate-mode is \"fast\"" ours --rm --annotation flox.dev/activate-mode=fast bad3 tool

step "a first realise that takes long holds up nobody else"
run_container --rm --annotation flox.dev/environment=slow/web slow tool >"$WORLD/slow" &
slow=$!
wait_until 5 "the slow question" grep -q environment=slow/web "$ASKED"
equal "$(ours --rm fast tool)" "tool of the environment"
[ ! -s "$WORLD/slow" ] || die "the slow container was quicker than two seconds"
wait $slow
equal "$(cat "$WORLD/slow")" "tool of the environment"

step "other containers, sandboxes and skipped ones are not floxd's business"
asked=$(grep -c prepare "$ASKED")
ROOTFS=$ROOTFS_OF_TOOLS
equal "$(run_container --rm plain echo plain)" plain
equal "$(ours --rm --annotation io.kubernetes.cri.container-type=sandbox sandbox echo sandbox)" sandbox
equal "$(ours --rm --annotation io.kubernetes.cri.container-name=db --annotation flox.dev/skip-containers=web,db skipped echo skipped)" skipped
equal "$(grep -c prepare "$ASKED")" "$asked"

step "without floxd the error says so, and plain containers run"
ROOTFS=$WORLD/empty
stop_server fake
refused "$FLOX_NODE_SOCKET" ours --rm without tool
refused "Is floxd running on this node?" ours --rm without2 tool
ROOTFS=$ROOTFS_OF_TOOLS
equal "$(run_container --rm plain2 echo plain)" plain
expect_nothing_left
