"""The maths of Glm46VForConditionalGeneration with its tensor names, in plain functions over dialogs laid end to end; and what INT4 makes of the weights."""
import numpy as np
import torch
import torch.nn.functional as F

from scenes import KINDS, NAMES, SLOTS, WAYS

VOCAB, HIDDEN, LAYERS, HEADS, KV, INNER, CONTEXT = 896, 192, 4, 6, 2, 320, 1024
SEEN, DEPTH, LOOKS, MERGED = 128, 4, 4, 256
HEAD, LOOK, ROTARY, SECTIONS = HIDDEN // HEADS, SEEN // LOOKS, 16, (2, 3, 3)
PATCH, GRID, TOKENS = 14, 8, 16
EPS, THETA = 1e-5, 500.0
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
T, V = "model.language_model.", "model.visual."
EMBED = T + "embed_tokens.weight"
# what the trainer alone has: from a picture's tokens what stands in each of the nine places, and which way it moves
GOES = 1 + len(WAYS)
SPY = len(KINDS) + 1 + len(NAMES) + 9 + GOES
THINGS = len(KINDS) * len(NAMES)


def shapes():
    """Matrices are [out, in]; those of convolutions are laid flat (`FLAT`)."""
    w = {EMBED: (VOCAB, HIDDEN), T + "norm.weight": (HIDDEN,)}
    for n in range(LAYERS):
        p = f"{T}layers.{n}."
        w |= {p + f"{norm}.weight": (HIDDEN,) for norm in ("input_layernorm", "post_attention_layernorm", "post_self_attn_layernorm", "post_mlp_layernorm")}
        for c, rows in (("q", HEADS), ("k", KV), ("v", KV)):
            w |= {p + f"self_attn.{c}_proj.weight": (rows * HEAD, HIDDEN), p + f"self_attn.{c}_proj.bias": (rows * HEAD,)}
        w |= {p + "self_attn.o_proj.weight": (HIDDEN, HEADS * HEAD), p + "mlp.gate_up_proj.weight": (2 * INNER, HIDDEN), p + "mlp.down_proj.weight": (HIDDEN, INNER)}
    w |= {V + "patch_embed.proj.weight": (SEEN, 3 * 2 * PATCH * PATCH), V + "patch_embed.proj.bias": (SEEN,), V + "embeddings.position_embedding.weight": (GRID * GRID, SEEN)}
    for n in range(DEPTH):
        p = f"{V}blocks.{n}."
        w |= {p + "norm1.weight": (SEEN,), p + "norm2.weight": (SEEN,), p + "attn.qkv.weight": (3 * SEEN, SEEN), p + "attn.proj.weight": (SEEN, SEEN),
              p + "mlp.gate_proj.weight": (HIDDEN, SEEN), p + "mlp.up_proj.weight": (HIDDEN, SEEN), p + "mlp.down_proj.weight": (SEEN, HIDDEN)}
    m = V + "merger."
    w |= {V + "post_conv_layernorm.weight": (SEEN,), V + "post_layernorm.weight": (SEEN,), V + "downsample.weight": (HIDDEN, 4 * SEEN), V + "downsample.bias": (HIDDEN,),
          m + "proj.weight": (HIDDEN, HIDDEN), m + "post_projection_norm.weight": (HIDDEN,), m + "post_projection_norm.bias": (HIDDEN,),
          m + "gate_proj.weight": (MERGED, HIDDEN), m + "up_proj.weight": (MERGED, HIDDEN), m + "down_proj.weight": (HIDDEN, MERGED)}
    return w | {"spy.weight": (SPY, HIDDEN), "spy.bias": (SPY,), "spy.aim.weight": (9 + GOES, HIDDEN),
                "spy.here.weight": (THINGS, HIDDEN), "spy.here.bias": (THINGS,), "spy.changed.weight": (2 * THINGS, HIDDEN), "spy.changed.bias": (2 * THINGS,),
                "spy.then.weight": (THINGS, HIDDEN), "spy.then.bias": (THINGS,)}


FLAT = {V + "patch_embed.proj.weight": (SEEN, 3, 2, PATCH, PATCH), V + "downsample.weight": (HIDDEN, SEEN, 2, 2)}


def init(seed):
    g = torch.Generator().manual_seed(seed)
    out = {}
    for name, shape in shapes().items():
        if name.endswith("bias"):
            # of all things that there might be few are there
            out[name] = torch.full(shape, -4.0 if name.startswith(("spy.here", "spy.changed", "spy.then")) else 0.0)
        elif len(shape) == 1:
            # what a layer adds begins small beside what it is added to
            out[name] = torch.full(shape, 0.1 if "post_self_attn" in name or "post_mlp" in name else 1.0)
        else:
            residual = "blocks" in name and ("down_proj" in name or "attn.proj" in name)
            std = 0.1 if name == EMBED else 0.5 if "position" in name else shape[1] ** -0.5 * (0.3 if residual else 0.8)
            out[name] = torch.randn(shape, generator=g) * std
    return out


# ---- batches

def pack(rows, stills, clips, device, groups=4):
    """Rows (tokens.Row) laid end to end, short ones first, with the places of a few groups of similar length for attention.

    Each row has `sights`: the numbers of its pictures, stills first and then steps of clips. `stills` are [n, 1, 112, 112, 3] bytes, `clips` [steps, 2, 112, 112, 3].
    `asked`: tokens whose successor is learnt; `targets`: those successors; `owner`: the number of their answer.
    `labels`: the two tokens of each label of a step (12, .5), in the order of `clips`; `asks`: where a time was asked for, and its label's number in those.
    """
    rows = sorted(rows, key=lambda row: len(row[0].ids))
    sizes = torch.tensor([len(row.ids) for row, _ in rows])
    starts = sizes.cumsum(0) - sizes
    attention, begin, count = [], 0, len(rows)
    for group in range(groups):
        end = count * (group + 1) // groups
        if end > begin:
            own, first = sizes[begin:end], starts[begin:end]
            steps = torch.arange(int(own.max()))
            real = steps < own[:, None]
            attention.append((torch.where(real, first[:, None] + steps, first[:, None]).to(device), real.to(device)))
            begin = end
    ids = torch.tensor([i for row, _ in rows for i in row.ids])
    answers, learn = 0, []
    for row, _ in rows:
        learn += [answers + a if a >= 0 else -1 for a in row.learn[1:]] + [-1]
        answers += len(row.kinds)
    learn = torch.tensor(learn)
    asked = (learn >= 0).nonzero()[:, 0]
    places = [int(start) + at for (row, _), start in zip(rows, starts) for at in row.pictures]
    aims = [(int(start) + at, place) for (row, _), start in zip(rows, starts) for at, place in row.aims]
    order = [s for _, sights in rows for s in sights]
    asks = [(int(start) + at, 2 * (sights[step] - len(stills))) for (row, sights), start in zip(rows, starts) for at, step in row.asks]
    labels = sorted((sights[i], int(start) + at + part) for (row, sights), start in zip(rows, starts) for i, at in enumerate(row.labels) for part in (0, 1))
    return {"ids": ids.to(device), "positions": torch.tensor([[p for row, _ in rows for p in row.positions[axis]] for axis in range(3)]).to(device), "attention": attention,
            "asked": asked.to(device), "targets": ids[asked + 1].to(device), "owner": learn[asked].to(device), "answers": answers, "kinds": [k for row, _ in rows for k in row.kinds],
            "places": (torch.tensor(places, dtype=torch.long)[:, None] + torch.arange(TOKENS)).flatten().to(device), "order": torch.tensor(order, dtype=torch.long).to(device),
            "aims": torch.tensor(aims, dtype=torch.long).view(-1, 2).to(device), "labels": torch.tensor([at for _, at in labels], dtype=torch.long).to(device), "asks": torch.tensor(asks, dtype=torch.long).view(-1, 2).to(device), "stills": torch.from_numpy(stills).to(device), "clips": torch.from_numpy(clips).to(device)}


# ---- the tower

def patches(pixels):
    """[n, frames, 112, 112, 3] bytes → [n * 64, 3 * frames * 196], blocks of 2 x 2 patches together, as the processor makes them."""
    n, frames = pixels.shape[:2]
    x = pixels.view(n, frames, GRID // 2, 2, PATCH, GRID // 2, 2, PATCH, 3).permute(0, 2, 5, 3, 6, 8, 1, 4, 7)
    mean, std = (torch.tensor(v, device=pixels.device).view(3, 1) * 255 for v in (MEAN, STD))
    return ((x.reshape(n * GRID * GRID, 3, -1).float() - mean) / std).flatten(1)


def blockwise():
    """(row, column) of each patch in the order of `patches`."""
    at = np.arange(GRID * GRID).reshape(GRID // 2, 2, GRID // 2, 2).transpose(0, 2, 1, 3).ravel()
    return torch.from_numpy(at // GRID), torch.from_numpy(at % GRID)


ROWS, COLUMNS = blockwise()


def norm(x, weight):
    return F.rms_norm(x, (x.shape[-1],), weight, EPS)


def see(w, stills, clips):
    """Tokens of all pictures: [stills + steps, 16, HIDDEN]."""
    kernel, bias = w[V + "patch_embed.proj.weight"], w[V + "patch_embed.proj.bias"]
    x = []
    if len(stills):
        # both frames of a picture are the same, so their weights may be added first
        x.append(F.linear(patches(stills), kernel.view(SEEN, 3, 2, -1).sum(2).flatten(1), bias))
    if len(clips):
        x.append(F.linear(patches(clips), kernel, bias))
    h = norm(torch.cat(x), w[V + "post_conv_layernorm.weight"]).view(-1, GRID * GRID, SEEN)
    h = h + w[V + "embeddings.position_embedding.weight"][(ROWS * GRID + COLUMNS).to(h.device)]
    frequency = 10000.0 ** (-torch.arange(0, LOOK // 2, 2).float() / (LOOK // 2))
    angle = torch.cat([ROWS[:, None] * frequency, COLUMNS[:, None] * frequency], 1).to(h.device)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    for n in range(DEPTH):
        p = f"{V}blocks.{n}."
        qkv = F.linear(norm(h, w[p + "norm1.weight"]), w[p + "attn.qkv.weight"]).view(-1, GRID * GRID, 3, LOOKS, LOOK)
        low, high = qkv[:, :, :2, :, :LOOK // 2], qkv[:, :, :2, :, LOOK // 2:]
        c, s = cos[:, None], sin[:, None]
        q, k = torch.cat([low * c - high * s, high * c + low * s], -1).unbind(2)
        a = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), qkv[:, :, 2].transpose(1, 2)).transpose(1, 2).flatten(2)
        h = h + F.linear(a, w[p + "attn.proj.weight"])
        x = norm(h, w[p + "norm2.weight"])
        h = h + F.linear(F.silu(F.linear(x, w[p + "mlp.gate_proj.weight"])) * F.linear(x, w[p + "mlp.up_proj.weight"]), w[p + "mlp.down_proj.weight"])
    x = norm(h, w[V + "post_layernorm.weight"]).view(-1, 4, SEEN).transpose(1, 2).flatten(1)
    x = F.linear(x, w[V + "downsample.weight"], w[V + "downsample.bias"])
    m = V + "merger."
    x = F.gelu(F.layer_norm(F.linear(x, w[m + "proj.weight"]), (HIDDEN,), w[m + "post_projection_norm.weight"], w[m + "post_projection_norm.bias"], 1e-5))
    x = F.linear(F.silu(F.linear(x, w[m + "gate_proj.weight"])) * F.linear(x, w[m + "up_proj.weight"]), w[m + "down_proj.weight"])
    return x.view(-1, TOKENS, HIDDEN)


def spied(w, tokens, slots):
    """Loss of saying from nine of a picture's tokens what stands where, and nothing from the others, so that each thing is in one token and can be
    counted; and how often kind, colour and, of what moves, way are right where something stands. slots: [pictures, 9, 3]."""
    x = F.linear(tokens, w["spy.weight"], w["spy.bias"])
    kind, colour, place, way = (part.flatten(0, 1) for part in x[:, SLOTS].split([len(KINDS) + 1, len(NAMES), 9, GOES], 2))
    besides = x[:, [t for t in range(TOKENS) if t not in SLOTS], :len(KINDS) + 1].flatten(0, 1)
    slots = slots.flatten(0, 1)
    there = slots[:, 1] >= 0
    loss = F.cross_entropy(kind, slots[:, 0]) + 0.5 * F.cross_entropy(place, torch.arange(9, device=x.device).repeat(len(tokens)))
    loss = loss + 0.5 * F.cross_entropy(besides, torch.full((len(besides),), len(KINDS), device=x.device))
    if there.any():
        loss = loss + F.cross_entropy(kind[there], slots[there, 0]) + 0.5 * F.cross_entropy(colour[there], slots[there, 1])
    moves = slots[:, 2] > 0
    if moves.any():
        loss = loss + 0.5 * F.cross_entropy(way[there], slots[there, 2]) + F.cross_entropy(way[moves], slots[moves, 2])
    right = lambda part, of, wanted: (part[of].argmax(1) == wanted).float().mean().item()
    share = {"kind": right(kind, there, slots[there, 0]), "colour": right(colour, there, slots[there, 1]), "empty": right(kind, ~there, len(KINDS))}
    return loss, share | ({"way": right(way, moves, slots[moves, 2])} if moves.any() else {})


def told(seen, changes, asks):
    """Loss of saying at each label of a clip's steps which things are there, and which are new or gone since the step before; and how often that is right.

    `seen`: logits of the first after two layers, of the others after three, and of what is there at the times that are asked for, after three;
    `changes`: [labels, 3, THINGS] of 0 and 1; `asks`: the labels of those times.
    """
    logits = torch.cat([part.view(len(part), -1, THINGS) for part in seen[:2]], 1)
    wanted = changes[asks, 0]
    loss = F.binary_cross_entropy_with_logits(logits, changes, reduction="sum") + F.binary_cross_entropy_with_logits(seen[2], wanted, reduction="sum") * 4
    right = ((logits > 0) == (changes > 0)).all(2).float().mean(0).tolist()
    share = dict(zip(("here", "new", "gone"), right))
    return loss / max(1, len(logits)), share | ({"then": ((seen[2] > 0) == (wanted > 0)).all(1).float().mean().item()} if len(asks) else {})


# ---- the text model

def turned(x, cos, sin):
    """Interleaved rotation of the first ROTARY numbers of each head: [tokens, heads, HEAD]."""
    even, odd = x[..., 0:ROTARY:2], x[..., 1:ROTARY:2]
    pairs = torch.stack([even * cos - odd * sin, odd * cos + even * sin], -1).flatten(-2)
    return torch.cat([pairs, x[..., ROTARY:]], -1)


def attend(q, k, v, attention):
    out = []
    for at, real in attention:
        a = F.scaled_dot_product_attention(*(x[at].transpose(1, 2) for x in (q, k, v)), is_causal=True)
        out.append(a.transpose(1, 2)[real])
    return torch.cat(out)


def forward(w, packed, tokens=None, spies=None):
    """Logits of the tokens that are asked for: [asked, VOCAB]. `tokens`: of all pictures, if they were seen before.

    `spies`: a dictionary that gets what only a trainer asks for. "aimed": how much a name, where it ends before the last layer, says of its thing's nine
    places and its way, [aims, 9 + GOES]; "told": what labels say of the things of their steps.
    """
    device = packed["ids"].device
    frequency = THETA ** (-torch.arange(0, ROTARY, 2, device=device).float() / ROTARY)
    axis = torch.repeat_interleave(torch.arange(3, device=device), torch.tensor(SECTIONS, device=device))
    angle = packed["positions"][axis].T.float() * frequency
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    h = F.embedding(packed["ids"], w[EMBED])
    if len(packed["order"]):
        tokens = see(w, packed["stills"], packed["clips"]) if tokens is None else tokens
        h = h.index_copy(0, packed["places"], tokens[packed["order"]].flatten(0, 1))
    for n in range(LAYERS):
        p = f"{T}layers.{n}."
        if spies is not None and n == 2:
            spies["told"] = [F.linear(norm(h[packed["labels"]], None), w["spy.here.weight"], w["spy.here.bias"])]
        x = norm(h, w[p + "input_layernorm.weight"])
        q, k, v = (F.linear(x, w[p + f"self_attn.{c}_proj.weight"], w[p + f"self_attn.{c}_proj.bias"]).view(len(x), -1, HEAD) for c in "qkv")
        q, k = turned(q, cos, sin), turned(k, cos, sin)
        k, v = (y.repeat_interleave(HEADS // KV, 1) for y in (k, v))
        a = attend(q, k, v, packed["attention"]).flatten(1)
        if n == LAYERS - 1:
            if spies is not None:
                spies["aimed"] = F.linear(norm(h[packed["aims"][:, 0]], None), w["spy.aim.weight"])
                spies["told"].append(F.linear(norm(h[packed["labels"]], None), w["spy.changed.weight"], w["spy.changed.bias"]))
                spies["told"].append(F.linear(norm(h[packed["asks"][:, 0]], None), w["spy.then.weight"], w["spy.then.bias"]))
            # behind the last attention only the tokens that are asked for matter
            h, a = h[packed["asked"]], a[packed["asked"]]
        h = h + norm(F.linear(a, w[p + "self_attn.o_proj.weight"]), w[p + "post_self_attn_layernorm.weight"])
        x = norm(h, w[p + "post_attention_layernorm.weight"])
        gate, up = F.linear(x, w[p + "mlp.gate_up_proj.weight"]).chunk(2, -1)
        h = h + norm(F.linear(F.silu(gate) * up, w[p + "mlp.down_proj.weight"]), w[p + "post_mlp_layernorm.weight"])
    return F.linear(norm(h, w[T + "norm.weight"]), w[EMBED])


# ---- INT4 as shaders/quantise/to_q4.wgsl makes it: codes -8..7 times an f16 scale for 32 columns, the scale searched

TARGETS = [-8.0] + [-8.5 + 0.125 * i for i in range(25)] + [5.5 + 0.125 * i for i in range(17)]


def codes(groups, scale):
    x = groups / torch.where(scale == 0, 1.0, scale)
    return (torch.sign(x) * (x.abs() + 0.5).floor()).clamp(-8, 7)


@torch.no_grad()
def scales(matrix):
    """[rows, groups, 1]: of 43 candidates, refitted by least squares, the one with the least squared error."""
    groups = matrix.view(len(matrix), -1, 32)
    largest = groups.gather(2, groups.abs().argmax(2, keepdim=True))
    best, kept = torch.full_like(largest, -1.0), torch.zeros_like(largest)
    for target in TARGETS:
        c = codes(groups, largest / target)
        cross, square = (groups * c).sum(2, keepdim=True), (c * c).sum(2, keepdim=True)
        better = (square > 0) & (cross * cross > best * square * (1 + 1e-6))
        best = torch.where(better, cross * cross / square.clamp(min=1e-30), best)
        kept = torch.where(better, cross / square.clamp(min=1e-30), kept)
    return kept.half().float()


def q4(matrix, scale=None):
    """What INT4 keeps of a matrix."""
    scale = scales(matrix) if scale is None else scale
    return (codes(matrix.view(len(matrix), -1, 32), scale) * scale).view_as(matrix)


def coarse(name, tensor):
    """Whether the loader keeps it as INT4: matrices of the text model. The tower's are q8."""
    return name.startswith(T) and tensor.dim() == 2


def rounded(w, kept):
    """Weights as INT4 has them, to take gradients at; `kept` are scales made before."""
    return {k: (q4(v, kept[k]) if k in kept else v).detach().requires_grad_() for k, v in w.items()}
