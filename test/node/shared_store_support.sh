# A store that floxds share: node 1 of peer_support.sh writes it, others read it. Sourced, after that.
#
#   start_writer              node 1, which serves readers
#   mount_store N             shows node 1's store where node N mounts it: a read-only bind mount, as of any shared file system
#   start_reader N            node N; begin_reader does not wait for it
start_writer() {
  FLOX_STORE_READERS=true start_peer_node 1
  wait_until 30 "the writer" node_is_ready 1
  contains "$(want 1 warm)" "ok store_directory"  # the closure that is its runtime is there
}
mount_store() {
  mkdir -p "$WORLD/mounts/$1"
  mount --bind "$WORLD/nodes/1/nix/store" "$WORLD/mounts/$1"
  mount -o remount,bind,ro "$WORLD/mounts/$1"
}
begin_reader() {
  FLOX_STORE_WRITER=$(peer_of 1) FLOX_STORE_MOUNT=$WORLD/mounts/$1 FLOX_STORE_READER_NAME=reader-$1 CACHES='' start_peer_node "$1"
}
start_reader() {
  begin_reader "$1"
  wait_until 60 "the reader $1" node_is_ready "$1"
}
