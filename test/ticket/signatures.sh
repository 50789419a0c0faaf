#!/usr/bin/env bash
# Every request of worker and generator is signed just as boto3's signer (botocore) signs it, with odd keys and session
# tokens too; one that is signed with another secret is refused, and the log says so.
# prepare: moto-venv
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/aws.sh"
start_moto
start_proxy '{"keys": {"test": ["test", ""], "ASIA": ["s/e+c=ret", "tok/en+=="]}}'

step "keys of all kinds"
ticket-generator --create-resources --count 3 --seed 1 >/dev/null
ids=('plain' 'with blank' 'a+b=c&d' 'ä/ö/漢字' "quote'\"(x)!*~" 'per%20cent' 'semi;colon:@,$')
for i in "${!ids[@]}"; do
  jq -nc --arg id "${ids[$i]}" '{ticket_id: $id, subject: "s", body: "b", created_at: 1732300000, customer_id: "C"}' >"$WORK/ticket.json"
  key=$(jq -rn --arg id "raw/${ids[$i]}" '$id | @uri')
  AWS_ENDPOINT_URL=$MOTO_URL put_raw "$key" @"$WORK/ticket.json"
done
ticket-processor --until-empty >"$WORK/worker.log" || die "the worker failed"
expect "tickets" $((3 + ${#ids[@]})) "$(jq 'select(.message == "stopped").processed' "$WORK/worker.log")"
expect "their items" "$(printf '%s\n' DEMO-1-1 DEMO-1-2 DEMO-1-3 "${ids[@]}" | LC_ALL=C sort)" "$(items_at_moto | jq -r .ticket_id | LC_ALL=C sort)"
for call in 's3 PUT 200' 's3 GET 206' 's3 HEAD 200' 'sqs ReceiveMessage 200' 'sqs DeleteMessage 200' 'dynamodb PutItem 200'; do
  grep -q "^$call" "$WORK/proxy.log" || die "no call '$call' went through the proxy"
done
! grep -E 'SignatureDoesNotMatch|InvalidURI|AccessDenied|InvalidClientTokenId|Mismatch' "$WORK/proxy.log" || die "some calls were refused: $(cat "$WORK/proxy.err")"

step "session tokens are signed"
: >"$WORK/proxy.log"
AWS_ACCESS_KEY_ID=ASIA AWS_SECRET_ACCESS_KEY='s/e+c=ret' AWS_SESSION_TOKEN='tok/en+==' ticket-generator --count 1 --seed 2 >/dev/null
grep -q '^s3 PUT 200' "$WORK/proxy.log" || die "nothing came through"

step "the wrong secret is refused, by name"
! AWS_SECRET_ACCESS_KEY=wrong ticket-generator --count 1 --seed 3 >"$WORK/out" 2>&1 || die "the wrong secret was good enough"
grep -q 'writing s3://tickets-raw/DEMO-3-1.json: SignatureDoesNotMatch' "$WORK/out" || die "no reason in: $(cat "$WORK/out")"
