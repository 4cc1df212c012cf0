"""Trains Pocket V from scratch and exports it as a Glm46VForConditionalGeneration checkpoint. Needs PyTorch and numpy alone.

    python3 train.py --work DIR --steps 4000 --decay 1000    # train (goes on from DIR/last.pt if it is there)
    python3 train.py --work DIR --export DIR/export          # write the checkpoint files

First the tower learns alone to say what stands in each of nine places (a loss that only the trainer has), then all learns to answer.
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

# one thread in BLAS, and memory that is not given back each step
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
if sys.platform == "linux":
    for option, value in ((-3, 1 << 30), (-1, 1 << 30), (-2, 1 << 28)):
        ctypes.CDLL(None).mallopt(option, value)

import numpy as np
import torch
import torch.nn.functional as F

import model
import scenes
import talk
from tokens import CONTROLS, PLAIN, STOPS, Encoder, make_vocabulary, tokenizer_json

HERE = Path(__file__).resolve().parent
# on a CPU each part of a step has its own thread
PARTS = 2


# ---- data

def batch(encode, dialogs, device):
    """Dialogs as `model.pack` makes them, what stands where in their pictures, and what the labels of clips are to know."""
    rows, stills, clips, still_slots, clip_slots, changes = [], [], [], [], [], []
    count = sum(len(d.stills) for d in dialogs)
    steps = 0
    for dialog in dialogs:
        if dialog.clips:
            part = dialog.clips[0]
            sights = list(range(count + steps, count + steps + len(part)))
            steps += len(part)
            clips.append(part)
            clip_slots += dialog.slots
            changes.extend(changed(dialog.slots))
        else:
            sights = list(range(len(stills), len(stills) + len(dialog.stills)))
            stills += dialog.stills
            still_slots += dialog.slots
        rows.append((encode(dialog.turns), sights))
    side = scenes.SIDE
    still_pixels = np.stack(stills)[:, None] if stills else np.empty((0, 1, side, side, 3), np.uint8)
    clip_pixels = np.concatenate(clips) if clips else np.empty((0, 2, side, side, 3), np.uint8)
    packed = model.pack(rows, still_pixels, clip_pixels, device)
    return packed, torch.tensor(still_slots + clip_slots).to(device), torch.tensor(np.array(changes, np.float32).reshape(-1, 3, model.THINGS)).to(device)


def changed(slots):
    """For both tokens of the label of each step: things there, new since the step before, and gone since then, as 0 and 1."""
    here = np.zeros((len(slots), model.THINGS), np.float32)
    for row, step in zip(here, slots):
        row[[kind * len(scenes.NAMES) + colour for kind, colour, _ in step if colour >= 0]] = 1
    before = np.concatenate([np.zeros_like(here[:1]), here[:-1]])
    return np.repeat(np.stack([here, here * (1 - before), before * (1 - here)], 1), 2, 0)


def data(encode, args, step, device):
    """What a step learns from, in parts: it depends on the seed and the step alone, so a resumed run sees the same."""
    r = random.Random(f"{args.seed}:{step}")
    if step < args.first:
        pixels, slots = [], []
        for _ in range(args.pictures):
            things, _ = scenes.still(r)
            pixels.append(scenes.picture(r, things))
            slots.append(scenes.slots(things))
        return [(torch.from_numpy(np.stack(pixels)[:, None]).to(device), torch.tensor(slots).to(device))]
    dialogs, total = [], 0
    # steps begin small, when any gradient shows the way, and grow
    wanted = min(args.most, args.tokens + (step - args.first))
    share = 0.0 if step < args.first + args.alone else args.clips
    while total < wanted:
        dialogs.append(talk.dialog(r, share, late=step >= args.late))
        total += 16 * (len(dialogs[-1].slots)) + 16 * len(dialogs[-1].turns)
    count = PARTS if device == "cpu" and len(dialogs) >= PARTS else 1
    return [batch(encode, dialogs[i::count], device) for i in range(count)]


def examination(encode, device, n, worded=False, most=6):
    """Held-out pictures of up to `most` things and clips, with turns about them, n of each in each language."""
    out = []
    for lang in ("en", "zh"):
        for turns, count in ((talk.still_turns, 8), (talk.clip_turns, 6)):
            r, dialogs = random.Random(f"examination:{lang}:{count}"), []
            while len(dialogs) < n:
                dialog = talk.Dialog()
                turns(r, dialog, lang, count, True, worded)
                if dialog.turns and max(sum(colour >= 0 for _, colour, _ in slots) for slots in dialog.slots) <= most:
                    dialogs.append(dialog)
            out += [batch(encode, dialogs[i:i + 20], device)[0] for i in range(0, n, 20)]
    return out


@torch.no_grad()
def accuracy(w, exam):
    """Exact answers by question and language. A greedy answer is right exactly when every answer token is the likeliest one here."""
    table = {}
    for packed in exam:
        right = model.forward(w, packed).argmax(-1) == packed["targets"]
        wrong = torch.zeros(packed["answers"], dtype=torch.long, device=right.device).index_add_(0, packed["owner"], (~right).long())
        for kind, count in zip(packed["kinds"], wrong.tolist()):
            table.setdefault(kind, []).append(count == 0)
    return table


# ---- training

class Optimizer:
    """Muon for the matrices (orthogonal updates: fewer steps to the same loss), AdamW for embeddings, norms, biases and the first layer."""

    def __init__(self, w):
        self.step, self.state = 0, {k: [torch.zeros_like(p), torch.zeros_like(p) if self.adam(k, p) else None] for k, p in w.items()}

    @staticmethod
    def adam(name, p):
        return p.dim() == 1 or "embed" in name or "spy" in name

    @torch.no_grad()
    def update(self, w, grads, lr):
        self.step += 1
        shapes = {}
        for k, p in w.items():
            g, (m, v) = grads[k], self.state[k]
            if g is None:
                continue
            if self.adam(k, p):
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


def shares(packed):
    """How much each token of an answer counts: one of a long answer less, as an answer is right as a whole."""
    return torch.bincount(packed["owner"], minlength=packed["answers"])[packed["owner"]].float() ** -0.5


def loss_of(w, args, step, found, whole, pictures, aims, labels):
    """(what to lower, loss of the answers, how often what only the trainer asks is right) of a part; the parts add up to a step.

    `whole`: what all tokens of the step's answers count together; `pictures`, `aims`, `labels`: how many it has of them.
    """
    if step < args.first:
        pixels, slots = found
        spied, right = model.spied(w, model.see(w, pixels, pixels[:0]), slots)
        return spied, 0.0, right
    packed, slots, changes = found
    awake = step >= args.wake
    with torch.set_grad_enabled(awake):
        tokens = model.see(w, packed["stills"], packed["clips"]) if len(slots) else None
    spies = {}
    answers = (F.cross_entropy(model.forward(w, packed, tokens, spies), packed["targets"], reduction="none") * shares(packed)).sum() / whole
    if len(packed["aims"]):
        answers = answers + args.aimed * F.cross_entropy(spies["aimed"], packed["aims"][:, 1], reduction="sum") / aims
    known = {}
    if len(changes):
        loss, known = model.told(spies["told"], changes, packed["asks"][:, 1])
        answers = answers + args.told * len(changes) / labels * loss
    if not awake or not len(slots):
        return answers, answers.item(), known
    spied, right = model.spied(w, tokens, slots)
    if len(packed["aims"]):
        right["aim"] = (spies["aimed"].argmax(1) == packed["aims"][:, 1]).float().mean().item()
    right |= known
    return answers + args.spied * len(slots) / pictures * spied, answers.item(), right


def gradients(w, args, step, parts, pool):
    """Gradients of a step, its loss, and how often the tower is right; parts are added in one order, so the sum is always the same."""
    whole = sum(shares(packed).sum() for packed, *_ in parts) if step >= args.first else 1
    pictures = sum(len(slots) for _, slots, *_ in parts)
    aims = sum(len(packed["aims"]) for packed, *_ in parts) if step >= args.first else 0
    labels = sum(len(changes) for *_, changes in parts) if step >= args.first else 0

    def one(found):
        total, answers, right = loss_of(w, args, step, found, whole, pictures, aims, labels)
        return torch.autograd.grad(total, list(w.values()), allow_unused=True), answers if step >= args.first else total.item(), right

    done = list(pool.map(one, parts))
    grads = {}
    for name, *own in zip(w, *(g for g, _, _ in done)):
        own = [g for g in own if g is not None]
        grads[name] = sum(own[1:], own[0]) if own else None
    return grads, sum(loss for _, loss, _ in done), [right for _, _, right in done if right]


def pace(args, step):
    """The learning rate as a share of the highest: it rises over a hundred steps at the beginning of each part, and falls at the end of the first and of all."""
    if step < args.first:
        return min(1, (step + 1) / 100, max(0.1, (args.first - step) / max(1, args.cool)))
    return min(1, (step + 1 - args.first) / 100, max(0.02, (args.steps - step) / max(1, args.decay)))


def train(args, vocabulary):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    encode, work = Encoder(vocabulary), Path(args.work)
    last = work / "last.pt"
    w = {k: v.to(device) for k, v in model.init(args.seed).items()}
    opt = Optimizer(w)
    saved = torch.load(last, map_location=device) if last.exists() else {}
    if saved:
        w, opt.state, opt.step = w | saved["weights"], opt.state | saved["state"], saved["step"]
    # the running average of the weights is what is measured and exported: it is quieter than the last step
    average = {k: v.clone() for k, v in (w | saved.get("average", {})).items()}
    exam, pool = examination(encode, device, args.n), ThreadPoolExecutor(PARTS)
    losses, rights, began, drawing, since, kept = [], [], time.time(), 0.0, opt.step, {}

    def save():
        # written beside and renamed, so that a stop in the middle leaves the older checkpoint whole
        torch.save({"weights": w, "average": average, "state": opt.state, "step": opt.step, "seed": args.seed}, f"{last}.new")
        os.replace(f"{last}.new", last)

    while opt.step < args.steps:
        step = opt.step
        # the last steps feel INT4's rounding, with scales made anew now and then
        if step >= args.steps - args.rounding and (not kept or step % 25 == 0):
            kept = {k: model.scales(v) for k, v in w.items() if model.coarse(k, v)}
        start = time.time()
        found = data(encode, args, step, device)
        drawing += time.time() - start
        if step == args.first < args.wake:
            # the tower that the text model learns to read is the quiet one
            w |= {k: average[k].clone() for k in w if k.startswith(model.V)}
        lr = args.lr * pace(args, step)
        # gradients pass straight through the rounding: those at the rounded weights are used for the exact ones
        near = model.rounded(w, kept)
        grads, loss, right = gradients(near, args, step, found, pool)
        opt.update(w, grads, lr)
        for k, v in average.items():
            v.lerp_(w[k], args.average)
        losses.append(loss)
        rights += right
        if opt.step % args.round == 0:
            spent, steps = time.time() - began, opt.step - since
            seen = " ".join(f"{name} {sum(one[name] for one in rights if name in one) / sum(name in one for one in rights):.3f}" for name in sorted({name for one in rights for name in one}))
            print(f"step {opt.step} loss {sum(losses) / len(losses):.4f} lr {lr:.2g} {seen} {spent / steps:.2f} s/step drawing {drawing / spent:.0%}", flush=True)
            losses, rights = [], []
        if opt.step % args.keep == 0 or opt.step >= args.steps:
            save()
        if (opt.step % args.every == 0 and opt.step > args.first) or opt.step >= args.steps:
            report(opt.step, accuracy(average, exam))


def report(step, table):
    share = {k: sum(v) / len(v) for k, v in table.items()}
    names = list(dict.fromkeys(k[:-3] for k in [*(f"{n}/en" for n in talk.STILL + talk.CLIP + talk.STATIC), *table]))
    line = " ".join(f"{n} " + "/".join(f"{share[k]:.2f}" if k in share else "-" for k in (n + "/en", n + "/zh")) for n in names)
    every = [right for v in table.values() for right in v]
    print(f"== step {step} right {sum(every) / max(1, len(every)):.3f} | {line}", flush=True)


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


def config(vocabulary):
    stops = [vocabulary[s] for s in STOPS]
    rope = {"mrope_section": list(model.SECTIONS), "partial_rotary_factor": model.ROTARY / model.HEAD, "rope_theta": model.THETA, "rope_type": "default"}
    return {
        "architectures": ["Glm46VForConditionalGeneration"], "dtype": "bfloat16", "model_type": "glm46v", "tie_word_embeddings": True,
        **{f"{key}_token_id": vocabulary[f"<|{name}|>"] for key, name in {"image": "image", "video": "video", "image_start": "begin_of_image", "image_end": "end_of_image", "video_start": "begin_of_video", "video_end": "end_of_video"}.items()},
        "text_config": {
            "attention_dropout": 0.0, "dtype": "bfloat16", "eos_token_id": stops, "hidden_act": "silu", "hidden_size": model.HIDDEN, "initializer_range": 0.02, "intermediate_size": model.INNER, "max_position_embeddings": model.CONTEXT,
            "model_type": "glm4v_text", "num_attention_heads": model.HEADS, "num_hidden_layers": model.LAYERS, "num_key_value_heads": model.KV, "pad_token_id": stops[0], "rms_norm_eps": model.EPS, "rope_parameters": rope,
            "tie_word_embeddings": True, "use_cache": True, "vocab_size": model.VOCAB},
        "vision_config": {
            "attention_bias": False, "attention_dropout": 0.0, "depth": model.DEPTH, "dtype": "bfloat16", "hidden_act": "silu", "hidden_size": model.SEEN, "image_size": model.PATCH * model.GRID, "in_channels": 3, "initializer_range": 0.02,
            "intermediate_size": model.MERGED, "model_type": "glm4v_vision", "num_heads": model.LOOKS, "out_hidden_size": model.HIDDEN, "patch_size": model.PATCH, "rms_norm_eps": model.EPS, "spatial_merge_size": 2, "temporal_patch_size": 2}}


def processors():
    """Sizes such that a square picture becomes 112 x 112, and a clip of 2 to 8 steps of 112 x 112 stays as it is."""
    both = {"do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": list(model.MEAN), "image_std": list(model.STD), "merge_size": 2, "patch_size": model.PATCH,
            "processor_class": "Glm46VProcessor", "resample": 3, "rescale_factor": 1 / 255, "temporal_patch_size": 2}
    side = model.PATCH * model.GRID
    picture = {**both, "image_processor_type": "Glm46VImageProcessor", "size": {"shortest_edge": 24000, "longest_edge": 26000}}
    video = {**both, "do_sample_frames": True, "fps": 2, "max_duration": 300, "max_image_size": {"longest_edge": 47040000}, "num_frames": 16, "return_metadata": False,
             "size": {"shortest_edge": 2 * side * side, "longest_edge": 16 * side * side}, "video_processor_type": "Glm46VVideoProcessor"}
    return picture, video


def export(args, vocabulary):
    saved = torch.load(args.checkpoint or Path(args.work) / "last.pt", map_location="cpu")
    out, stops = Path(args.export), [vocabulary[s] for s in STOPS]
    out.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.view(model.FLAT.get(k, v.shape)) for k, v in saved["average"].items() if not k.startswith("spy")}
    write_safetensors(out / "model.safetensors", tensors)

    def write(name, content):
        (out / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    write("config.json", config(vocabulary))
    write("generation_config.json", {"do_sample": False, "eos_token_id": stops, "pad_token_id": stops[0], "use_cache": True})
    write("tokenizer.json", tokenizer_json(vocabulary))
    special = [c for c in CONTROLS if c not in PLAIN]
    write("tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": model.CONTEXT, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "padding_side": "left", "clean_up_tokenization_spaces": False,
        "additional_special_tokens": special, "added_tokens_decoder": {str(vocabulary[c]): {"content": c, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": c in special} for c in CONTROLS}})
    for name, content in zip(("preprocessor_config.json", "video_preprocessor_config.json"), processors()):
        write(name, content)
    (out / "chat_template.jinja").write_text((HERE / "chat_template.jinja").read_text(encoding="utf-8"), encoding="utf-8")
    print("exported step", saved["step"], "parameters", sum(v.numel() for v in tensors.values()), "bytes", (out / "model.safetensors").stat().st_size)


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--work", required=True, help="folder of the checkpoints")
    p.add_argument("--export", metavar="FOLDER", help="write the checkpoint there instead of training")
    p.add_argument("--checkpoint", help="export this file instead of the last one")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=4000)
    p.add_argument("--decay", type=int, default=1000, help="the learning rate falls over this many last steps")
    p.add_argument("--rounding", type=int, default=300, help="this many last steps are trained with the text model's weights rounded to INT4")
    p.add_argument("--first", type=int, default=600, help="this many first steps the tower learns alone")
    p.add_argument("--cool", type=int, default=200, help="the learning rate falls over this many last of those")
    p.add_argument("--wake", type=int, default=0, help="up to this step the tower then stays as it is, which is cheaper")
    p.add_argument("--alone", type=int, default=400, help="so many steps after those without clips")
    p.add_argument("--late", type=int, default=3300, help="from this step on pictures are asked about more by the names of things")
    p.add_argument("--pictures", type=int, default=48, help="pictures of a step of the tower alone")
    p.add_argument("--clips", type=float, default=0.3, help="share of dialogs about a clip")
    p.add_argument("--spied", type=float, default=0.3, help="weight of the tower's own loss beside that of the answers")
    p.add_argument("--aimed", type=float, default=0.3, help="weight of knowing a thing's place where its name ends")
    p.add_argument("--told", type=float, default=0.1, help="weight of knowing at the labels of a clip's steps what is there, new and gone")
    p.add_argument("--lr", type=float, default=3e-3)
    p.add_argument("--average", type=float, default=0.02, help="share of the newest weights in the running average")
    p.add_argument("--tokens", type=int, default=1500, help="tokens in the first step with answers, about; each later one has one more")
    p.add_argument("--most", type=int, default=4000, help="tokens of a step, at most")
    p.add_argument("--round", type=int, default=25, help="steps of a line of progress")
    p.add_argument("--keep", type=int, default=100, help="steps between checkpoints")
    p.add_argument("--every", type=int, default=250, help="steps between measurements")
    p.add_argument("--n", type=int, default=20, help="pictures, and clips, of a measurement in each language")
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.makedirs(args.work, exist_ok=True)
    at = Path(args.work) / "vocabulary.json"
    if not at.exists():
        at.write_text(json.dumps(make_vocabulary(args.seed, model.VOCAB), ensure_ascii=False), encoding="utf-8")
    vocabulary = json.loads(at.read_text(encoding="utf-8"))
    export(args, vocabulary) if args.export else train(args, vocabulary)
