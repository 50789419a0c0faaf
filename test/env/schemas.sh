#!/usr/bin/env bash
# The JSON schemas of docs/formats/ (schemas.py): editors that check manifests by them say what flox says.
. "$(dirname "$0")/../cli/support.sh"
python3 -c 'import tomllib, jsonschema' 2>/dev/null || { echo "python3 with tomllib (3.11) and jsonschema is missing"; exit 77; }

step "the environments of the corpus are as the schemas say"
python3 "$PROJECT/test/env/corpus.py" "$WORK/corpus"
python3 "$PROJECT/test/env/schemas.py" environments "$WORK/corpus"

step "the schema and flox accept and refuse the same manifests"
python3 "$PROJECT/test/env/schemas.py" verdicts "$WORK/verdicts"
