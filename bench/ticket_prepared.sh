#!/usr/bin/env bash
# Workers whose models are prepared (mapped from files), beside workers that pack the weights: from the start of the process to
# ready, in turns, and what each further worker of a node takes. Full-size models as in bench/ticket_models.sh.
#   bench/ticket_prepared.sh     RUNS=5 starts of each kind, WORKERS=10, TICKETS=2 that each of them enriches, THREADS=2
#   MODELS=DIR keeps the checkpoints; REALTIME=1 runs with a real-time priority, which a busy machine needs
. "$(dirname "$0")/../script/lib.sh"
. "$PROJECT/bench/ticket_checkpoints.sh"
RUNS=${RUNS:-5} WORKERS=${WORKERS:-10} TICKETS=${TICKETS:-2} THREADS=${THREADS:-$(nproc)}
work=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done; rm -rf "$work"' EXIT
models=${MODELS:-$work/models}
make_checkpoints "$models"
export EMBEDDING_MODEL=$models/embed CLASSIFIER_MODEL=$models/classify SUMMARIZER_MODEL=$models/summarize METRICS_PORT=0 \
  TICKET_THREADS=$THREADS SQS_POLL_INTERVAL=1
front=()
[ -z "${REALTIME:-}" ] || front=(chrt --rr 1)
kinds=(packed prepared)
step "preparing"
MODEL_CACHE_DIR=$work/prepared ticket-processor prepare-models >/dev/null
size=$(find "$work/prepared" -name weights.prepared -printf '%s\n' | awk '{ s += $1 } END { print s }')

start() {  # KIND NAME: a worker with a directory of its own; its id is the last of pids
  ticket-generator --backend "local:$work/$2" --create-resources --count "$TICKETS" --seed 3 >/dev/null
  TICKET_BACKEND=local:$work/$2 MODEL_CACHE_DIR=$work/$1 "${front[@]}" ticket-processor >"$work/$2.log" 2>&1 &
  pids+=($!)
}
until_logged() {  # NAME TEXT COUNT
  until [ "$(grep -c "$2" "$work/$1.log" || true)" -ge "$3" ]; do sleep 0.02; done
}
stop_all() {
  kill -KILL "${pids[@]}"
  wait "${pids[@]}" 2>/dev/null || true
  pids=()
}
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }
# The models' share: from "starting" to "ready".
log_to_ready() { jq -s -r --arg d "" '[.[] | select(.message == "starting" or .message == "ready").time] | .[]' "$work/$1.log" | while read -r t; do date -d "$t" +%s%3N; done | xargs | awk '{ print $2 - $1 }'; }

for ((run = 0; run < RUNS; run++)); do
  for kind in "${kinds[@]}"; do
    start "$kind" "$kind-$run"
    until_logged "$kind-$run" '"message":"ready"' 1
    log_to_ready "$kind-$run" >>"$work/$kind.ready"
    stop_all
  done
done
for kind in "${kinds[@]}"; do echo "log's first line to ready, $kind: median $(median <"$work/$kind.ready") ms of $(xargs <"$work/$kind.ready")"; done

memory() { for pid in "${pids[@]}"; do awk '/^(Pss|Private_Clean|Private_Dirty):/ { print $1, $2 }' "/proc/$pid/smaps_rollup"; done; }
sum() { awk -v what="$1" '$1 ~ what { s += $2 } END { printf "%d\n", s }'; }
echo "prepared files: $((size / 1048576)) MiB"
for kind in "${kinds[@]}"; do
  count=$WORKERS
  [ $kind = prepared ] || count=2
  for ((i = 1; i <= count; i++)); do
    start $kind "$kind-w$i"
    until_logged "$kind-w$i" '"ticket enriched"' "$TICKETS"
    [ $i -lt $((count - 1)) ] || memory >"$work/memory-$i"
  done
  before=$(sum Pss <"$work/memory-$((count - 1))") after=$(sum Pss <"$work/memory-$count")
  last=$(awk '/^(Pss|Private_Clean|Private_Dirty):/ { print $1, $2 }' "/proc/${pids[-1]}/smaps_rollup")
  echo "$kind: $count workers take $((after / 1024)) MiB, the last of them adds $(((after - before) / 1024)) MiB ($(awk -v a=$((after - before)) -v b="$size" 'BEGIN { printf "%.1f", 102400 * a / b }') % of the weights); its own Pss is $(($(sum Pss <<<"$last") / 1024)) MiB, of it private $(($(sum Private <<<"$last") / 1024))"
  stop_all
done
