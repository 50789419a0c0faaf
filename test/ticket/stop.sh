#!/usr/bin/env bash
# SIGTERM: the worker takes no more, gives back what it has not begun, and ends with 0, at once when it is idle, also as
# PID 1. What it gave back can be had at once by another, although the visibility time-out is long.
# prepare: moto-venv
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/aws.sh"
start_moto
TICKETS=200
ticket-generator --create-resources --visibility-timeout 600 --count $TICKETS --seed 2 >/dev/null

step "stopped in the middle of its work"
SHUTDOWN_GRACE_SECONDS=0 worker first
wait_until 20 "the first tickets" at_least 5
kill -TERM "$WORKER"
wait "$WORKER" || die "ended with code $?"
done_by_first=$(item_count)
[ "$done_by_first" -lt $TICKETS ] || die "it had finished before it was stopped: the test shows nothing"
expect "hidden messages" 0 "$(queue_count ApproximateNumberOfMessagesNotVisible)"
left=$(queue_count ApproximateNumberOfMessages)

step "another finishes what the first left"
worker second --until-empty
wait "$WORKER" || die "ended with code $?"
expect "items" $TICKETS "$(item_count)"
expect "tickets of the second" $((TICKETS - done_by_first)) "$(jq 'select(.message == "stopped").processed' "$WORK/second.log")"
# The one ticket whose call was cut off may have been stored all the same; it is a duplicate to the second worker.
duplicates=$(jq 'select(.message == "stopped").duplicates' "$WORK/second.log")
[ "$duplicates" -le 1 ] || die "$duplicates duplicates"
expect "messages that the first left" $((TICKETS - done_by_first + duplicates)) "$left"

step "idle in a long poll, as PID 1 of a process namespace"
export SQS_POLL_INTERVAL=20
if unshare --pid --fork true 2>/dev/null; then
  unshare --pid --fork ticket-processor >"$WORK/third.log" 2>&1 </dev/null &
  outer=$!
  WORKERS+=("$outer")
  wait_until 20 "the worker to be ready" grep -q '"message":"ready"' "$WORK/third.log"
  inner=$(pgrep -P $outer)
  started=$(date +%s%3N)
  kill -TERM "$inner"
  wait $outer || die "ended with code $?"
  took=$(($(date +%s%3N) - started))
  [ "$took" -lt 5000 ] || die "it took $took ms to stop"
  grep -q '"message":"stopped"' "$WORK/third.log" || die "no summary: $(tail -3 "$WORK/third.log")"
fi

step "stopped while it waits for a queue that does not exist"
SQS_QUEUE_NAME=nowhere worker fourth
wait_until 20 "an attempt" grep -q 'looking for the queue nowhere' "$WORK/fourth.log"
port=$(jq -r 'select(.message == "serving metrics").port' "$WORK/fourth.log")
expect "readiness meanwhile" 503 "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")"
kill -INT "$WORKER"
wait "$WORKER" || die "ended with code $?"
