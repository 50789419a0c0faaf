"""The complete enrichment of tickets, as the original's own libraries do it, and the comparison with a worker's.

    enrichment.py EXPECTED TICKETS DIRECTORY     the objects DIRECTORY/<ticket_id>.json are those that are expected
"""
import json
import sys

from questions import fingerprint

MODEL_VERSION = ("rules-1 all-MiniLM-L6-v2@01234567 distilbert-base-uncased-finetuned-sst-2-english@01234567 "
                 "distilbart-cnn-6-6@01234567")
ORDER = ["embedding", "intent", "intent_confidence", "urgency", "urgency_confidence", "sentiment", "sentiment_confidence",
         "summary", "processed_at", "model_version", "processor_version"]


def question(ticket):
    return f"{ticket['subject']}. {ticket['body']}"


def enrich(minilm, sentiment, summary, tickets):
    """What the libraries make of tickets (lines of JSON). Needs script/oracle-venv."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(minilm, device="cpu")
    classifier = transformers.pipeline("sentiment-analysis", model=sentiment, device=-1)
    summarizer = transformers.pipeline("summarization", model=summary, device=-1, torch_dtype=torch.float32)
    found = []
    for ticket in map(json.loads, tickets):
        text = question(ticket)
        label = classifier(text)[0]
        neutral = 0.45 <= label["score"] <= 0.55
        short = len(ticket["body"].split()) < 20
        words = ticket["subject"] if short else summarizer(
            text, max_length=50, min_length=10, do_sample=False, truncation=True)[0]["summary_text"].strip()
        if not short and not words.endswith((".", "!", "?")):
            words += "."
        found.append({"ticket_id": ticket["ticket_id"], "question": fingerprint(text),
                      "sentiment": "NEUTRAL" if neutral else label["label"],
                      "sentiment_confidence": 0.5 if neutral else round(label["score"], 6), "summary": words,
                      "embedding": [round(number, 5) for number in encoder.encode(text).tolist()]})
    return found


def compare(expected, ticket, found):
    name = expected["ticket_id"]
    if expected["question"] != fingerprint(question(ticket)):
        sys.exit(f"the ticket {name} has changed: script/oracles --write asks the oracles again")
    assert list(found) == ORDER, (name, list(found))
    assert len(found["embedding"]) == len(expected["embedding"]) == 384, name
    cosine = sum(a * b for a, b in zip(found["embedding"], expected["embedding"]))
    assert abs(cosine - 1) < 1e-4, (name, cosine)
    assert found["sentiment"] == expected["sentiment"], (name, found["sentiment"], expected["sentiment"])
    assert abs(found["sentiment_confidence"] - expected["sentiment_confidence"]) < 1e-3, name
    assert found["summary"] == expected["summary"], (name, found["summary"], expected["summary"])
    assert found["model_version"] == MODEL_VERSION, found["model_version"]


if __name__ == "__main__":
    expected = [json.loads(line) for line in open(sys.argv[1])]
    tickets = {ticket["ticket_id"]: ticket for ticket in map(json.loads, open(sys.argv[2]))}
    assert {line["ticket_id"] for line in expected} == tickets.keys(), tickets.keys()
    for line in expected:
        name = line["ticket_id"]
        compare(line, tickets[name], json.load(open(f"{sys.argv[3]}/{name}.json"))["enrichment"])
    # With one summary for all, little would be compared.
    assert len({line["summary"] for line in expected}) >= 3
    print(f"{len(expected)} tickets enriched as the original does it")
