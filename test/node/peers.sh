#!/usr/bin/env bash
# Nodes share store paths: each is fetched from the cache about once, whoever starts when. A peer that is slow, dead, full or
# lies costs a moment and nothing else; what peers give is what was signed, and nobody but nodes is given anything.
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/test/node/peer_support.sh"
enter_world "$@"
make_cache 200000 24
start_cache
whole=$(du -bs "$WORLD/cache/nar" | cut -f1)

bad_peer() {  # MODE: at $BAD
  stop_server bad
  BAD=127.0.0.99:$((PORT + 3))
  start_server bad env BAD_PEER_ELSEWHERE="$CACHE/nix-cache-info" \
    python3 "$PROJECT/test/node/bad_peer.py" "$BAD" "$WORLD/bad-$1.log" "$1"
  wait_until 10 "the bad peer" test -e "$WORLD/bad-$1.log"
}
# fresh N [OPTION…]: node N anew, with an empty store.
fresh() {
  stop_server "floxd$1"
  rm -rf "$WORLD/nodes/$1"
  start_peer_node "$@"
  wait_until 30 "node $1" node_is_ready "$1"
}
has_all() {
  contains "$(want "$1" "$2")" "ok store_directory"
  flox --root "$WORLD/nodes/$1" store verify >"$WORLD/logs/verify.log" 2>&1 || { cat "$WORLD/logs/verify.log" >&2; die "the store of node $1 is not sound"; }
}
sources() { echo "$(node_metric "$1" 'flox_realise_source_paths_total{source="cache"}') $(node_metric "$1" 'flox_realise_source_paths_total{source="peer"}')"; }

step "a node alone, with peers that are not there: the cache has it all"
PEERS="$(peer_of 1) $(peer_of 2) $(peer_of 3)"
fresh 1
has_all 1 a
equal "$(sources 1)" "24 0"
[ "$(upstream_bytes)" -ge "$whole" ] || die "the cache gave only $(upstream_bytes) of $whole bytes"

step "another node gets all NARs from it"
forget_upstream
fresh 2
has_all 2 a
equal "$(sources 2)" "0 24"
equal "$(upstream_nars)" 0
equal "$(node_metric 1 flox_peer_failures_total\{reason=\"lied\"\})" 0
equal "$(flox --root "$WORLD/nodes/2" store info "$CLOSURE" --json | jq -c '.[0].signatures')" "$(flox --root "$WORLD/nodes/1" store info "$CLOSURE" --json | jq -c '.[0].signatures')"

step "peers are found by a name of a DNS server's, anew for each realisation"
: >"$WORLD/addresses"
start_server dns python3 "$PROJECT/test/node/dns_server.py" "127.0.0.1:$((PORT + 4))" flox-peers.test "$WORLD/addresses"
PEERS=flox-peers.test:$((PORT + 2))
export FLOX_PEER_RESOLVER=127.0.0.1:$((PORT + 4))
fresh 3
node_address 1 >"$WORLD/addresses"
has_all 3 named
equal "$(sources 3)" "0 24"
contains "$(FLOX_PEERS=$PEERS FLOX_METRICS_ADDRESS=$(node_address 3):$((PORT + 1)) flox --root "$WORLD/nodes/3" node status)" "$(peer_of 1)"
equal "$(FLOX_PEERS=$PEERS FLOX_METRICS_ADDRESS=$(node_address 3):$((PORT + 1)) flox --root "$WORLD/nodes/3" node status --json | jq -c '.peers.known | map([.address, .paths, .bytes > 0, .shunned])')" \
  "[[\"$(peer_of 1)\",24,true,false]]"
stop_server dns
unset FLOX_PEER_RESOLVER
PEERS="$(peer_of 1) $(peer_of 2) $(peer_of 3)"

step "the container's restart asks nobody"
forget_upstream
before=$(node_metric 1 flox_peer_sent_bytes_total)
has_all 2 b
equal "$(upstream_bytes)" 0
equal "$(node_metric 1 flox_peer_sent_bytes_total)" "$before"

step "the cache is down, and peers have it all"
stop_server cache
fresh 3
has_all 3 a
equal "$(sources 3)" "0 24"
start_cache

step "what nobody has said to be public is told to nobody; once a cache has shown it to a pod without a token, it is"
known=$WORLD/nodes/1/var/lib/flox/public-paths.sqlite
equal "$(sqlite3 "$known" "select count(*) from PublicPaths")" 24
stop_server floxd1
rm "$known"*
touch "$WORLD/nodes/1/var/lib/flox/private-paths"  # as an older floxd leaves it
stop_server cache
PEERS='' start_peer_node 1
wait_until 30 "node 1" node_is_ready 1
contains "$(cat "$WORLD/logs/floxd1.log")" "private-paths is replaced by a list of public paths"
PEERS=$(peer_of 1) fresh 3
contains "$(want 3 unknown)" "cache of the peers: does not have it"
start_cache
contains "$(want 1 asks-later)" "ok store_directory"
all_known() { [ "$(sqlite3 "$known" "select count(*) from PublicPaths")" = 24 ]; }
wait_until 30 "node 1 to find out what is public" all_known
equal "$(upstream_nars)" 0
stop_server cache
has_all 3 public
equal "$(sources 3)" "0 24"
start_cache

step "who does not have the key is told nothing, neither what is there nor what is not"
path=$(basename "$CLOSURE")
count=0
for asked in "${path:0:32}.narinfo" "$(printf 'a%.0s' {1..32}).narinfo" nix-cache-info peer/has "nar/${path:0:32}-$(printf '0%.0s' {1..52}).nar"; do
  count=$((count + 1))
  equal "$(curl -s -o "$WORLD/answer-$count" -w '%{http_code}' "http://$(peer_of 1)/$asked")" 403
  cmp "$WORLD/answer-1" "$WORLD/answer-$count"
done
equal "$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Flox-Peer $(date +%s) $(printf '0%.0s' {1..64}) $(printf '0%.0s' {1..64})" "http://$(peer_of 1)/${path:0:32}.narinfo")" 403
[ "$(node_metric 1 flox_peer_refused_total)" -ge 4 ] || die "refusals are not counted"

step "a node with another key shares nothing, and starts its containers all the same"
(umask 077; openssl rand -hex 32 >"$WORLD/other.key")
forget_upstream
PEER_KEY=$WORLD/other.key fresh 4
has_all 4 a
equal "$(sources 4)" "24 0"
stop_server floxd4

step "several nodes at once: each path comes from the cache about once"
forget_upstream
for n in 1 2 3; do fresh $n; done
asking=()
for n in 1 2 3; do
  want $n c >"$WORLD/together$n" &
  asking+=($!)
done
wait "${asking[@]}"
for n in 1 2 3; do contains "$(cat "$WORLD/together$n")" "ok store_directory"; done
[ "$(upstream_nars)" -le 48 ] || die "the cache was asked for $(upstream_nars) NARs of 24"
for n in 2 3; do stop_server floxd$n; done

step "what is prefetched comes from peers, too"
prefetch() { FLOX_NODE_SOCKET=$WORLD/run/$1/node.sock flox --root "$WORLD/nodes/$1" node prefetch "${@:2}"; }
export FLOX_PREFETCH_MIN_FREE=1M
forget_upstream
PEERS=$(peer_of 1) fresh 2
contains "$(prefetch 2 --wait "$CLOSURE")" "is present"
equal "$(sources 2)" "0 24"
equal "$(upstream_nars)" 0

step "a pod does not wait for what another node prefetches at its pace; ending that ends what it asks of peers"
FLOX_PREFETCH_RATE=150000 PEERS=$(peer_of 3) fresh 2
fetchers() { pgrep -c -P "$(cat "$WORLD/floxd2.pid")" -x flox-fetcher || true; }
prefetch 2 "$CLOSURE"
prefetches() { [ "$(prefetch 2 --json | jq -r '.prefetches[0].state')" = fetching ] && [ "$(upstream_nars)" -gt 0 ]; }
wait_until 30 "the prefetch" prefetches
PEERS=$(peer_of 2) fresh 3
has_all 3 urgent
prefetches || die "the pod waited for the prefetch: $(prefetch 2 --json)"
prefetch 2 --cancel "$CLOSURE"
one_fetcher() { [ "$(fetchers)" -le 1 ]; }  # that waits for work
wait_until 30 "the end of the prefetch's fetcher" one_fetcher
equal "$(prefetch 2 --json | jq -r '.prefetches | length')" 0
for n in 2 3; do stop_server floxd$n; done

step "peers that lie, break off, give nothing or without end: the cache has it, and the store is sound"
for mode in other another endless stall drip die promise garbage mute elsewhere; do
  bad_peer $mode
  PEERS=$BAD fresh 4
  forget_upstream
  has_all 4 "$mode"
  equal "$(sources 4)" "24 0"
  [ -s "$WORLD/bad-$mode.log" ] || die "the peer that does '$mode' was not asked"
  case $mode in other | another | elsewhere) reason=lied ;; *) reason=failed ;; esac
  [ "$(node_metric 4 "flox_peer_failures_total{reason=\"$reason\"}")" -ge 1 ] || die "nobody counted that the peer does '$mode'"
done

step "a bad peer among good ones does not keep them from being asked"
bad_peer stall
PEERS="$BAD $(peer_of 1)" fresh 4
has_all 4 mixed
[ "$(node_metric 4 'flox_realise_source_paths_total{source="peer"}')" -ge 1 ] || die "the good peer was not asked"

step "the cache is down, and one of two peers gives narinfos without end"
bad_peer narinfo
stop_server cache
PEERS=$BAD fresh 4
contains "$(want 4 alone)" "cache of the peers: does not have it"
PEERS="$BAD $(peer_of 1)" fresh 4
has_all 4 with-good
equal "$(sources 4)" "0 24"
start_cache

step "a peer is frozen before it is asked, and in the middle of what it sends"
kill -STOP "$(cat "$WORLD/floxd1.pid")"
PEERS=$(peer_of 1) fresh 4
has_all 4 frozen
equal "$(sources 4)" "24 0"
kill -CONT "$(cat "$WORLD/floxd1.pid")"
stop_server floxd1
FLOX_PEER_RATE=400000 PEERS='' start_peer_node 1
wait_until 30 "node 1" node_is_ready 1
PEERS=$(peer_of 1) fresh 4
want 4 freezing >"$WORLD/freezing" &
asking=$!
sends() { [ "$(node_metric 1 flox_peer_sent_bytes_total)" -gt 0 ]; }
wait_until 30 "the peer to send" sends
kill -STOP "$(cat "$WORLD/floxd1.pid")"
wait $asking
kill -CONT "$(cat "$WORLD/floxd1.pid")"
contains "$(cat "$WORLD/freezing")" "ok store_directory"
has_all 4 after-freezing

step "somebody who holds many connections open, and sends half a request on each, keeps no node from being served"
python3 - "$(peer_of 1)" "$WORLD/held" <<'PYTHON' &
import socket, sys, time
host, port = sys.argv[1].split(":")
held = []
for _ in range(100):
    held.append(socket.create_connection((host, int(port)), source_address=("127.0.0.98", 0)))
    held[-1].sendall(b"GET /nar/")
open(sys.argv[2], "w").close()
time.sleep(600)
PYTHON
loris=$!
wait_until 30 "the connections" test -e "$WORLD/held"
stop_server cache
PEERS=$(peer_of 1) fresh 4
has_all 4 beside-loris
equal "$(sources 4)" "0 24"
kill $loris
start_cache

step "one peer gets no more than its share of a node's rate"
stop_server floxd1
FLOX_PEER_RATE_EACH=1M PEERS='' start_peer_node 1
wait_until 30 "node 1" node_is_ready 1
PEERS=$(peer_of 1) fresh 4
began=$SECONDS
has_all 4 rate
equal "$(sources 4)" "0 24"
sent=$(node_metric 1 flox_peer_sent_bytes_total)
[ $((SECONDS - began)) -ge $((sent / 1000000 - 1)) ] || die "it sent $sent bytes in $((SECONDS - began)) s"

step "a peer dies in the middle of what it sends"
stop_server floxd1
FLOX_PEER_RATE=400000 PEERS=$(peer_of 4) start_peer_node 1
wait_until 30 "node 1" node_is_ready 1
PEERS=$(peer_of 1) fresh 4
want 4 dying >"$WORLD/dying" &
asking=$!
wait_until 30 "the peer to send" sends
kill -KILL "$(cat "$WORLD/floxd1.pid")"
wait $asking
contains "$(cat "$WORLD/dying")" "ok store_directory"
has_all 4 after

step "a node that sends slowly stops at once"
stop_server floxd1
FLOX_PEER_RATE=100 PEERS='' start_peer_node 1
wait_until 30 "node 1" node_is_ready 1
PEERS=$(peer_of 1) fresh 4
want 4 slowly >"$WORLD/slowly" &
asking=$!
wait_until 30 "the peer to send" sends
stop_server floxd1
wait $asking
contains "$(cat "$WORLD/slowly")" "ok store_directory"

step "a peer address that is taken keeps no node from starting, and is taken when it is free"
stop_server floxd1
start_server squatter python3 -c 'import socket, sys, time
squatter = socket.create_server((sys.argv[1], int(sys.argv[2])))
open(sys.argv[3], "w").close()
time.sleep(600)' "$(node_address 1)" $((PORT + 2)) "$WORLD/squatting"
wait_until 10 "the squatter" test -e "$WORLD/squatting"
PEERS='' start_peer_node 1
wait_until 30 "node 1" node_is_ready 1
equal "$(node_metric 1 flox_peer_listening)" 0
stop_server squatter
listens() { [ "$(node_metric 1 flox_peer_listening)" = 1 ]; }
wait_until 30 "node 1 to serve its peers" listens

step "what is set wrong is said by the doctor"
contains "$(FLOX_PEERS=10.0.0.1:0 FLOX_PEER_KEY_FILE=$WORLD/peers.key flox --root "$WORLD/nodes/4" node doctor 2>&1 || true)" "has the port 0"
contains "$(FLOX_PEERS=nonsense FLOX_PEER_KEY_FILE=$WORLD/peers.key flox --root "$WORLD/nodes/4" node doctor 2>&1 || true)" "peers: 'nonsense' is not of the form"
contains "$(FLOX_PEERS=10.0.0.1:1 FLOX_PEER_KEY_FILE=$WORLD/none flox --root "$WORLD/nodes/4" node doctor 2>&1 || true)" "nothing is shared with other nodes"
