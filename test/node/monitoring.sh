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
start_server prometheus "$PROMETHEUS/prometheus" --config.file="$WORLD/prometheus.yaml" --storage.tsdb.path="$WORLD/prometheus" --web.listen-address="127.0.0.1:$port"
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
