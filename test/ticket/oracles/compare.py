"""Compares our models' answers with those that the oracles gave.

    compare.py questions embed|classify|summarize            prints the questions, a line of JSON each
    compare.py embed|classify|summarize GOT [--first N] [--report | --int8 WEIGHT_LIMIT]
                                                             --report: only says how many are equal
                                                             --int8: how far off weights of that size may be
"""
import statistics
import sys

import files
from questions import fingerprint, model_questions

# An embedding is kept in steps of this size: 1 - cosine of what is kept and what was given is below 1e-8.
EMBEDDING_STEP = 2.0 ** -16
EMBEDDING_SIZE = 384


# Of embeddings: 1 - cosine, median and worst; of logits: how many labels are the same, the largest difference. Twice what
# weights up to 63 give is what they may be; those up to 127 must do better than the others.
INT8_LIMITS = {"127": dict(median=2e-3, worst=1.2e-2, labels=0.95, logits=0.3), "63": dict(median=4e-3, worst=2e-2, labels=0.95, logits=0.3)}
# No arithmetic in bytes comes nearer than this: whatever does was not computed in bytes.
INT8_FLOOR = 1e-5


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


def compare_int8(model, expected, got, limit):
    allowed = INT8_LIMITS[limit]
    if len(expected) != len(got) or any(len(x) != len(y) for x, y in zip(expected, got)):
        return "answers of another number or length", False
    if model == "embed":
        distances = [one_minus_cosine(x, y) for x, y in zip(expected, got)]
        median, worst = statistics.median(distances), max(distances)
        return (f"{len(got)} vectors, 1 - cosine {median:.2e} (median), at most {worst:.2e}",
                INT8_FLOOR < median <= allowed["median"] and worst <= allowed["worst"])
    same = sum(x.index(max(x)) == y.index(max(y)) for x, y in zip(expected, got))
    worst = max(abs(a - b) for x, y in zip(expected, got) for a, b in zip(x, y))
    return (f"{same} of {len(got)} labels the same, difference of logits at most {worst:.2e}",
            same >= allowed["labels"] * len(got) and INT8_FLOOR < worst <= allowed["logits"])


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
    got = files.read_lines(got_path)
    if "--int8" in options:
        text, good = compare_int8(model, expected, got, options[options.index("--int8") + 1])
    else:
        text, good = compare(model, expected, got, "--report" in options)
    print(text)
    sys.exit(not good)
