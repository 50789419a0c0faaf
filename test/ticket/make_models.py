"""Models for test/ticket/enrichment.sh: the real all-MiniLM-L6-v2, and the other two as small checkpoints of the true
architectures with seeded random weights, in the Hub's cache layout; and what the original's libraries make of tickets.

    make_models.py CACHE VENV TICKETS...     prints one JSON object a ticket: {"embedding", "sentiment", ..., "summary"}
"""

import json
import pathlib
import shutil
import sys

import torch
import transformers

COMMIT = "0123456789abcdef0123456789abcdef01234567"
cache, venv = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])


def snapshot(model_id):
    folder = cache / ("models--" + model_id.replace("/", "--"))
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(COMMIT)
    (folder / "snapshots").mkdir()
    return folder / "snapshots" / COMMIT


def copy(source, target, names):
    for name in names:
        if (source / name).exists():
            shutil.copy(source / name, target)


torch.manual_seed(7)
minilm = snapshot("sentence-transformers/all-MiniLM-L6-v2")
shutil.copytree(venv / "minilm", minilm)

sentiment = snapshot("distilbert-base-uncased-finetuned-sst-2-english")
config = transformers.DistilBertConfig(dim=64, hidden_dim=128, n_layers=2, n_heads=4, vocab_size=30522,
                                       id2label={0: "NEGATIVE", 1: "POSITIVE"}, label2id={"NEGATIVE": 0, "POSITIVE": 1})
model = transformers.DistilBertForSequenceClassification(config).eval()
with torch.no_grad():
    model.classifier.weight.mul_(40)  # so that texts differ
model.save_pretrained(sentiment)
copy(venv / "minilm", sentiment, ["vocab.txt"])

summary = snapshot("sshleifer/distilbart-cnn-6-6")
config = transformers.BartConfig(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                                 decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, vocab_size=50264,
                                 max_position_embeddings=1024, num_beams=4, length_penalty=2.0, early_stopping=True,
                                 no_repeat_ngram_size=3, forced_bos_token_id=0, min_length=56, max_length=142)
model = transformers.BartForConditionalGeneration(config).half().float().eval()
model.half().save_pretrained(summary)
settings = json.loads((summary / "config.json").read_text())
search = summary / "generation_config.json"
if search.exists():  # the real model has none
    settings.update(json.loads(search.read_text()))
    search.unlink()
(summary / "config.json").write_text(json.dumps(settings))
copy(venv / "bart", summary, ["vocab.json", "merges.txt", "tokenizer_config.json"])

# The original's own way with them.
from sentence_transformers import SentenceTransformer  # noqa: E402

encoder = SentenceTransformer(str(minilm), device="cpu")
classifier = transformers.pipeline("sentiment-analysis", model=str(sentiment), device=-1)
summarizer = transformers.pipeline("summarization", model=str(summary), device=-1, torch_dtype=torch.float32)
for path in sys.argv[3:]:
    ticket = json.load(open(path))
    text = f"{ticket['subject']}. {ticket['body']}"
    found = classifier(text)[0]
    neutral = 0.45 <= found["score"] <= 0.55
    short = len(ticket["body"].split()) < 20
    words = ticket["subject"] if short else summarizer(
        text, max_length=50, min_length=10, do_sample=False, truncation=True)[0]["summary_text"].strip()
    if not short and not words.endswith((".", "!", "?")):
        words += "."
    print(json.dumps({
        "ticket_id": ticket["ticket_id"], "embedding": encoder.encode(text).tolist(),
        "sentiment": "NEUTRAL" if neutral else found["label"], "sentiment_confidence": 0.5 if neutral else found["score"],
        "summary": words}))
