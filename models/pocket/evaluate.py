"""Measures an exported Pocket with the real class on prompts that the trainer never makes.

    python3 evaluate.py                      # table of exact answers per skill and language, greedy
    python3 evaluate.py --temperature 0.7    # the same with sampling
    python3 evaluate.py --q4                 # the same with the weights as INT4 has them (simulated)
    python3 evaluate.py --write              # and heldout.json and golden.json, which the tests read
"""
import argparse
import json
import random
from pathlib import Path

import torch
from transformers import AutoTokenizer, GlmForCausalLM

import model as maths
import skills
from tokens import STOPS, Encoder

HERE = Path(__file__).resolve().parent
LONGEST = 128
GOLDEN = [[{"role": "user", "content": "Extract as JSON: Clara is 58 years old and lives in Vienna."}], [{"role": "user", "content": "你会做什么？"}]]


def asked(messages):
    """Messages before the answer, as callers of the API write them."""
    out = []
    for role, text in messages:
        if role == "call":
            name, arguments = text.split("\n", 1)
            out.append({"role": "assistant", "content": "", "tool_calls": [{"id": f"call_{len(out)}", "type": "function", "function": {"name": name, "arguments": arguments}}]})
        elif role == "observation":
            out.append({"role": "tool", "tool_call_id": out[-1]["tool_calls"][-1]["id"], "content": text})
        else:
            out.append({"role": role, "content": text})
    return out


def cases(name, generate, lang, n):
    """Different held-out prompts of a skill; a small skill may have fewer than n."""
    r, seen = random.Random(f"evaluate:{name}:{lang}"), {}
    for _ in range(20 * n):
        messages, tools = skills.example(r, generate, lang, True)
        case = {"skill": name, "lang": lang, "messages": asked(messages[:-1]), **({"tools": tools} if tools else {}), "answer": messages[-1][1], "call": messages[-1][0] == "call"}
        seen.setdefault(json.dumps([case["messages"], tools]), case)
        if len(seen) == n:
            break
    return list(seen.values())


def rendered(tok, case):
    return tok.apply_chat_template(case["messages"], tools=case.get("tools"), add_generation_prompt=True, return_dict=True)["input_ids"]


def ask(model, tok, batch, temperature):
    prompts = [rendered(tok, c) for c in batch]
    wide = max(map(len, prompts))
    x = torch.tensor([[tok.pad_token_id] * (wide - len(ids)) + ids for ids in prompts])
    seen = torch.tensor([[0] * (wide - len(ids)) + [1] * len(ids) for ids in prompts])
    how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    return tok.batch_decode(model.generate(input_ids=x, attention_mask=seen, max_new_tokens=LONGEST, **how)[:, wide:])


def likeliest(model, tok, batch):
    """Whether each answer is what the class says greedily: whether each of its tokens and its stop is the likeliest one behind those before it."""
    prompts = [rendered(tok, c) for c in batch]
    answers = [tok(c["answer"] + "<|observation|>" if c["call"] else f"\n{c['answer']}<|user|>", add_special_tokens=False)["input_ids"] for c in batch]
    wide = max(len(p) + len(a) for p, a in zip(prompts, answers))
    rows = [p + a + [tok.pad_token_id] * (wide - len(p) - len(a)) for p, a in zip(prompts, answers)]
    best = model(torch.tensor(rows)).logits.argmax(-1).tolist()
    return [said[len(p) - 1:len(p) + len(a) - 1] == a for said, p, a in zip(best, prompts, answers)]


def right(said, case):
    """Whether a sample says it and stops; which stop ends it nobody sees."""
    return said.startswith(tuple(("" if case["call"] else "\n") + case["answer"] + stop for stop in STOPS))


def golden(model, tok, messages):
    ids = rendered(tok, {"messages": messages})
    stops, out, gap, top = set(model.generation_config.eos_token_id), [], float("inf"), None
    # without a cache, and only up to the stop: what a model says after its stop was never trained and may be a near tie
    while len(out) < 24 and not (out and out[-1] in stops):
        logits = model(torch.tensor([ids + out])).logits[0, -1]
        best = logits.topk(5)
        top = top or [[i, v] for i, v in zip(best.indices.tolist(), best.values.tolist())]
        gap = min(gap, (best.values[0] - best.values[1]).item())
        out.append(best.indices[0].item())
    return {"messages": messages, "ids": ids, "top": top, "greedy": out, "smallest_gap": gap}


def check(model, tok):
    """The trainer's ids and maths are those of the chat template and of the real class."""
    encode, r = Encoder(tok.get_vocab()), random.Random(1)
    for _ in range(50):
        messages, tools = skills.dialog(r)
        ids, _ = encode(messages, tools)
        assert rendered(tok, {"messages": asked(messages), "tools": tools})[:-1] == ids[:-1], messages
    w = {k: v for k, v in model.state_dict().items() if k != "lm_head.weight"}
    ours = maths.forward(w, maths.pack([(ids, [1] * len(ids))], "cpu"))
    real = model(torch.tensor([ids])).logits[0, :-1]
    assert torch.allclose(ours, real, atol=1e-3), (ours - real).abs().max()


@torch.no_grad()
def main():
    p = argparse.ArgumentParser()
    p.add_argument("--folder", default=HERE, type=Path, help="the exported checkpoint")
    p.add_argument("--n", type=int, default=100, help="prompts per skill and language")
    p.add_argument("--temperature", type=float, default=0)
    p.add_argument("--q4", action="store_true", help="round the matrices as the loader's INT4 does")
    p.add_argument("--write", action="store_true")
    p.add_argument("--dump", metavar="FILE", help="only writes the prompts, for other engines (test/engine/rounding.gpu.test.ts)")
    args = p.parse_args()
    if args.dump:
        every = [c for name, generate, *_ in skills.SKILLS for lang in ("en", "zh") for c in cases(name, generate, lang, args.n)]
        Path(args.dump).write_text(json.dumps(every, ensure_ascii=False), encoding="utf-8")
        return
    torch.manual_seed(1)
    torch.set_num_threads(2)
    tok = AutoTokenizer.from_pretrained(args.folder)
    model = GlmForCausalLM.from_pretrained(args.folder, dtype=torch.float32).eval()
    check(model, tok)
    if args.q4:
        for weight in model.parameters():
            if weight.dim() == 2:
                weight.copy_(maths.q4(weight))
    few, total, endless = [], [], 0
    print("| skill | English | Chinese | prompts |\n| --- | --- | --- | --- |")
    for name, generate, *_ in skills.SKILLS:
        row, counts = [], []
        for lang in ("en", "zh"):
            batch = cases(name, generate, lang, args.n)
            if args.temperature:
                said = ask(model, tok, batch, args.temperature)
                good = [right(s, c) for s, c in zip(said, batch)]
                endless += sum("<|user|>" not in s and "<|observation|>" not in s and "<|endoftext|>" not in s for s in said)
            else:
                good = [g for at in range(0, len(batch), 25) for g in likeliest(model, tok, batch[at:at + 25])]
            # prompts that the model gets right come first: they are there to hold an engine, not to measure the model
            few += sorted(zip(good, batch), key=lambda pair: not pair[0])[:3]
            row.append(sum(good) / len(good))
            counts.append(str(len(good)))
            total += good
        print(f"| {name} | {row[0]:.1%} | {row[1]:.1%} | {' + '.join(counts)} |", flush=True)
    print(f"| all | {sum(total) / len(total):.1%} | | {len(total)} |")
    if args.temperature:
        print(f"answers that did not stop within {LONGEST} tokens: {endless}")
    if args.write:
        lines = [json.dumps({**c, "correct": g}, ensure_ascii=False) for g, c in few]
        (args.folder / "heldout.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        lines = [json.dumps(golden(model, tok, m), ensure_ascii=False) for m in GOLDEN]
        (args.folder / "golden.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


main()
