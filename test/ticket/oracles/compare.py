"""Compares our models' answers with those that the oracles gave.

    compare.py questions embed|classify|summarize            prints the questions, a line of JSON each
    compare.py embed|classify|summarize GOT [--first N] [--report]
                                                             --report: only says how many are equal
"""
import sys

import files
from questions import fingerprint, model_questions

# An embedding is kept in steps of this size: 1 - cosine of what is kept and what was given is below 1e-8.
EMBEDDING_STEP = 2.0 ** -16
EMBEDDING_SIZE = 384


def expected_answers(model):
    known = dict(files.read_lines(files.EXPECTED / "questions.jsonl"))
    if known[model] != fingerprint(model_questions()[model]):
        sys.exit(f"the questions of {model} have changed: script/oracles --write asks the oracles again")
    if model != "embed":
        return files.read_lines(files.EXPECTED / f"{model}.jsonl")
    numbers = files.read_arrays(files.EXPECTED / "embed.safetensors")["embeddings"]
    return [[step * EMBEDDING_STEP for step in numbers[at:at + EMBEDDING_SIZE]] for at in range(0, len(numbers), EMBEDDING_SIZE)]


def one_minus_cosine(a, b):
    """Of vectors of nearly one direction, without the cancellation of 1 - cosine."""
    norms = [sum(x * x for x in v) ** 0.5 for v in (a, b)]
    return sum((x / norms[0] - y / norms[1]) ** 2 for x, y in zip(a, b)) / 2


def compare(model, expected, got, report=False):
    """What is said about the comparison, and whether it is good enough."""
    if len(expected) != len(got) or not got:
        return f"{len(expected)} answers expected, {len(got)} given", False
    if model == "embed":
        if any(len(x) != len(y) for x, y in zip(expected, got)):
            return "a vector has another length", False
        worst = max(one_minus_cosine(x, y) for x, y in zip(expected, got))
        return f"{len(got)} vectors, 1 - cosine at most {worst:.2e}", worst <= 1e-8
    if model == "classify":
        if any(len(x) != len(y) for x, y in zip(expected, got)):
            return "a list of logits has another length", False
        worst = max(abs(a - b) for x, y in zip(expected, got) for a, b in zip(x, y))
        return f"{len(got)} lists of numbers, difference at most {worst:.2e}", worst <= 1e-3
    same = sum(x == y for x, y in zip(expected, got))
    alike = sum(a == b for x, y in zip(expected, got) for a, b in zip(x, y))
    tokens = sum(max(len(x), len(y)) for x, y in zip(expected, got))
    return f"{same} of {len(got)} sequences equal, {alike / tokens:.1%} of the tokens", report or same == len(got)


if __name__ == "__main__":
    if sys.argv[1] == "questions":
        files.write_lines("/dev/stdout", model_questions()[sys.argv[2]])
        sys.exit()
    model, got_path, *options = sys.argv[1:]
    expected = expected_answers(model)
    if "--first" in options:
        expected = expected[:int(options[options.index("--first") + 1])]
    text, good = compare(model, expected, files.read_lines(got_path), "--report" in options)
    print(text)
    sys.exit(not good)
