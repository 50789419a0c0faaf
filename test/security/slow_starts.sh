#!/usr/bin/env bash
# A catalog or cache that never answers keeps the containers that need it from starting, and no others.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"

step "a catalog that takes every question and answers none"
python3 - "$WORLD/port" <<'PY' &
import os, socket, sys
server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(256)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
kept = []
while True:
    kept.append(server.accept())
PY
silent=$!
wait_until 30 "the catalog" test -s "$WORLD/port"
CATALOG_URL=http://127.0.0.1:$(cat "$WORLD/port")
PUBLIC_KEY=$(flox store keygen test-1 --out "$WORLD/test.key")
export FLOX_NODE_SOCKET=$WORLD/run/node.sock
start_floxd

# prepare NAMESPACE ID FIELD=VALUE…: a container that starts.
prepare() { node_call Prepare container_id="$2" pod_id="p$2" pod_namespace="$1" pod_name="p$2" container_name=c "${@:3}"; }
ended() { cat "$WORLD"/waits-* | wc -l; }

step "30 containers of a namespace wait for it"
waiting=()
for i in $(seq 30); do
  prepare tenant-a "a$i" environment="web$i" args=web >"$WORLD/waits-$i" 2>&1 &
  waiting+=($!)
done
preparing() { [ "$(curl -fs "http://$METRICS_ADDRESS/metrics" | awk '$1 == "flox_prepare_total" { print $2 }')" -ge 16 ]; }
wait_until 60 "16 of them to be under way" preparing

step "a container that needs nothing of it starts, and ends"
contains "$(prepare tenant-b b1)" "ok store_directory="
equal "$(node_call Release container_id=b1)" "ok"
[ "$(ended)" = 0 ] || die "they had to wait until $(ended) of those had given up"

kill "$silent" "${waiting[@]}" 2>/dev/null || true
