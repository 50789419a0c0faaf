#!/usr/bin/env bash
# Messages that can never be processed hold nothing up and are not lost: without a dead-letter queue they are moved aside,
# with one they are left to it. Odd but good messages are processed.
# prepare: moto-venv
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/aws.sh"
start_moto
export RETRY_DELAY_SECONDS=0 MAX_RECEIVES=3

step "poison beside good tickets, queue without a dead-letter queue"
ticket-generator --create-resources --count 3 --seed 1 >/dev/null
send_message 'this is not JSON'
put_raw broken.json '{"ticket_id": "BROKEN", "subject": 7}'
put_raw null-priority.json '{"ticket_id":"NULL-1","subject":"outage","body":"all is down","priority":null,"created_at":1732300000,"customer_id":"C-1"}'
put_raw 'odd%20name%2Bplus.json' '{"ticket_id":"ODD-1","subject":"s","body":"b","created_at":1732300000,"customer_id":"C-1"}'
send_message '{"Service":"Amazon S3","Event":"s3:TestEvent"}'
worker one
wait_until 30 "five tickets" at_least 5
wait_until 30 "an empty queue" queue_is_empty
expect "messages moved aside" 2 "$(objects | grep -c '^failed/')"
expect "their reasons" 2 "$(for key in $(objects | grep '^failed/'); do object "$key" | jq -r .error; done | grep -c 'not JSON\|subject is number')"
expect "urgency of the ticket without a priority" critical "$(items | jq -r 'select(.ticket_id == "NULL-1").urgency')"
expect "the ticket with an odd key" ODD-1 "$(items | jq -r 'select(.ticket_id == "ODD-1").ticket_id')"

step "the metrics tell the same"
port=$(jq -r 'select(.message == "serving metrics").port' "$WORK/one.log")
metrics=$(curl -fsS "http://127.0.0.1:$port/metrics")
grep -q '^ticket_processed_total 5$' <<<"$metrics" || die "processed: $(grep ^ticket_processed <<<"$metrics")"
grep -q '^ticket_failed_total{reason="message"} 3$' <<<"$metrics" || die "failed: $(grep ^ticket_failed <<<"$metrics")"
grep -q '^ticket_failed_total{reason="schema"} 3$' <<<"$metrics" || die "failed: $(grep ^ticket_failed <<<"$metrics")"
grep -q '^ticket_messages_moved_aside_total 2$' <<<"$metrics" || die "moved aside: $(grep moved_aside <<<"$metrics")"
grep -q '^ticket_build_info{.*version="' <<<"$metrics" || die "no build info"
curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null
kill -TERM "$WORKER"
wait "$WORKER"

step "with a dead-letter queue the queue itself moves them"
export SQS_QUEUE_NAME=second-queue S3_RAW_BUCKET=second-raw
ticket-generator --create-resources --dead-letter-queue dead --count 0 >/dev/null
aws_call sqs AmazonSQS.SendMessage "{\"QueueUrl\":\"$(queue_url second-queue)\",\"MessageBody\":\"poison\"}" >/dev/null
worker two
dead_has_one() { [ "$(queue_count ApproximateNumberOfMessages dead)" = 1 ]; }
wait_until 30 "the message in the dead-letter queue" dead_has_one
expect "messages moved aside" 2 "$(objects | grep -c '^failed/')"
kill -TERM "$WORKER"
wait "$WORKER"
