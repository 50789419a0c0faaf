#!/usr/bin/env bash
# The start of a container is one trace, from CRI through the shim and floxd to the catalog, in a real OpenTelemetry collector; a
# collector that is away costs no start; and each stage's time is a histogram.
# prepare: containerd2 collector
export FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../shim/suites.sh"
. "$PROJECT/test/collector.sh"
[ -n "${FLOX_WORLD_ENTERED:-}" ] || { need_containerd2; need_collector; export collector; }
enter_world "$@"
. "$PROJECT/test/node/image_support.sh"
start_catalog
sign_for acme
publish_tool hello 1.0
otlp=http://127.0.0.1:4318
collector_config "$WORLD/collector.yaml" 4318
start_collector() {
  start_server collector in_net "$collector/collector" --config "file:$WORLD/collector.yaml"
  wait_until 30 "the collector to listen" in_net bash -c 'exec 3<>/dev/tcp/127.0.0.1/4318'
}
start_collector
spans=$WORLD/logs/collector.log
trust_registry
OTEL_EXPORTER_OTLP_ENDPOINT=$otlp OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_SERVICE_NAME=containerd start_containerd
start_net_catalog --traces-to "$otlp"
start_image_floxd FLOX_TRACES_TO="$otlp"
import_images
use_cri
mkdir "$WORLD/pod-logs"
# start_pod NAME ENVIRONMENT: a pod whose container says hello.
start_pod() {
  jq -n --arg name "$1" --arg environment "$2" --arg logs "$WORLD/pod-logs" --arg cgroup "$CGROUP_PARENT" '{metadata: {name: $name,
    namespace: "default", uid: $name, attempt: 1}, hostname: "pod", log_directory: $logs, linux: {cgroup_parent: $cgroup},
    annotations: {"flox.dev/environment": $environment}}' >"$WORLD/$1.json"
  jq -n --arg environment "$2" --arg log "$1.log" '{metadata: {name: "main"}, image: {image: "flox/empty:1.0.0"}, log_path: $log,
    command: ["hello"], annotations: {"flox.dev/environment": $environment}}' >"$WORLD/main.json"
  pod=$(crictl runp --runtime flox "$WORLD/$1.json")
  id=$(crictl create "$pod" "$WORLD/main.json" "$WORLD/$1.json")
  crictl start "$id" >/dev/null
}
# trace_of POD: the trace of floxd's span for its container.
trace_of() {
  awk -v pod="$1" '/^Span #/ { trace = name = "" } /^ +Trace ID/ { trace = $NF } /^ +Name  / { name = $NF }
    /k8s.pod.name: Str\(/ && name == "prepare" && $0 ~ "Str\\(" pod "\\)" { print trace; exit }' "$spans"
}
has_trace() { [ -n "$(trace_of "$1")" ]; }
has_span() { spans_of "$1" "$spans" | grepq "^$2 "; }
id_of() { spans_of "$1" "$spans" | awk -v name="$2" '$1 == name { print $3; exit }'; }
parent_of() { spans_of "$1" "$spans" | awk -v name="$2" '$1 == name { print $2; exit }'; }

step "from CRI to the catalog it is one trace"
start_pod first hello
wait_until 20 "its output" said "$id" "hello 1.0"
wait_until 30 "floxd's span" has_trace first
trace=$(trace_of first)
resolve='POST_/api/v1/catalog/resolve'
wait_until 30 "the catalog's span" has_span "$trace" "$resolve"
wait_until 30 "CRI's span" has_span "$trace" 'pkg.cri.server.*/StartContainer\|runtime.v1.RuntimeService/StartContainer'
for stage in resolve realise profile activate; do equal "$(parent_of "$trace" $stage)" "$(id_of "$trace" prepare)"; done
equal "$(parent_of "$trace" catalog)" "$(id_of "$trace" resolve)"
equal "$(parent_of "$trace" "$resolve")" "$(id_of "$trace" catalog)"
# floxd's own is below one that containerd has sent.
spans_of "$trace" "$spans" | awk '{ print $3 }' | grepq -x "$(parent_of "$trace" prepare)"
for service in containerd floxd flox-catalog; do contains "$(cat "$spans")" "service.name: Str($service)"; done

step "floxd's lines of it name the pod and the trace"
grep -q "Z info namespace=default pod=first container=main trace_id=$trace prepared container main" "$WORLD/logs/floxd.log" || die "floxd's lines do not name the trace"

step "each stage's time is a histogram"
for stage in prepare resolve realise profile activate; do equal "$(metric "flox_stage_seconds_count{stage=\"$stage\"}")" 1; done
equal "$(metric 'flox_stage_seconds_count{stage="view"}')" 0
equal "$(metric flox_spans_dropped_total)" 0

step "a collector that is away costs no start, and what is lost is counted"
stop_server collector
start_pod second hello
wait_until 20 "its output" said "$id" "hello 1.0"
lost() { [ "$(metric flox_spans_dropped_total)" -ge 1 ]; }
wait_until 30 "lost spans to be counted" lost

step "what no trace of containerd's asks for is recorded as often as the node says; a failure is a span that failed"
stop_server floxd
start_collector
start_image_floxd FLOX_TRACES_TO="$otlp" FLOX_TRACE_PERCENT=0
refused "has no" start_pod third missing@9
wait_until 30 "its span" has_trace third
awk '/^Span #/ { pod = name = "" } /^ +Name  / { name = $NF } /^ +Status code/ { status = $NF } /k8s.pod.name: Str\(third\)/ && name == "prepare" { print status }' "$spans" | grepq -x Error

step "what the shim logs of it names the pod and the trace"
named() { grep 'msg="creating container ' "$WORLD/logs/containerd.log" | grepq " namespace=\"default\" pod=\"third\" container=\"main\" trace_id=\"$(trace_of third)\""; }
wait_until 20 "the shim's line in containerd's log" named

step "floxd sends them nowhere outside the node"
refused "traces_to: http://collector:4318 is not on this node" env FLOX_TRACES_TO=http://collector:4318 FLOX_ISOLATION=best-effort \
  floxd --root "$WORLD/elsewhere" --node-socket "$WORLD/elsewhere.sock" --pod-socket-dir "$WORLD/elsewhere.pods" --metrics 127.0.0.1:0
