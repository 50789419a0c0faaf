# Values of pages of metrics. Sourced, never run.

# metric_in NAME: of the page on standard input, the value of the metric with this name and these labels.
metric_in() { awk -v name="$1" '$1 == name { print $2 }'; }
# metric_of URL NAME
metric_of() { curl -fsS "$1" | metric_in "$2"; }
# metric NAME: of this world's floxd.
metric() { metric_of "http://$METRICS_ADDRESS/metrics" "$1"; }
