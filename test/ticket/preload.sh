#!/usr/bin/env bash
# ticket-processor preload-models: fills a cache that huggingface_hub reads, whatever the network does, and shares the work
# with others that fill it at the same time.
# prepare: minilm-model hub-packages
# builds: ticket-processor
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d)
HUB=
trap '[ -z "$HUB" ] || kill "$HUB" 2>/dev/null; rm -rf "$WORK"' EXIT
hub=$WORK/hub faults=$WORK/faults log=$WORK/log
minilm=$("$PROJECT/script/minilm-model" 2>/dev/null) && hub_packages=$("$PROJECT/script/hub-packages" 2>/dev/null) || hub_packages=
# FLOX_ORACLE_VENV is set by script/oracles: transformers itself reads the cache then, beside huggingface_hub.
transformers=${FLOX_ORACLE_VENV:-}
export HOME=$WORK/home
unset HF_HOME HF_HUB_CACHE TRANSFORMERS_CACHE HF_TOKEN HF_HUB_OFFLINE

make_model() {  # make_model ID WEIGHTS_FILE BYTES FILE…: a model with that many bytes of weights
  local directory=$hub/$1 file
  mkdir -p "$directory/1_Pooling"
  for file in config.json "${@:4}"; do echo "{\"what\": \"$file of $1\"}" >"$directory/$file"; done
  python3 -c "import random, sys; sys.stdout.buffer.write(random.Random('$1').randbytes($3))" >"$directory/$2"
}
make_model sentence-transformers/all-MiniLM-L6-v2 model.safetensors 3000000 tokenizer.json tokenizer_config.json vocab.txt \
  modules.json sentence_bert_config.json 1_Pooling/config.json pytorch_model.bin rust_model.ot README.md
make_model distilbert/distilbert-base-uncased-finetuned-sst-2-english model.safetensors 2000000 vocab.txt tokenizer_config.json
make_model sshleifer/distilbart-cnn-6-6 pytorch_model.bin 4000000 vocab.json merges.txt flax_model.msgpack rust_model.ot
echo "distilbert-base-uncased-finetuned-sst-2-english distilbert/distilbert-base-uncased-finetuned-sst-2-english" >"$hub/MOVED"
all_bytes=9000000
python3 "$PROJECT/test/ticket/fake_hub.py" "$hub" "$WORK/port" "$log" "$faults" &
HUB=$!
for _ in $(seq 200); do [ -e "$WORK/port" ] && break; sleep 0.05; done
export HF_ENDPOINT=http://127.0.0.1:$(cat "$WORK/port")

preload() { ticket-processor preload-models "$@"; }
fresh() { rm -rf "$WORK/cache"; : >"$log"; : >"$faults"; export MODEL_CACHE_DIR=$WORK/cache; }
refuses() {  # refuses PATTERN COMMAND…
  local pattern=$1
  shift
  if "$@" >"$WORK/out" 2>&1; then die "succeeded: $*"; fi
  grep -qE -- "$pattern" "$WORK/out" || die "no '$pattern' in: $(cat "$WORK/out")"
}
requests() { grep -c "$1" "$log" || true; }
same_weights() {  # the weights of all three are those of the Hub
  cmp "$hub/sentence-transformers/all-MiniLM-L6-v2/model.safetensors" "$MODEL_CACHE_DIR"/models--sentence-transformers--all-MiniLM-L6-v2/snapshots/*/model.safetensors
  cmp "$hub/distilbert/distilbert-base-uncased-finetuned-sst-2-english/model.safetensors" \
    "$MODEL_CACHE_DIR"/models--distilbert-base-uncased-finetuned-sst-2-english/snapshots/*/model.safetensors
  cmp "$hub/sshleifer/distilbart-cnn-6-6/pytorch_model.bin" "$MODEL_CACHE_DIR"/models--sshleifer--distilbart-cnn-6-6/snapshots/*/pytorch_model.bin
  ! find "$MODEL_CACHE_DIR" -name '*.incomplete' | grep . || die "something is left incomplete"
}

step "three models, the needed files only, each blob once"
fresh
preload >"$WORK/out"
same_weights
for unwanted in rust_model.ot flax_model README.md all-MiniLM-L6-v2.*pytorch_model.bin all-MiniLM-L6-v2.*vocab.txt; do
  [ "$(requests "GET.*$unwanted")" = 0 ] || die "$unwanted was fetched"
done
grep -q '3 models, 9.0 MB' "$WORK/out" || die "no summary: $(cat "$WORK/out")"
[ "$(cat "$MODEL_CACHE_DIR"/models--sshleifer--distilbart-cnn-6-6/refs/main)" = "$(ls "$MODEL_CACHE_DIR"/models--sshleifer--distilbart-cnn-6-6/snapshots)" ] || die "refs/main is wrong"

step "again: nothing comes over the network; offline nothing is asked"
[ "$(preload --json | jq '[.models[].fetched_bytes] | add')" = 0 ] || die "something was fetched again"
: >"$log"
HF_HUB_OFFLINE=1 preload >/dev/null
[ ! -s "$log" ] || die "the Hub was asked: $(cat "$log")"
HF_HUB_OFFLINE=1 MODEL_CACHE_DIR=$WORK/empty refuses 'is not on this machine; looked at:' ticket-processor preload-models
HF_ENDPOINT=http://127.0.0.1:1 preload sshleifer/distilbart-cnn-6-6 >"$WORK/out"
grep -q 'taken as it is' "$WORK/out" || die "a Hub that is away: $(cat "$WORK/out")"

step "a damaged file is found and fetched again"
blob=$(readlink -f "$MODEL_CACHE_DIR"/models--sshleifer--distilbart-cnn-6-6/snapshots/*/pytorch_model.bin)
printf x | dd of="$blob" bs=1 seek=1000 conv=notrunc status=none
preload --check-content >/dev/null
same_weights

step "transfers that break go on where they broke"
fresh
echo "cut cdn/sshleifer 1500000 1" >"$faults"
echo "cut cdn/distilbert 700000 2" >>"$faults"
[ "$(preload --json | jq '[.models[].fetched_bytes] | add >= 9000000 and add < 9010000')" = true ] || die "bytes came twice"
same_weights
grep -q 'pytorch_model.bin bytes=1500000- 206' "$log" || die "no Range: $(cat "$log")"

step "a run that was killed is resumed by the next"
fresh
echo "slow cdn/sshleifer 2000000 1" >"$faults"
ticket-processor preload-models sshleifer/distilbart-cnn-6-6 >/dev/null 2>&1 &
killed=$!
for _ in $(seq 400); do
  [ "$(stat -c %s "$MODEL_CACHE_DIR"/models--sshleifer--distilbart-cnn-6-6/blobs/*.incomplete 2>/dev/null || echo 0)" -gt 500000 ] && break
  sleep 0.05
done
kill -9 "$killed"
wait "$killed" 2>/dev/null || true
[ "$(preload sshleifer/distilbart-cnn-6-6 --json | jq '.models[0].fetched_bytes < 3700000')" = true ] || die "fetched from the start"
preload >/dev/null
same_weights

step "a server without ranges; statuses that pass"
fresh
printf '%s\n' "cut cdn/sshleifer 1500000 1" "norange pytorch_model.bin 0 9" "status api/models 503 1" "status resolve 429 1" "status cdn 500 1" >"$faults"
preload >/dev/null
same_weights

step "a wrong checksum once is repaired, always it is refused and nothing is kept"
fresh
echo "corrupt pytorch_model.bin 0 1" >"$faults"
preload >/dev/null
same_weights
fresh
echo "corrupt pytorch_model.bin 0 99" >"$faults"
refuses 'pytorch_model.bin of sshleifer/distilbart-cnn-6-6: 4000000 bytes with the hash .* came instead' ticket-processor preload-models sshleifer/distilbart-cnn-6-6
! find "$MODEL_CACHE_DIR" -name '*.incomplete' -o -name main | grep . || die "the wrong content was kept"

step "refusals name the model and what to do"
fresh
refuses 'answers 404: Repository not found' ticket-processor preload-models no/such-model
printf '%s\n' "token api/models SECRET 99" "token /resolve/ SECRET 99" >"$faults"
refuses 'answers 401: Access to this model is restricted' ticket-processor preload-models sshleifer/distilbart-cnn-6-6
refuses 'needs HF_TOKEN' ticket-processor preload-models sshleifer/distilbart-cnn-6-6
HF_TOKEN=wrong refuses 'the account of HF_TOKEN may not' ticket-processor preload-models sshleifer/distilbart-cnn-6-6
HF_TOKEN=SECRET preload sshleifer/distilbart-cnn-6-6 >/dev/null  # and the token goes to the Hub only
: >"$faults"
mkdir -p "$hub/odd/model"
echo '{}' >"$hub/odd/model/config.json"
refuses 'model odd/model on the Hub has no tokenizer' ticket-processor preload-models odd/model
echo x >"$WORK/file"
MODEL_CACHE_DIR=$WORK/file/x refuses 'preparing the model cache' ticket-processor preload-models

step "no room: refused before the first byte"
fresh
mkdir "$WORK/small"
unshare -m sh -c "mount -t tmpfs -o size=20m tmpfs '$WORK/small' && MODEL_CACHE_DIR='$WORK/small' ticket-processor preload-models" >"$WORK/out" 2>&1 && die "20 MB were enough"
grep -q 'has .* MB free, and 25.* MB are needed' "$WORK/out" || die "no room: $(cat "$WORK/out")"
[ "$(requests cdn/)" = 0 ] || die "something was fetched"

step "four at once on one volume, one of them killed: each byte is fetched once"
fresh
echo "slow cdn/ 8000000 99" >"$faults"
pids=()
for i in 1 2 3 4; do
  ticket-processor preload-models --json >"$WORK/json.$i" 2>"$WORK/error.$i" &
  pids+=($!)
done
for _ in $(seq 400); do
  ls "$MODEL_CACHE_DIR"/models--sentence*/blobs/*.incomplete >/dev/null 2>&1 && break
  sleep 0.02
done
kill -9 "${pids[0]}"
for i in 1 2 3; do wait "${pids[$i]}" || die "number $((i + 1)): $(cat "$WORK/error.$((i + 1))")"; done
same_weights
fetched=$(cat "$WORK"/json.[234] | jq -s '[.[].models[].fetched_bytes] | add')
[ "$fetched" -le $((all_bytes + 10000)) ] || die "$fetched bytes were fetched"

step "the guide's line of Python"
PYTHONPATH=$PROJECT/workload/ticket/python PYTHONDONTWRITEBYTECODE=1 python3 -c 'from src.processor.models import preload_all_models; preload_all_models()' >"$WORK/out"
grep -q '3 models' "$WORK/out" || die "$(cat "$WORK/out")"

step "huggingface_hub reads it offline, and what transformers asks of it; and the other way round"
[ -n "$hub_packages" ] || { echo "all but this: there is no huggingface_hub to compare with, PyPI cannot be reached"; exit 77; }
export HF_HUB_DISABLE_XET=1 PYTHONDONTWRITEBYTECODE=1
with_hub() { PYTHONPATH=$hub_packages python3 "$@"; }
HF_HUB_OFFLINE=1 with_hub - <<'PYTHON'
import os, pathlib
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download
cache = os.environ["MODEL_CACHE_DIR"]
for model, file in (("sentence-transformers/all-MiniLM-L6-v2", "1_Pooling/config.json"), ("sshleifer/distilbart-cnn-6-6", "pytorch_model.bin"),
                    ("distilbert-base-uncased-finetuned-sst-2-english", "vocab.txt")):
    assert pathlib.Path(hf_hub_download(model, file, cache_dir=cache)).stat().st_size > 0
    assert snapshot_download(model, cache_dir=cache)
found = scan_cache_dir(cache)
assert len(found.repos) == 3 and not found.warnings, found
PYTHON
make_model real/tokenizer model.safetensors 3000
cp "$minilm"/{config,tokenizer,tokenizer_config,special_tokens_map}.json "$hub/real/tokenizer"
preload real/tokenizer >/dev/null
reads=$PROJECT/test/ticket/oracles/hub_reads.py
with_hub "$reads" real/tokenizer "$MODEL_CACHE_DIR" "$(echo "$MODEL_CACHE_DIR"/models--real--tokenizer/snapshots/*)"
if [ -n "$transformers" ]; then
  USE_TORCH=0 "$transformers/bin/python" "$reads" load "$MODEL_CACHE_DIR" 2>"$WORK/out" || die "transformers: $(tail -3 "$WORK/out")"
fi
with_hub -c "
from huggingface_hub import snapshot_download
snapshot_download('sshleifer/distilbart-cnn-6-6', cache_dir='$WORK/theirs', ignore_patterns=['*.ot', '*.msgpack'])" 2>"$WORK/out" || die "$(tail -3 "$WORK/out")"
HF_HUB_OFFLINE=1 MODEL_CACHE_DIR=$WORK/theirs preload sshleifer/distilbart-cnn-6-6 >/dev/null
[ "$(MODEL_CACHE_DIR=$WORK/theirs preload sshleifer/distilbart-cnn-6-6 --json | jq '.models[0].fetched_bytes')" = 0 ] || die "theirs was fetched again"
