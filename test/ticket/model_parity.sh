#!/usr/bin/env bash
# The models against torch and transformers: real MiniLM embeddings; DistilBERT's logits and DistilBART's beam search with
# random weights, in each format of checkpoint and each precision.
# prepare: oracle-venv
. "$(dirname "$0")/../lib.sh"
model_run=$BUILD_DIR/bench/model_run
oracle=$PROJECT/test/ticket/model_oracle.py
venv=$("$PROJECT/script/oracle-venv") || { echo "the oracles (torch, transformers from PyPI) cannot be had"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
"$venv/bin/python" "$oracle" make . "$venv" 2>make.log || { tail -5 make.log; die "the oracles failed"; }

ours() {  # ours MODEL DIRECTORY OPTION…: answers to MODEL.questions; the report goes to `report`
  local model=$1
  "$model_run" "$@" <"$model.questions" 2>report || { cat report; die "model_run $* failed"; }
}
compare() { python3 "$oracle" compare "$@" || die "not equal enough"; }

step "embeddings of the real all-MiniLM-L6-v2, from text"
ours embed "$venv/minilm" >embed.got
compare cosine embed.answers embed.got 1e-4

step "DistilBERT's logits"
for format in safetensors zip legacy; do
  ours classify "distilbert-$format" --tokens >classify.got
  compare numbers classify.answers classify.got 1e-3
done

step "beam search, token for token"
for precision in fp32 fp16; do
  ours summarize bart-safetensors --tokens --precision $precision >summarize.got
  compare tokens summarize.answers summarize.got
done
for format in zip legacy; do  # the same weights: fewer questions will do
  head -40 summarize.questions | "$model_run" summarize "bart-$format" --tokens >summarize.got 2>report || { cat report; die "bart-$format"; }
  head -40 summarize.answers >summarize.first
  compare tokens summarize.first summarize.got
done

step "beam search with weights of 8 bits: how many are equal (of random weights, on which every rounding tells)"
ours summarize bart-safetensors --tokens --precision int8 >summarize.got
compare tokens summarize.answers summarize.got 0

step "the answer does not depend on what else is in the batch"
ours summarize bart-safetensors --tokens --batch 1 >summarize.got
compare tokens summarize.answers summarize.got

step "another level of processor, if there is one"
if [ "$(jq -r .level report)" != x86-64-v2 ] && [ "$(uname -m)" = x86_64 ]; then
  TICKET_CPU_LEVEL=x86-64-v2 ours classify distilbert-safetensors --tokens >classify.got
  equal "$(jq -r .level report)" x86-64-v2
  compare numbers classify.answers classify.got 1e-3
fi
