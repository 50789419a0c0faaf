#!/usr/bin/env bash
# Every metric and label that the Grafana dashboard asks for exists in what a worker serves, every stage that the worker
# times is in it, and docs and dashboard know every metric.
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d)
WORKER=''
trap '[ -z "$WORKER" ] || kill -KILL "$WORKER" 2>/dev/null || true; rm -rf "$WORK"' EXIT
for name in $(compgen -e | grep -E '^(AWS|SQS|S3|DYNAMODB|TICKET|HF)_' || true); do unset "$name"; done
export HOME=$WORK METRICS_PORT=0 TICKET_ALLOW_MISSING_MODELS=true TICKET_BACKEND=local:$WORK/aws MODEL_CACHE_DIR=$WORK/models SQS_POLL_INTERVAL=1
dashboard=$PROJECT/deploy/monitoring/ticket-processor-dashboard.json

step "a worker that has worked"
ticket-generator --create-resources --count 12 --seed 1 >/dev/null
ticket-processor >"$WORK/log" 2>&1 &
WORKER=$!
count() { grep -c '"message":"ticket enriched"' "$WORK/log" || true; }
deadline=$((SECONDS + 30 * PATIENCE))
until [ "$(count)" = 12 ]; do
  [ $SECONDS -lt $deadline ] || die "no tickets: $(tail -3 "$WORK/log")"
  sleep 0.1
done
port=$(jq -r 'select(.message == "serving metrics").port' "$WORK/log")
curl -fsS "http://127.0.0.1:$port/metrics" >"$WORK/metrics"
grep -q '^ticket_processed_total 12$' "$WORK/metrics" || die "the figures do not count the tickets: $(grep processed "$WORK/metrics")"

step "the dashboard beside its figures"
python3 - "$dashboard" "$WORK/metrics" "$PROJECT/docs/reference/metrics.md" <<'PYTHON'
import json, re, sys

dashboard = json.load(open(sys.argv[1]))
served, families = {}, set()  # series name -> label names
for line in open(sys.argv[2]):
    if line.startswith("# TYPE"):
        families.add(line.split()[2])
    elif not line.startswith("#"):
        name, labels = re.match(r"([a-z_:]+)(?:\{(.*)\})? ", line).groups()
        served.setdefault(name, set()).update(re.findall(r'(\w+)="', labels or ""))
target_labels = {"namespace", "pod"}  # Prometheus adds them
# Series that a worker has only once a model is loaded.
later = {"ticket_model_load_seconds": {"model"}}
problems, asked = [], set()
ids = [panel["id"] for panel in dashboard["panels"]]
if len(set(ids)) != len(ids):
    problems.append("two panels have one id")
expressions = [(p["title"], t["expr"]) for p in dashboard["panels"] for t in p.get("targets", [])]
expressions += [(v["name"], v["query"]["query"]) for v in dashboard["templating"]["list"] if v["type"] == "query"]
for title, expression in expressions:
    for opening, closing in ("()", "{}", "[]"):
        if expression.count(opening) != expression.count(closing):
            problems.append(f"{title}: unbalanced {opening}{closing} in {expression}")
    for name, selector in re.findall(r"\b((?:ticket|process)_[a-z_]+)(?:\{([^}]*)\})?", expression):
        asked.add(name)
        labels = served.get(name, later.get(name))
        if labels is None:
            problems.append(f"{title}: no such metric: {name}")
            continue
        for label in re.findall(r"(\w+)\s*[=!]", selector):
            if label not in labels | target_labels:
                problems.append(f"{title}: {name} has no label {label}")
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        known = set().union(*(served.get(n, later.get(n, set())) for n in re.findall(r"\b((?:ticket|process)_[a-z_]+)", expression)))
        for label in labels.split(","):
            if label.strip() not in known | target_labels:
                problems.append(f"{title}: nothing has the label {label.strip()}")
if not expressions or len(asked) < 10:
    problems.append("the dashboard asks for next to nothing")
documentation = open(sys.argv[3]).read()
for family in sorted(families | set(later)):
    if not any(name == family or re.fullmatch(family + "_(bucket|sum|count)", name) for name in asked):
        problems.append(f"the dashboard does not show {family}")
    if family not in documentation:
        problems.append(f"the documentation does not know {family}")
print("\n".join(problems))
sys.exit(bool(problems))
PYTHON
kill -TERM $WORKER
wait $WORKER
WORKER=''
