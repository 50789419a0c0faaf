# How the tests of this folder say what must be. $WORK is the test's directory. Sourced, never run.

expect() {  # WHAT EXPECTED ACTUAL
  [ "$2" = "$3" ] || { tail -n 5 "$WORK"/*.log >&2 2>/dev/null || true; die "$1: expected '$2', got '$3'"; }
}
refuses() {  # PATTERN COMMAND…: it fails, and says so
  local pattern=$1 code=0
  shift
  "$@" >"$WORK/out" 2>&1 || code=$?
  [ $code != 0 ] || die "$* succeeded"
  grep -q -- "$pattern" "$WORK/out" || die "$*: no '$pattern' in: $(cat "$WORK/out")"
}
