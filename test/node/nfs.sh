#!/usr/bin/env bash
# A store on NFS, as docs/how-to/share-a-store.md sets it up: the kernel's server on the writer's node, two nodes that mount it, each
# with its own network, in a virtual machine. Root of a reader is nobody there; locks that readers take hold nobody up; the server
# goes away and comes back, alone and with its node.
# ctest: COST 300
# ctest: RESOURCE_LOCK emulator
. "$(dirname "$0")/../../script/lib.sh"
skip() { echo "$*"; exit 77; }
if [ -z "${FLOX_TEST_IN_MACHINE:-}" ]; then
  [ "$(id -u)" = 0 ] || skip "needs root: mounts file systems"
  for program in rpc.nfsd rpc.mountd exportfs mount.nfs4 rpcbind; do
    PATH=$PATH:/usr/sbin:/sbin type -P $program >/dev/null || skip "needs $program (packages nfs-kernel-server and nfs-common)"
  done
  accelerator=$("$PROJECT/script/vm" --check) || { code=$?; echo "$accelerator"; exit $code; }
  [ "$accelerator" = kvm ] || exhaustive || skip "takes ten minutes without KVM: set FLOX_TEST_EXHAUSTIVE=1"
  FLOX_TEST_IN_MACHINE=1 FLOX_TEST_PATIENCE=20 exec "$PROJECT/script/vm" --limit 1800 --memory 3072 "$(realpath "$0")"
fi
export PATH=$PATH:/usr/sbin:/sbin
[ -n "${FLOX_WORLD_ENTERED:-}" ] || { for module in nfsd nfsv4 veth bridge; do /run/vm/modprobe $module; done; }
. "$PROJECT/test/lib.sh"
. "$PROJECT/test/node/peer_support.sh"
. "$PROJECT/test/node/shared_store_support.sh"
enter_world "$@"

EXPORTED=$WORLD/nodes/1/nix/store
on_server() { in_node 1 "$@"; }
# The kernel's threads. Nobody has to wait for more than ten seconds for locks of before.
start_nfs_server() { on_server rpc.nfsd --no-nfs-version 3 --grace-time 10 --lease-time 10 4; }
stop_nfs_server() { on_server rpc.nfsd 0; }
start_mountd() { start_server mountd $(node_words 1) rpc.mountd --foreground --no-nfs-version 3; }
# As the page's /etc/exports, and the root of what clients see: a tmpfs has no name of its own.
export_store() { on_server exportfs -i -o ro,root_squash,no_subtree_check,fsid=0 "10.77.0.0/24:$EXPORTED"; }
prepare_nfs_server() {
  mkdir -p /var/lib/nfs "$EXPORTED"
  : >/var/lib/nfs/etab
  start_server rpcbind $(node_words 1) rpcbind -f
  on_server mount -t nfsd nfsd /proc/fs/nfsd
  start_mountd
  export_store
  start_nfs_server
}
mount_store() {  # NODE; instead of shared_store_support.sh's bind mount
  mkdir -p "$WORLD/mounts/$1"
  in_node "$1" mount -t nfs4 -o ro,hard,nconnect=2,timeo=50 "$(node_address 1):/" "$WORLD/mounts/$1"
  wait_for_grace "$1"
}
# A server that has just begun opens no file for some seconds: a reader's floxd would say that, and systemd begin it again.
wait_for_grace() { cat "$WORLD/mounts/$1/$(basename "$CLOSURE")/references" >/dev/null; }
answers() { in_node "$1" curl -fs -m 20 -o /dev/null "http://$(node_address "$1"):$((PORT + 1))/readyz"; }
starts() { [[ $(want "$@") == "ok store_directory"* ]]; }
refuses_with() {  # TEXT NODE ID PATH
  local said
  said=$(want "${@:2}")
  [[ $said == *"$1"* ]] || { echo "$said" >"$WORLD/logs/last-answer.log"; return 1; }
}

step "three nodes and a cache, each with its own network"
make_networks 3
make_cache 20000 4
start_cache
extra() { "$BUILD_DIR/bench/make_closure" "$WORLD/publisher" bytes 2 "$1" | tail -1; }
OTHER=$(extra 30000) THIRD=$(extra 40000) FOURTH=$(extra 50000)
flox --root "$WORLD/publisher" store copy --key "$WORLD/publisher.key" --to "file://$WORLD/cache" "$OTHER" "$THIRD" "$FOURTH" >>"$WORLD/logs/push.log" 2>&1

step "the writer, whose store the kernel exports, and two readers with NFS mounts"
start_writer
prepare_nfs_server
for n in 2 3; do
  mount_store $n
  start_reader $n
done
for n in 2 3; do grep "$WORLD/nodes/$n/nix/store nfs4 .*vers=4" /proc/self/mounts >&2 || die "node $n does not show the NFS mount"; done

step "root of a reader is nobody on the server, and writes nothing there"
SHARE=$WORLD/mounts/2
echo secret >"$EXPORTED/for-root" && chmod 600 "$EXPORTED/for-root"
refused "Permission denied" cat "$SHARE/for-root"
refused "Read-only file system" touch "$SHARE/x"
mkdir -p "$WORLD/writable"
in_node 2 mount -t nfs4 -o rw,hard,nosharecache "$(node_address 1):/" "$WORLD/writable"
refused "Read-only file system" touch "$WORLD/writable/x"
umount "$WORLD/writable"

step "a reader that has looked for a path before sees it as soon as the writer has it"
[ ! -e "$SHARE/$(basename "$OTHER")" ] || die "it is there already"
contains "$(want 2 a "$OTHER")" "ok store_directory"
equal "$(cd "$WORLD/nodes/2$OTHER" && find . -type f -exec sha256sum {} + | sort)" "$(cd "$EXPORTED/$(basename "$OTHER")" && find . -type f -exec sha256sum {} + | sort)"

step "locks that readers take of files of the store keep nobody from it"
HELD=$(find "$EXPORTED/$(basename "$OTHER")" -type f | head -1)
for n in 2 3; do start_server lock$n flock --no-fork --shared "$WORLD/mounts/$n/${HELD#"$EXPORTED/"}" sleep 3600; done
are_held() { [ "$(cat "/proc/$(cat "$WORLD/lock2.pid")/comm" "/proc/$(cat "$WORLD/lock3.pid")/comm" | sort -u)" = sleep ]; }
wait_until 30 "both locks" are_held
contains "$(want 3 b "$THIRD")" "ok store_directory"
timeout 300 flox --root "$WORLD/nodes/1" store gc >/dev/null || die "the collector of the writer fails, or waits for readers: $?"
[ -e "$HELD" ] && [ -e "$EXPORTED/$(basename "$THIRD")" ] || die "the path of a running pod was collected"
for n in 2 3; do stop_server lock$n; done

step "the NFS server goes away: who reads waits, floxd answers, and a pod that starts is told why it does not"
stop_nfs_server
start_server waiting cat "$WORLD/mounts/3/${HELD#"$EXPORTED/"}"
wait_until 30 "the reason" refuses_with "its file server is away" 2 c "$FOURTH"
wait_until 30 "the same again" refuses_with "its file server is away" 2 c "$FOURTH"
answers 2 && answers 3 || die "a reader's floxd hangs with its mount"
kill -0 "$(cat "$WORLD/waiting.pid")" || die "a program that reads has failed instead of waiting: $(cat "$WORLD/logs/waiting.log")"
equal "$(node_metric 2 flox_store_writer_heard)" 1
stop_server floxd3
begin_reader 3
wait_until 30 "a floxd that starts meanwhile to say so" grep -q "its file server is away" "$WORLD/logs/floxd3.log"
stop_server floxd3

step "it comes back: what waited goes on, and the pod starts"
start_nfs_server
wait_for_grace 3
start_reader 3
wait_until 60 "the pod to start" starts 2 c "$FOURTH"
has_read() { ! kill -0 "$(cat "$WORLD/waiting.pid")" 2>/dev/null; }
wait_until 60 "the program to read on" has_read
cmp "$WORLD/logs/waiting.log" "$HELD"

step "the writer's node is cut off and comes back: the same for both its servers"
cut_node 1
wait_until 30 "the reason" refuses_with "away" 3 d "$FOURTH"
answers 2 && answers 3 || die "a reader's floxd hangs with the writer"
join_node 1
wait_until 60 "the pod to start" starts 3 d "$FOURTH"

step "the writer's node begins anew, with its NFS server: readers go on by themselves"
stop_nfs_server
on_server exportfs -au
stop_server floxd1
stop_server mountd
start_mountd
export_store
start_nfs_server
start_writer
heard_again() { [ "$(node_metric 2 flox_store_writer_heard)" = 1 ] && [ "$(node_metric 3 flox_store_writer_heard)" = 1 ]; }
wait_until 60 "the readers to hear it" heard_again
wait_until 60 "a pod to start" starts 2 e "$THIRD"

step "a reader is cut off: the writer's collector and other readers do not wait for it"
cat "$WORLD/mounts/2/$(basename "$THIRD")"/* >/dev/null 2>&1 || true  # its client may have delegations
cut_node 2
timeout 200 flox --root "$WORLD/nodes/1" store gc >/dev/null || die "the collector of the writer fails, or waits for readers: $?"
contains "$(want 3 f "$OTHER")" "ok store_directory"
join_node 2
wait_until 60 "the pod of the one that was cut off to start" starts 2 g "$OTHER"

for n in 2 3; do stop_server floxd$n; done
stop_nfs_server
