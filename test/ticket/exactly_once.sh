#!/usr/bin/env bash
# Every ticket ends in table and bucket exactly once, although workers are killed at random while they work.
# prepare: moto-venv
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/aws.sh"
start_moto
TICKETS=150

ticket-generator --create-resources --visibility-timeout 3 --count $TICKETS --seed 5 --json | jq -e ".sent == $TICKETS" >/dev/null
step "three workers, and one of them killed again and again"
SLOTS=()
start_slot() {  # N; a killed worker's log is continued by the next one
  ticket-processor >>"$WORK/slot-$1.log" 2>>"$WORK/slot-$1.err" </dev/null &
  SLOTS[$1]=$!
  WORKERS+=("$!")
}
for slot in 0 1 2; do start_slot $slot; done
RANDOM=5 kills=0
deadline=$((SECONDS + 180 * PATIENCE))
until at_least $TICKETS; do
  [ $SECONDS -lt $deadline ] || die "only $(item_count) of $TICKETS tickets"
  next=$(($(item_count) + 1))
  slot=$((RANDOM % 3))
  kill -KILL "${SLOTS[$slot]}"
  wait "${SLOTS[$slot]}" 2>/dev/null || true
  kills=$((kills + 1))
  start_slot $slot
  # Where a worker takes longer to start than it lives here, none would do anything.
  wait_until 30 "one ticket more" at_least $((next < TICKETS ? next : TICKETS))
  sleep 0.$((RANDOM % 10))
done
wait_until 60 "an empty queue" queue_is_empty
kill -TERM "${SLOTS[@]}"
for slot in 0 1 2; do wait "${SLOTS[$slot]}" || die "a worker ended with code $?"; done
step "$kills kills later"
[ $kills -ge 3 ] || die "only $kills kills: the test shows nothing"

expect "items" $TICKETS "$(item_count)"
expect "different tickets" $TICKETS "$(items | jq -r .ticket_id | sort -u | wc -l)"
expect "objects" $TICKETS "$(objects | wc -l)"

step "object and item of a ticket agree, and hold nothing that was not computed"
for id in DEMO-5-1 DEMO-5-25 DEMO-5-150; do
  item=$(items | jq -c "select(.ticket_id == \"$id\")")
  content=$(object "$id.json")
  expect "processed_at of $id" "$(jq -r .processed_at <<<"$item")" "$(jq -r .enrichment.processed_at <<<"$content")"
  expect "fields of $id" "intent intent_confidence urgency urgency_confidence processed_at model_version processor_version missing_models" \
    "$(jq -r '.enrichment | keys_unsorted | join(" ")' <<<"$content")"
  expect "missing models of $id" "$(jq -r .missing_models <<<"$item")" "$(jq -r '.enrichment.missing_models | join(",")' <<<"$content")"
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
