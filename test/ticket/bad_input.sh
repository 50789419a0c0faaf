#!/usr/bin/env bash
# Wrong settings and files are met with an error that names them; the commands that need no AWS work without it.
# prepare: moto-venv
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/aws.sh"

step "settings"
SQS_POLL_INTERVAL=soon refuses "SQS_POLL_INTERVAL is 'soon'" ticket-processor
SQS_MAX_MESSAGES=11 refuses 'SQS_MAX_MESSAGES.*from 1 to 10' ticket-processor
AWS_ENDPOINT_URL=localhost:1 refuses 'must begin with http' ticket-processor
refuses 'dead-letter-queue' ticket-generator --dead-letter-queue x
refuses 'frobnicate' ticket-processor --frobnicate

step "services that cannot be had"
export AWS_ENDPOINT_URL=http://127.0.0.1:$(free_port) START_WAIT_SECONDS=1 AWS_MAX_ATTEMPTS=1
refuses 'looking for the queue ticket-processing-queue.*127.0.0.1' ticket-processor
AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' refuses 'no AWS credentials' ticket-processor
refuses 'writing s3://tickets-raw/DEMO-3-1.json' ticket-generator --count 1 --seed 3
unset AWS_ENDPOINT_URL
start_moto
refuses 'ticket-processing-queue' ticket-processor
ticket-generator --create-resources --count 0 >/dev/null
DYNAMODB_TABLE_NAME=no-table refuses 'table no-table' ticket-processor
S3_ENRICHED_BUCKET=no-bucket refuses 'bucket no-bucket' ticket-processor

step "a metrics port that is taken is no reason to stop"
port=$(free_port)
python3 -c "import socket, time; s = socket.socket(); s.bind(('0.0.0.0', $port)); s.listen(); print(flush=True); time.sleep(60)" >"$WORK/taken" &
WORKERS+=($!)
wait_until 10 "the port to be taken" test -s "$WORK/taken"
METRICS_PORT=$port ticket-processor --once >"$WORK/out"
grep -q 'no metrics are served' "$WORK/out" || die "no warning: $(cat "$WORK/out")"

step "enrich, preload-models, dry runs"
echo '{"ticket_id":"T","subject":"Cannot login","body":"error","created_at":"1732300000","customer_id":"C"}' >"$WORK/good.json"
expect "the intent" login_issue "$(ticket-processor enrich "$WORK/good.json" | jq -r .enrichment.intent)"
expect "from standard input" high "$(ticket-processor enrich - <"$WORK/good.json" | jq -r .enrichment.urgency)"
echo '{"ticket_id":' >"$WORK/bad.json"
refuses 'bad.json.*ticket:[0-9]*:' ticket-processor enrich "$WORK/bad.json"
refuses 'missing.json' ticket-processor enrich "$WORK/missing.json"
expect "the good one beside a bad one" T "$(ticket-processor enrich "$WORK/bad.json" "$WORK/good.json" 2>/dev/null | jq -r .ticket_id)"
expect "tickets of a dry run" 4 "$(AWS_ENDPOINT_URL= ticket-generator --dry-run --count 4 | jq -r .ticket_id | sort -u | wc -l)"
HF_HUB_OFFLINE=1 ticket-processor preload-models 2>&1 | grepq 'going without sshleifer/distilbart-cnn-6-6' || die "no word of the missing models"
export TICKET_ALLOW_MISSING_MODELS=false
HF_HUB_OFFLINE=1 MODEL_CACHE_DIR=$WORK/models/deep refuses 'is not on this machine' ticket-processor preload-models
refuses 'is not on this machine.*looked at:' ticket-processor enrich "$WORK/good.json"
MODEL_CACHE_DIR=$WORK/good.json/x refuses 'model cache' ticket-processor preload-models

step "the Python module"
export PYTHONPATH=$PROJECT/workload/ticket/python PYTHONDONTWRITEBYTECODE=1
MODEL_CACHE_DIR=$WORK/good.json/x refuses 'RuntimeError.*preload-models ended' \
  python3 -c 'from src.processor.models import preload_all_models; preload_all_models()'
