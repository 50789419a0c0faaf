#!/usr/bin/env bash
# Tickets a second of one worker, by services that take a while to answer: one poll after the other (TICKET_LOOK_AHEAD=false),
# and looking ahead; in turns, RUNS times, medians. Full-size models as in bench/ticket_models.sh, prepared.
#   bench/ticket_batches.sh     RUNS=3 COUNT=40 LATENCY=10 (ms a call) MESSAGES="10 3" (of a poll) THREADS="1 2"
#                               PRECISIONS="int8 fp16"; MODELS=DIR keeps the checkpoints; REALTIME=1: a real-time priority
. "$(dirname "$0")/../script/lib.sh"
. "$PROJECT/bench/ticket_checkpoints.sh"
RUNS=${RUNS:-3} COUNT=${COUNT:-40} LATENCY=${LATENCY:-10} MESSAGES=${MESSAGES:-10 3} THREADS=${THREADS:-1 2} PRECISIONS=${PRECISIONS:-int8 fp16}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models=${MODELS:-$work/models}
make_checkpoints "$models"
export EMBEDDING_MODEL=$models/embed CLASSIFIER_MODEL=$models/classify SUMMARIZER_MODEL=$models/summarize MODEL_CACHE_DIR=$work
front=()
[ -z "${REALTIME:-}" ] || front=(chrt --rr 1)
median() { sort -g | awk '{ v[NR] = $1 } END { printf "%.3g", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

printf '%-34s %12s %12s %8s   %s\n' '' 'in turn' 'ahead' ratio 'processors busy'
for precision in $PRECISIONS; do
  export TICKET_PRECISION=$precision
  "$BUILD_DIR/bin/ticket-processor" prepare-models >/dev/null
  for threads in $THREADS; do
    for messages in $MESSAGES; do
      rm -f "$work"/*.rates
      for ((run = 0; run < RUNS; run++)); do
        for ahead in false true; do
          TICKET_THREADS=$threads TICKET_LOOK_AHEAD=$ahead "${front[@]}" "$BUILD_DIR/bench/ticket_batches" "$COUNT" "$LATENCY" "$messages" >>"$work/$ahead.rates"
        done
      done
      rate() { jq .tickets_per_second "$work/$1.rates" | median; }
      busy() { jq .processors_busy "$work/$1.rates" | median; }
      ratio=$(paste <(jq .tickets_per_second "$work/false.rates") <(jq .tickets_per_second "$work/true.rates") | awk '{ print $2 / $1 }' | median)
      printf '%-34s %10s/s %10s/s %8s   %s, %s\n' "$precision, $threads threads, $messages messages a poll" "$(rate false)" "$(rate true)" "$ratio" "$(busy false)" "$(busy true)"
    done
  done
done
