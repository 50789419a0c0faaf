# Killing a command at points that are spread over all its calls that change something. Sourced after lib.sh, never run.
#
#   at_points NAME PREPARE CHECK COMMAND…   at each of $POINTS points: PREPARE makes the state before; COMMAND is killed; CHECK must find
#                                           nothing half done; COMMAND must succeed when it is run again, or say what $ALREADY matches,
#                                           if it had been done; and CHECK must find the same
#   at_once COUNT COMMAND…                  the command so often at once: all must succeed
#   enough_killed                           most of these runs were really killed
#
# Its files stand in the directory $KILLED.
type -P strace >/dev/null || { echo "needs strace"; exit 77; }
POINTS=${POINTS:-8}
mkdir -p "$KILLED"
changing_calls=write,pwrite64,fsync,fdatasync,ftruncate,fchmod,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,symlink,symlinkat,link,linkat,flock
killed_runs=0 killed=0

at_points() {
  local name=$1 prepare=$2 check=$3 total i line call n
  shift 3
  $prepare
  strace -f -qq -o "$KILLED/trace" -e trace=$changing_calls "$@" >"$KILLED/said" 2>&1 </dev/null || die "$name: $(cat "$KILLED/said")"
  $check || die "$name: it is not whole though nothing happened"
  # The calls of its first process, in their order: the name of each, and the how-manieth of that name it is.
  awk 'NR == 1 { first = $1 } $1 == first && match($2, /^[a-z0-9]+\(/) { call = substr($2, 1, RLENGTH - 1); print call, ++count[call] }' "$KILLED/trace" >"$KILLED/points"
  total=$(wc -l <"$KILLED/points")
  [ "$total" -ge 2 ] || die "$name changes nothing"
  for ((i = 0; i < POINTS && i < total; i++)); do
    line=$((i * total / POINTS + RANDOM % (total / POINTS + 1) + 1))
    read -r call n < <(sed -n "$((line > total ? total : line))p" "$KILLED/points")
    $prepare
    # In a shell of its own, which says that it was killed.
    sh -c '"$@"; echo $? >"$0"' "$KILLED/code" strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" "$@" >"$KILLED/said" 2>&1 </dev/null || true
    killed_runs=$((killed_runs + 1))
    [ "$(cat "$KILLED/code")" != 137 ] || killed=$((killed + 1))
    $check || die "$name, killed at $call $n: it is not whole: $(cat "$KILLED/said")"
    if ! "$@" >"$KILLED/said" 2>&1 </dev/null; then
      [ -n "${ALREADY:-}" ] && grep -qE "$ALREADY" "$KILLED/said" || die "$name, killed at $call $n: it does not succeed when it is run again: $(cat "$KILLED/said")"
    fi
    $check || die "$name, killed at $call $n and run again: it is not whole"
  done
}
at_once() {
  local count=$1 i pids=()
  shift
  for ((i = 0; i < count; i++)); do
    "$@" >"$KILLED/said-$i" 2>&1 </dev/null &
    pids+=($!)
  done
  for ((i = 0; i < count; i++)); do wait "${pids[i]}" || die "$*: one of $count at once: $(cat "$KILLED/said-$i")"; done
}
enough_killed() {
  step "$killed of $killed_runs runs were killed"
  [ $((killed * 2)) -gt $killed_runs ] || die "only $killed of $killed_runs runs were killed"
}
