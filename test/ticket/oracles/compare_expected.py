"""Compares expected values that the oracles give now with those that are committed. Floating-point numbers may differ by what
another processor's order of additions makes of them, all else is equal.

    compare_expected.py COMMITTED REMADE
"""
import pathlib
import sys

import files

# Kept numbers: embeddings in steps, logits and scores as they are.
STEPS, DIFFERENCE = 2, 1e-5


def alike(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return abs(a - b) <= DIFFERENCE * 1.01
    if isinstance(a, list):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    return a == b


def same_answers(committed, remade):
    if committed.name == "embed.safetensors":
        a, b = (files.read_arrays(path)["embeddings"] for path in (committed, remade))
        return len(a) == len(b) and all(abs(x - y) <= STEPS for x, y in zip(a, b))
    if committed.suffix == ".jsonl":
        return alike(files.read_lines(committed), files.read_lines(remade))
    return committed.read_bytes() == remade.read_bytes()


committed, remade = map(pathlib.Path, sys.argv[1:])
differing = 0
for name in sorted({path.name for directory in (committed, remade) for path in directory.iterdir()}):
    pair = committed / name, remade / name
    if not all(path.exists() for path in pair):
        verdict = "is not committed" if pair[1].exists() else "is committed, and the oracles do not give it"
    else:
        verdict = "the same" if same_answers(*pair) else "DIFFERENT"
    differing += verdict != "the same"
    print(f"{name:24} {verdict}")
sys.exit(differing > 0)
