#!/usr/bin/env bash
# docs/reference/metrics.md has every metric that floxd, flox-catalog and ticket-processor serve, with its type and labels, and
# no other.
# builds: flox floxd flox-catalog ticket-processor flox-pause
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_catalog
sign_for acme  # an owner whom the node trusts, whose root expires
export FLOX_NODE_SOCKET=$WORLD/run/node.sock
start_floxd
TICKET_ALLOW_MISSING_MODELS=true HF_HUB_OFFLINE=1 MODEL_CACHE_DIR=$WORLD/no-models METRICS_PORT=0 \
  start_server worker ticket-processor --backend "local:$WORLD/tickets"
worker_port() { jq -r 'select(.message == "serving metrics").port' "$WORLD/logs/worker.log" | grep .; }
wait_until 30 "the worker to serve its metrics" worker_port
# A ticket, so that what has labels only with a ticket is there.
ticket-generator --backend "local:$WORLD/tickets" --create-resources --count 1 >/dev/null
enriched() { curl -fs "http://127.0.0.1:$(worker_port)/metrics" | grepq '^ticket_processed_total 1$'; }
wait_until 30 "the ticket to be enriched" enriched

curl -fs "http://$METRICS_ADDRESS/metrics" >"$WORLD/floxd.metrics"
curl -fs "$CATALOG_URL/metrics" >"$WORLD/flox-catalog.metrics"
curl -fs "http://127.0.0.1:$(worker_port)/metrics" >"$WORLD/ticket-processor.metrics"
python3 - "$PROJECT/docs/reference/metrics.md" "$WORLD" <<'PYTHON'
import re, sys

page, world = sys.argv[1:]
# Only once something has happened that this test does not make happen.
later = {"flox_peer_shunned", "ticket_model_load_seconds", "ticket_model_prepared"}
problems = []
sections = re.split(r"^## ", open(page).read(), flags=re.M)
for program in ("floxd", "flox-catalog", "ticket-processor"):
    section = next(text for text in sections if text.startswith(program + "\n"))
    written = {}
    for row in re.findall(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*)\|", section, re.M):
        written[row[0]] = (row[1], set(re.findall(r"`(\w+)`", row[2])))
    served, labels = {}, {}
    for line in open(f"{world}/{program}.metrics"):
        if found := re.match(r"# TYPE (\w+) (\w+)", line):
            served[found[1]] = found[2]
        elif not line.startswith("#") and (found := re.match(r"([a-z_]+)(?:\{(.*)\})? ", line)):
            name = found[1] if found[1] in served else re.sub(r"_(bucket|sum|count)$", "", found[1])
            labels.setdefault(name, set()).update(re.findall(r'(\w+)="', found[2] or ""))
    for name, kind in served.items():
        if name not in written:
            problems.append(f"{program} serves {name}, which the page lacks")
        elif written[name][0] != kind:
            problems.append(f"{program}: {name} is a {kind}, not a {written[name][0]}")
        elif name in labels and labels[name] - {"le"} - written[name][1]:
            problems.append(f"{program}: {name} has the labels {labels[name] - {'le'}}, not {written[name][1]}")
    problems += [f"{program} does not serve {name}" for name in written if name not in served and name not in later]
print(*problems, sep="\n")
sys.exit(bool(problems))
PYTHON
