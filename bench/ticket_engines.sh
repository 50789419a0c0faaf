#!/usr/bin/env bash
# The enrichment's models beside the engines that a user would pick: CTranslate2, ONNX Runtime, OpenVINO. Same checkpoints, same
# tokens in batches of 10, one stage after the other; every engine in turn, RUNS times. Printed are the medians of the processor
# time that a ticket takes, and of the ratios of each turn: above 1 we do more tickets a second of processor time than the
# best engine at that precision. Summaries have 50 tokens on both sides, so that the work is the same.
#   bench/ticket_engines.sh [STAGE/PRECISION…]    embed/int8, classify/fp32, summarize/int8, …: all without arguments
#   RUNS=3 COUNT=50 SUMMARIES=10 tickets, THREADS=1; MODELS=DIR and ENGINES=DIR keep the checkpoints for the next time;
#   BEFORE=PROGRAM is another model_run that takes its turn, too
. "$(dirname "$0")/../script/lib.sh"
. "$PROJECT/bench/ticket_checkpoints.sh"
RUNS=${RUNS:-3} COUNT=${COUNT:-50} SUMMARIES=${SUMMARIES:-10} THREADS=${THREADS:-1} LENGTH=50
model_run=$BUILD_DIR/bench/model_run peer=$PROJECT/bench/ticket_engines.py
oracle=$("$PROJECT/script/oracle-venv") engines_venv=$("$PROJECT/script/engine-venv")
torch=$(echo "$oracle"/lib/python3.*/site-packages)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
models=${MODELS:-$work/models} engines=${ENGINES:-$work/engines}
export TICKET_THREADS=$THREADS OMP_NUM_THREADS=$THREADS PYTHONDONTWRITEBYTECODE=1
[ $# -gt 0 ] || set -- embed/fp32 embed/int8 classify/fp32 classify/int8 summarize/fp32 summarize/fp16 summarize/int8

make_checkpoints "$models"
if [ ! -e "$engines/complete" ]; then
  step "converting them for the engines"
  "$engines_venv/bin/python" "$peer" make "$models" "$engines" "$torch" >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; die "not converted"; }
  touch "$engines/complete"
fi
"$BUILD_DIR/bin/ticket-generator" --dry-run --count "$COUNT" --seed 1 | jq -c '.subject + ". " + .body' |
  "$engines_venv/bin/python" "$peer" tokens "$models" "$engines" "$torch" 2>"$work/log" || { tail -5 "$work/log" >&2; die "no tokens"; }
head -n "$SUMMARIES" "$engines/summarize.tokens" >"$work/summaries"

ours() {  # PROGRAM STAGE PRECISION: its report
  "$1" "$2" "$models/$2" --tokens --precision "$3" --min $LENGTH --max $LENGTH <"$questions" 2>&1 >/dev/null
}
theirs() {  # ENGINE STAGE PRECISION; none of them computes with weights of 16 bits on this processor: fp16 is beside their fp32
  "$engines_venv/bin/python" "$peer" run "$engines" "$1" "$2" "${3/fp16/fp32}" "$THREADS" 10 $LENGTH <"$questions" 2>&1 >/dev/null | tail -1
}
milliseconds() { jq -r '.cpu / .count * 1000'; }
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

printf '%-18s %10s  %-28s %8s\n' 'ms of processor' ours 'best engine' ratio
for measured in "$@"; do
  stage=${measured%/*} precision=${measured#*/}
  case $stage in
    summarize) questions=$work/summaries peers=(ctranslate2) ;;
    *) questions=$engines/$stage.tokens peers=(ctranslate2 onnxruntime openvino) ;;
  esac
  rm -f "$work"/*.times
  for ((run = 0; run < RUNS; run++)); do
    ours "$model_run" "$stage" "$precision" | milliseconds >>"$work/ours.times"
    [ -z "${BEFORE:-}" ] || ours "$BEFORE" "$stage" "$precision" | milliseconds >>"$work/before.times"
    for engine in "${peers[@]}"; do theirs "$engine" "$stage" "$precision" | milliseconds >>"$work/$engine.times"; done
  done
  best=$(for engine in "${peers[@]}"; do echo "$(median <"$work/$engine.times") $engine"; done | sort -g | head -1)
  ratio=$(paste "$work/${best#* }.times" "$work/ours.times" | awk '{ print $1 / $2 }' | median)
  printf '%-18s %10.2f  %8.2f %-19s %8.2f' "$stage $precision" "$(median <"$work/ours.times")" "${best% *}" "${best#* }" "$ratio"
  for engine in "${peers[@]}"; do printf '  %s %.2f' "$engine" "$(median <"$work/$engine.times")"; done
  [ -z "${BEFORE:-}" ] || printf '  before %.2f' "$(median <"$work/before.times")"
  echo
done
