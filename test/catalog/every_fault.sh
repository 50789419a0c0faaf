#!/usr/bin/env bash
# The catalog is killed at calls of the system that a publication, a yank or a garbage collection makes, and then these calls fail
# instead: nothing is half visible, and the same command run again succeeds. Of each kind of call (test/catalog/fault_at.c) the
# first, the middle and the last one, each in one of the two ways, and every FAULT_STEP-th of all calls in both. Which way, and
# from which call on, is another one in each run.
#   FAULT_OFFSET=N               as an earlier run has printed
#   FLOX_TEST_EXHAUSTIVE=1       every single call in both ways
#   FAULT_ONLY='failed publish'  that part alone: killed or failed; publish, yank or collect
# prepare: moto-venv
# builds: flox flox-catalog
# ctest: COST 100
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
FAULT_STEP=${FAULT_STEP:-12}
export FAULT_OFFSET=${FAULT_OFFSET:-$((RANDOM % FAULT_STEP))}
each_backend "$@"
exhaustive || step "FAULT_OFFSET=$FAULT_OFFSET"
cc -shared -fPIC -O1 -o "$dir/fault_at.so" "$PROJECT/test/catalog/fault_at.c" -ldl
export FAULT_AT=$dir/fault_at
key=$(make_key key-1)
export FLOX_OWNER=acme

# set_fault CALL ACTION [KIND]: the counter begins at 0. count_calls: $made, how many there were since.
set_fault() {
  local number hex bytes=
  for number in 0 "$1" "$2" "0x${3:-0}"; do
    printf -v hex %016x "$number"
    for at in 14 12 10 8 6 4 2 0; do bytes+="\\x${hex:at:2}"; done
  done
  printf '%b' "$bytes" 1<>"$FAULT_AT"
}
count_calls() { read -r made < <(od -An -td8 -N8 "$FAULT_AT"); }
most_kinds=16384
head -c $((32 + 8 * most_kinds)) /dev/zero >"$FAULT_AT"
start_watched() { LD_PRELOAD=$dir/fault_at.so start_catalog --trusted-key "$key" --online-key "$dir/online.key"; }
catalog_port=$(free_port)
start_backend "$dir/backend"  # before: PostgreSQL and S3 are to have no faults

# One process for all questions: a start of Python takes longer than the rest of a case.
coproc WHOLE { exec python3 "$PROJECT/test/catalog/whole.py"; }
# What is visible is whole: of each record all paths, of each path all that it refers to, of each NAR its bytes. $builds: how many
# builds of the packages there are.
whole() {
  local said
  echo "$url $*" >&"${WHOLE[1]}"
  read -r said builds <&"${WHOLE[0]}"
  [ "$said" = whole ] || { echo "$said $builds" >&2; return 1; }
}

# kinds_of PREPARE COMMAND: the kind of each call that COMMAND makes, a line each, in $dir/kinds.
kinds_of() {
  $1 kinds
  set_fault 1 3
  $2 >"$dir/said" 2>&1 || die "$2 failed without a fault: $(cat "$dir/said")"
  local made
  count_calls
  set_fault 0 0
  [ "$made" -le $most_kinds ] || die "$2 made $made calls, for whose kinds there is no room"
  od -An -v -tx8 -w8 -j32 -N$((8 * made)) "$FAULT_AT" | tr -d ' ' >"$dir/kinds"
}
# chosen_calls ACTION: those to try, as lines "N KIND": the N-th call of that kind, or of all kinds.
chosen_calls() {
  if exhaustive; then
    seq -f '%.0f 0000000000000000' 1 $most_kinds
  else
    awk -v action="$1" -v step="$FAULT_STEP" -v offset="$FAULT_OFFSET" '
      !($1 in place) { place[$1] = ++kinds }
      { kind[NR] = $1; nth[NR] = ++count[$1] }
      END {
        for (i = 1; i <= NR; i++) {
          n = count[kind[i]]
          which = nth[i] == 1 ? 0 : nth[i] == n ? 2 : nth[i] == int((n + 1) / 2) ? 1 : -1
          if (which >= 0 && (place[kind[i]] + which + offset) % 2 == action || i % step == offset % step) print nth[i], kind[i]
        }
      }' "$dir/kinds"
  fi
}

# at_calls ACTION PREPARE COMMAND CHECK DONE: for each call to try: PREPARE; then COMMAND while the call is killed or fails; CHECK that
# all is whole; COMMAND again must succeed, and CHECK. Ends with the first one that COMMAND does not reach if all are tried. DONE at the
# end.
at_calls() {
  local action=$1 prepare=$2 command=$3 check=$4 done=$5 nth kind tried=0 missed=0 place how
  how=$([ "$action" = 0 ] && echo killed || echo failed)
  [ "${FAULT_ONLY:-$how $command}" = "$how $command" ] || return 0
  $prepare first
  $command >"$dir/said" 2>&1 || die "$command failed without a fault: $(cat "$dir/said")"
  kinds_of "$prepare" "$command"
  [ "$(wc -l <"$dir/kinds")" -gt 10 ] || die "$command made only $(wc -l <"$dir/kinds") calls: is it watched?"
  chosen_calls "$action" >"$dir/chosen"
  while read -r nth kind <&3; do
    place="call $nth of kind $kind"
    $prepare "$nth-$kind"
    set_fault "$nth" "$action" "$kind"
    local made succeeded=
    ! $command >"$dir/said" 2>&1 || succeeded=yes
    count_calls
    set_fault 0 0
    if [ "$made" -lt "$nth" ]; then
      [ -n "$succeeded" ] || die "$command failed without a fault: $(cat "$dir/said")"
      missed=$((missed + 1))
      ! exhaustive || break
      continue
    fi
    tried=$((tried + 1))
    if [ "$action" = 0 ]; then
      { wait "$catalog" || true; } 2>/dev/null  # bash says that it was killed
      catalog=
      start_watched
    fi
    wait_for_process $catalog 30 "$place: its recovery" is_ready
    $check || die "$place of $command: $(cat "$dir/said"; tail -5 "$dir/log")"
    $command >"$dir/said" 2>&1 || die "$place: $command does not succeed when it is run again: $(cat "$dir/said"; tail -5 "$dir/log")"
    $check || die "$place of $command, run again"
    # Of an upload whose client has gone it hears in a thread of its own.
    wait_until 5 "$place: the end of an upload" nothing_spooled
  done 3<"$dir/chosen"
  [ $((missed * 4)) -le $tried ] || die "$command did not reach $missed calls, and $tried were tried"
  $done
  echo "  $command: $tried of $(wc -l <"$dir/kinds") calls $how, $(sort -u "$dir/kinds" | wc -l) kinds"
}

is_ready() { [ "$(ask GET /readyz)" = 200 ]; }
nothing_spooled() { [ "$(spooled)" = 0 ]; }
new_path() {
  number=$((number + 1))
  name=web-$number
  printf '%s' "content $number of $BACKEND" >"$dir/content"
  new=$(publisher flox store add --name "$name" "$dir/content")
}
number=0
publish() { publisher flox publish --store-path "$new" --name "$name" --version 1.0; }
# A record is there, signed and whole, or it is not there.
published_or_not() {
  whole "$name"
  [ "$builds" = 0 ] || publisher flox show "$name" 2>&1 | grepq "packages/$name version .*, signed by key-1"
}

start_watched
publisher flox trust init acme >"$dir/said" 2>&1
publisher flox trust publish acme >>"$dir/said" 2>&1

step "publishing"
at_calls 0 new_path publish published_or_not true
at_calls 1 new_path publish published_or_not true

step "yanking"
# The version is yanked for that reason, as is signed, or it is not.
new_path
publish >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
reason=
change_reason() { reason="it breaks at $1"; }
yank() { publisher flox yank "$name@1.0" --reason "$reason"; }
yanked_or_not() {
  publisher flox show "$name" >"$dir/shown" 2>&1
  grep -q "packages/$name version .*, signed by key-1" "$dir/shown" || return 1
  local said
  said=$(sed -n 's/^  Yanked:   //p' "$dir/shown")
  [ -z "$said" ] || [[ $said == "it breaks at "* ]]
}
has_reason() { contains "$(publisher flox show "$name")" "$reason"; }
at_calls 0 change_reason yank yanked_or_not has_reason
at_calls 1 change_reason yank yanked_or_not has_reason

step "collecting garbage"
# Of what is recorded all is there at every moment, and so is of each narinfo its NAR. What is not needed goes, with the run after
# at the latest.
# A fresh one: a collection reads every path that there is.
stop_catalog
rm -rf "$data" "$dir/trust-state"
if [ "$BACKEND" = shared ]; then
  empty_postgres
  stop_s3
  start_s3
fi
start_watched
publisher flox trust publish acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
new_path
publish >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
kept=$name
garbage() {
  new_path
  publisher flox store copy --to "$url/cache?token-file=$dir/token" --key "$dir/key-1" "$new" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  sql "update nars set used_at = 0" >/dev/null
}
collect() { publisher flox catalog gc --grace 0; }
still_whole() {
  whole "$kept"
  [ "$(ask GET "/cache/${new:11:32}.narinfo")" != 200 ] || [ "$(ask HEAD "/cache/$(sed -n 's/^URL: //p' "$dir/answer")" -I)" = 200 ]
}
gone() { [ "$(ask GET "/cache/${new:11:32}.narinfo")" = 404 ] || die "what nothing needs is still there"; }
at_calls 0 garbage collect still_whole gone
at_calls 1 garbage collect still_whole gone

step "what was collected half is published again at once"
garbage
set_fault 6 0
collect >"$dir/said" 2>&1 || true
set_fault 0 0
kill -KILL "$catalog" 2>/dev/null || true
wait "$catalog" 2>/dev/null || true
catalog=
start_watched
publish >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
collect >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
published_or_not || die "it is not whole"
