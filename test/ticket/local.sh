#!/usr/bin/env bash
# The local backend: a directory is all that worker and generator need. Many workers share it, and 1,000 tickets end
# enriched, each exactly once, although workers are killed at random all the time.
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d)
declare -A WORKERS=()
clean_up() {
  local pid
  for pid in "${WORKERS[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  rm -rf "$WORK"
}
trap clean_up EXIT
for name in $(compgen -e | grep -E '^(AWS|SQS|S3|DYNAMODB|TICKET|HF)_' || true); do unset "$name"; done
export HOME=$WORK METRICS_PORT=0 TICKET_ALLOW_MISSING_MODELS=true TICKET_BACKEND=local:$WORK/aws MODEL_CACHE_DIR=$WORK/models
# AWS is not so much as looked at.
export AWS_ENDPOINT_URL=nonsense
. "$PROJECT/test/ticket/checks.sh"
sql() { sqlite3 -cmd '.timeout 20000' "$WORK/aws/tickets.sqlite" "$1"; }
objects() { find "$WORK/aws/buckets/tickets-enriched" -type f -name '[!.]*'; }

step "nothing needs to be there before"
export SQS_POLL_INTERVAL=0
summary=$(ticket-processor --until-empty --json 2>"$WORK/log")
expect "tickets" 0 "$(jq .processed <<<"$summary")"
grep -q '"message":"ready"' "$WORK/log" || die "no log on stderr: $(cat "$WORK/log")"

step "1,000 tickets, four workers, and one of them killed again and again"
TICKETS=1000
export SQS_POLL_INTERVAL=1
ticket-generator --count $TICKETS --seed 11 --json | jq -e ".sent == $TICKETS" >/dev/null
sql "update queue set visibility = 2"
start_worker() {  # SLOT
  ticket-processor >>"$WORK/worker-$1.log" 2>>"$WORK/worker-$1.err" </dev/null &
  WORKERS[$1]=$!
}
for slot in 1 2 3 4; do start_worker $slot; done
RANDOM=11 kills=0 deadline=$((SECONDS + 120 * PATIENCE))
until [ "$(sql 'select count(*) from message')" = 0 ]; do
  [ $SECONDS -lt $deadline ] || die "$(sql 'select count(*) from message') messages are left"
  slot=$((RANDOM % 4 + 1))
  kill -KILL "${WORKERS[$slot]}"
  wait "${WORKERS[$slot]}" 2>/dev/null || true
  kills=$((kills + 1))
  start_worker $slot
  sleep "0.$((RANDOM % 4))$((RANDOM % 10))"
done
for slot in 1 2 3 4; do kill -TERM "${WORKERS[$slot]}"; done
for slot in 1 2 3 4; do wait "${WORKERS[$slot]}" || die "a worker ended with code $?: $(tail -3 "$WORK/worker-$slot.err")"; done
step "$kills kills later"
[ $kills -ge 5 ] || die "only $kills kills: the test shows nothing"
expect "items" $TICKETS "$(sql 'select count(*) from item')"
expect "different tickets" $TICKETS "$(sql 'select count(distinct ticket_id) from item')"
expect "objects" $TICKETS "$(objects | wc -l)"
# Of each ticket, object and item are of one and the same enrichment.
objects | xargs cat | jq -r '.ticket_id + " " + .enrichment.processed_at' | sort >"$WORK/by-object"
sql "select ticket_id || ' ' || json_extract(item, '\$.processed_at') from item" | sort >"$WORK/by-item"
cmp "$WORK/by-object" "$WORK/by-item" || die "object and item differ: $(diff "$WORK/by-object" "$WORK/by-item" | head -5)"

export SQS_POLL_INTERVAL=0
step "poison is kept, with the reason, and costs nobody anything"
ticket-generator --count 2 --seed 12 >/dev/null
sql "insert into message (queue, id, body, sent_at, visible_at) values ('ticket-processing-queue', 'bad-1', 'nonsense', 0, 0)"
MAX_RECEIVES=1 ticket-processor --until-empty --json 2>/dev/null >"$WORK/summary"
expect "tickets beside it" 2 "$(jq .processed "$WORK/summary")"
grep -q 'not JSON' "$WORK/aws/buckets/tickets-enriched/failed%2Fbad-1.json" || die "the poison was not kept"

step "with a dead-letter queue the queue itself moves it"
ticket-generator --create-resources --dead-letter-queue dead --count 0 >/dev/null
sql "insert into message (queue, id, body, sent_at, visible_at) values ('ticket-processing-queue', 'bad-2', 'nonsense', 0, 0)"
for _ in 1 2 3 4 5; do
  RETRY_DELAY_SECONDS=0 ticket-processor --once >/dev/null
done
RETRY_DELAY_SECONDS=0 ticket-processor --once >/dev/null
expect "where it is" dead "$(sql "select queue from message where id = 'bad-2'")"
