"""The enrichment's models in the engines that a user would pick: the peers of bench/ticket_engines.sh.

    ticket_engines.py make MODELS OUT TORCH       converts checkpoints (bench/ticket_models.py make); TORCH: where torch is installed
    ticket_engines.py tokens MODELS OUT TORCH <TEXTS    OUT/STAGE.tokens: the ids of each text (one JSON string a line)
    ticket_engines.py run OUT ENGINE STAGE PRECISION THREADS BATCH LENGTH <TOKENS
        ENGINE: ctranslate2, onnxruntime or openvino; STAGE: embed, classify or summarize; PRECISION: fp32 or int8.
        A line of ids in, a line out (a vector, logits, ids); the last line, on standard error, says how long it took.
"""
import json
import pathlib
import resource
import shutil
import sys
import time

BEAMS, LENGTH_PENALTY, NO_REPEAT = 4, 2.0, 3  # as config.json of the summarizer says


def make(models, out, torch_packages):
    sys.path.append(torch_packages)  # behind our own: the converter wants a newer transformers than the one beside torch
    import ctranslate2
    import torch
    import transformers
    from onnxruntime.quantization import QuantType, quantize_dynamic

    models, out = pathlib.Path(models), pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    # The converter asks for a word that the real model's config.json has and one of a newer transformers has not.
    summarizer = out / "summarize"
    shutil.copytree(models / "summarize", summarizer, dirs_exist_ok=True)
    settings = json.loads((summarizer / "config.json").read_text())
    (summarizer / "config.json").write_text(json.dumps({"normalize_before": False, **settings}))
    for stage, models_of in ("embed", models), ("classify", models), ("summarize", out):
        ctranslate2.converters.TransformersConverter(str(models_of / stage)).convert(str(out / f"{stage}.ct2"), force=True)
    for stage, kind in ("embed", transformers.AutoModel), ("classify", transformers.AutoModelForSequenceClassification):
        model = kind.from_pretrained(models / stage, attn_implementation="eager").eval()
        ids = torch.ones((2, 7), dtype=torch.long)
        axes = {0: "batch", 1: "sequence"}
        path = str(out / f"{stage}.onnx")
        torch.onnx.export(model, (ids, ids), path, input_names=["input_ids", "attention_mask"], output_names=["output"], opset_version=17,
                          dynamic_axes={"input_ids": axes, "attention_mask": axes}, dynamo=False)
        # Weights of 8 bits and not of 7, as with every engine here: the instructions of this machine do not saturate.
        quantize_dynamic(path, str(out / f"{stage}.int8.onnx"), weight_type=QuantType.QInt8, per_channel=True, reduce_range=False)


def tokens(models, out, torch_packages):
    sys.path.append(torch_packages)
    import transformers
    texts = [json.loads(line) for line in sys.stdin]
    for stage, limit in ("embed", 256), ("classify", 512), ("summarize", 1024):
        tokenizer = transformers.AutoTokenizer.from_pretrained(pathlib.Path(models) / stage)
        with open(pathlib.Path(out) / f"{stage}.tokens", "w") as file:
            for text in texts:
                print(json.dumps(tokenizer(text, truncation=True, max_length=limit)["input_ids"]), file=file)


def padded(batch):
    import numpy
    width = max(map(len, batch))
    ids, mask = (numpy.zeros((len(batch), width), numpy.int64) for _ in range(2))
    for row, tokens in enumerate(batch):
        ids[row, :len(tokens)], mask[row, :len(tokens)] = tokens, 1
    return ids, mask


def pooled(states, mask):
    import numpy
    sums = (states * mask[:, :, None].astype(numpy.float32)).sum(1) / mask.sum(1, keepdims=True)
    return sums / numpy.linalg.norm(sums, axis=1, keepdims=True)


def ctranslate2_engine(out, stage, precision, threads, length):
    import ctranslate2
    options = dict(compute_type="float32" if precision == "fp32" else "int8", inter_threads=1, intra_threads=threads)
    if stage != "summarize":
        encoder = ctranslate2.Encoder(f"{out}/{stage}.ct2", **options)

        def encode(batch):
            import numpy
            states = numpy.array(encoder.forward_batch(batch).last_hidden_state)
            return pooled(states, padded(batch)[1]) if stage == "embed" else states[:, 0]
        return encode
    translator = ctranslate2.Translator(f"{out}/{stage}.ct2", **options)
    names = json.loads((pathlib.Path(out) / f"{stage}.ct2" / "shared_vocabulary.json").read_text())
    ids = {name: index for index, name in enumerate(names)}

    def translate(batch):
        results = translator.translate_batch([[names[token] for token in source] for source in batch], beam_size=BEAMS, length_penalty=LENGTH_PENALTY,
                                             no_repeat_ngram_size=NO_REPEAT, min_decoding_length=length, max_decoding_length=length)
        return [[ids[name] for name in result.hypotheses[0]] for result in results]
    return translate


def onnx_name(out, stage, precision):
    return f"{out}/{stage}.onnx" if precision == "fp32" else f"{out}/{stage}.int8.onnx"


def onnxruntime_engine(out, stage, precision, threads, length):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(onnx_name(out, stage, precision), options, providers=["CPUExecutionProvider"])

    def infer(batch):
        ids, mask = padded(batch)
        result = session.run(["output"], {"input_ids": ids, "attention_mask": mask})[0]
        return pooled(result, mask) if stage == "embed" else result
    return infer


def openvino_engine(out, stage, precision, threads, length):
    import openvino
    model = openvino.Core().compile_model(onnx_name(out, stage, precision), "CPU", {
        "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"})
    request = model.create_infer_request()

    def infer(batch):
        ids, mask = padded(batch)
        result = request.infer({"input_ids": ids, "attention_mask": mask})["output"]
        return pooled(result, mask) if stage == "embed" else result
    return infer


def run(out, engine, stage, precision, threads, batch, length):
    begin = time.perf_counter()
    answer = {"ctranslate2": ctranslate2_engine, "onnxruntime": onnxruntime_engine,
              "openvino": openvino_engine}[engine](out, stage, precision, int(threads), int(length))
    loaded = time.perf_counter()
    lines = [json.loads(line) for line in sys.stdin]
    batches = [lines[at:at + int(batch)] for at in range(0, len(lines), int(batch))]
    answer(batches[0])  # buffers and code that are made once
    processor, clock = time.process_time(), time.perf_counter()
    answers = [answer(lines) for lines in batches]
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    for rows in answers:
        for row in rows:
            print(json.dumps([round(float(value), 7) for value in row] if stage != "summarize" else row))
    print(json.dumps(dict(load=loaded - begin, compute=clock, cpu=processor, count=len(lines),
                          peak_kb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)), file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1] in ("make", "tokens"):
        {"make": make, "tokens": tokens}[sys.argv[1]](*sys.argv[2:5])
    else:
        run(*sys.argv[2:9])
