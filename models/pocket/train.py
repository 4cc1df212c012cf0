"""Trains Pocket from scratch and exports it as a GlmForCausalLM checkpoint.

    python3 train.py --work DIR --steps 4000 --decay 800     # train (goes on from DIR/last.pt if it is there)
    python3 train.py --work DIR --export                     # write the checkpoint files beside this script
    python3 train.py --work DIR --start . --steps 2000       # train on from an exported checkpoint (weights and tokenizer)
"""
import argparse
import ctypes
import json
import math
import os
import random
import sys
import time
from pathlib import Path

# threads that sleep while they wait keep their pace on a shared machine, and so does memory that is not given back each step
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if sys.platform == "linux":
    for option, value in ((-3, 1 << 30), (-1, 1 << 30), (-2, 1 << 28)):
        ctypes.CDLL(None).mallopt(option, value)

import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

import skills

HERE = Path(__file__).resolve().parent
SPECIALS = ["<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"]
STOPS = ["<|endoftext|>", "<|user|>", "<|observation|>"]
# GLM-4's split, but with digits one by one, so that a sum is made of digits and not of number words
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
VOCAB, HIDDEN, LAYERS, HEADS, KV, HEAD, INNER, CONTEXT = 1280, 192, 5, 6, 2, 32, 384, 1024
EPS, THETA, ROTARY = 1e-5, 10000.0, 16


# ---- tokenizer

def make_tokenizer(seed):
    """Byte-level BPE on the training dialogs. Capital words and letter lists stay single letters: no merge may learn them."""
    r = random.Random(f"{seed}:tokenizer")
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(SPLIT), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tok.decoder = decoders.ByteLevel()
    texts = []
    for _ in range(20000):
        for _, text in skills.dialog(r):
            texts += [w for w in text.split(" ") if len(w) < 2 or not (w.isascii() and w.strip("?.").isupper())][:1]
            texts += [" " + w for w in text.split(" ")[1:] if not (len(w) > 1 and w.isascii() and w.strip("?.").isupper())]
    trainer = trainers.BpeTrainer(vocab_size=VOCAB - len(SPECIALS), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False)
    tok.train_from_iterator(texts, trainer)
    tok.add_special_tokens(SPECIALS)
    assert tok.get_vocab_size() == VOCAB, tok.get_vocab_size()
    return tok


class Encoder:
    """Turns messages into ids as the chat template does, with a flag on each token that is an answer or its stop."""

    def __init__(self, tok):
        self.tok, self.id, self.cache = tok, {s: tok.token_to_id(s) for s in SPECIALS}, {}

    def __call__(self, messages):
        ids, learn = [self.id["[gMASK]"], self.id["<sop>"]], [0, 0]
        for role, text in messages:
            part = self.tok.encode("\n" + text, add_special_tokens=False).ids
            ids += [self.id[f"<|{role}|>"], *part]
            # the role token after an answer is what stops it, so it is learnt too
            learn += [int(learn[-1]), *([int(role == "assistant")] * len(part))]
        return ids + [self.id["<|user|>"]], learn + [learn[-1]]


# ---- model: the maths of GlmForCausalLM, with its tensor names, in plain functions that are quick on a CPU

def init(seed):
    g = torch.Generator().manual_seed(seed)
    w = {"model.embed_tokens.weight": (VOCAB, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for n in range(LAYERS):
        p = f"model.layers.{n}."
        w |= {p + "input_layernorm.weight": (HIDDEN,), p + "post_attention_layernorm.weight": (HIDDEN,),
              p + "self_attn.q_proj.weight": (HEADS * HEAD, HIDDEN), p + "self_attn.k_proj.weight": (KV * HEAD, HIDDEN),
              p + "self_attn.v_proj.weight": (KV * HEAD, HIDDEN), p + "self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD),
              p + "mlp.gate_up_proj.weight": (2 * INNER, HIDDEN), p + "mlp.down_proj.weight": (HIDDEN, INNER)}
    out = {}
    for name, shape in w.items():
        if len(shape) == 1:
            out[name] = torch.ones(shape)
        else:
            std = 0.05 if "embed" in name else shape[1] ** -0.5 * (0.3 if "o_proj" in name or "down" in name else 0.8)
            out[name] = torch.randn(shape, generator=g) * std
    return out


def rope(x, turn):
    """Interleaved rotation of the first ROTARY numbers of each head; a pair is one complex number."""
    a = torch.view_as_complex(x[..., :ROTARY].reshape(*x.shape[:-1], ROTARY // 2, 2)) * turn
    return torch.cat([torch.view_as_real(a).flatten(-2), x[..., ROTARY:]], -1)


def forward(w, ids):
    b, t = ids.shape
    freq = THETA ** (-torch.arange(0, ROTARY, 2, device=ids.device).float() / ROTARY)
    angle = torch.outer(torch.arange(t, device=ids.device).float(), freq)
    turn = torch.polar(torch.ones_like(angle), angle)
    h = F.embedding(ids, w["model.embed_tokens.weight"])
    for n in range(LAYERS):
        p = f"model.layers.{n}."
        x = F.rms_norm(h, (HIDDEN,), w[p + "input_layernorm.weight"], EPS)
        q, k, v = (F.linear(x, w[p + f"self_attn.{c}_proj.weight"]).view(b, t, -1, HEAD).transpose(1, 2) for c in "qkv")
        q, k = rope(q, turn), rope(k, turn)
        k, v = (y.repeat_interleave(HEADS // KV, 1) for y in (k, v))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        h = h + F.linear(a.transpose(1, 2).reshape(b, t, -1), w[p + "self_attn.o_proj.weight"])
        x = F.rms_norm(h, (HIDDEN,), w[p + "post_attention_layernorm.weight"], EPS)
        gate, up = F.linear(x, w[p + "mlp.gate_up_proj.weight"]).chunk(2, -1)
        h = h + F.linear(F.silu(gate) * up, w[p + "mlp.down_proj.weight"])
    return F.rms_norm(h, (HIDDEN,), w["model.norm.weight"], EPS)


def answers(w, batch):
    """Logits and targets at the answer tokens alone; the head over the prompts would be wasted work."""
    ids, learn = batch
    at = learn[:, 1:].bool()
    return F.linear(forward(w, ids[:, :-1])[at], w["model.embed_tokens.weight"]), ids[:, 1:][at]


# ---- data

def pad(rows, device):
    # padding sits after the text, where a causal model cannot see it
    n = max(len(ids) for ids, _ in rows)
    return tuple(torch.tensor([list(row[i]) + [0] * (n - len(row[i])) for row in rows], device=device) for i in (0, 1))


def round_of_batches(encode, seed, number, count, tokens, device):
    """Batches of about one length each. A round depends on the seed and its number only, so a resumed run sees the same data."""
    r, rows, total = random.Random(f"{seed}:{number}"), [], 0
    while total < count * tokens:
        rows.append(encode(skills.dialog(r)))
        total += len(rows[-1][0])
    rows.sort(key=lambda row: len(row[0]))
    cuts, start, seen = [], 0, 0
    for i, row in enumerate(rows):
        seen += len(row[0])
        if seen >= tokens * (len(cuts) + 1) * total / (count * tokens) or i + 1 == len(rows):
            cuts.append(rows[start:i + 1])
            start = i + 1
    cuts = [c for c in cuts if c]
    r.shuffle(cuts)
    return [pad(c, device) for c in cuts][:count]


@torch.no_grad()
def accuracy(w, encode, device, n=60):
    """Exact answers on held-out prompts. A greedy answer is right exactly when every answer token is the likeliest one here."""
    table = {}
    for name, generate, _ in skills.SKILLS:
        for lang in ("en", "zh"):
            r = random.Random(f"quick:{name}:{lang}")
            rows = []
            for _ in range(n):
                turns = skills.example(r, generate, lang, True)
                ids, learn = encode([m for q, a in turns for m in (("user", q), ("assistant", a))])
                last = len(ids) - learn[::-1].index(0)
                rows.append((ids, [0] * last + learn[last:]))
            ids, learn = pad(rows, device)
            best = F.linear(forward(w, ids[:, :-1]), w["model.embed_tokens.weight"]).argmax(-1)
            table[f"{name}/{lang}"] = ((best == ids[:, 1:]) | ~learn[:, 1:].bool()).all(1).float().mean().item()
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
    def update(self, w, lr):
        self.step += 1
        shapes = {}
        for k, p in w.items():
            g, (m, v) = p.grad, self.state[k]
            if self.adam(k):
                m.lerp_(g, 0.1)
                v.lerp_(g * g, 0.02)
                p.sub_(lr * (m / (1 - 0.9 ** self.step)) / ((v / (1 - 0.98 ** self.step)).sqrt() + 1e-10))
            else:
                m.mul_(0.95).add_(g)
                shapes.setdefault(tuple(p.shape), []).append((k, g + 0.95 * m))
            p.grad = None
        for shape, group in shapes.items():
            x = torch.stack([g for _, g in group])
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(5):
                a = x @ x.mT
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            for (k, _), o in zip(group, x.mT if tall else x):
                w[k].mul_(1 - lr * 0.05).sub_(lr * 0.2 * math.sqrt(max(shape)) * o)


def train(args, tok):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encode, work = Encoder(tok), Path(args.work)
    last = work / "last.pt"
    w = {k: v.to(device) for k, v in init(args.seed).items()}
    if args.start and not last.exists():
        from safetensors.torch import load_file
        w |= {k: v.float().to(device) for k, v in load_file(Path(args.start) / "model.safetensors").items() if k in w}
    opt = Optimizer(w)
    if last.exists():
        saved = torch.load(last, map_location=device)
        w, opt.state, opt.step = saved["weights"], saved["state"], saved["step"]
    # the running average of the weights is what is measured and exported: it is quieter than the last step
    average = saved.get("average", w) if last.exists() else w
    average = {k: v.clone() for k, v in average.items()}
    w = {k: v.requires_grad_() for k, v in w.items()}
    began, shown, losses = time.time(), opt.step, []

    def save(path):
        # written beside and renamed, so that a stop in the middle leaves the older checkpoint whole
        torch.save({"weights": {k: v.detach() for k, v in w.items()}, "average": average, "state": opt.state, "step": opt.step, "seed": args.seed}, f"{path}.new")
        os.replace(f"{path}.new", path)

    while opt.step < args.steps:
        for batch in round_of_batches(encode, args.seed, opt.step // args.round, args.round, args.tokens, device):
            lr = args.lr * min(1, (opt.step + 1) / 100, max(0.02, (args.steps - opt.step) / max(1, args.decay)))
            logits, targets = answers(w, batch)
            loss = F.cross_entropy(logits, targets)
            loss.backward()
            opt.update(w, lr)
            for k, v in average.items():
                v.lerp_(w[k].detach(), args.average)
            losses.append(loss.item())
        if (opt.step // args.round) % args.every == 0 or opt.step >= args.steps:
            table = accuracy(average, encode, device)
            save(last)
            rate = (time.time() - began) / max(1, opt.step - shown)
            line = " ".join(f"{k.split('/')[0]} {table[k]:.2f}/{table[k[:-2] + 'zh']:.2f}" for k in table if k.endswith("en"))
            print(f"step {opt.step} loss {sum(losses) / len(losses):.4f} lr {lr:.2g} {rate:.3f} s/step {time.time() - began:.0f} s | {line}", flush=True)
            losses = []


# ---- export

def export(args, tok):
    from transformers import GlmConfig, GlmForCausalLM
    saved = torch.load(args.checkpoint or Path(args.work) / "last.pt", map_location="cpu")
    w = {k: v.bfloat16().float() for k, v in saved["average"].items()}
    stops = [tok.token_to_id(s) for s in STOPS]
    config = GlmConfig(vocab_size=VOCAB, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV, head_dim=HEAD,
                       max_position_embeddings=CONTEXT, rms_norm_eps=EPS, attention_bias=False, tie_word_embeddings=True, pad_token_id=stops[0], eos_token_id=stops, bos_token_id=None,
                       rope_parameters={"rope_type": "default", "rope_theta": THETA, "partial_rotary_factor": ROTARY / HEAD})
    model = GlmForCausalLM(config).eval()
    missing = model.load_state_dict(w, strict=False)
    assert missing.missing_keys in ([], ["lm_head.weight"]) and not missing.unexpected_keys, missing
    model.tie_weights()
    ids = torch.tensor([Encoder(tok)([("user", "What is 12 + 30?"), ("assistant", "42")])[0]])
    with torch.no_grad():
        ours, real = F.linear(forward(w, ids), w["model.embed_tokens.weight"]), model(ids).logits
    print("greatest difference to the real class:", (ours - real).abs().max().item())
    assert torch.allclose(ours, real, atol=1e-3)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id, model.generation_config.do_sample = stops, stops[0], False
    model.bfloat16().save_pretrained(HERE)
    tok.save(str(HERE / "tokenizer.json"))
    (HERE / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": CONTEXT, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "padding_side": "left", "clean_up_tokenization_spaces": False,
        "additional_special_tokens": SPECIALS, "added_tokens_decoder": {str(tok.token_to_id(s)): {
            "content": s, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True} for s in SPECIALS}}, indent=2) + "\n")
    (HERE / "model.safetensors").chmod(0o644)
    from transformers import AutoTokenizer
    said = [("system", "Be brief."), ("user", "你好! {1}"), ("assistant", "42"), ("user", "And 7?")]
    rendered = AutoTokenizer.from_pretrained(HERE).apply_chat_template([{"role": r, "content": t} for r, t in said], add_generation_prompt=True, return_dict=True)["input_ids"]
    assert rendered == Encoder(tok)(said)[0][:-1] + [tok.token_to_id("<|assistant|>")], "the template and the trainer differ"
    print("exported step", saved["step"], "parameters", sum(v.numel() for v in w.values()), "bytes", (HERE / "model.safetensors").stat().st_size)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--work", required=True, help="folder of the checkpoints")
    p.add_argument("--checkpoint", help="export this file instead of the last one")
    p.add_argument("--start", help="folder of an exported checkpoint to begin from")
    p.add_argument("--export", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=4000)
    p.add_argument("--decay", type=int, default=800, help="the learning rate falls over this many last steps")
    p.add_argument("--lr", type=float, default=4e-3)
    p.add_argument("--average", type=float, default=0.02, help="share of the newest weights in the running average")
    p.add_argument("--tokens", type=int, default=2048, help="tokens in a step")
    p.add_argument("--round", type=int, default=25, help="steps whose data is made together")
    p.add_argument("--every", type=int, default=8, help="rounds between progress lines")
    p.add_argument("--threads", type=int, default=2)
    args = p.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    os.makedirs(args.work, exist_ok=True)
    at = Path(args.work) / "tokenizer.json"
    if not at.exists():
        (Tokenizer.from_file(str(Path(args.start) / "tokenizer.json")) if args.start else make_tokenizer(args.seed)).save(str(at))
    tok = Tokenizer.from_file(str(at))
    export(args, tok) if args.export else train(args, tok)
