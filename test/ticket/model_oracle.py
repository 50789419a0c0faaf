"""Checkpoints of the true architectures with random weights, and what torch and transformers compute with them.

    model_oracle.py make DIRECTORY VENV      checkpoints, questions and the oracles' answers
    model_oracle.py compare KIND EXPECTED GOT [TOLERANCE]

Everything is seeded. The end token gets a bias, so that some summaries end early and others at the limit.
"""
import json
import pathlib
import random
import shutil
import sys

FORMATS = ("safetensors", "zip", "legacy")


def save(model, directory, tokenizer_files, formats=FORMATS):
    """The same weights in each format, as transformers and torch.save write them."""
    import torch

    for format in formats:
        target = pathlib.Path(f"{directory}-{format}")
        model.save_pretrained(target, safe_serialization=format == "safetensors")
        if format != "safetensors":
            torch.save(model.state_dict(), target / "pytorch_model.bin",
                       _use_new_zipfile_serialization=format == "zip")
        # The real model has no generation_config.json: how to search stands in config.json.
        search = target / "generation_config.json"
        if search.exists():
            settings = json.loads((target / "config.json").read_text())
            settings.update(json.loads(search.read_text()))
            (target / "config.json").write_text(json.dumps(settings, indent=2))
            search.unlink()
        for file in tokenizer_files:
            shutil.copy(file, target)


def tokenizer_files(directory, names):
    return [path for name in names if (path := pathlib.Path(directory) / name).exists()]


def randomise(model, attention_gain, feed_forward_gain):
    """Weights with which the answer depends on every token: matrices of a gain that does not depend on their size, and
    no mean in what follows the activation, which would push all positions the same way. Higher gains make a chaotic
    network, in which rounding of 32 bits changes the answer: then torch does not agree with itself either."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.fill_(1.0 if "norm" in name.lower() and "weight" in name else 0.0)
                parameter.add_(torch.randn_like(parameter) * 0.05)
            elif "embed" not in name and "shared" not in name:
                query_or_key = any(part in name for part in ("q_proj", "k_proj", "q_lin", "k_lin"))
                gain = 1.0 if query_or_key else attention_gain if "att" in name else feed_forward_gain
                parameter.normal_(0, gain / parameter.shape[1] ** 0.5)
                if "fc2" in name or "lin2" in name:
                    parameter.sub_(parameter.mean(dim=1, keepdim=True))


def make_distilbert(directory, venv, size, formats=FORMATS):
    import torch
    from transformers import DistilBertConfig, DistilBertForSequenceClassification

    torch.manual_seed(1)
    config = DistilBertConfig(**size, num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"},
                              label2id={"NEGATIVE": 0, "POSITIVE": 1})
    model = DistilBertForSequenceClassification(config).eval()
    randomise(model, 0.7, 1.5)
    save(model, directory, tokenizer_files(f"{venv}/minilm", ("vocab.txt",)), formats)
    for format in formats:
        pathlib.Path(f"{directory}-{format}/tokenizer_config.json").write_text(
            json.dumps(dict(tokenizer_class="DistilBertTokenizer", do_lower_case=True, model_max_length=512)))
    return model


def make_bart(directory, venv, size, end_bias=3.7, formats=FORMATS):
    import torch
    from transformers import BartConfig, BartForConditionalGeneration

    torch.manual_seed(2)
    # What sshleifer/distilbart-cnn-6-6 says.
    config = BartConfig(**size, encoder_layers=6, decoder_layers=6, max_position_embeddings=1024, scale_embedding=False,
                        num_beams=4, length_penalty=2.0, early_stopping=True, no_repeat_ngram_size=3, min_length=56,
                        max_length=142, forced_bos_token_id=0, forced_eos_token_id=2, decoder_start_token_id=2,
                        prefix=" ", activation_function="gelu")
    model = BartForConditionalGeneration(config).eval()
    randomise(model, 0.7, 1.5)
    with torch.no_grad():
        model.model.shared.weight.normal_(0, 1.5 / config.d_model ** 0.5)
        for positions in (model.model.encoder.embed_positions, model.model.decoder.embed_positions):
            positions.weight.normal_(0, 4.0 / config.d_model ** 0.5)
        model.final_logits_bias.normal_(0, 0.2)
        model.final_logits_bias[0, 2] += end_bias
    model = model.half()
    save(model, directory, tokenizer_files(f"{venv}/bart", ("vocab.json", "merges.txt", "tokenizer_config.json")), formats)
    return model.float()  # as from_pretrained(torch_dtype=float32): wider, but the rounding stays


def generate(model, sources, min_length=10, max_length=50, batch=20):
    """One answer a source, without padding. Sources of like length share a batch: one by one it takes thrice as long."""
    import torch

    answers = [None] * len(sources)
    order = sorted(range(len(sources)), key=lambda i: len(sources[i]))
    for begin in range(0, len(order), batch):
        group = order[begin:begin + batch]
        longest = max(len(sources[i]) for i in group)
        ids = torch.tensor([sources[i] + [1] * (longest - len(sources[i])) for i in group])
        with torch.no_grad():
            outputs = model.generate(ids, attention_mask=(ids != 1).long(), min_length=min_length, max_length=max_length,
                                     do_sample=False).tolist()
        for i, output in zip(group, outputs):
            while output[-1] == 1:
                output.pop()
            answers[i] = output
    return answers


def random_sequences(rng, count, vocabulary, first, last, longest):
    sequences = []
    for i in range(count):
        length = rng.choice((1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 64)) if i % 3 else rng.randint(1, longest)
        sequences.append([first] + [rng.randrange(4, vocabulary) for _ in range(length)] + [last])
    return sequences


def write_lines(path, values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values))


def read_lines(path):
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


def tickets(rng, count):
    """Texts of all lengths: English, other scripts, none at all."""
    words = ("the login page shows an error when I try to pay my invoice and customer support has not answered for three "
             "days please help us with this integration of the webhook API naïve café Größe 请帮助我 مشكلة помогите 🙂 "
             "refund charged twice ERR-4012 https://example.com/a?b=c unbelievably disestablishment").split()
    return [" ".join(rng.choice(words) for _ in range(rng.choice((1, 3, 8, 20, 40, 90, 300)))) + rng.choice(("", ".", "?!"))
            for _ in range(count - 1)] + ["."]


def make(directory, venv):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(1)  # more would wait for each other on a busy machine
    directory = pathlib.Path(directory)
    rng = random.Random(3)

    texts = tickets(rng, 300)
    minilm = SentenceTransformer(f"{venv}/minilm", device="cpu")
    write_lines(directory / "embed.questions", texts)
    write_lines(directory / "embed.answers", minilm.encode(texts).tolist())

    distilbert = make_distilbert(directory / "distilbert", venv,
                                 dict(dim=96, n_heads=6, hidden_dim=384, n_layers=6, vocab_size=30522))
    sequences = random_sequences(rng, 120, 30522, 101, 102, 510)
    write_lines(directory / "classify.questions", sequences)
    with torch.no_grad():
        write_lines(directory / "classify.answers",
                    [distilbert(torch.tensor([s])).logits[0].tolist() for s in sequences])

    bart = make_bart(directory / "bart", venv,
                     dict(d_model=96, encoder_attention_heads=6, decoder_attention_heads=6, encoder_ffn_dim=384,
                          decoder_ffn_dim=384, vocab_size=5003))
    sources = random_sequences(rng, 220, 5003, 0, 2, 300)
    write_lines(directory / "summarize.questions", sources)
    write_lines(directory / "summarize.answers", generate(bart, sources))
    lengths = [len(answer) for answer in read_lines(directory / "summarize.answers")]
    print(f"summaries of {min(lengths)} to {max(lengths)} tokens, {sum(l < 50 for l in lengths)} of {len(lengths)} end early, "
          f"{len(set(map(tuple, read_lines(directory / 'summarize.answers'))))} are different")


def compare(kind, expected_path, got_path, tolerance):
    expected, got = read_lines(expected_path), read_lines(got_path)
    if len(expected) != len(got):
        sys.exit(f"{len(expected)} answers expected, {len(got)} given")
    if kind == "cosine":
        worst = max(1 - sum(a * b for a, b in zip(x, y)) / (sum(a * a for a in x) * sum(b * b for b in y)) ** 0.5
                    for x, y in zip(expected, got))
        print(f"{len(got)} vectors, 1 - cosine at most {worst:.2e}")
        sys.exit(worst > tolerance)
    if kind == "numbers":
        worst = max(abs(a - b) for x, y in zip(expected, got) for a, b in zip(x, y))
        print(f"{len(got)} lists of numbers, difference at most {worst:.2e}")
        sys.exit(worst > tolerance)
    same = sum(x == y for x, y in zip(expected, got))
    alike = sum(a == b for x, y in zip(expected, got) for a, b in zip(x, y)) / sum(max(len(x), len(y)) for x, y in
                                                                                  zip(expected, got))
    print(f"{same} of {len(got)} sequences equal, {alike:.1%} of the tokens")
    sys.exit(same < tolerance * len(got))


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], sys.argv[3])
    else:
        compare(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]) if len(sys.argv) > 5 else 1.0)
