"""What transformers asks huggingface_hub for when it loads a configuration and a tokenizer from a cache, and whether it gets it.

    hub_reads.py MODEL_ID CACHE SNAPSHOT     with huggingface_hub alone: asks for the same, offline, and compares with the
                                             files of SNAPSHOT
"""
import os
import pathlib
import sys

import files

FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
MODEL = "real/tokenizer"
WORDS, IDS = "Cannot login", [101, 3685, 8833, 2378, 102]


def load(cache):
    """Loads both, offline, with transformers. Needs script/oracle-venv."""
    from transformers import AutoConfig, AutoTokenizer

    assert AutoConfig.from_pretrained(MODEL, cache_dir=cache).hidden_size == 384
    ids = AutoTokenizer.from_pretrained(MODEL, cache_dir=cache)(WORDS).input_ids
    assert ids == IDS, ids


def recorded(minilm):
    """[way, file, is it there] for each file that transformers asks for, of a model that has FILES. There are two ways:
    hf_hub_download, and try_to_load_from_cache once the revision is known. Needs script/oracle-venv."""
    import tempfile

    import transformers.utils.hub as hub

    asked, originals = {}, {way: getattr(hub, way) for way in ("hf_hub_download", "try_to_load_from_cache")}

    def recorder(way):
        def call(repository, name, *arguments, **options):
            asked.setdefault((way, name), False)
            path = originals[way](repository, name, *arguments, **options)
            asked[way, name] = isinstance(path, str)
            return path
        return call

    for way in originals:
        setattr(hub, way, recorder(way))
    with tempfile.TemporaryDirectory() as cache:
        folder, commit = pathlib.Path(cache) / ("models--" + MODEL.replace("/", "--")), "0" * 40
        snapshot = folder / "snapshots" / commit
        snapshot.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs/main").write_text(commit)
        for name in FILES:
            (snapshot / name).write_bytes((pathlib.Path(minilm) / name).read_bytes())
        load(cache)
    for way, original in originals.items():
        setattr(hub, way, original)
    return sorted([*key, there] for key, there in asked.items())


def replay(model, cache, snapshot):
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError

    snapshot = pathlib.Path(snapshot)
    reads = files.read_lines(files.EXPECTED / "hub_reads.jsonl")
    assert {name for _, name, there in reads if there} >= {"config.json", "tokenizer.json", "tokenizer_config.json"}, reads
    for way, name, there in reads:
        if way == "try_to_load_from_cache":
            path = try_to_load_from_cache(model, name, cache_dir=cache, revision=snapshot.name)
        else:
            try:
                path = hf_hub_download(model, name, cache_dir=cache, local_files_only=True)
            except EntryNotFoundError:
                path = None
        assert isinstance(path, str) == there, f"{way} of {name}: {path}"
        assert not there or pathlib.Path(path).read_bytes() == (snapshot / name).read_bytes(), f"{name} has other bytes"
    print(f"transformers' {len(reads)} questions to huggingface_hub are answered as it needs it")


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    if sys.argv[1] == "load":
        load(sys.argv[2])
    else:
        replay(*sys.argv[1:])
