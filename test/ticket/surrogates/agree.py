"""How far answers with weights of 8 bits are those with 32.

    agree.py embed|classify|summarize FP32 INT8 [--right ANSWERS] [--report]

FP32, INT8: a line of JSON for each ticket, of model_run. --right: a file with a line of JSON for each, what should be answered; a model
that has not learned it says little, so its own answers in 32 bits must be so in RIGHT of them. --report: prints one object of JSON.
"""
import json
import statistics
import sys

# Shares that must be equal (issue: labels 99.5 %, summaries 95 %), and how far an embedding may turn.
LABELS, SUMMARIES, MEDIAN, WORST = 0.995, 0.95, 4e-3, 2e-2
# Of the answers with 32 bits, those that the rules give.
RIGHT = dict(classify=0.99, summarize=0.90)


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def label(answer):
    """Of model_run's answers to text, to tokens (logits), and of an expected one."""
    if isinstance(answer, dict):
        return answer["label"]
    if isinstance(answer, list):
        return answer.index(max(answer))
    return answer


def summary(answer):
    """Words, or tokens without what generation adds before and behind."""
    return answer.strip() if isinstance(answer, str) else [token for token in answer if token > 2]


def one_minus_cosine(a, b):
    norms = [sum(x * x for x in v) ** 0.5 for v in (a, b)]
    return sum((x / norms[0] - y / norms[1]) ** 2 for x, y in zip(a, b)) / 2


def main():
    model, *rest = sys.argv[1:]
    report = "--report" in rest
    right = read(rest.pop(rest.index("--right") + 1)) if "--right" in rest else None
    full, bytes_ = (read(path) for path in [name for name in rest if not name.startswith("--")])
    if len(full) != len(bytes_) or not full or (right is not None and len(right) != len(full)):
        sys.exit(f"{len(full)} answers with 32 bits, {len(bytes_)} with 8, {len(right or [])} right ones")
    found = dict(model=model, tickets=len(full))
    if model == "embed":
        distances = [one_minus_cosine(a, b) for a, b in zip(full, bytes_)]
        found.update(median=statistics.median(distances), worst=max(distances))
        # No arithmetic in bytes comes nearer than this: whatever does was not computed in bytes.
        good = 1e-6 < found["median"] <= MEDIAN and found["worst"] <= WORST
    else:
        of, least = (label, LABELS) if model == "classify" else (summary, SUMMARIES)
        found.update(equal=sum(of(a) == of(b) for a, b in zip(full, bytes_)) / len(full))
        good = found["equal"] >= least
        # Of logits; scores next to 1 are the same soon.
        if full == bytes_ and isinstance(full[0], list) and model == "classify":
            sys.exit("the same numbers with 8 and with 32 bits: nothing was computed in bytes")
        if right is not None:
            found.update(right32=sum(of(a) == of(b) for a, b in zip(full, right)) / len(full),
                         right8=sum(of(a) == of(b) for a, b in zip(bytes_, right)) / len(full))
            good = good and found["right32"] >= RIGHT[model]
    if report:
        print(json.dumps(found))
    else:
        print(" ".join(f"{name} {value:.3g}" if name in ("median", "worst") else f"{name} {value:.4g}" if isinstance(value, float) else f"{value}"
                       for name, value in found.items()))
    if not good:
        sys.exit(f"{model}: not equal enough (labels {LABELS}, summaries {SUMMARIES}, 1 - cosine {MEDIAN} median and {WORST} worst; of the answers "
                 f"with 32 bits {RIGHT} must be right)")


if __name__ == "__main__":
    main()
