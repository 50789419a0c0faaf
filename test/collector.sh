# A real OpenTelemetry collector that writes what it gets to a file. Sourced, never run.
#   need_collector              $collector is the directory of its program; skips the test where it cannot be built
#   collector_config FILE PORT  its configuration: OTLP over HTTP at 127.0.0.1:PORT
#   spans_of TRACE FILE         of the file with what it says, a line "NAME PARENT ID" for each span of the trace; PARENT "-": none
need_collector() {
  collector=$("$PROJECT/script/collector") || { echo "the collector cannot be built"; exit 77; }
  collector=${collector##*$'\n'}
}
collector_config() {
  cat >"$1" <<YAML
receivers:
  otlp:
    protocols:
      http:
        endpoint: 127.0.0.1:$2
exporters:
  debug:
    verbosity: detailed
service:
  telemetry:
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      exporters: [debug]
YAML
}
spans_of() {
  awk -v trace="$1" '/^Span #/ { t = p = i = n = "" } /^ +Trace ID/ { t = $NF } /^ +Parent ID/ { p = ($NF == ":" ? "-" : $NF) } /^ +ID  / { i = $NF }
    /^ +Name  / { sub(/^[^:]*: /, ""); n = $0; gsub(/ /, "_", n) } /^ +Kind/ && t == trace { print n, p, i }' "$2"
}
