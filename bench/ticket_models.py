"""The enrichment's models in Python, as the original ticket-processor runs them: the peer of bench/ticket_models.sh.

    ticket_models.py make DIRECTORY MINILM BART      full-size checkpoints: MiniLM's real one, the others random
    ticket_models.py run DIRECTORY THREADS <TEXTS    one JSON string a line in, one JSON object a line out; the last
                                                     line, on standard error, says how long it took
"""
import json
import pathlib
import resource
import sys
import time

begin = time.perf_counter()


def make(directory, minilm, bart):
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "test/ticket/oracles"))
    import models

    target, vocabularies = pathlib.Path(directory), {"minilm": minilm, "bart": bart}
    # The scores' deviation is 1.5; of 50,264 the largest is 4.2 times that.
    for name, format, model in (("classify", "safetensors", models.distilbert()),
                                ("summarize", "zip", models.bart(4.6, d_model=1024, encoder_layers=6, decoder_layers=6, vocab_size=50264))):
        models.save(model, target / name, format)
        models.add_vocabulary(model, target / name, vocabularies)
    (target / "embed").symlink_to(minilm)


def run(directory, threads):
    import torch
    from sentence_transformers import SentenceTransformer
    from transformers import pipeline

    torch.set_num_threads(threads)
    embedder = SentenceTransformer(f"{directory}/embed", device="cpu")
    classifier = pipeline("sentiment-analysis", model=f"{directory}/classify", device=-1)
    summarizer = pipeline("summarization", model=f"{directory}/summarize", device=-1, torch_dtype=torch.float32)
    loaded = time.perf_counter()
    processor = time.process_time()
    seconds = dict(embed=0.0, classify=0.0, summarize=0.0)
    count = 0
    for line in sys.stdin:
        text = json.loads(line)
        answer = {}
        for stage, call in (("embed", lambda: embedder.encode(text).tolist()),
                            ("classify", lambda: classifier(text)[0]),
                            ("summarize", lambda: summarizer(text, max_length=50, min_length=10, do_sample=False,
                                                             truncation=True)[0]["summary_text"])):
            started = time.perf_counter()
            answer[stage] = call()
            seconds[stage] += time.perf_counter() - started
        count += 1
        print(json.dumps(answer, ensure_ascii=False), flush=True)
    print(json.dumps(dict(load=loaded - begin, compute=sum(seconds.values()), count=count, cpu=time.process_time() - processor, stages=seconds,
                          peak_kb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)), file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*sys.argv[2:5])
    else:
        run(sys.argv[2], int(sys.argv[3]))
