#!/usr/bin/env bash
# Every ticket ends in table and bucket exactly once, although a worker is killed in the middle.
. "$(dirname "$0")/aws.sh"
start_moto
TICKETS=50

ticket-generator --create-resources --visibility-timeout 3 --count $TICKETS --seed 5 --json | jq -e ".sent == $TICKETS" >/dev/null
step "a worker is killed after a few tickets"
worker first
victim=$WORKER
wait_until 20 "the first tickets" at_least 3
kill -KILL "$victim"
wait "$victim" 2>/dev/null || true
after_kill=$(item_count)

step "two others finish after the killed one left $after_kill of $TICKETS"
worker second
second=$WORKER
worker third
third=$WORKER
wait_until 60 "$TICKETS items" at_least $TICKETS
wait_until 30 "an empty queue" queue_is_empty
kill -TERM "$second" "$third"
wait "$second" || die "the second worker ended with code $?"
wait "$third" || die "the third worker ended with code $?"

expect "items" $TICKETS "$(item_count)"
expect "different tickets" $TICKETS "$(items | jq -r .ticket_id | sort -u | wc -l)"
expect "objects" $TICKETS "$(objects | wc -l)"
expect "tickets that the survivors count and those of the victim" $TICKETS \
  $(($(jq -s 'map(select(.message == "stopped") | .processed) | add' "$WORK/second.log" "$WORK/third.log") + after_kill))

step "object and item of a ticket agree, and hold nothing that was not computed"
for id in DEMO-5-1 DEMO-5-25 DEMO-5-50; do
  item=$(items | jq -c "select(.ticket_id == \"$id\")")
  content=$(object "$id.json")
  expect "processed_at of $id" "$(jq -r .processed_at <<<"$item")" "$(jq -r .enrichment.processed_at <<<"$content")"
  expect "fields of $id" "intent intent_confidence urgency urgency_confidence processed_at model_version processor_version" \
    "$(jq -r '.enrichment | keys_unsorted | join(" ")' <<<"$content")"
done

step "a ticket that is announced again is a duplicate and is not written again"
before=$(object DEMO-5-7.json)
send_message '{"Records":[{"key":"DEMO-5-7.json"}]}'
# moto hands a message to a long poll that its client has left, too; it comes back after the visibility time-out.
worker again
wait_until 20 "the duplicate" grep -q '"ticket was complete already"' "$WORK/again.log"
kill -TERM "$WORKER"
wait "$WORKER"
expect "duplicates" 1 "$(jq -s 'map(select(.message == "stopped"))[0].duplicates' "$WORK/again.log")"
expect "the object" "$before" "$(object DEMO-5-7.json)"
expect "items" $TICKETS "$(item_count)"
