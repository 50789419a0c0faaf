#!/usr/bin/env bash
# Texts of customers that are nested a million levels deep, endless, or not text at all: the ticket-processor lives, the
# good tickets of the same poll are enriched, the bad ones are set aside with the reason; with the local backend and with
# SQS, S3 and DynamoDB (moto). Services, hubs and models that answer so are an error of one line.
. "$(dirname "$0")/../../script/lib.sh"
# Hundreds of objects, each of which is waited for on the disk, are not what is tested here: in memory they cost nothing.
TMPDIR=$(memory_place)
export TMPDIR
. "$(dirname "$0")/../ticket/aws.sh"
command -v sqlite3 >/dev/null || { echo "needs sqlite3"; exit 77; }
export MAX_RECEIVES=1 RETRY_DELAY_SECONDS=0 SQS_POLL_INTERVAL=0

# Every sink with a hostile value, as files: $WORK/objects/NAME.json is a raw ticket, $WORK/bodies/NAME a message.
make_poison() {  # LEVELS of objects, LEVELS of messages (SQS takes 256 KiB)
  rm -rf "$WORK/objects" "$WORK/bodies"
  mkdir "$WORK/objects" "$WORK/bodies"
  python3 - "$WORK" "$1" "$2" <<'PYTHON'
import json, sys

work, of_objects, of_messages = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

def shapes(levels):
    yield "closed", "[" * levels + "]" * levels
    yield "open", "[" * levels
    third = levels // 3
    yield "members", '{"a":' * third + "1" + "}" * third
    yield "mixed", '[{"a":' * third

def ticket(member, value):
    members = {"ticket_id": '"T"', "subject": '"s"', "body": '"b"', "created_at": "1", "customer_id": '"C"', member: value}
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"

def put(folder, name, data):
    with open(f"{work}/{folder}/{name}", "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())

for shape, value in shapes(of_objects):
    put("objects", f"whole-{shape}.json", value)
    for member in ("ticket_id", "subject", "created_at", "priority", "metadata", "nobody-reads"):
        put("objects", f"{member}-{shape}.json", ticket(member, value))
    for member in ("source", "tags", "language", "more"):
        put("objects", f"metadata-{member}-{shape}.json", ticket("metadata", '{"source":"s","%s":%s}' % (member, value)))
for shape, value in shapes(of_messages):
    put("bodies", f"whole-{shape}", value)
    put("bodies", f"records-{shape}", '{"Records":%s}' % value)
    put("bodies", f"record-{shape}", '{"Records":[{"s3":%s}]}' % value)
    put("bodies", f"key-{shape}", '{"Records":[{"s3":{"bucket":{"name":"b"},"object":{"key":%s}}}]}' % value)
    put("bodies", f"event-{shape}", '{"Event":%s}' % value if shape != "closed" and shape != "members" else value)
    put("bodies", f"sns-{shape}", json.dumps({"TopicArn": "t", "Message": value}))

put("objects", "too-long.json", ticket("body", json.dumps("word " * 2_000_000)))
put("objects", "too-long-subject.json", ticket("subject", json.dumps("s" * 70_000)))
put("objects", "too-many-members.json", ticket("metadata", "{" + ",".join(f'"m{i}":0' for i in range(100_000)) + "}"))
put("objects", "too-many-tags.json", ticket("metadata", json.dumps({"source": "s", "tags": ["t"] * 1001})))
put("objects", "endless-number.json", ticket("created_at", "1" * 1_000_000))
put("objects", "huge-number.json", ticket("created_at", "1e999"))
put("objects", "exponent.json", ticket("metadata", '{"source":"s","x":1e%s}' % ("9" * 100)))
put("objects", "not-a-number.json", ticket("created_at", "NaN"))
put("objects", "not-utf-8.json", ticket("body", '"?"').replace("?", "\udcff").encode("utf-8", "surrogateescape"))
put("objects", "surrogate.json", ticket("body", r'"\ud800"'))
put("objects", "nul-in-id.json", ticket("ticket_id", r'"a\u0000b"'))
put("objects", "twice.json", ticket("x", '1,"body":"other"'))
put("objects", "empty.json", "")
PYTHON
}

# Odd tickets that must be enriched all the same, beside the good ones.
odd_tickets() {
  python3 - "$WORK/odd" <<'PYTHON'
import json, os, sys

os.makedirs(sys.argv[1], exist_ok=True)
def put(name, **members):
    ticket = {"ticket_id": name, "subject": "s", "body": "b", "created_at": 1732300000, "customer_id": "C"} | members
    with open(f"{sys.argv[1]}/{name}.json", "w") as file:
        json.dump(ticket, file)
put("ODD-controls", body="".join(map(chr, range(0, 32))) + "\x7f\u0085\u200b\ufeff\U0010ffff", subject="\x00\x1b[31m")
put("ODD-tokens", body="a b " * 900_000)
put("ODD-one-word", body="x" * 3_500_000)
put("ODD-subject", subject="\u0001" * 65_536, body="")
put("ODD-signs", body="'!?,.;" * 500_000)
put("ODD-deep-enough", metadata={"source": "s", "more": json.loads("[" * 50 + "]" * 50)})
PYTHON
}

# Whether the program ended as programs do, with an error of few words, and not by a signal.
ends_well() {  # CODE STDERR
  [ "$1" -lt 128 ] || die "it was ended by signal $(($1 - 128)): $(tail -c 300 "$2")"
}

step "the local backend"
export TICKET_BACKEND=local:$WORK/aws
make_poison 1000000 120000
odd_tickets
sql() { sqlite3 -cmd '.timeout 20000' "$WORK/aws/tickets.sqlite" "$1"; }
buckets=$WORK/aws/buckets
# Messages are gathered and sent together: each of them alone would wait for the disk.
send_value() { echo "insert into message (queue, id, body, sent_at, visible_at) values ('ticket-processing-queue', '$1', $2, 0, 0);" >>"$WORK/messages.sql"; }
send_event() { send_value "$1" "'{\"Records\":[{\"key\":\"$1\"}]}'"; }
send_all() {
  (echo 'begin;'; cat "$WORK/messages.sql"; echo 'commit;') | sqlite3 -cmd '.timeout 20000' "$WORK/aws/tickets.sqlite"
  rm "$WORK/messages.sql"
}
ticket-generator --create-resources --count 0 >/dev/null
good=0
send_good() {
  good=$((good + 1))
  echo "{\"ticket_id\":\"GOOD-$good\",\"subject\":\"Cannot login\",\"body\":\"error\",\"created_at\":1732300000,\"customer_id\":\"C\"}" >"$buckets/tickets-raw/GOOD-$good.json"
  send_event "GOOD-$good.json"
}
poison=0
for file in "$WORK"/objects/* "$WORK"/bodies/*; do
  # One good ticket to each two bad ones: some in every poll of ten.
  [ $((poison % 2)) = 0 ] && send_good
  name=$(basename "$file")
  case $file in
    */objects/*) cp "$file" "$buckets/tickets-raw/$name"; send_event "$name" ;;
    *) send_value "body-$name" "cast(readfile('$file') as text)" ;;
  esac
  poison=$((poison + 1))
done
for file in "$WORK"/odd/*; do
  cp "$file" "$buckets/tickets-raw/"
  send_event "$(basename "$file")"
  good=$((good + 1))
done
send_all
code=0
ticket-processor --until-empty --json >"$WORK/summary" 2>"$WORK/log" || code=$?
ends_well $code "$WORK/log"
expect "exit code" 0 $code
expect "good tickets" $good "$(jq .processed "$WORK/summary")"
expect "items" $good "$(sql 'select count(*) from item')"
expect "messages left" 0 "$(sql 'select count(*) from message')"
kept() { find "$buckets/tickets-enriched" -name 'failed%2F*.json'; }
expect "messages set aside" $poison "$(kept | wc -l)"
kept | xargs -d '\n' jq -e '.error | length > 10 and length < 2000' >/dev/null || die "a reason is missing or endless"
kept | xargs -d '\n' cat | jq -r .error >"$WORK/reasons"
for reason in 'nested more than 64 levels deep' 'nested more than 32 levels deep' 'members and elements' 'a number of more than' 'more than 65536' 'stands twice' 'UTF-8'; do
  grep -q "$reason" "$WORK/reasons" || die "no reason '$reason' among: $(cut -c 1-200 "$WORK/reasons" | sort | uniq -c)"
done
expect "the control characters" true "$(jq '.body | startswith("\u0000\u0001")' "$buckets/tickets-enriched/ODD-controls.json")"

step "an object in the enriched bucket that is nested is replaced"
python3 -c 'print("{\"ticket_id\":\"PRE\",\"enrichment\":" + "[" * 1000000, end="")' >"$buckets/tickets-enriched/PRE.json"
sed 's/GOOD-1/PRE/' "$buckets/tickets-raw/GOOD-1.json" >"$buckets/tickets-raw/PRE.json"
send_event PRE.json
send_all
ticket-processor --until-empty --json >"$WORK/summary" 2>"$WORK/log" || die "the worker failed: $(tail -3 "$WORK/log")"
expect "the ticket" 1 "$(jq .processed "$WORK/summary")"
expect "its object" PRE "$(jq -r .ticket_id "$buckets/tickets-enriched/PRE.json")"
unset TICKET_BACKEND

step "SQS, S3 and DynamoDB"
start_moto
make_poison 300000 60000
ticket-generator --create-resources --count 0 >/dev/null
good=0 poison=0
send_body() {
  jq -nc --arg u "$QUEUE" --rawfile b "$1" '{QueueUrl: $u, MessageBody: $b}' >"$WORK/message"
  curl -fsS "$AWS_ENDPOINT_URL/" -H 'X-Amz-Target: AmazonSQS.SendMessage' -H 'Content-Type: application/x-amz-json-1.0' \
    -H "$(signed_for sqs)" --data-binary @"$WORK/message" >/dev/null
}
QUEUE=$(queue_url ticket-processing-queue)
for file in "$WORK"/objects/*-open.json "$WORK"/objects/metadata-*-closed.json "$WORK"/objects/too-* "$WORK"/objects/not-utf-8.json "$WORK"/bodies/*-closed; do
  name=$(basename "$file")
  if [ $((poison % 3)) = 0 ]; then
    good=$((good + 1))
    put_raw "GOOD-$good.json" "{\"ticket_id\":\"GOOD-$good\",\"subject\":\"s\",\"body\":\"b\",\"created_at\":1732300000,\"customer_id\":\"C\"}"
  fi
  case $file in
    */objects/*) put_raw "$name" @"$file" ;;
    *) send_body "$file" ;;
  esac
  poison=$((poison + 1))
done
for file in "$WORK"/odd/*; do
  put_raw "$(basename "$file")" @"$file"
  good=$((good + 1))
done
code=0
ticket-processor --until-empty --json >"$WORK/summary" 2>"$WORK/log" || code=$?
ends_well $code "$WORK/log"
expect "exit code" 0 $code
wait_until 30 "an empty queue" queue_is_empty
expect "good tickets" $good "$(jq .processed "$WORK/summary")"
expect "items" $good "$(item_count)"
expect "messages set aside" $poison "$(objects | grep -c '^failed/.*json$')"

step "services, credentials and hubs that answer with nesting"
python3 - "$WORK/answers" <<'PYTHON' &
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        levels = 1_000_000
        body = {"list": "[" * levels + "]" * levels, "object": '{"a":' * levels}[self.path.split("/")[2]].encode()
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
    do_GET = do_POST = do_PUT = do_HEAD = answer
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[1], "w").write(str(server.server_address[1]))
server.serve_forever()
PYTHON
WORKERS+=("$!")
disown  # or bash tells of its end
wait_until 20 "the server" test -s "$WORK/answers"
answers=http://127.0.0.1:$(cat "$WORK/answers")
errs() {  # WHAT COMMAND…: fails with an error, not by a signal
  local what=$1 code=0
  shift
  "$@" >"$WORK/out" 2>&1 </dev/null || code=$?
  [ $code = 1 ] || die "$what: exit code $code: $(tail -c 300 "$WORK/out")"
  grep -q 'ERROR' "$WORK/out" || die "$what: no error: $(tail -c 300 "$WORK/out")"
}
export START_WAIT_SECONDS=1 AWS_MAX_ATTEMPTS=1
for shape in list object; do
  for status in 200 400; do
    AWS_ENDPOINT_URL=$answers/$status/$shape errs "a service" ticket-processor --once
  done
  AWS_ACCESS_KEY_ID='' AWS_SECRET_ACCESS_KEY='' AWS_CONTAINER_CREDENTIALS_FULL_URI=$answers/200/$shape/ errs "credentials" ticket-processor --once
  HF_ENDPOINT=$answers/200/$shape TICKET_ALLOW_MISSING_MODELS=false MODEL_CACHE_DIR=$WORK/hub errs "a hub" ticket-processor preload-models
done

step "models whose files are nested"
echo '{"ticket_id":"T","subject":"s","body":"b","created_at":1,"customer_id":"C"}' >"$WORK/good.json"
export TICKET_ALLOW_MISSING_MODELS=true
for shape in '[' '{"a":'; do
  for name in config.json tokenizer.json tokenizer_config.json sentence_bert_config.json model.safetensors; do
    rm -rf "$WORK/model"
    mkdir "$WORK/model"
    python3 - "$WORK/model" "$name" "$shape" <<'PYTHON'
import json, struct, sys

folder, hostile, shape = sys.argv[1:]
files = {"config.json": '{"model_type":"bert","num_hidden_layers":1,"hidden_size":16,"num_attention_heads":1,"intermediate_size":16,'
                        '"max_position_embeddings":16,"vocab_size":5}',
         "vocab.txt": "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n", "model.safetensors": "{}"}
files[hostile] = shape * 1_000_000
for name, text in files.items():
    data = text.encode()
    with open(f"{folder}/{name}", "wb") as file:
        file.write(struct.pack("<Q", len(data)) + data if name == "model.safetensors" else data)
PYTHON
    EMBEDDING_MODEL=$WORK/model errs "a model's $name" ticket-processor enrich "$WORK/good.json"
  done
done

step "tickets on the command line"
for file in "$WORK"/objects/*-open.json; do errs "$file" ticket-processor enrich "$file"; done
truncate -s 1G "$WORK/sparse.json"
errs "a file of 1 GB" ticket-processor enrich "$WORK/sparse.json"
