#!/usr/bin/env bash
# Tokenizers, one thread: ours and Hugging Face's `tokenizers` (Rust) on the same texts, whose ids are equal
# (test/ticket/tokenizers.sh), by CPU time; the ratio is of times, below 1 we need less.
. "$(dirname "$0")/../script/lib.sh"
oracle=$("$PROJECT/script/oracle-venv") || die "no transformers to compare with: PyPI cannot be reached"
minilm=$("$PROJECT/script/minilm-model") bart=$("$PROJECT/script/bart-vocabulary")
runs=${RUNS:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ticket-generator --dry-run --count 1500 --seed 6 >"$work/tickets"
USE_TORCH=0 RAYON_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false "$oracle/bin/python" - "$work" "$minilm" "$bart" "$BUILD_DIR/bench/tokenize" "$runs" 2>/dev/null <<'PYTHON'
import json, struct, subprocess, sys, time
import transformers
work, minilm, bart, program, runs = sys.argv[1:]
sys.path.insert(0, ".")
tickets = [f'{t["subject"]}. {t["body"]}' for t in map(json.loads, open(f"{work}/tickets"))]
subprocess.run([sys.executable, "test/ticket/oracles/tokenizer_corpus.py", f"{work}/tickets", f"{work}/corpus"], check=True, stdout=subprocess.DEVNULL)
data, scripts, at = open(f"{work}/corpus", "rb").read(), [], 0
while at < len(data):
    size = struct.unpack_from("<I", data, at)[0]
    text = data[at + 4:at + 4 + size]
    if size < 2000:
        scripts.append(text.decode("utf-8", "replace"))
    at += 4 + size
print(f"{'':34}{'ours':>12}{'tokenizers':>12}{'ratio':>8}")
for kind, directory, limit in ("BertTokenizerFast", minilm, 256), ("BartTokenizerFast", bart, 1024):
    start = time.perf_counter()
    reference = getattr(transformers, kind).from_pretrained(directory)
    load = time.perf_counter() - start
    backend = reference._tokenizer
    backend.no_padding()
    backend.enable_truncation(limit)
    for name, texts in ("tickets", tickets), ("all scripts and noise", scripts):
        encoded = [text.encode() for text in texts]
        ours = json.loads(subprocess.run([program, directory, "time", str(limit), runs], input=b"".join(struct.pack("<I", len(t)) + t for t in encoded),
                                         stdout=subprocess.PIPE, check=True).stdout)
        peer = float("inf")
        for _ in range(int(runs)):
            start = time.process_time()
            # Without offsets, which ours does not compute either.
            tokens = sum(len(encoding) for encoding in backend.encode_batch_fast(texts))
            peer = min(peer, time.process_time() - start)
        assert tokens == ours["tokens"], (tokens, ours)
        print(f"{kind[:4]} {name:22} Mtokens/s{tokens / ours['seconds'] / 1e6:10.2f}{tokens / peer / 1e6:12.2f}{ours['seconds'] / peer:8.2f}")
    print(f"{kind[:4]} {'loading':22} ms      {1e3 * ours['load_seconds']:11.0f}{1e3 * load:12.0f}{ours['load_seconds'] / load:8.2f}")
PYTHON
