"""The maths of GlmForCausalLM with its tensor names, in plain functions over dialogs laid end to end; and what INT4 makes of the weights."""
import torch
import torch.nn.functional as F

VOCAB, HIDDEN, LAYERS, HEADS, KV, HEAD, INNER, CONTEXT = 1408, 192, 5, 6, 2, 32, 448, 1024
EPS, THETA, ROTARY = 1e-5, 10000.0, 16


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


def pack(rows, device, groups=4):
    """Rows (ids, learn) laid end to end, short ones first, with the places of a few groups of similar length for attention.

    `at`: places of the packed tokens [rows, longest] of each group, `real` which of them are no padding, `positions` [tokens].
    `asked`: tokens whose successor is learnt; `targets`: those successors.
    """
    rows = sorted(rows, key=lambda row: len(row[0]))
    cuts, total, seen = [[]], sum(len(ids) for ids, _ in rows), 0
    for row in rows:
        if cuts[-1] and seen >= total * len(cuts) / groups:
            cuts.append([])
        cuts[-1].append(row)
        seen += len(row[0])
    start, attention = 0, []
    for cut in cuts:
        sizes = torch.tensor([len(ids) for ids, _ in cut])
        steps = torch.arange(int(sizes.max()))
        at = start + (sizes.cumsum(0) - sizes)[:, None] + steps
        real = steps < sizes[:, None]
        attention.append((torch.where(real, at, start).to(device), real.to(device)))
        start += int(sizes.sum())
    ids = torch.tensor([i for row in rows for i in row[0]])
    learn = torch.tensor([i for row in rows for i in row[1][1:] + [0]]).bool()
    positions = torch.cat([torch.arange(len(row[0])) for row in rows])
    asked = learn.nonzero()[:, 0]
    owner = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor([len(row[0]) for row in rows]))
    return {"ids": ids.to(device), "positions": positions.to(device), "attention": attention, "asked": asked.to(device), "targets": ids[asked + 1].to(device), "owner": owner[asked].to(device), "rows": len(rows)}


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


def forward(w, packed):
    """Logits of the tokens that are asked for: [asked, VOCAB]."""
    angle = packed["positions"].float()[:, None] * THETA ** (-torch.arange(0, ROTARY, 2, device=packed["ids"].device).float() / ROTARY)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    h = F.embedding(packed["ids"], w["model.embed_tokens.weight"])
    for n in range(LAYERS):
        p = f"model.layers.{n}."
        x = F.rms_norm(h, (HIDDEN,), w[p + "input_layernorm.weight"], EPS)
        q, k, v = (F.linear(x, w[p + f"self_attn.{c}_proj.weight"]).view(len(x), -1, HEAD) for c in "qkv")
        q, k = turned(q, cos, sin), turned(k, cos, sin)
        k, v = (y.repeat_interleave(HEADS // KV, 1) for y in (k, v))
        a = attend(q, k, v, packed["attention"]).flatten(1)
        if n == LAYERS - 1:
            # behind the last attention only the tokens that are asked for matter
            h, a = h[packed["asked"]], a[packed["asked"]]
        h = h + F.linear(a, w[p + "self_attn.o_proj.weight"])
        x = F.rms_norm(h, (HIDDEN,), w[p + "post_attention_layernorm.weight"], EPS)
        gate, up = F.linear(x, w[p + "mlp.gate_up_proj.weight"]).chunk(2, -1)
        h = h + F.linear(F.silu(gate) * up, w[p + "mlp.down_proj.weight"])
    return F.linear(F.rms_norm(h, (HIDDEN,), w["model.norm.weight"], EPS), w["model.embed_tokens.weight"])


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


def rounded(w, kept):
    """Weights as INT4 has them, to take gradients at; `kept` are scales made before."""
    return {k: (q4(v, kept[k]) if k in kept else v).detach().requires_grad_() for k, v in w.items()}
