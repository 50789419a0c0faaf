# The checkpoints that the benchmarks of the workload's models share. Sourced after script/lib.sh, never run.

# make_checkpoints DIRECTORY: full-size ones in embed, classify and summarize, if they are not there: MiniLM's real weights, the
# others random (seeded).
make_checkpoints() {
  local python minilm bart log
  [ ! -e "$1/embed" ] || return 0
  python=$("$PROJECT/script/oracle-venv")/bin/python
  minilm=$("$PROJECT/script/minilm-model")
  bart=$("$PROJECT/script/bart-vocabulary")
  step "making full-size checkpoints (about a minute)"
  mkdir -p "$1"
  log=$("$python" "$PROJECT/bench/ticket_models.py" make "$1" "$minilm" "$bart" 2>&1 >/dev/null) || { tail -5 <<<"$log" >&2; die "no checkpoints"; }
}
