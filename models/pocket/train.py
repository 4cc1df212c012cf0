"""Trains Pocket from scratch and exports it as a GlmForCausalLM checkpoint. Needs PyTorch alone.

    python3 train.py --work DIR --steps 6000 --decay 2000    # train (goes on from DIR/last.pt if it is there)
    python3 train.py --work DIR --export DIR/export          # write the checkpoint files
"""
import argparse
import ctypes
import json
import math
import os
import random
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# one thread in BLAS (two wait for each other, four times as slow on a shared machine), and memory that is not given back each step
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
if sys.platform == "linux":
    for option, value in ((-3, 1 << 30), (-1, 1 << 30), (-2, 1 << 28)):
        ctypes.CDLL(None).mallopt(option, value)

import torch
import torch.nn.functional as F

import model
import skills
from tokens import SPECIALS, STOPS, Encoder, make_vocabulary, tokenizer_json

HERE = Path(__file__).resolve().parent
PARTS = 2


# ---- data

def batches(encode, seed, number, count, tokens, device):
    """The data of `count` steps, each in parts. It depends on the seed and the round's number only, so a resumed run sees the same.

    Steps begin small, when any gradient shows the way, and grow by a token each.
    """
    r = random.Random(f"{seed}:{number}")
    for step in range(number * count, (number + 1) * count):
        rows, total = [], 0
        while total < tokens + step:
            rows.append(encode(*skills.dialog(r, step)))
            total += len(rows[-1][0])
        rows.sort(key=lambda row: len(row[0]))
        yield [model.pack(rows[i::PARTS], device) for i in range(PARTS)] if device == "cpu" else [model.pack(rows, device)]


def gradients(w, parts, pool):
    """Loss and gradients of a step. On a CPU each part has its own thread; they are added in one order, so the sum is always the same."""
    count = sum(len(part["targets"]) for part in parts)

    def one(part):
        loss = F.cross_entropy(model.forward(w, part), part["targets"], reduction="sum") / count
        return loss.item(), torch.autograd.grad(loss, list(w.values()))

    done = list(pool.map(one, parts))
    return sum(loss for loss, _ in done), {k: sum(grads[1:], grads[0]) for k, *grads in zip(w, *(g for _, g in done))}


@torch.no_grad()
def accuracy(w, encode, device, n):
    """Exact answers on held-out prompts. A greedy answer is right exactly when every answer token is the likeliest one here."""
    table = {}
    for name, generate, *_ in skills.SKILLS:
        for lang in ("en", "zh"):
            r, rows = random.Random(f"quick:{name}:{lang}"), []
            for _ in range(n):
                ids, learn = encode(*skills.example(r, generate, lang, True))
                last = len(ids) - learn[::-1].index(0)
                rows.append((ids, [0] * last + learn[last:]))
            packed = model.pack(rows, device)
            right = model.forward(w, packed).argmax(-1) == packed["targets"]
            wrong = torch.zeros(packed["rows"], dtype=torch.long, device=device).index_add_(0, packed["owner"], (~right).long())
            table[f"{name}/{lang}"] = (wrong == 0).float().mean().item()
    return table


# ---- training

class Optimizer:
    """Muon for the matrices (orthogonal updates: fewer steps to the same loss), AdamW for the embedding and the norms."""

    def __init__(self, w):
        self.step, self.state = 0, {k: [torch.zeros_like(p), torch.zeros_like(p) if self.adam(k) else None] for k, p in w.items()}

    @staticmethod
    def adam(name):
        return "proj" not in name

    @torch.no_grad()
    def update(self, w, grads, lr):
        self.step += 1
        shapes = {}
        for k, p in w.items():
            g, (m, v) = grads[k], self.state[k]
            if self.adam(k):
                m.lerp_(g, 0.1)
                v.lerp_(g * g, 0.02)
                p.sub_(lr * (m / (1 - 0.9 ** self.step)) / ((v / (1 - 0.98 ** self.step)).sqrt() + 1e-10))
            else:
                m.mul_(0.95).add_(g)
                shapes.setdefault(tuple(p.shape), []).append((k, g + 0.95 * m))
        for shape, group in shapes.items():
            x = torch.stack([g for _, g in group])
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(4):
                a = x @ x.mT
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            for (k, _), o in zip(group, x.mT if tall else x):
                w[k].mul_(1 - lr * 0.05).sub_(lr * 0.2 * math.sqrt(max(shape)) * o)


def train(args, vocabulary):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encode, work = Encoder(vocabulary), Path(args.work)
    last = work / "last.pt"
    w = {k: v.to(device) for k, v in model.init(args.seed).items()}
    opt = Optimizer(w)
    saved = torch.load(last, map_location=device) if last.exists() else {}
    if saved:
        w, opt.state, opt.step = saved["weights"], saved["state"], saved["step"]
    # the running average of the weights is what is measured and exported: it is quieter than the last step
    average = {k: v.clone() for k, v in saved.get("average", w).items()}
    pool = ThreadPoolExecutor(PARTS)
    began, losses, since = time.time(), [], opt.step

    def save():
        # written beside and renamed, so that a stop in the middle leaves the older checkpoint whole
        torch.save({"weights": w, "average": average, "state": opt.state, "step": opt.step, "seed": args.seed}, f"{last}.new")
        os.replace(f"{last}.new", last)

    while opt.step < args.steps:
        # the last steps feel INT4's rounding, with scales made anew each round
        fine = opt.step < args.steps - args.rounding
        kept = {} if fine else {k: model.scales(v) for k, v in w.items() if v.dim() == 2}
        for parts in batches(encode, args.seed, opt.step // args.round, args.round, args.tokens, device):
            lr = args.lr * min(1, (opt.step + 1) / 100, max(0.02, (args.steps - opt.step) / max(1, args.decay)))
            # gradients pass straight through the rounding: those at the rounded weights are used for the exact ones
            loss, grads = gradients(model.rounded(w, kept), parts, pool)
            opt.update(w, grads, lr)
            for k, v in average.items():
                v.lerp_(w[k], args.average)
            losses.append(loss)
        rounds = opt.step // args.round
        if rounds % args.keep == 0 or opt.step >= args.steps:
            save()
        if rounds % args.every == 0 or opt.step >= args.steps:
            table = accuracy(average, encode, device, args.n)
            line = " ".join(f"{k[:-3]} {table[k]:.2f}/{table[k[:-2] + 'zh']:.2f}" for k in table if k.endswith("en"))
            pace = (time.time() - began) / max(1, opt.step - since)
            print(f"step {opt.step} loss {sum(losses) / len(losses):.4f} lr {lr:.2g} {pace:.2f} s/step mean {sum(table.values()) / len(table):.3f} | {line}", flush=True)
            losses = []
        else:
            print(f"step {opt.step} loss {sum(losses[-args.round:]) / args.round:.4f} {time.time() - began:.0f} s", flush=True)


# ---- export

def write_safetensors(path, tensors):
    """bf16, in the order of their names, the header padded to eight bytes."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, t in sorted(tensors.items()):
        header[name] = {"dtype": "BF16", "shape": list(t.shape), "data_offsets": [at, at + 2 * t.numel()]}
        at += 2 * t.numel()
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, t in sorted(tensors.items()):
            file.write(t.bfloat16().contiguous().view(torch.int16).numpy().tobytes())


def export(args, vocabulary):
    saved = torch.load(args.checkpoint or Path(args.work) / "last.pt", map_location="cpu")
    out, stops = Path(args.export), [vocabulary[s] for s in STOPS]
    out.mkdir(parents=True, exist_ok=True)
    write_safetensors(out / "model.safetensors", saved["average"])

    def write(name, data):
        (out / name).write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    write("config.json", {
        "architectures": ["GlmForCausalLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": None, "dtype": "bfloat16", "eos_token_id": stops, "head_dim": model.HEAD, "hidden_act": "silu",
        "hidden_size": model.HIDDEN, "initializer_range": 0.02, "intermediate_size": model.INNER, "max_position_embeddings": model.CONTEXT, "model_type": "glm", "num_attention_heads": model.HEADS,
        "num_hidden_layers": model.LAYERS, "num_key_value_heads": model.KV, "pad_token_id": stops[0], "partial_rotary_factor": model.ROTARY / model.HEAD, "rms_norm_eps": model.EPS,
        "rope_parameters": {"partial_rotary_factor": model.ROTARY / model.HEAD, "rope_theta": model.THETA, "rope_type": "default"}, "tie_word_embeddings": True, "use_cache": True, "vocab_size": model.VOCAB})
    write("generation_config.json", {"do_sample": False, "eos_token_id": stops, "pad_token_id": stops[0], "use_cache": True})
    write("tokenizer.json", tokenizer_json(vocabulary))
    write("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.CONTEXT, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "padding_side": "left", "clean_up_tokenization_spaces": False,
        "additional_special_tokens": SPECIALS, "added_tokens_decoder": {str(vocabulary[s]): {"content": s, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} for s in SPECIALS}})
    (out / "chat_template.jinja").write_text((HERE / "chat_template.jinja").read_text(encoding="utf-8"), encoding="utf-8")
    print("exported step", saved["step"], "parameters", sum(v.numel() for v in saved["average"].values()), "bytes", (out / "model.safetensors").stat().st_size)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--work", required=True, help="folder of the checkpoints")
    p.add_argument("--export", metavar="FOLDER", help="write the checkpoint there instead of training")
    p.add_argument("--checkpoint", help="export this file instead of the last one")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=6000)
    p.add_argument("--decay", type=int, default=2000, help="the learning rate falls over this many last steps")
    p.add_argument("--rounding", type=int, default=1000, help="this many last steps are trained with the weights rounded to INT4")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--average", type=float, default=0.02, help="share of the newest weights in the running average")
    p.add_argument("--tokens", type=int, default=1024, help="tokens in the first step")
    p.add_argument("--round", type=int, default=25, help="steps whose data is made together")
    p.add_argument("--keep", type=int, default=4, help="rounds between checkpoints")
    p.add_argument("--every", type=int, default=10, help="rounds between measurements")
    p.add_argument("--n", type=int, default=40, help="prompts per skill and language in a measurement")
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.makedirs(args.work, exist_ok=True)
    at = Path(args.work) / "vocabulary.json"
    if not at.exists():
        at.write_text(json.dumps(make_vocabulary(args.seed, model.VOCAB), ensure_ascii=False), encoding="utf-8")
    vocabulary = json.loads(at.read_text(encoding="utf-8"))
    export(args, vocabulary) if args.export else train(args, vocabulary)
