#!/usr/bin/env bash
# Output goes to a file or to a logging program instead of a client.
. "$(dirname "$0")/support.sh"

step "file://"
run_container -d --log-uri "file://$WORLD/new dir/out.log" filed sh -c 'echo one; echo two >&2' 2>"$WORLD/err" ||
  { cat "$WORLD/err" >&2; die "a file as log was refused"; }
wait_until 10 "filed to stop" is_status filed STOPPED
# The reference closes the file when the first of the two streams ends: on a busy machine the other's line is lost.
log_is() { [ "$(sort "$WORLD/new dir/out.log" | xargs)" = "$1" ]; }
both_lines() { log_is "one two" || { reference && { log_is one || log_is two; }; }; }
wait_until 10 "both lines" both_lines
end_container filed

step "binary://"
cat >"$WORLD/logger" <<'SH'
#!/bin/sh
# Copies what comes on 3 and 4, and says that it is ready by closing 5.
{ echo "id=$CONTAINER_ID namespace=$CONTAINER_NAMESPACE args=$*"; } >"$2"
exec 5>&-
cat <&3 >>"$2" & out=$!
cat <&4 >>"$2"
wait $out
echo end >>"$2"
SH
chmod +x "$WORLD/logger"
run_container -d --log-uri "binary://$WORLD/logger?--to=$WORLD/logged" logged sh -c 'echo one; sleep 0.2; echo two >&2'
wait_until 10 "logged to stop" is_status logged STOPPED
end_container logged
# The reference ends its logging programs before they have read all.
[ -n "${FLOX_TEST_SHIM:-}" ] || wait_until 10 "the logger to end" grep -q end "$WORLD/logged"
contains "$(head -1 "$WORLD/logged")" "id=logged namespace=$CONTAINERD_NAMESPACE args=--to $WORLD/logged"
contains "$(cat "$WORLD/logged")" one
[ -n "${FLOX_TEST_SHIM:-}" ] || contains "$(cat "$WORLD/logged")" two

step "a logging program that is not there is an error"
refused "/no/such/logger" run_container -d --log-uri "binary:///no/such/logger" bad true
ctr container delete bad >/dev/null 2>&1 || true
expect_nothing_left
