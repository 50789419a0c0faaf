#!/usr/bin/env bash
# Tokenizers: the ids of Hugging Face's fast tokenizers, and their texts, on a multilingual corpus and on fuzzed input.
# prepare: oracle-venv
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
oracle=$("$PROJECT/script/oracle-venv") || { echo "no transformers to compare with: PyPI cannot be reached"; exit 77; }
tokenize=$BUILD_DIR/bench/tokenize
python=$oracle/bin/python
corpus=$PROJECT/test/ticket/tokenizer_corpus.py

step "a corpus of tickets and of all scripts"
ticket-generator --dry-run --count 900 --seed 6 >"$WORK/tickets"
"$python" "$corpus" texts "$WORK/tickets" "$WORK/texts"

step "the same ids, the same texts"
# minilm has a tokenizer.json; the same vocabulary as vocab.txt alone, as DistilBERT may come; BART's vocab.json and merges.
mkdir "$WORK/vocabulary"
cp "$oracle/minilm/vocab.txt" "$WORK/vocabulary"
"$python" "$corpus" compare "$tokenize" "$WORK/texts" BertTokenizerFast "$oracle/minilm" 256 \
  BartTokenizerFast "$oracle/bart" 1024
"$tokenize" "$oracle/minilm" 20 <"$WORK/texts" >"$WORK/ids"
"$tokenize" "$WORK/vocabulary" 20 <"$WORK/texts" | cmp - "$WORK/ids" || die "vocab.txt alone gives other ids"

step "BART's tokenizer.json, as save_pretrained writes it"
"$python" -c "
import os; os.environ['USE_TORCH'] = '0'
import transformers; transformers.BartTokenizerFast.from_pretrained('$oracle/bart').save_pretrained('$WORK/saved')"
mkdir "$WORK/json"
cp "$WORK/saved/tokenizer.json" "$WORK/json"
"$tokenize" "$oracle/bart" 60 <"$WORK/texts" >"$WORK/ids"
"$tokenize" "$WORK/json" 60 <"$WORK/texts" | cmp - "$WORK/ids" || die "tokenizer.json gives other ids"

step "what cannot be loaded names the file and the reason"
refuses() {  # refuses PATTERN DIRECTORY
  "$tokenize" "$2" 8 </dev/null >"$WORK/out" 2>&1 && die "$2 was loaded"
  grep -qE "$1" "$WORK/out" || die "no '$1' in: $(cat "$WORK/out")"
}
mkdir "$WORK/broken"
refuses 'has no tokenizer: neither tokenizer.json' "$WORK/broken"
head -c 1000 "$oracle/minilm/tokenizer.json" >"$WORK/broken/tokenizer.json"
refuses 'broken/tokenizer.json: JSON:1:[0-9]+: not JSON' "$WORK/broken"
jq -c '.model.type = "Unigram"' "$oracle/minilm/tokenizer.json" >"$WORK/broken/tokenizer.json"
refuses 'a tokenizer of type Unigram is not known' "$WORK/broken"
jq -c 'del(.model.vocab["[UNK]"])' "$oracle/minilm/tokenizer.json" >"$WORK/broken/tokenizer.json"
refuses 'no token "\[UNK\]"' "$WORK/broken"
rm "$WORK/broken/tokenizer.json"
cp "$oracle/bart/vocab.json" "$WORK/broken"
echo 'zq xj' >"$WORK/broken/merges.txt"
refuses 'merge 0 of "zq" and "xj": the vocabulary has no token' "$WORK/broken"
