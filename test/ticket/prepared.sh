#!/usr/bin/env bash
# Prepared models: workers map them instead of packing weights, and make of each ticket the same. One that is damaged, of
# another version, size, level or checkpoint is refused, which the log says, and prepared again; any number may prepare at
# once; a full volume holds all of it or nothing; a directory of prepared models needs no checkpoint beside it.
# prepare: minilm-model bart-vocabulary
# builds: ticket-processor ticket-generator
. "$(dirname "$0")/../../script/lib.sh"
. "$PROJECT/test/ticket/models.sh"
WORK=$(mktemp -d)
WORKER=''
trap '[ -z "$WORKER" ] || kill -KILL "$WORKER" 2>/dev/null || true; umount "$WORK/small" 2>/dev/null || true; rm -rf "$WORK"' EXIT
for name in $(compgen -e | grep -E '^(AWS|SQS|S3|DYNAMODB|TICKET|HF|TRANSFORMERS|FLOX_ENV)' || true); do unset "$name"; done
export HOME=$WORK METRICS_PORT=0 MODEL_CACHE_DIR=$WORK/models
. "$PROJECT/test/ticket/checks.sh"

step "twelve tickets and the three models: the real all-MiniLM-L6-v2, and two small ones with random weights"
make_models "$MODEL_CACHE_DIR" "$WORK"
ticket-generator --dry-run --count 12 --seed 9 | split -l 1 - "$WORK/ticket-"

enriched() {  # OUTPUT: all tickets, without the time of day
  ticket-processor enrich "$WORK"/ticket-* 2>"$WORK/log" | jq -cS 'del(.enrichment.processed_at)' >"$1"
  expect "tickets" 12 "$(jq -s length "$1")"
}
loaded() { jq -r 'select(.message == "model loaded") | .prepared' "$WORK/log" | xargs; }
refusals() { jq -r 'select(.message | startswith("a prepared model is refused")) | select(.level == "warning") | .reason' "$WORK/log"; }
prepared=$MODEL_CACHE_DIR/prepared
weights() { echo "$prepared"/models--sshleifer--distilbart-cnn-6-6/v1-*/weights.prepared; }
nothing_unfinished() { [ -z "$(find "$1" -name '.preparing-*' -o -name '.damaged-*')" ] || die "something is left: $(find "$1")"; }
own=$(ticket-processor enrich "$WORK/ticket-aa" 2>&1 >/dev/null | jq -r 'select(.message == "model loaded").cpu_level' | head -1)

for precision in fp16 int8; do
  step "$precision: the same tickets from prepared weights, bit by bit"
  export TICKET_PRECISION=$precision
  rm -rf "$prepared"
  enriched "$WORK/packed-$precision"
  expect "mapped before" "false false false" "$(loaded)"
  ticket-processor prepare-models --json >"$WORK/report"
  expect "models written" "true true true" "$(jq -r '.[].written' "$WORK/report" | xargs)"
  enriched "$WORK/mapped"
  expect "mapped" "true true true" "$(loaded)"
  cmp "$WORK/packed-$precision" "$WORK/mapped" || die "prepared weights make other tickets"
done
expect "states of the model, one of each precision" 2 "$(TICKET_PRECISION=fp16 ticket-processor prepare-models >/dev/null; ls "$prepared/models--sshleifer--distilbart-cnn-6-6" | wc -l)"
unset TICKET_PRECISION
rm -rf "$prepared"
ticket-processor prepare-models >/dev/null
expect "written again" "false false false" "$(ticket-processor prepare-models --json | jq -r '.[].written' | xargs)"

step "a reading worker writes nothing, and needs no right to"
find "$prepared" -type f ! -name '*.lock' -printf '%p %T@ %s\n' | sort >"$WORK/before"
chmod -R a-w "$prepared"
enriched "$WORK/mapped"
chmod -R u+w "$prepared"
find "$prepared" -type f ! -name '*.lock' -printf '%p %T@ %s\n' | sort | cmp - "$WORK/before" || die "something changed"

step "the metrics tell what is mapped"
export TICKET_BACKEND=local:$WORK/aws SQS_POLL_INTERVAL=1
ticket-processor >"$WORK/log" 2>&1 &
WORKER=$!
deadline=$((SECONDS + 60 * PATIENCE))
until grep -q '"message":"ready"' "$WORK/log"; do
  [ $SECONDS -lt $deadline ] || die "not ready: $(tail -3 "$WORK/log")"
  sleep 0.05
done
port=$(jq -r 'select(.message == "serving metrics").port' "$WORK/log")
expect "mapped models" 3 "$(curl -fsS "http://127.0.0.1:$port/metrics" | grep -c '^ticket_model_prepared{.*} 1$')"

step "what is replaced under a running worker stays mapped there"
file=$(weights)
good=$(sha256sum <"$file")
mapped_inode=$(stat -c %i "$file")
# In the middle of the weights, as a bad disk would.
damage() { printf '\x55\xaa\x55' | dd of="$file" bs=1 seek="$1" conv=notrunc status=none; }
cp --reflink=never "$file" "$WORK/kept"
mv "$WORK/kept" "$file"  # another inode: the running worker's must not change under it
damage 300001
enriched "$WORK/mapped"
expect "mapped" "true true false" "$(loaded)"
grep -q 'is damaged: section .* has another checksum' <<<"$(refusals)" || die "it does not say why: $(refusals)"
cmp "$WORK/packed-fp16" "$WORK/mapped" || die "other tickets than before"
expect "written again" "false false true" "$(ticket-processor prepare-models --json | jq -r '.[].written' | xargs)"
expect "its content" "$good" "$(sha256sum <"$(weights)")"
[ "$(stat -c %i "$(weights)")" != "$mapped_inode" ] || die "the file was written in place"
kill -0 $WORKER || die "the running worker ended"
kill -TERM $WORKER
wait $WORKER || die "the worker ended with code $?"
WORKER=''
unset TICKET_BACKEND

refused_and_prepared_again() {  # WHAT PATTERN
  enriched "$WORK/mapped"
  expect "$1: mapped" "true true false" "$(loaded)"
  grep -q -- "$2" <<<"$(refusals)" || die "$1: no '$2' in: $(refusals)"
  cmp "$WORK/packed-fp16" "$WORK/mapped" || die "$1: other tickets than before"
  expect "$1: written again" "false false true" "$(ticket-processor prepare-models --json | jq -r '.[].written' | xargs)"
  expect "$1: its content" "$good" "$(sha256sum <"$(weights)")"
  expect "$1: states" 1 "$(ls "$prepared/models--sshleifer--distilbart-cnn-6-6" | wc -l)"
  nothing_unfinished "$prepared"
}
step "a flipped byte in the header, another size, another version, an empty file: refused and prepared again"
file=$(weights)
damage 200
refused_and_prepared_again "damaged header" 'header is damaged'
truncate -s -1 "$(weights)"
refused_and_prepared_again "shorter" 'its header says'
truncate -s +1 "$(weights)"
refused_and_prepared_again "longer" 'its header says'
printf '\x02' | dd of="$(weights)" bs=1 seek=8 conv=notrunc status=none
refused_and_prepared_again "another version" 'version 2 of the format, where this program reads version 1'
: >"$(weights)"
refused_and_prepared_again "empty" 'not a prepared model'

step "other weights, or another tokenizer: refused and prepared again"
summary=$MODEL_CACHE_DIR/models--sshleifer--distilbart-cnn-6-6/snapshots/$model_commit
cp "$summary/model.safetensors" "$WORK/kept"
printf '\x01' | dd of="$summary/model.safetensors" bs=1 seek=$(($(stat -c %s "$summary/model.safetensors") - 2)) conv=notrunc status=none
enriched "$WORK/mapped"
expect "mapped" "true true false" "$(loaded)"
grep -q 'it was prepared from other weights' <<<"$(refusals)" || die "it does not say so: $(refusals)"
ticket-processor prepare-models >/dev/null
expect "states of the model" 1 "$(ls "$prepared/models--sshleifer--distilbart-cnn-6-6" | wc -l)"
cp "$WORK/kept" "$summary/model.safetensors"
ticket-processor prepare-models >/dev/null
expect "its content" "$good" "$(sha256sum <"$(weights)")"

step "four prepare at once: written once, by one of them"
rm -rf "$prepared"
pids=()
for i in 1 2 3 4; do
  ticket-processor prepare-models --json >"$WORK/report-$i" 2>"$WORK/report-$i.log" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || die "one failed: $(cat "$WORK"/report-*.log)"; done
expect "writers of each model" "3" "$(cat "$WORK"/report-? | jq '.[].written' | grep -c true)"
expect "its content" "$good" "$(sha256sum <"$(weights)")"

step "one that is killed leaves nothing that counts, and the next one clears up"
rm -rf "$prepared"
mkdir -p "$prepared/models--sshleifer--distilbart-cnn-6-6/.preparing-killed"
echo half >"$prepared/models--sshleifer--distilbart-cnn-6-6/.preparing-killed/weights.prepared"
enriched "$WORK/mapped"
expect "mapped" "false false false" "$(loaded)"
ticket-processor prepare-models >/dev/null
nothing_unfinished "$prepared"

step "levels: those that are asked for, and a processor without them says so and packs its own"
refuses 'processor level "x86-64-v9" is not known; this program has' ticket-processor prepare-models --level x86-64-v9
if [ "$(uname -m)" = x86_64 ] && [ "$own" != x86-64-v2 ]; then
  rm -rf "$prepared"
  ticket-processor prepare-models --level x86-64-v2 --level "$own" --json >"$WORK/report"
  expect "states written" 6 "$(jq '[.[] | select(.written)] | length' "$WORK/report")"
  rm -rf "$prepared"/*/v1-*-"$own"-*
  enriched "$WORK/mapped"
  expect "mapped" "false false false" "$(loaded)"
  grep -q "prepared for the processor level x86-64-v2, and this processor has $own" <<<"$(refusals)" || die "it does not say so: $(refusals)"
  cmp "$WORK/packed-fp16" "$WORK/mapped" || die "other tickets than before"
  TICKET_CPU_LEVEL=x86-64-v2 enriched "$WORK/v2"
  expect "mapped by the older processor" "true true true" "$(loaded)"

  step "the same without any checkpoint: weights of 16 and 32 bits are packed again from the other level's, and nothing else differs"
  mv "$prepared" "$WORK/package"
  MODEL_CACHE_DIR=$WORK/nowhere TICKET_PREPARED_MODELS=$WORK/package enriched "$WORK/mapped"
  expect "mapped" "false false false" "$(loaded)"
  cmp "$WORK/packed-fp16" "$WORK/mapped" || die "other tickets than before"
  rm -rf "$WORK/package"
fi

step "a directory of prepared models is enough: by its variable, and as the environment's package"
rm -rf "$prepared"
ticket-processor prepare-models --to "$WORK/env/share/ticket-models" >/dev/null
MODEL_CACHE_DIR=$WORK/nowhere TICKET_PREPARED_MODELS=$WORK/env/share/ticket-models enriched "$WORK/mapped"
expect "mapped" "true true true" "$(loaded)"
cmp "$WORK/packed-fp16" "$WORK/mapped" || die "other tickets than before"
MODEL_CACHE_DIR=$WORK/nowhere FLOX_ENV=$WORK/env enriched "$WORK/mapped"
expect "mapped" "true true true" "$(loaded)"
file=$(echo "$WORK"/env/share/ticket-models/models--sshleifer--*/v1-*/weights.prepared)
damage 300001
export MODEL_CACHE_DIR=$WORK/nowhere FLOX_ENV=$WORK/env
refuses 'sshleifer/distilbart-cnn-6-6 is not on this machine' ticket-processor enrich "$WORK/ticket-aa"
grep -q 'is damaged: section' "$WORK/out" || die "it does not say that the prepared one is damaged: $(cat "$WORK/out")"
unset FLOX_ENV
export MODEL_CACHE_DIR=$WORK/models

step "a full volume: all of a model or nothing, and the advice that makes room"
mkdir "$WORK/small"
if mount -t tmpfs -o size=300M tmpfs "$WORK/small" 2>/dev/null; then
  head -c 260M /dev/zero >"$WORK/small/others"
  refuses 'preparing sentence-transformers/all-MiniLM-L6-v2 .* reserving .* bytes .*No space left on device' ticket-processor prepare-models --to "$WORK/small/models"
  grep -q 'Make room on that volume' "$WORK/out" || die "no advice: $(cat "$WORK/out")"
  expect "files of it" 0 "$(find "$WORK/small/models" -type f ! -name '*.lock' | wc -l)"
  rm "$WORK/small/others"
  nothing_unfinished "$WORK/small/models"
  ticket-processor prepare-models --to "$WORK/small/models" >/dev/null
  MODEL_CACHE_DIR=$WORK/models TICKET_PREPARED_MODELS=$WORK/small/models enriched "$WORK/mapped"
  cmp "$WORK/packed-fp16" "$WORK/mapped" || die "other tickets than before"
  umount "$WORK/small"
fi
