"""Writes what the models are asked of tickets, and what is right: questions.py COUNT TICKETS QUESTIONS LABELS SUMMARIES, a line of JSON each.

Of the tickets it takes COUNT, none twice, with which nothing was trained."""
import json
import sys

import rules

tickets, questions, labels, summaries = sys.argv[2:]
count, asked = int(sys.argv[1]), set()
with open(tickets) as lines, open(questions, "w") as to_ask, open(labels, "w") as to_label, open(summaries, "w") as to_summarize:
    for ticket in map(json.loads, lines):
        text = rules.question(ticket)
        if len(asked) == count or text in asked or not rules.held_out(text):
            continue
        asked.add(text)
        label, summary = rules.answer(ticket)
        print(json.dumps(text), file=to_ask)
        print(json.dumps(label), file=to_label)
        print(json.dumps(summary), file=to_summarize)
if len(asked) < count:
    sys.exit(f"{tickets} has only {len(asked)} tickets that are held out, not {count}")
