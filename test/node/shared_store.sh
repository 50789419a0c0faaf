#!/usr/bin/env bash
# Nodes share one store: one writes it, the others read it and have its floxd realise. What a reader's pods use the collector
# leaves alone; a reader restarts pods while the writer is away; a mount that is gone, or another store, is said.
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/test/node/peer_support.sh"
. "$PROJECT/test/node/shared_store_support.sh"
enter_world "$@"
make_cache 20000 6
start_cache
OTHER=$("$BUILD_DIR/bench/make_closure" "$WORLD/publisher" bytes 2 30000 | tail -1)
THIRD=$("$BUILD_DIR/bench/make_closure" "$WORLD/publisher" bytes 2 40000 | tail -1)
flox --root "$WORLD/publisher" store copy --key "$WORLD/publisher.key" --to "file://$WORLD/cache" "$OTHER" "$THIRD" >>"$WORLD/logs/push.log" 2>&1

step "a writer, and two readers of its store, whose mounts nobody can write to"
start_writer
for n in 2 3; do
  mount_store "$n"
  start_reader "$n"
done
equal "$(node_metric 1 flox_store_readers)" 2
runtime=$(readlink "$WORLD/nodes/1/nix/var/nix/gcroots/flox-runtime" || echo "$CLOSURE")
refused "Read-only file system" touch "$WORLD/nodes/2/nix/store/x"

step "a pod of a reader gets what the writer realises, and the reader asks no cache"
contains "$(want 2 a "$OTHER")" "ok store_directory"
wait_until 10 "the path in the reader's store" test -e "$WORLD/nodes/2/nix/store/$(basename "$OTHER")"
equal "$(node_metric 2 'flox_realise_source_paths_total{source="cache"}')" 0
contains "$(flox --root "$WORLD/nodes/1" store leases)" "reader-reader-2_a"
equal "$(ls "$WORLD/nodes/1/nix/store" | sort)" "$(ls "$WORLD/nodes/2/nix/store" | sort)"

step "the writer's collector leaves alone what a reader has leased"
flox --root "$WORLD/nodes/1" store gc >/dev/null
[ -e "$WORLD/nodes/1/nix/store/$(basename "$OTHER")" ] || die "the path of a running pod was collected"

step "the writer is away: what is leased starts again, also after the reader's floxd; what is not says why"
stop_server floxd1
contains "$(want 2 again "$OTHER")" "ok store_directory"
stop_server floxd2
start_reader 2
contains "$(want 2 later "$OTHER")" "ok store_directory"
contains "$(want 3 b "$OTHER")" "which writes the shared store"
equal "$(node_metric 2 flox_store_writer_heard)" 0
start_writer
heard_again() { [ "$(node_metric 2 flox_store_writer_heard)" = 1 ]; }
wait_until 60 "the reader to hear the writer again" heard_again
contains "$(flox --root "$WORLD/nodes/1" store leases)" "reader-reader-2_later"

step "the mount shows another store: no pod starts with it, and the reason is said"
mkdir -p "$WORLD/elsewhere/nix/store"
mount --bind "$WORLD/elsewhere/nix/store" "$WORLD/nodes/3/nix/store"
contains "$(want 3 c "$OTHER")" "it is not the store of"
umount "$WORLD/nodes/3/nix/store"
contains "$(want 3 d "$OTHER")" "ok store_directory"

step "readers with keys of their own: one is shut out while the others and the writer go on, and gets another key"
new_key() { (umask 077; openssl rand -hex 32 >"$WORLD/$1.key"); }
for name in own-2 own-3 other-2; do new_key $name; done
writer_keys() { (umask 077; printf '%s\n' "$@" >"$WORLD/writer.key"); }
writer_keys "reader-2 $(cat "$WORLD/own-2.key")" "reader-3 $(cat "$WORLD/own-3.key")"
for n in 1 2 3; do stop_server floxd$n; done
PEER_KEY=$WORLD/writer.key start_writer
for n in 2 3; do PEER_KEY=$WORLD/own-$n.key start_reader $n; done
contains "$(want 2 own "$OTHER")" "ok store_directory"
read_again() {  # N
  before=$(grep -c "keys of all nodes" "$WORLD/logs/floxd$1.log" || true)
  kill -HUP "$(cat "$WORLD/floxd$1.pid")"
  has_read() { [ "$(grep -c "keys of all nodes" "$WORLD/logs/floxd$1.log")" -gt "$before" ]; }
  wait_until 30 "floxd $1 to read its keys" has_read "$1"
}
writer_keys "reader-3 $(cat "$WORLD/own-3.key")"
read_again 1
contains "$(want 2 shut-out "$THIRD")" "refuses this node"
contains "$(want 2 restart "$OTHER")" "ok store_directory"
contains "$(want 3 goes-on "$THIRD")" "ok store_directory"
writer_keys "reader-2 $(cat "$WORLD/other-2.key")" "reader-3 $(cat "$WORLD/own-3.key")"
read_again 1
cp "$WORLD/other-2.key" "$WORLD/own-2.key"
read_again 2
contains "$(want 2 let-in "$THIRD")" "ok store_directory"
for n in 1 2; do stop_server floxd$n; done
start_writer
start_reader 2

step "a reader without the peers' key, and one of a name that is taken, do not start"
stop_server floxd3
(umask 077; openssl rand -hex 32 >"$WORLD/other.key")
PEER_KEY=$WORLD/other.key begin_reader 3
wait_until 20 "its refusal" grep -q "refuses this node" "$WORLD/logs/floxd3.log"
stop_server floxd3
rm -rf "$WORLD/nodes/3/var/lib/flox/shared"
begin_reader 3
wait_until 20 "its refusal" grep -q "another node that is called reader-3" "$WORLD/logs/floxd3.log"
stop_server floxd3

step "a reader that is not heard of loses its leases after the lease time, and not before"
stop_server floxd1
stop_server floxd2
FLOX_STORE_READER_LEASE=2s start_writer
ended() { ! flox --root "$WORLD/nodes/1" store leases | grepq reader-reader-2; }
wait_until 60 "the end of its leases" ended
flox --root "$WORLD/nodes/1" store gc >/dev/null
[ ! -e "$WORLD/nodes/1/nix/store/$(basename "$OTHER")" ] || die "what nobody uses was not collected"
