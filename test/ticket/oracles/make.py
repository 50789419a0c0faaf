"""Asks the oracles (torch, transformers, sentence-transformers) and writes expected/: run by script/oracles.

    make.py OUT COMMITTED MINILM BART TEXTS TICKETS

OUT is the directory to write, COMMITTED the one to compare with; TEXTS are tokenizer_corpus.py's, TICKETS is a file with a
ticket a line.
"""
import os
import pathlib
import sys
import tempfile

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
import torch
import transformers
from sentence_transformers import SentenceTransformer

import checkpoints
import compare
import enrichment
import files
import hub_reads
import models
import tokenizers_digests
from questions import fingerprint, model_questions

transformers.logging.set_verbosity_error()
torch.set_num_threads(1)  # more would wait for each other on a busy machine
out, committed, minilm, bart, texts, tickets = (pathlib.Path(argument) for argument in sys.argv[1:])
vocabularies = {"minilm": minilm, "bart": bart}
out.mkdir(parents=True, exist_ok=True)
work = tempfile.TemporaryDirectory()
skeletons, asked = {}, {}


def say(text):
    print(f"  {text}", flush=True)


def same_tensors(path, model):
    """Does torch read the model's own tensors out of a file?"""
    state, found = model.state_dict(), torch.load(path, weights_only=True)
    return state.keys() == found.keys() and all(torch.equal(state[name], found[name]) for name in state)


def checkpoint(name, model, formats, end_bias=0.0):
    """Saves a checkpoint in those formats, notes it without its weights, and returns the last one's directory."""
    tensors = [[key, list(tensor.shape), {torch.float16: "F16", torch.float32: "F32"}[tensor.dtype]]
               for key, tensor in models.tensors_of(model)]
    vocabulary, names = models.VOCABULARY[model.config.model_type]
    noted = {"end_bias": end_bias, "tensors": tensors, "vocabulary": {vocabulary: names}, "texts": {}, "formats": {}}
    for format in formats:
        target = pathlib.Path(work.name) / f"{name}-{format}"
        models.save(model, target, format)
        weights_files = noted["formats"][format] = {}
        for path in sorted(target.iterdir()):
            if path.suffix == ".json":
                assert noted["texts"].setdefault(path.name, path.read_text()) == path.read_text(), path
            else:
                weights_files[path.name] = checkpoints.cut(path.read_bytes(), tensors, end_bias)
        models.add_vocabulary(model, target, vocabularies)
    # The legacy format names tensors by their addresses, which differ each time: what is committed stays while it is right.
    if "legacy" in formats and (earlier := committed_checkpoints.get(name)):
        again = pathlib.Path(work.name) / "again"
        file = earlier["formats"]["legacy"]["pytorch_model.bin"]
        again.write_bytes(checkpoints.filled(file, earlier["tensors"], earlier["end_bias"]))
        if same_tensors(again, model):
            noted["formats"]["legacy"]["pytorch_model.bin"] = file
    skeletons[name] = noted
    return target


committed_checkpoints = checkpoints.known() if (committed / "checkpoints.jsonl").exists() else {}
questions = model_questions()
asked.update({name: fingerprint(value) for name, value in questions.items()})

say("embeddings")
vectors = SentenceTransformer(str(minilm), device="cpu").encode(questions["embed"]).tolist()
steps = [round(number / compare.EMBEDDING_STEP) for vector in vectors for number in vector]
files.write_arrays(out / "embed.safetensors", {"embeddings": ("I16", [len(vectors), compare.EMBEDDING_SIZE], steps)})

say("logits")
classifier = models.distilbert(dim=96, n_heads=6, hidden_dim=384, n_layers=6, vocab_size=30522)
checkpoint("distilbert", classifier, models.FORMATS)
with torch.no_grad():
    logits = [classifier(torch.tensor([s])).logits[0].tolist() for s in questions["classify"]]
files.write_lines(out / "classify.jsonl", [[round(number, 7) for number in pair] for pair in logits])

say("beam search")
END_BIAS = 2.7
summarizer = models.bart(END_BIAS, d_model=96, encoder_layers=6, decoder_layers=6, encoder_attention_heads=6,
                         decoder_attention_heads=6, encoder_ffn_dim=384, decoder_ffn_dim=384, vocab_size=5003)
checkpoint("bart", summarizer, models.FORMATS, END_BIAS)
answers = models.generate(summarizer.float(), questions["summarize"])
files.write_lines(out / "summarize.jsonl", answers)
lengths = [len(answer) for answer in answers]
say(f"summaries of {min(lengths)} to {max(lengths)} tokens, {sum(length < 50 for length in lengths)} of {len(lengths)} end "
    f"early, {len(set(map(tuple, answers)))} are different")

say("the complete enrichment")
sentiment = models.distilbert(dim=64, hidden_dim=128, n_layers=2, n_heads=4, vocab_size=30522)
SUMMARY_END_BIAS = 4.6  # of 50,264 scores the largest is further from the others
summary = models.bart(SUMMARY_END_BIAS, d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
                      decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, vocab_size=50264)
found = enrichment.enrich(str(minilm), str(checkpoint("enrichment-sentiment", sentiment, ["safetensors"])),
                          str(checkpoint("enrichment-summary", summary, ["safetensors"], SUMMARY_END_BIAS)),
                          tickets.read_text().splitlines())
files.write_lines(out / "enrichment.jsonl", found)

say("tokenizers")
data = texts.read_bytes()
asked["tokenizers"] = fingerprint(data)
files.write_arrays(out / "tokenizers.safetensors", tokenizers_digests.expected(data, vocabularies))
(out / "bart_tokenizer.json").write_text(tokenizers_digests.bart_tokenizer(bart))

say("what transformers looks for in a cache")
files.write_lines(out / "hub_reads.jsonl", hub_reads.recorded(minilm))

files.write_lines(out / "checkpoints.jsonl", skeletons.items())
files.write_lines(out / "questions.jsonl", sorted(asked.items()))
