"""What Hugging Face's tokenizers make of the corpus, kept as a digest of 16 bits for each text; and our comparison.

    tokenizers_digests.py compare PROGRAM TEXTS [NAME DIRECTORY MAX_TOKENS]...
    tokenizers_digests.py show TEXTS NAME DIRECTORY MAX_TOKENS [NUMBER]...     in script/oracle-venv: the ids themselves
    tokenizers_digests.py bart_tokenizer BART                                  tokenizer.json, as save_pretrained writes it

PROGRAM is build/bench/tokenize, NAME "minilm" or "bart". A wrong answer to one text is overlooked once in 65,536 times; a
fault that changes two is not.
"""
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys

import files
from questions import fingerprint

KINDS = {"minilm": "BertTokenizerFast", "bart": "BartTokenizerFast"}
MAX_TOKENS = {"minilm": 256, "bart": 1024}
SIZES = {"minilm": 30522, "bart": 50265}


def texts_of(data):
    texts, at = [], 0
    while at < len(data):
        size = struct.unpack_from("<I", data, at)[0]
        texts.append(data[at + 4:at + 4 + size].decode("utf-8", "replace"))
        at += 4 + size
    return texts


def digest(answer):
    data = answer if isinstance(answer, str) else " ".join(map(str, answer))
    return int.from_bytes(hashlib.blake2b(data.encode(), digest_size=2).digest(), "little")


def ids_to_decode(name, encoded):
    """What texts gave, and any ids at all, also of no token."""
    seeded, largest = random.Random(7), SIZES[name] + 5
    return [ids[:200] for ids in encoded[::6]] + [[seeded.randint(0, largest) for _ in range(seeded.randint(0, 40))]
                                                 for _ in range(3000)]


def reference(name, directory):
    import transformers

    tokenizer = getattr(transformers, KINDS[name]).from_pretrained(directory)
    assert len(tokenizer) == SIZES[name], len(tokenizer)
    return tokenizer


def encoded_by(tokenizer, texts, max_tokens):
    return tokenizer(texts, truncation=True, max_length=max_tokens, return_attention_mask=False)["input_ids"]


def expected(data, vocabularies):
    arrays, texts = {}, texts_of(data)
    for name, directory in vocabularies.items():
        tokenizer = reference(name, directory)
        encoded = encoded_by(tokenizer, texts, MAX_TOKENS[name])
        decoded = [tokenizer.decode(ids, skip_special_tokens=True) for ids in ids_to_decode(name, encoded)]
        for what, answers in ("ids", encoded), ("texts", decoded):
            arrays[f"{name}.{what}"] = ("U16", [len(answers)], [digest(answer) for answer in answers])
    return arrays


def report(what, expected_digests, got, questions):
    """Prints the first few that differ; True if none does."""
    assert len(expected_digests) == len(got), f"{len(got)} answers to {len(expected_digests)} questions"
    differing = [i for i in range(len(got)) if digest(got[i]) != expected_digests[i]]
    for i in differing[:5]:
        print(f"number {i} {str(questions[i])[:80]!r}\n  got {str(got[i])[:200]}", file=sys.stderr)
    print(f"{what}: {len(got)} compared, {len(differing)} differ")
    if differing:
        print("  test/ticket/oracles/tokenizers_digests.py show prints what transformers makes of them", file=sys.stderr)
    return bool(got) and not differing


def compare(program, data, name, directory, max_tokens):
    wanted = files.read_arrays(files.EXPECTED / "tokenizers.safetensors")
    assert int(max_tokens) == MAX_TOKENS[name], max_tokens

    def run(argument, input):
        return subprocess.run([program, directory, argument], input=input, stdout=subprocess.PIPE, check=True).stdout

    encoded = [[int(id) for id in line.split()] for line in run(max_tokens, data).splitlines()]
    equal = report(f"{name}, at most {max_tokens} tokens", wanted[f"{name}.ids"], encoded, texts_of(data))
    questions = ids_to_decode(name, encoded)
    decoded = texts_of(run("decode", "".join(" ".join(map(str, ids)) + "\n" for ids in questions).encode()))
    return report(f"{name}, decoding", wanted[f"{name}.texts"], decoded, questions) and equal


def bart_tokenizer(directory):
    """BART's tokenizer.json without what vocab.json and merges.txt have. Needs script/oracle-venv."""
    import tempfile

    with tempfile.TemporaryDirectory() as saved:
        reference("bart", directory).save_pretrained(saved)
        text = (pathlib.Path(saved) / "tokenizer.json").read_text()
    tokenizer = json.loads(text)
    tokenizer["model"].update(vocab={}, merges=[])
    kept = json.dumps(tokenizer, indent=2, ensure_ascii=False) + "\n"
    assert bart_tokenizer_again(kept, directory) == text, "tokenizer.json is more than vocabulary and merges"
    return kept


def bart_tokenizer_again(kept, directory):
    tokenizer, directory = json.loads(kept), pathlib.Path(directory)
    merges = [line.split(" ") for line in (directory / "merges.txt").read_text(encoding="utf-8").splitlines()
              if line and not line.startswith("#version")]
    tokenizer["model"].update(vocab=json.loads((directory / "vocab.json").read_text(encoding="utf-8")), merges=merges)
    return json.dumps(tokenizer, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    verb, *arguments = sys.argv[1:]
    if verb == "bart_tokenizer":
        print(bart_tokenizer_again((files.EXPECTED / "bart_tokenizer.json").read_text(), arguments[0]), end="")
    elif verb == "show":
        texts, name, directory, max_tokens, *numbers = arguments
        texts = texts_of(pathlib.Path(texts).read_bytes())
        chosen = [int(number) for number in numbers] or range(len(texts))
        for number, ids in zip(chosen, encoded_by(reference(name, directory), [texts[i] for i in chosen], int(max_tokens))):
            print(number, repr(texts[number]), *ids)
    else:
        program, file, *sets = arguments
        data = pathlib.Path(file).read_bytes()
        if dict(files.read_lines(files.EXPECTED / "questions.jsonl"))["tokenizers"] != fingerprint(data):
            sys.exit("the corpus has changed: script/oracles --write asks the oracles again")
        results = [compare(program, data, *sets[at:at + 3]) for at in range(0, len(sets), 3)]
        sys.exit(0 if results and all(results) else 1)
