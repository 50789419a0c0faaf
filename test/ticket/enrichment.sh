#!/usr/bin/env bash
# The complete enrichment, through the worker: what stands in object and item is what the original's own libraries make of
# the same tickets with the same models (oracles/expected, made by script/oracles). A model that is missing is an error, or by permission an absent field and a name;
# a damaged one is an error always.
# prepare: minilm-model bart-vocabulary
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/../../script/lib.sh"
. "$PROJECT/test/ticket/models.sh"
WORK=$(mktemp -d)
WORKER=''
trap '[ -z "$WORKER" ] || kill -KILL "$WORKER" 2>/dev/null || true; rm -rf "$WORK"' EXIT
for name in $(compgen -e | grep -E '^(AWS|SQS|S3|DYNAMODB|TICKET|HF|TRANSFORMERS)_' || true); do unset "$name"; done
export HOME=$WORK METRICS_PORT=0 TICKET_BACKEND=local:$WORK/aws MODEL_CACHE_DIR=$WORK/models SQS_POLL_INTERVAL=0
. "$PROJECT/test/ticket/checks.sh"
sql() { sqlite3 "$WORK/aws/tickets.sqlite" "$1"; }

step "ten tickets, and the models: the real all-MiniLM-L6-v2, and two small ones with random weights"
oracles=$PROJECT/test/ticket/oracles
export PYTHONDONTWRITEBYTECODE=1
ticket-generator --create-resources --count 9 --seed 4 >/dev/null
bash "$oracles/questions.sh" "$WORK"
tail -n 1 "$WORK/tickets" >"$WORK/raw-short.json"
make_models "$MODEL_CACHE_DIR" "$WORK"

step "the worker makes of them what the original's libraries do"
ticket-processor --until-empty --json >"$WORK/summary" 2>"$WORK/log" || die "the worker failed: $(tail -3 "$WORK/log")"
expect "tickets" 9 "$(jq .processed "$WORK/summary")"
expect "models loaded" 3 "$(grep -c '"model loaded"' "$WORK/log")"
ticket-processor enrich "$WORK/raw-short.json" >"$WORK/aws/buckets/tickets-enriched/SHORT.json" 2>"$WORK/log"
python3 "$oracles/enrichment.py" "$oracles/expected/enrichment.jsonl" "$WORK/tickets" "$WORK/aws/buckets/tickets-enriched" ||
  die "it does not"
expect "the item's summary" "$(jq -r .enrichment.summary "$WORK/aws/buckets/tickets-enriched/DEMO-4-2.json")" \
  "$(sql "select json_extract(item, '\$.summary') from item where ticket_id = 'DEMO-4-2'")"

step "embeddings know what belongs together"
tickets=("Cannot login|Getting authentication error when trying to access my account" "Unable to sign in|My password is rejected and I cannot access my account" "Payment failed|My credit card was declined but money was charged. Need refund!")
for i in 0 1 2; do
  jq -nc --arg i "L-$i" --arg t "${tickets[$i]}" '{ticket_id: $i, subject: ($t | split("|")[0]), body: ($t | split("|")[1]), created_at: 1, customer_id: "C"}' >"$WORK/l-$i.json"
done
near() {  # near PRECISION
  TICKET_PRECISION=$1 ticket-processor enrich "$WORK"/l-?.json 2>"$WORK/log" >"$WORK/near"
  jq -s -e 'def dot($a; $b): [range(384) | $a[.] * $b[.]] | add;
    map(.enrichment.embedding) | dot(.[0]; .[1]) as $near | dot(.[0]; .[2]) as $far | $near > 0.6 and $near > $far + 0.2' "$WORK/near" >/dev/null ||
    die "the login tickets are not near each other"
}
near fp16

step "with int8 all three models compute in bytes, embeddings still know it, and what was done is told"
near int8
expect "precisions in the log" "int8 int8 int8" "$(jq -r 'select(.message == "model loaded") | .precision' "$WORK/log" | xargs)"
expect "levels in the log" 3 "$(jq -r 'select(.message == "model loaded") | .cpu_level' "$WORK/log" | grep -cE '^(x86-64-v[234]|aarch64)')"
expect "models of the version that are int8" 3 "$(jq -rs '.[0].enrichment.model_version' "$WORK/near" | grep -o /int8 | wc -l)"
mixed=$(TICKET_PRECISION=int8 TICKET_ENCODER_PRECISION=fp32 ticket-processor enrich "$WORK/l-0.json" 2>/dev/null | jq -r .enrichment.model_version)
expect "the same with encoders in 32 bits" 1 "$(grep -o /int8 <<<"$mixed" | wc -l)"

step "the metrics tell how long the models took"
ticket-generator --count 2 --seed 5 >/dev/null
SQS_POLL_INTERVAL=1 ticket-processor >"$WORK/log" 2>&1 &
WORKER=$!
deadline=$((SECONDS + 30 * PATIENCE))
until [ "$(grep -c '"ticket enriched"' "$WORK/log" || true)" = 2 ]; do
  [ $SECONDS -lt $deadline ] || die "no tickets: $(tail -3 "$WORK/log")"
  sleep 0.1
done
port=$(jq -r 'select(.message == "serving metrics").port' "$WORK/log")
curl -fsS "http://127.0.0.1:$port/metrics" >"$WORK/metrics"
for stage in embedding sentiment summary; do
  grep -q "^ticket_stage_seconds_count{stage=\"$stage\"} [12]\$" "$WORK/metrics" || die "no time of $stage: $(grep stage_seconds_count "$WORK/metrics")"
done
expect "models in the metrics" 3 "$(grep -c '^ticket_model_loaded{.*} 1$' "$WORK/metrics")"
expect "their times" 3 "$(grep -c '^ticket_model_load_seconds{' "$WORK/metrics")"
kill -TERM $WORKER
wait $WORKER
WORKER=''

step "a missing model is an error; by permission, a name and no value"
mv "$WORK/models/models--sshleifer--distilbart-cnn-6-6" "$WORK/away"
refuses 'sshleifer/distilbart-cnn-6-6' ticket-processor --once
grep -q "$WORK/models" "$WORK/out" || die "it does not say where it looked: $(cat "$WORK/out")"
grep -q 'preload-models' "$WORK/out" || die "it does not say what to do: $(cat "$WORK/out")"
ticket-processor enrich --allow-missing-models "$WORK/raw-short.json" 2>/dev/null >"$WORK/one.json"
expect "the missing model" '["sshleifer/distilbart-cnn-6-6"]' "$(jq -c .enrichment.missing_models "$WORK/one.json")"
expect "its field" false "$(jq '.enrichment | has("summary")' "$WORK/one.json")"
expect "the others' fields" true "$(jq '.enrichment | has("embedding") and has("sentiment")' "$WORK/one.json")"

step "a damaged model is an error always"
mv "$WORK/away" "$WORK/models/models--sshleifer--distilbart-cnn-6-6"
weights=$(echo "$WORK"/models/models--sshleifer--distilbart-cnn-6-6/snapshots/*/model.safetensors)
truncate -s -1000 "$weights"
refuses 'loading the model sshleifer/distilbart-cnn-6-6.*model.safetensors' ticket-processor --allow-missing-models --once
