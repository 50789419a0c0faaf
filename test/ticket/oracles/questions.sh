#!/usr/bin/env bash
# Writes what the oracles of tokenizers and of the complete enrichment are asked: DIRECTORY/texts, DIRECTORY/tickets.
#   questions.sh DIRECTORY
. "$(dirname "$0")/../../../script/lib.sh"
ticket-generator --dry-run --count 900 --seed 6 >"$1/corpus.tickets"
python3 "$PROJECT/test/ticket/oracles/tokenizer_corpus.py" "$1/corpus.tickets" "$1/texts"
ticket-generator --dry-run --count 9 --seed 4 >"$1/tickets"
echo '{"ticket_id":"SHORT","subject":"Cannot login","body":"Getting authentication error","created_at":1,"customer_id":"C"}' >>"$1/tickets"
