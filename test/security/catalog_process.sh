#!/usr/bin/env bash
# The process that asks the catalog for floxd answers many pods: it may be killed at any moment, stopped or be without a
# catalog, and no pod but the one that it died for has the harm.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_node
publish_tool hello 1.0
publish_tool other 1.0
# The processes that have a connection to the catalog's port, and are floxd's own.
asker() { ss -Htnp "dport = :${CATALOG_URL##*:}" | grep -o 'flox-fetcher",pid=[0-9]*' | grep -o '[0-9]*$' | sort -u || true; }
starts() {  # NAME ENVIRONMENT…: prints what the container says
  ctr -n k8s.io run --rm --runtime "$SHIM" --annotation "flox.dev/environment=$2" docker.io/flox/empty:1.0.0 "$1" "${2%%@*}" 2>&1
}

step "one process answers several pods"
contains "$(starts first hello)" "hello 1.0"
before=$(asker)
[ "$(wc -w <<<"$before")" = 1 ] || die "processes that talk to the catalog: '$before'"
contains "$(starts second other)" "other 1.0"
equal "$(asker)" "$before"

step "killed between two pods, it is replaced"
kill -KILL "$before"
contains "$(starts third hello)" "hello 1.0"
after=$(asker)
[ -n "$after" ] && [ "$after" != "$before" ] || die "it was not replaced: '$after'"

step "killed while it has questions: each is asked again; who comes when it has enough of them is not kept waiting"
kill -STOP "$after"  # it takes the questions and answers none
for i in 1 2 3 4 5 6; do starts "held$i" hello >"$WORLD/held$i" & pods[i]=$!; done
said() { [ "$(cat "$WORLD"/held? | grep -c "hello 1.0")" -ge "$1" ]; }
wait_until 60 "two pods that are asked for elsewhere" said 2
kill -KILL "$after"
for i in 1 2 3 4 5 6; do wait "${pods[i]}" || die "pod $i: $(cat "$WORLD/held$i")"; done
said 6 || die "not all have started"

step "a catalog that is down is an error that says so, and once it is up again nothing else is needed"
stop_server catalog
contains "$(starts down hello || true)" "cannot be reached"
start_server catalog flox-catalog --listen "${CATALOG_URL#http://}" --data "$WORLD/catalog" --token-file "$WORLD/token" --trusted-key "$PUBLIC_KEY"
wait_until 20 "flox-catalog to be ready" curl -fs "$CATALOG_URL/readyz"
contains "$(starts up hello)" "hello 1.0"
