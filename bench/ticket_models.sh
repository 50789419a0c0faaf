#!/usr/bin/env bash
# The enrichment's three models against the same in Python (transformers, torch), as the original ticket-processor runs
# them: tickets a second, memory, start, time a stage, how near the machine's limits. Full-size models: MiniLM's real
# weights, the others random (seeded). Summaries must be equal, except with int8.
#   bench/ticket_models.sh     COUNT=200 tickets for us, PYTHON_COUNT=20 of them for Python, THREADS=2, WORKERS="1 2 4"
#   GRAPH=docs/measurements/ticket-throughput.svg bench/ticket_models.sh    also draws the tickets a second
. "$(dirname "$0")/../script/lib.sh"
. "$PROJECT/bench/ticket_checkpoints.sh"
COUNT=${COUNT:-200} PYTHON_COUNT=${PYTHON_COUNT:-20} THREADS=${THREADS:-$(nproc)} WORKERS=${WORKERS:-1 2 4}
model_run=$BUILD_DIR/bench/model_run peer=$PROJECT/bench/ticket_models.py
venv=$("$PROJECT/script/oracle-venv")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models=${MODELS:-$work/models}  # MODELS=DIR keeps them for the next time
export TICKET_THREADS=$THREADS OMP_NUM_THREADS=$THREADS

make_checkpoints "$models"
"$BUILD_DIR/bin/ticket-generator" --dry-run --count "$COUNT" --seed 1 | jq -c '.subject + ". " + .body' >"$work/texts"
head -n "$PYTHON_COUNT" "$work/texts" >"$work/python.texts"

step "Python: $PYTHON_COUNT tickets, one after the other"
"$venv/bin/python" "$peer" run "$models" "$THREADS" <"$work/python.texts" >"$work/python" 2>"$work/python.log" ||
  { tail -5 "$work/python.log" >&2; die "Python failed"; }
tail -1 "$work/python.log" >"$work/python.report"
for precision in fp16 int8; do
  step "ours, $precision: $COUNT tickets in batches of 10"
  "$model_run" all "$models" --precision $precision --batch 10 <"$work/texts" >"$work/$precision" 2>"$work/$precision.report" ||
    { cat "$work/$precision.report" >&2; die "model_run failed"; }
done
"$model_run" machine >"$work/machine"

value() { jq -r "$2" "$work/$1.report"; }
# compare WHAT FILTER UNIT TARGET: Python's figure, ours and by how much ours is better
compare() {
  local precision
  for precision in fp16 int8; do
    awk -v what="$1, $precision" -v python="$(value python "$2")" -v ours="$(value $precision "$2")" -v unit="$3" -v target="$4" \
      'BEGIN { printf "%-46s %10.4g %10.4g %-10s ratio %6.2f  %s\n", what, python, ours, unit, ours / python, target }'
  done
}
printf '%-46s %10s %10s\n' '' Python ours
compare "tickets a second" '.count / .compute' /s "(targets: 5, int8 10)"
compare "tickets a second of processor time" '.count / .cpu' /s ""
compare "peak memory" '.peak_kb / 1024' MiB "(target: 0.5)"
compare "start to ready" .load s "(target: 0.25)"
for stage in embed classify summarize; do compare "$stage, a ticket" ".stages.$stage / .count * 1000" ms ""; done

equal_summaries() {  # PRECISION
  paste -d '\n' <(head -n "$PYTHON_COUNT" "$work/$1" | jq -c .summarize) <(jq -c .summarize "$work/python") |
    awk 'NR % 2 { ours = $0; next } { same += ours == $0 } END { printf "%d of %d", same, NR / 2 }'
}
for precision in fp16 int8; do echo "summaries equal to Python's, $precision: $(equal_summaries $precision)"; done

# 75.5 M weights meet each source token in the encoder, and 12.6 M more where keys and values are made for
# the decoder; each row of the decoder meets 139.6 M.
for precision in fp16 int8; do
  jq -rn --slurpfile m "$work/machine" --slurpfile r "$work/$precision.report" --arg p $precision '
    $m[0] as $m | $r[0] as $r |
    (2e-9 * $r.source_tokens * (75.5e6 + 12.6e6) / $r.encode) as $encode | (2e-9 * $r.rows * 139.6e6 / $r.decode) as $decode |
    (1e-9 * $r.steps * 139.6e6 * (if $p == "fp16" then 2 else 1 end) / $r.decode) as $read |
    def f: . * 10 | round / 10;
    "summaries, \($p): encoder \($encode | f) GFLOP/s, decoder \($decode | f) GFLOP/s reading weights at \($read | f) GB/s; " +
    "this machine: \($m.gflops | f) GFLOP/s (32 bits, in cache), \($m.read_gb | f) GB/s"'
done

bar() { printf '%s\t%s\n' "$1" "$2" >>"$work/bars"; }  # LABEL FIGURE
bar "Python, $THREADS threads" "$(value python '.count / .compute')"
for precision in fp16 int8; do bar "ours, $precision, $THREADS threads, batches" "$(value $precision '.count / .compute')"; done

for workers in $WORKERS; do
  step "$workers workers, a thread each"
  started=$(date +%s.%N)
  pids=()
  for ((i = 0; i < workers; i++)); do
    awk -v i=$i -v n="$workers" 'NR % n == i' "$work/texts" |
      TICKET_THREADS=1 "$model_run" all "$models" --precision fp16 >/dev/null 2>"$work/worker$i.report" &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || die "a worker failed"; done
  rate=$(awk -v n="$COUNT" -v a="$started" -v b="$(date +%s.%N)" 'BEGIN { printf "%.2f", n / (b - a) }')
  echo "$workers workers of one thread, start included: $rate tickets/s"
  bar "ours, fp16, workers of one thread: $workers" "$rate"
done
[ -z "${GRAPH:-}" ] || python3 "$PROJECT/bench/bars.py" "Tickets a second, all three models" /s <"$work/bars" >"$GRAPH"
