#!/usr/bin/env bash
# What deploy/monitoring gives for nodes, with a real Prometheus that scrapes a floxd: every query of the dashboard answers, the alerts
# fire when they should and only then, and the how-to page knows every alert's expression.
# builds: flox floxd flox-catalog flox-pause
# prepare: prometheus
. "$(dirname "$0")/../lib.sh"
[ -n "${FLOX_WORLD_ENTERED:-}" ] || { programs=$("$PROJECT/script/prometheus") || exit 77; export PROMETHEUS=${programs##*$'\n'}; }
enter_world "$@"
rules=$PROJECT/deploy/monitoring/flox-nodes.rules.yaml

step "the alerts are rules, and fire as they should"
"$PROMETHEUS/promtool" check rules "$rules" >"$WORLD/logs/rules.log" || { cat "$WORLD/logs/rules.log" >&2; die "no rules"; }
sed "s|RULES|$rules|" "$PROJECT/test/node/flox-nodes.rules.test.yaml" >"$WORLD/rules.test.yaml"
"$PROMETHEUS/promtool" test rules "$WORLD/rules.test.yaml" || die "the alerts do not fire as they should"
# Each alert is in the test that says when it fires.
for alert in $(sed -n 's/^  - alert: //p' "$rules"); do grep -q "alertname: $alert\$" "$WORLD/rules.test.yaml" || die "nothing tests when $alert fires"; done

step "each expression that the how-to page names is a rule's, and each rule is there"
python3 - "$rules" "$PROJECT/docs/how-to/observe.md" <<'PYTHON'
import re, sys
rules = set(re.findall(r"^    expr: (.*)$", open(sys.argv[1]).read(), re.M))
page = set(re.findall(r"^\| `(.*?)` \|", open(sys.argv[2]).read(), re.M))
page = {expression for expression in page if "flox_catalog" not in expression}  # the chart's
problems = [f"the page lacks: {rule}" for rule in sorted(rules - page)] + [f"no rule has: {expression}" for expression in sorted(page - rules)]
print("\n".join(problems))
sys.exit(bool(problems))
PYTHON

step "a Prometheus that scrapes floxd"
start_catalog
sign_for acme
publish_tool hello 1.0
export FLOX_NODE_SOCKET=$WORLD/run/node.sock
start_floxd
port=$(free_port)
cat >"$WORLD/prometheus.yaml" <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$rules]
scrape_configs:
- job_name: floxd
  static_configs: [{targets: ["$METRICS_ADDRESS"]}]
YAML
start_server prometheus "$PROMETHEUS/prometheus" --config.file="$WORLD/prometheus.yaml" --storage.tsdb.path="$WORLD/prometheus" --web.listen-address="127.0.0.1:$port" --enable-feature=exemplar-storage
show_trouble() { tail -n 20 "$WORLD/logs/prometheus.log" >&2; }
ask() { curl -fsS "http://127.0.0.1:$port/api/v1/$1" "${@:2}"; }
value() { ask query --get --data-urlencode "query=$1" | jq -r '.data.result[0].value[1] // empty'; }
scraped_twice() { [ "$(value 'min(count_over_time(flox_leases[1m]))')" -ge 3 ]; }
wait_until 30 "floxd to be scraped" scraped_twice

step "every query of the dashboard answers, with a series"
queries=$(jq -r '.panels[] | .title as $title | .targets[]? | [$title, .expr] | @tsv' "$PROJECT/deploy/monitoring/flox-nodes-dashboard.json")
[ "$(wc -l <<<"$queries")" -ge 15 ] || die "the dashboard asks for next to nothing"
while IFS=$'\t' read -r title query; do
  query=${query//\\\\/\\} query=${query//\$__rate_interval/1m} query=${query//\$node/.*}
  ask query --get --data-urlencode "query=$query" >"$WORLD/answer" || die "$title: Prometheus refuses $query"
  [ "$(jq '.data.result | length' "$WORLD/answer")" -gt 0 ] || die "$title: no series for $query"
done <<<"$queries"
equal "$(jq '[.panels[].id] | length == (unique | length)' "$PROJECT/deploy/monitoring/flox-nodes-dashboard.json")" true

step "a node that does its work has no alert but for the isolation that this machine cannot give"
ask alerts | jq -r '.data.alerts[].labels.alertname' | sort -u | grep -vx 'FloxNodeNotIsolated\|FloxOwnerRootExpires' >"$WORLD/alerts" || true
equal "$(cat "$WORLD/alerts")" ""

step "a stage's time leads to its trace, and the trace to the lines of the log"
stop_server floxd
port_of_nobody=$(free_port)
FLOX_TRACES_TO=http://127.0.0.1:$port_of_nobody start_floxd  # recorded, and lost
sed -i "s|targets: .*|targets: [\"$METRICS_ADDRESS\"]}]|" "$WORLD/prometheus.yaml"
kill -HUP "$(cat "$WORLD/prometheus.pid")"
prepare() { "$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" Prepare container_id="$1" pod_id="$1" pod_namespace=shop pod_name="web $1" container_name=main environment="$2" args=hello; }
contains "$(prepare first hello)" "ok"
trace=$(flox --root "$NODE_ROOT" node starts --json | jq -r '.starts[0].trace_id')
[ ${#trace} = 32 ] || die "the start belongs to no trace: $trace"
curl -fs -H 'Accept: application/openmetrics-text' "http://$METRICS_ADDRESS/metrics" | grepq "^flox_stage_seconds_bucket{stage=\"prepare\",le=.* # {trace_id=\"$trace\"} " || die "no bucket has the trace"
curl -fs "http://$METRICS_ADDRESS/metrics" | grepq '# {' && die "the older format has exemplars"
exemplars() { ask query_exemplars --get --data-urlencode 'query=flox_stage_seconds_bucket{stage="resolve"}' --data-urlencode "start=$(($(date +%s) - 300))" --data-urlencode "end=$(date +%s)"; }
has_exemplar() { exemplars | jq -e --arg trace "$trace" 'any(.data[].exemplars[]; .labels.trace_id == $trace)' >/dev/null; }
wait_until 30 "Prometheus to have the trace of the stage" has_exemplar
equal "$(value 'sum(flox_prepare_total)')" 1
grep -q "Z info namespace=shop pod=\"web first\" container=main trace_id=$trace prepared container" "$WORLD/logs/floxd.log" || die "the log's lines do not name the pod and the trace"

step "as JSON each line of the log is an object"
stop_server floxd
FLOX_LOG_FORMAT=json FLOX_TRACES_TO=http://127.0.0.1:$port_of_nobody start_floxd
contains "$(prepare second missing@9)" "NotFound"
contains "$(prepare third hello)" "ok"
trace=$(flox --root "$NODE_ROOT" node starts --json | jq -r '.starts[] | select(.pod == "web third").trace_id')
grep '^{' "$WORLD/logs/floxd.log" | jq -se --arg trace "$trace" 'any(.[]; .pod == "web third" and .namespace == "shop" and .container == "main" and .trace_id == $trace and (.message | startswith("prepared")))' >/dev/null ||
  die "no line of the log is the start's"
