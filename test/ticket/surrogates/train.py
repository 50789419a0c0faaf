"""Trains surrogates of the workload's checkpoints: networks of the true widths, heads, vocabularies and file formats with fewer
layers, which learn of ticket-generator's tickets what rules.py says. Run by script/surrogates; needs script/oracle-venv.

    train.py classify|summarize DIRECTORY TICKETS HELD_OUT VOCABULARY [--layers N] [--steps N] [--batch N] [--width N] [--heads N] [--rate R]
             [--tiny POSITIONS] [--from PROGRESS]

TICKETS has tickets, a line of JSON each: at least --steps times --batch without those that rules.py holds out. HELD_OUT has others, on
whose held out ones the result is tried.
VOCABULARY is a directory with the tokenizer's files. DIRECTORY gets the checkpoint, and before that MODEL.progress, from which a run
that was stopped goes on: the order of the tickets depends on the step alone. Seeded: the same machine gets the same weights, if it was
not stopped.

What makes it cheap enough for a processor: only tokens that the tickets have are in the network while it learns, as only those can be
learned; when it is saved the others get random rows, and a bias of -20 in the summarizer's logits, which is what they would have learned.
With --tiny the checkpoint keeps to the tickets' tokens, numbered anew, and has so many positions and 16 bits a
weight: small enough to stand in the tree. Then DIRECTORY/MODEL/questions.jsonl has the sources of HELD_OUT in these tokens, and
answers.jsonl what is right. With --from it begins with what a narrower network knows, that run's MODEL.progress: each of its units many times, and
something at random on each weight (Chen et al., Net2Net, 2016), so that most of the learning is done where a step costs a hundredth.
Products have 16 bits (bfloat16) where the processor has AMX.
"""
import argparse
import json
import pathlib
import shutil
import sys
import time

import torch
import transformers
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "oracles"))
import models  # noqa: E402
import rules  # noqa: E402

SEED = 20261201
LABELS = ("NEGATIVE", "POSITIVE")
UNUSED_BIAS = -20.0
CHUNK = 16  # batches whose tickets are put in order of length together


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=("classify", "summarize"))
    for name in ("directory", "tickets", "held_out", "vocabulary"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--width", type=int)
    parser.add_argument("--heads", type=int)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--tiny", type=int)
    parser.add_argument("--from", type=pathlib.Path, dest="narrow")
    return parser.parse_args()


def tokenizer_of(kind, vocabulary):
    if kind == "classify":
        return transformers.BertTokenizerFast(vocab_file=str(vocabulary / "vocab.txt"), do_lower_case=True)
    return transformers.BartTokenizerFast(vocab_file=str(vocabulary / "vocab.json"), merges_file=str(vocabulary / "merges.txt"))


def read(kind, path, tokenizer, held_out):
    """(source, target) of each ticket that is held out, or is not: token ids, and the label's number or the summary's token ids."""
    tickets = [json.loads(line) for line in path.read_text().splitlines()]
    tickets = [ticket for ticket in tickets if rules.held_out(rules.question(ticket)) == held_out]
    answers = [rules.answer(ticket) for ticket in tickets]
    # As ticket-processor does it: the summarizer's prefix is a space.
    prefix = "" if kind == "classify" else " "
    sources = tokenizer([prefix + rules.question(ticket) for ticket in tickets])["input_ids"]
    if kind == "classify":
        return [(source, LABELS.index(label)) for source, (label, _) in zip(sources, answers)]
    return list(zip(sources, tokenizer([" " + summary for _, summary in answers])["input_ids"]))


class Small:
    """The tokens of the corpus, numbered anew."""

    def __init__(self, kind, pairs, tokenizer, narrow):
        # The true summarizer has no row for <mask>.
        used = set(tokenizer.all_special_ids) - {tokenizer.mask_token_id}
        for source, target in pairs:
            used.update(source)
            used.update(target if kind == "summarize" else ())
        if narrow:  # which has seen more tickets
            known = torch.load(narrow, weights_only=True)["asked"][-1]
            if not used <= set(known):
                sys.exit(f"{narrow} has learned other tokens")
            used = known
        self.used = sorted(used)
        self.number = {token: i for i, token in enumerate(self.used)}

    def tensor(self, sequences, pad):
        longest = max(map(len, sequences))
        return torch.tensor([[self.number[token] for token in sequence] + [pad] * (longest - len(sequence)) for sequence in sequences])


def network(options, small, tokenizer):
    special = dict(pad_token_id=small.number[tokenizer.pad_token_id], vocab_size=len(small.used))
    if options.model == "classify":
        width = options.width or 768
        config = transformers.DistilBertConfig(n_layers=options.layers, dim=width, n_heads=options.heads or 12, hidden_dim=4 * width, num_labels=2, id2label=dict(enumerate(LABELS)),
                                               label2id={label: i for i, label in enumerate(LABELS)}, max_position_embeddings=options.tiny or 512,
                                               dropout=0.0, attention_dropout=0.0, seq_classif_dropout=0.0, **special)
        return transformers.DistilBertForSequenceClassification(config)
    width = options.width or 1024
    number = small.number
    config = transformers.BartConfig(
        d_model=width, encoder_layers=options.layers, decoder_layers=options.layers, encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width,
        encoder_attention_heads=options.heads or 16, decoder_attention_heads=options.heads or 16, max_position_embeddings=options.tiny or 1024,
        scale_embedding=False, activation_function="gelu", dropout=0.0, attention_dropout=0.0, activation_dropout=0.0,
        bos_token_id=number[tokenizer.bos_token_id], eos_token_id=number[tokenizer.eos_token_id],
        decoder_start_token_id=number[tokenizer.eos_token_id], **special)
    return transformers.BartForConditionalGeneration(config)


def widen(options, model, narrow):
    """Gives the model the knowledge of a narrower one with the same tokens and size of heads: unit i is a copy of unit i modulo the
    narrower width, so what a copy is multiplied by is divided by the number of copies. Then a quarter of each matrix's deviation is
    added at random, so that copies become different ones."""
    state = torch.load(narrow, weights_only=True)
    generator, wide = torch.Generator().manual_seed(SEED), {}
    last = f"model.decoder.layers.{options.layers - 1}.final_layer_norm."
    for name, to in model.state_dict().items():
        value = state["model"][name]
        if "embed" in name and value.dim() == 2 or "shared" in name or "lm_head" in name:
            value = value.repeat(1, to.shape[1] // value.shape[1])
            # Positions that the narrower one has not keep what they have.
            value = torch.cat([value, to[value.shape[0]:]])
        elif value.dim() == 2 and name != "final_logits_bias":
            copies = to.shape[1] // value.shape[1]
            value = value.repeat(to.shape[0] // value.shape[0], copies) / copies
            value = value + torch.randn(value.shape, generator=generator) * value.std() / 4
        elif value.dim() == 1:
            value = value.repeat(to.shape[0] // value.shape[0])
            if name.startswith(last):  # its copies meet those in the embeddings, which make the logits
                value = value * state["model"][name].shape[0] / to.shape[0]
        wide[name] = value
    model.load_state_dict(wide)


def loss_and_right(options, model, small, tokenizer, batch):
    """The loss, and of which tickets every label or token is the likeliest."""
    pad = small.number[tokenizer.pad_token_id]
    sources = small.tensor([source for source, _ in batch], pad)
    mask = (sources != pad).long()
    if options.model == "classify":
        labels = torch.tensor([label for _, label in batch])
        logits = model(input_ids=sources, attention_mask=mask).logits.float()
        return torch.nn.functional.cross_entropy(logits, labels), logits.argmax(-1) == labels
    targets = small.tensor([target for _, target in batch], pad)
    # What transformers' shift_tokens_right does: the decoder starts with </s> and is asked for <s>, the summary, </s>.
    start = torch.full((len(batch), 1), small.number[tokenizer.eos_token_id])
    logits = model(input_ids=sources, attention_mask=mask, decoder_input_ids=torch.cat([start, targets[:, :-1]], 1)).logits.float()
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=pad)
    return loss, ((logits.argmax(-1) == targets) | (targets == pad)).all(1)


def batch_at(pairs, step, size):
    """The batch of a step: tickets of like length together, in an order that depends on the step only."""
    chunk, at = divmod(step, CHUNK)
    begin = chunk * CHUNK * size
    group = sorted(pairs[begin:begin + CHUNK * size], key=lambda pair: len(pair[0]))
    order = torch.randperm(len(group) // size, generator=torch.Generator().manual_seed(SEED + chunk)).tolist()
    return group[order[at] * size:order[at] * size + size]


def keep(path, content):
    torch.save(content, path.with_suffix(".new"))
    path.with_suffix(".new").rename(path)


def train(options, model, small, tokenizer, pairs, held_out, cast):
    # Those of matrices fall to zero where they are not needed; no other number does.
    groups = [dict(params=[p for p in model.parameters() if p.dim() > 1], weight_decay=0.01),
              dict(params=[p for p in model.parameters() if p.dim() == 1], weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, betas=(0.9, 0.98))
    warm = max(1, min(200, options.steps // 10))
    # Up at once, then down to nothing in a straight line.
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warm, max(0.0, (options.steps - step) / max(1, options.steps - warm))))
    progress, step, seconds = options.directory / f"{options.model}.progress", 0, 0.0
    if progress.exists():
        state = torch.load(progress, weights_only=True)
        if state["asked"] != [options.layers, options.steps, options.batch, options.width, options.heads, options.rate, small.used]:
            sys.exit(f"{progress} is of a run with other options or tickets; remove it to begin anew")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        step, seconds = state["step"], state["seconds"]  # what --from has given was in it
        print(f"{options.model}: goes on at step {step}", flush=True)
    begin, total, right, seen = time.monotonic(), 0.0, 0, 0
    while step < options.steps:
        with cast():
            loss, found = loss_and_right(options, model, small, tokenizer, batch_at(pairs, step, options.batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        step += 1
        total, right, seen = total + loss.item(), right + found.sum().item(), seen + len(found)
        if step % 50 == 0 or step == options.steps:
            spent = seconds + time.monotonic() - begin
            print(f"{options.model}: step {step} of {options.steps}, loss {total / (seen / options.batch):.4f}, {right / seen:.2%} right, "
                  f"{spent:.0f} s", flush=True)
            total, right, seen = 0.0, 0, 0
        if step % 200 == 0 or step == options.steps:
            keep(progress, dict(model=model.state_dict(), optimizer=optimizer.state_dict(), schedule=schedule.state_dict(), step=step,
                                seconds=seconds + time.monotonic() - begin,
                                asked=[options.layers, options.steps, options.batch, options.width, options.heads, options.rate, small.used]))
    model.eval()
    with torch.no_grad():
        found = [loss_and_right(options, model, small, tokenizer, held_out[at:at + options.batch])[1] for at in range(0, len(held_out), options.batch)]
    return torch.cat(found).float().mean().item(), seconds + time.monotonic() - begin


def save(options, model, small, target):
    """With the whole vocabulary, as models.py saves the checkpoints with random weights, and as the true ones are."""
    full = 30522 if options.model == "classify" else 50264
    generator = torch.Generator().manual_seed(SEED)

    def widened(rows):
        table = torch.randn(full, rows.shape[1], generator=generator) * 0.02
        table[torch.tensor(small.used)] = rows
        return table

    if options.model == "classify":
        whole = models.distilbert(n_layers=options.layers, dim=model.config.dim, n_heads=model.config.n_heads, hidden_dim=model.config.hidden_dim)
        state = model.state_dict()
        state["distilbert.embeddings.word_embeddings.weight"] = widened(state["distilbert.embeddings.word_embeddings.weight"])
        whole.load_state_dict(state)
        models.save(whole, target, "safetensors")
    else:
        config = model.config
        whole = models.bart(0.0, d_model=config.d_model, encoder_layers=config.encoder_layers, decoder_layers=config.decoder_layers,
                            encoder_ffn_dim=config.encoder_ffn_dim, decoder_ffn_dim=config.decoder_ffn_dim, vocab_size=full,
                            encoder_attention_heads=config.encoder_attention_heads, decoder_attention_heads=config.decoder_attention_heads)
        state = model.state_dict()
        table = widened(state["model.shared.weight"])
        for name in ("model.shared.weight", "model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"):
            state[name] = table
        bias = torch.full((1, full), UNUSED_BIAS)
        bias[0, torch.tensor(small.used)] = state["final_logits_bias"][0]
        state["final_logits_bias"] = bias
        whole.load_state_dict(state)
        models.save(whole, target, "zip")
    models.add_vocabulary(whole, target, dict(minilm=options.vocabulary, bart=options.vocabulary))


def save_tiny(options, model, small, tokenizer, held_out, target):
    if options.model == "summarize":
        # <s>, <pad> and </s> come first in the vocabulary, so that they have the same numbers here.
        assert small.used[:3] == [0, 1, 2], small.used[:3]
        model.generation_config.update(**models.SEARCH)
        model.config.update(models.SEARCH)
    models.save(model.half(), target, "safetensors")

    # A model is not loaded without a tokenizer, although this one is asked in tokens: it splits BART's words into bytes.
    # There are more tokens than rows, as in the true summarizer: those without which a tokenizer is refused.
    tokens = tokenizer.convert_ids_to_tokens(small.used) + [tokenizer.mask_token]
    if options.model == "summarize":
        tokens += [byte for byte in bytes_to_unicode().values() if byte not in tokens]
    if options.model == "classify":
        (target / "vocab.txt").write_text("".join(token + "\n" for token in tokens))
    else:
        (target / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
        (target / "merges.txt").write_text("#version: 0.2\n")

    def lines(name, values):
        (target / name).write_text("".join(json.dumps(value, separators=(",", ":")) + "\n" for value in values))

    lines("questions.jsonl", [[small.number[token] for token in source] for source, _ in held_out])
    lines("answers.jsonl", [answer if options.model == "classify" else [small.number[token] for token in answer] for _, answer in held_out])


def main():
    options = parse()
    torch.manual_seed(SEED)
    transformers.logging.set_verbosity_error()
    # Products of bfloat16 are worth it with AMX: AVX-512's are slower here than those of 32 bits.
    fast = "amx_bf16" in pathlib.Path("/proc/cpuinfo").read_text().split()

    def cast():
        return torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast)

    tokenizer = tokenizer_of(options.model, options.vocabulary)
    pairs = read(options.model, options.tickets, tokenizer, held_out=False)[:options.steps * options.batch]
    if len(pairs) < options.steps * options.batch:
        sys.exit(f"{options.tickets} has {len(pairs)} tickets, fewer than {options.steps} steps of {options.batch} need")
    held_out = read(options.model, options.held_out, tokenizer, held_out=True)
    small = Small(options.model, pairs + held_out, tokenizer, options.narrow)
    model = network(options, small, tokenizer)
    if options.narrow:
        widen(options, model, options.narrow)
    lengths = [len(source) for source, _ in pairs]
    print(f"{options.model}: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} million weights, {len(small.used)} tokens, sources of "
          f"{sum(lengths) / len(lengths):.0f} (at most {max(lengths)}), {'bfloat16' if fast else '32 bits'}, {torch.get_num_threads()} threads", flush=True)
    share, seconds = train(options, model, small, tokenizer, pairs, held_out, cast)
    target = options.directory / f"{options.model}.new"
    shutil.rmtree(target, ignore_errors=True)
    if options.tiny:
        save_tiny(options, model, small, tokenizer, held_out, target)
    else:
        save(options, model, small, target)
    report = dict(layers=options.layers, steps=options.steps, batch=options.batch, held_out=len(held_out), right=round(share, 5), seconds=round(seconds))
    (target / "surrogate.json").write_text(json.dumps(report) + "\n")
    target.rename(options.directory / options.model)
    print(f"{options.model}: {json.dumps(report)}", flush=True)


if __name__ == "__main__":
    main()
