#!/usr/bin/env bash
# Services that fail, throttle, dawdle, break off and go away for a while, credentials that expire in the middle: no ticket
# is lost and none is stored twice; readiness tells, and every error says of which ticket and why.
# prepare: moto-venv
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/aws.sh"
start_moto
export RETRY_DELAY_SECONDS=1 MAX_RECEIVES=3
TICKETS=25

step "the endpoint is down when the worker starts"
AWS_PORT=$(free_port)
MOTO_URL=$AWS_ENDPOINT_URL
ticket-generator --create-resources --visibility-timeout 5 --count $TICKETS --seed 6 >/dev/null
export AWS_ENDPOINT_URL=http://127.0.0.1:$AWS_PORT AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY=''
export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://127.0.0.1:$AWS_PORT/credentials
worker one
wait_until 20 "an attempt" grep -q 'waiting for the services' "$WORK/one.log"
port=$(jq -r 'select(.message == "serving metrics").port' "$WORK/one.log")
ready() { curl -fsS "http://127.0.0.1:$port/readyz"; }
not_ready() { [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/readyz")" = 503 ]; }
not_ready || die "ready without a queue"
curl -fsS "http://127.0.0.1:$port/healthz" >/dev/null

step "a third of all calls goes wrong, and the first credentials expire"
proxy_config() {  # KEY EXPIRED RATE
  jq -nc --arg key "$1" --arg expired "$2" --argjson rate "$3" \
    '{keys: {($key): ["secret", "token"]}, expired: [$expired], rate: $rate,
      faults: ["500", "503", "throttle", "slow", "truncate", "reset"],
      credentials: {AccessKeyId: $key, SecretAccessKey: "secret", Token: "token", Expiration: "2099-01-01T00:00:00Z"}}'
}
start_proxy "$(proxy_config FIRST none 0.3)"
done_at_least() { [ "$(items_at_moto | wc -l)" -ge "$1" ]; }
wait_until 60 "the first tickets" done_at_least 5
change_proxy "$(proxy_config SECOND FIRST 0.3)"
wait_until 90 "$TICKETS items" done_at_least $TICKETS
grep -q ' ExpiredToken' "$WORK/proxy.log" || die "no call was made with the expired credentials"
for fault in InternalFailure ServiceUnavailable ThrottlingException SlowDown truncate reset; do
  grep -q " $fault\$" "$WORK/proxy.log" || die "the fault $fault did not come up"
done

step "the services go away and come back"
stop_proxy
wait_until 40 "the worker not to be ready" not_ready
curl -s "http://127.0.0.1:$port/readyz" | grepq '127.0.0.1' || die "readyz does not say what cannot be reached"
start_proxy "$(proxy_config SECOND none 0)"
AWS_ENDPOINT_URL=$MOTO_URL AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test ticket-generator --count 5 --seed 7 >/dev/null
wait_until 60 "the tickets after the break" done_at_least $((TICKETS + 5))
wait_until 20 "readiness" ready
queue_is_empty_at_moto() { AWS_ENDPOINT_URL=$MOTO_URL queue_is_empty; }
wait_until 40 "an empty queue" queue_is_empty_at_moto
metrics=$(curl -fsS "http://127.0.0.1:$port/metrics")
grep -qE '^ticket_errors_total\{kind="unavailable",operation="poll"\} [1-9]' <<<"$metrics" || die "no failed poll was counted: $(grep errors <<<"$metrics")"
kill -TERM "$WORKER"
wait "$WORKER" || die "ended with code $?"

expect "items" $((TICKETS + 5)) "$(items_at_moto | wc -l)"
expect "different tickets" $((TICKETS + 5)) "$(items_at_moto | jq -r .ticket_id | sort -u | wc -l)"
expect "objects" $((TICKETS + 5)) "$(AWS_ENDPOINT_URL=$MOTO_URL objects | wc -l)"
! grep -q '"message":"message moved aside"' "$WORK/one.log" || die "a ticket was given up"
# What failed names its ticket, or the object it would have come from, and the reason.
jq -s -e 'map(select(.level == "error" and (.message | startswith("ticket")))) | all(.key != null and .error != null)' "$WORK/one.log" >/dev/null ||
  die "an error without a ticket or a reason"
