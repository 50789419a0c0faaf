"""The true architectures with our random weights, in transformers and torch. Needs script/oracle-venv."""
import json
import pathlib
import shutil

import torch
import transformers

from weights import weights

FORMATS = ("safetensors", "zip", "legacy")
# What sshleifer/distilbart-cnn-6-6 says.
SEARCH = dict(num_beams=4, length_penalty=2.0, early_stopping=True, no_repeat_ngram_size=3, min_length=56, max_length=142,
              forced_bos_token_id=0, forced_eos_token_id=2, decoder_start_token_id=2, prefix=" ")


def tensors_of(model):
    """Each tensor that has weights once, under its first name, with that name."""
    yield from model.named_parameters()
    if hasattr(model, "final_logits_bias"):
        yield "final_logits_bias", model.final_logits_bias


def with_weights(model, end_bias=0.0):
    with torch.no_grad():
        for name, tensor in tensors_of(model):
            numbers = weights(name, list(tensor.shape), end_bias)
            tensor.copy_(torch.frombuffer(numbers, dtype=torch.float32).reshape(tensor.shape))
    return model.eval()


def distilbert(**size):
    config = transformers.DistilBertConfig(**size, num_labels=2, id2label={0: "NEGATIVE", 1: "POSITIVE"},
                                           label2id={"NEGATIVE": 0, "POSITIVE": 1})
    return with_weights(transformers.DistilBertForSequenceClassification(config))


def bart(end_bias, **size):
    """In 16 bits, as the real checkpoint is; .float() makes of it what from_pretrained(torch_dtype=float32) does."""
    config = transformers.BartConfig(**size, **SEARCH, max_position_embeddings=1024, scale_embedding=False,
                                     activation_function="gelu")
    return with_weights(transformers.BartForConditionalGeneration(config), end_bias).half()


def save(model, target, format):
    """As transformers and torch.save write it, without the vocabulary."""
    target = pathlib.Path(target)
    model.save_pretrained(target, safe_serialization=format == "safetensors")
    if format != "safetensors":
        torch.save(model.state_dict(), target / "pytorch_model.bin", _use_new_zipfile_serialization=format == "zip")
    # The real model has no generation_config.json: how to search stands in config.json.
    search = target / "generation_config.json"
    if search.exists():
        settings = json.loads((target / "config.json").read_text())
        settings.update(json.loads(search.read_text()))
        (target / "config.json").write_text(json.dumps(settings, indent=2))
        search.unlink()
    if model.config.model_type == "distilbert":
        (target / "tokenizer_config.json").write_text(
            json.dumps(dict(tokenizer_class="DistilBertTokenizer", do_lower_case=True, model_max_length=512)))


VOCABULARY = {"distilbert": ("minilm", ["vocab.txt"]), "bart": ("bart", ["vocab.json", "merges.txt", "tokenizer_config.json"])}


def add_vocabulary(model, target, vocabularies):
    which, names = VOCABULARY[model.config.model_type]
    for name in names:
        shutil.copy(pathlib.Path(vocabularies[which]) / name, target)


def generate(model, sources, min_length=10, max_length=50, batch=20):
    """One answer a source, without padding. Sources of like length share a batch: one by one it takes thrice as long."""
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
