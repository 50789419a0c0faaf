# What the tests of surrogates share. Sourced after test/lib.sh, never run.
model_run=$BUILD_DIR/bench/model_run here=$PROJECT/test/ticket/surrogates
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$model_run" levels | cut -d' ' -f1 >levels
# both MODEL DIRECTORY QUESTIONS RIGHT OPTION…: at each level the answers with 8 bits are those with 32, as far as agree.py asks. RIGHT: a file
# with what should be answered, or nothing.
both() {
  local model=$1 directory=$2 questions=$3 right=$4 level precision
  shift 4
  while read -r level; do
    for precision in fp32 int8; do
      TICKET_CPU_LEVEL=$level "$model_run" "$model" "$directory" --precision $precision "$@" <"$questions" >"$model.$precision" 2>"report.$precision" ||
        { cat "report.$precision"; die "model_run $model failed at the level $level"; }
    done
    python3 "$here/agree.py" "$model" "$model.fp32" "$model.int8" ${right:+--right "$right"} >agreed || { cat agreed; die "$level: 8 bits do not agree with 32"; }
    step "  $level: $(cat agreed)"
  done <levels
}
