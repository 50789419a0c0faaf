"""Random weights that are the same bytes on every machine, from the Python that Debian has: the checkpoints of the tests need
neither numpy nor torch.

With these weights the answer depends on every token: matrices have a gain that does not depend on their size, and what
follows the activation has no mean, which would push all positions the same way. Higher gains make a chaotic network, in
which rounding of 32 bits changes the answer: then torch does not agree with itself either.
"""
import array
import random
import sys

ATTENTION_GAIN, FEED_FORWARD_GAIN = 0.7, 1.5


def uniform(generator, count, deviation):
    """Numbers of 65,536 equal steps around zero, with that standard deviation."""
    steps = array.array("H")
    steps.frombytes(generator.randbytes(2 * count))
    if sys.byteorder == "big":
        steps.byteswap()
    scale = deviation * 12 ** 0.5 / 65536
    return [(step - 32767.5) * scale for step in steps]


def deviation_of(name, columns):
    if "distilbert.embeddings" in name:
        return 0.02
    if "embed_positions" in name:
        return 4.0 / columns ** 0.5
    if "shared" in name:
        return FEED_FORWARD_GAIN / columns ** 0.5
    if any(part in name for part in ("q_proj", "k_proj", "q_lin", "k_lin")):
        return 1.0 / columns ** 0.5
    return (ATTENTION_GAIN if "att" in name else FEED_FORWARD_GAIN) / columns ** 0.5


def weights(name, shape, end_bias):
    """The tensor with that name in a checkpoint, as an array of 32-bit floats, row by row. The end token (2) of a summarizer
    gets a bias, so that some summaries end early and others at the limit."""
    generator = random.Random(f"flox ticket oracle {name} {shape}")
    if name == "final_logits_bias":
        numbers = uniform(generator, shape[1], 0.2)
        numbers[2] += end_bias
        return array.array("f", numbers)
    if len(shape) == 1:
        base = 1.0 if "norm" in name.lower() and "weight" in name else 0.0
        return array.array("f", [base + number for number in uniform(generator, shape[0], 0.05)])
    rows, columns = shape
    deviation, centred = deviation_of(name, columns), "fc2" in name or "lin2" in name
    tensor = array.array("f")
    for _ in range(rows):
        row = uniform(generator, columns, deviation)
        if centred:
            mean = sum(row) / columns
            row = [number - mean for number in row]
        tensor.extend(row)
    return tensor
