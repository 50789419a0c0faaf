#!/usr/bin/env bash
# What cannot be written to standard output is an error: a full disk (/dev/full), a closed descriptor.
. "$(dirname "$0")/support.sh"
mkdir "$WORK/project"
cd "$WORK/project"
flox init -n web 2>/dev/null
seq 200000 >"$WORK/numbers"
path=$(flox store add "$WORK/numbers")
printf '{"ticket_id":"T","subject":"a","body":"b","created_at":"1732300000","customer_id":"C"}' >"$WORK/ticket.json"

# full COMMAND…: with standard output on a full disk the command ends with 1 and says so, once.
full() {
  local code=0 message
  message=$("$@" 2>&1 >/dev/full) || code=$?
  [ $code = 1 ] || die "expected exit code 1, got $code: $* >/dev/full"
  [ "$(grep -c 'standard output' <<<"$message")" = 1 ] || die "$* >/dev/full: no word of standard output, or several: $message"
  grep -q 'No space left on device' <<<"$message" || die "$* >/dev/full: not why: $message"
}

step "little output, which leaves at the end"
full flox --help
full flox --version
full flox list -c
full flox list --json
full flox config
full flox config --json
full flox store info "$path"
full flox store info --json "$path"
full flox store roots --json
full flox store closure --tree "$path"
full flox store keygen test-1 --out "$WORK/key"
full flox activate -- flox list -c
full flox-kube ps --json
full flox-kube --help
full flox-catalog --help
full floxd --version
full ticket-generator --dry-run --count 1
full ticket-processor --help

step "more than a buffer holds"
full ticket-generator --dry-run --count 2000
full flox store cat "$path"

step "a closed descriptor"
code=0
message=$(flox list -c 2>&1 >&-) || code=$?
[ $code = 1 ] || die "expected exit code 1, got $code"
grep -q 'standard output' <<<"$message" || die "not said: $message"

step "a reader that has enough is no error of ours"
flox store cat "$path" | head -1 >/dev/null || [ "${PIPESTATUS[0]}" = 141 ] || die "expected SIGPIPE"
