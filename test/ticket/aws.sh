# Sourced by the tests of this folder: a private AWS (moto's server) on loopback, and ways to look into it.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
. "$PROJECT/test/ticket/checks.sh"
"$PROJECT/script/moto-venv" >/dev/null || { echo "moto's server cannot be installed from PyPI"; exit 77; }

WORK=$(mktemp -d)
declare -a WORKERS=()
clean_up() {
  local pid
  for pid in "${WORKERS[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
  [ ! -e "$WORK/moto.pid" ] || { kill -CONT "$(cat "$WORK/moto.pid")" 2>/dev/null || true; bash "$PROJECT/test/ticket/moto.sh" stop "$WORK/moto.pid"; }
  rm -rf "$WORK"
}
trap clean_up EXIT

# Only these settings, whatever the caller's shell has.
for name in $(compgen -e | grep -E '^(AWS|SQS|S3|DYNAMODB|TICKET|HF)_' || true); do unset "$name"; done
export HOME=$WORK AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test METRICS_PORT=0 SQS_POLL_INTERVAL=1
# No metadata service of an instance; no models but those that a test brings.
export AWS_EC2_METADATA_DISABLED=true TICKET_ALLOW_MISSING_MODELS=true MODEL_CACHE_DIR=$WORK/models
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)/.cache}  # where moto is

start_moto() {
  AWS_PORT=$(free_port)
  bash "$PROJECT/test/ticket/moto.sh" start "$AWS_PORT" "$WORK/moto.pid" "$WORK/moto.log"
  export AWS_ENDPOINT_URL=http://127.0.0.1:$AWS_PORT
}

# A proxy before moto's server that checks signatures and makes things go wrong: strict_proxy.py. From then on
# $AWS_ENDPOINT_URL is the proxy, at $AWS_PORT if that is free, and $MOTO_URL is moto's server.
start_proxy() {  # CONFIG
  MOTO_URL=${MOTO_URL:-$AWS_ENDPOINT_URL}
  [ "${MOTO_URL##*:}" != "$AWS_PORT" ] || AWS_PORT=$(free_port)
  change_proxy "$1"
  "$("$PROJECT/script/moto-venv")/bin/python" "$PROJECT/test/ticket/strict_proxy.py" "$AWS_PORT" "${MOTO_URL##*:}" "$WORK/proxy.json" "$WORK/proxy.log" 2>>"$WORK/proxy.err" &
  PROXY=$!
  WORKERS+=("$PROXY")
  export AWS_ENDPOINT_URL=http://127.0.0.1:$AWS_PORT
  wait_until 20 "the proxy" curl -s -o /dev/null "$AWS_ENDPOINT_URL/"
}
change_proxy() {  # CONFIG
  echo "$1" >"$WORK/proxy.json.new"
  mv "$WORK/proxy.json.new" "$WORK/proxy.json"
}
stop_proxy() {
  kill "$PROXY"
  wait "$PROXY" 2>/dev/null || true
}

show_trouble() { tail -n 5 "$WORK"/*.log >&2; }

# worker NAME [ARGUMENTS…]: a worker in the background; its log is NAME.log, its process id in $WORKER.
worker() {
  local name=$1
  shift
  ticket-processor "$@" >"$WORK/$name.log" 2>"$WORK/$name.err" </dev/null &
  WORKER=$!
  WORKERS+=("$WORKER")
}

signed_for() { echo "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/$1/aws4_request, SignedHeaders=host, Signature=0"; }
aws_call() {  # SERVICE TARGET JSON
  curl -fsS "$AWS_ENDPOINT_URL/" -H "X-Amz-Target: $2" -H 'Content-Type: application/x-amz-json-1.0' -H "$(signed_for "$1")" -d "$3"
}
items() { aws_call dynamodb DynamoDB_20120810.Scan '{"TableName":"tickets"}' | jq -c '.Items[] | map_values(.S // .N)'; }
items_at_moto() { AWS_ENDPOINT_URL=$MOTO_URL items; }
item_count() { items | wc -l; }
at_least() { [ "$(item_count)" -ge "$1" ]; }
objects() {  # keys of the enriched bucket
  curl -fsS "$AWS_ENDPOINT_URL/tickets-enriched?list-type=2&max-keys=1000" -H "$(signed_for s3)" | grep -o '<Key>[^<]*' | sed 's/<Key>//'
}
object() { curl -fsS "$AWS_ENDPOINT_URL/tickets-enriched/$1" -H "$(signed_for s3)"; }
put_raw() {  # KEY CONTENT; the bucket announces it
  curl -fsS -X PUT "$AWS_ENDPOINT_URL/tickets-raw/$1" -H "$(signed_for s3)" -H 'Content-Type: application/json' --data-binary "$2" >/dev/null
}
queue_url() { aws_call sqs AmazonSQS.GetQueueUrl "{\"QueueName\":\"$1\"}" | jq -r .QueueUrl; }
send_message() { aws_call sqs AmazonSQS.SendMessage "$(jq -nc --arg u "$(queue_url ticket-processing-queue)" --arg b "$1" '{QueueUrl: $u, MessageBody: $b}')" >/dev/null; }
queue_count() {  # ATTRIBUTE [QUEUE]
  aws_call sqs AmazonSQS.GetQueueAttributes "{\"QueueUrl\":\"$(queue_url "${2:-ticket-processing-queue}")\",\"AttributeNames\":[\"$1\"]}" | jq -r ".Attributes.$1"
}
# Of one answer: asked one after the other, a message that goes to and fro could be in neither.
queue_is_empty() {
  aws_call sqs AmazonSQS.GetQueueAttributes "{\"QueueUrl\":\"$(queue_url ticket-processing-queue)\",\"AttributeNames\":[\"All\"]}" |
    jq -e '.Attributes | .ApproximateNumberOfMessages == "0" and .ApproximateNumberOfMessagesNotVisible == "0"'
}
