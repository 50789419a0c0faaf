#!/usr/bin/env bash
# Weights of 8 bits beside those of 32, where answers mean something: on tickets that the surrogates (script/surrogates) have not seen, at least
# 99.5 % of the labels and 95 % of the summaries are the same, at every level of this processor.
#   FLOX_SURROGATES   the directory that script/surrogates made (default: ~/.cache/flox-imageless/surrogates)
#   COUNT             how many tickets (default: 200)
# builds: model_run ticket-generator
. "$(dirname "$0")/../lib.sh"
surrogates=${FLOX_SURROGATES:-${XDG_CACHE_HOME:-$HOME/.cache}/flox-imageless/surrogates}
for model in classify summarize; do
  [ -e "$surrogates/$model/config.json" ] || { echo "there is no surrogate $surrogates/$model: script/surrogates trains it, in an hour or more"; exit 77; }
done
. "$PROJECT/test/ticket/surrogates/both.sh"

step "what is asked: tickets that nothing was trained with"
ticket-generator --dry-run --seed 103 --count $((12 * ${COUNT:-200})) >tickets
python3 "$here/questions.py" "${COUNT:-200}" tickets questions classify.right summarize.right
for model in classify summarize; do
  step "$model: $(cat "$surrogates/$model/surrogate.json")"
  both $model "$surrogates/$model" questions $model.right
done
