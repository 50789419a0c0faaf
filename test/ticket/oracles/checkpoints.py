"""Checkpoints of the true architectures, byte by byte as transformers and torch write them, without either.

    checkpoints.py DIRECTORY MINILM BART NAME...     makes DIRECTORY/NAME-FORMAT for each name and each format that it has

expected/checkpoints.jsonl has, for each file of a checkpoint, what the oracles wrote except the weights: those are seeded
(weights.py). MINILM and BART are the directories that have the vocabularies (script/minilm-model, script/bart-vocabulary).
"""
import base64
import hashlib
import pathlib
import shutil
import struct
import sys
import zlib

import files
from weights import weights

MADE = {}


def packed(name, shape, kind, end_bias):
    """The bytes of a tensor in a checkpoint. A number of 16 bits is rounded from one of 32, as torch does it."""
    key = (name, tuple(shape), end_bias)
    if key not in MADE:
        MADE[key] = weights(name, shape, end_bias)
    numbers = MADE[key]
    return struct.pack(f"<{len(numbers)}{'e' if kind == 'F16' else 'f'}", *numbers)


def cut(content, tensors, end_bias):
    """A file of a checkpoint without its weights. tensors: [name, shape, type] each; a piece is how many bytes stand before
    the weights of which of them."""
    places = []
    for index, tensor in enumerate(tensors):
        at = content.find(packed(*tensor, end_bias))
        if at < 0:
            raise ValueError(f"the weights of {tensor[0]} are not in the file")
        places.append((at, index))
    pieces, literal, end = [], b"", 0
    for at, index in sorted(places):
        pieces.append([at - end, index])
        literal += content[end:at]
        end = at + len(packed(*tensors[index], end_bias))
    return {"sha256": hashlib.sha256(content).hexdigest(), "pieces": pieces,
            "literal": base64.b64encode(zlib.compress(literal + content[end:], 9)).decode()}


def filled(file, tensors, end_bias):
    """The other way round."""
    literal, at, content = zlib.decompress(base64.b64decode(file["literal"])), 0, []
    for size, index in file["pieces"]:
        content += [literal[at:at + size], packed(*tensors[index], end_bias)]
        at += size
    return b"".join(content + [literal[at:]])


def make(checkpoint, format, directory, vocabularies):
    """Writes the checkpoint's files into a new directory, in one of its formats."""
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True)
    for name, text in checkpoint["texts"].items():
        (directory / name).write_text(text)
    for name, file in checkpoint["formats"][format].items():
        content = filled(file, checkpoint["tensors"], checkpoint["end_bias"])
        if hashlib.sha256(content).hexdigest() != file["sha256"]:
            sys.exit(f"{directory / name}: not the bytes that the oracles wrote; script/oracles --write writes expected/ anew")
        (directory / name).write_bytes(content)
    for vocabulary, names in checkpoint["vocabulary"].items():
        for name in names:
            shutil.copy(pathlib.Path(vocabularies[vocabulary]) / name, directory)


def known():
    return dict(files.read_lines(files.EXPECTED / "checkpoints.jsonl"))


if __name__ == "__main__":
    target, minilm, bart, *wanted = sys.argv[1:]
    for name, checkpoint in known().items():
        for format in checkpoint["formats"] if name in wanted else ():
            make(checkpoint, format, f"{target}/{name}-{format}", {"minilm": minilm, "bart": bart})
