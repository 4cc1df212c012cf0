"""Measures the exported Pocket with the real class on prompts that the trainer never makes.

    python3 evaluate.py                      # table of exact answers per skill and language, greedy
    python3 evaluate.py --temperature 0.7    # the same with sampling
    python3 evaluate.py --write              # and heldout.json and golden.json, which the tests read
"""
import argparse
import json
import random
from pathlib import Path

import torch
from transformers import AutoTokenizer, GlmForCausalLM

import skills

HERE = Path(__file__).resolve().parent
GOLDEN = [[{"role": "user", "content": "Extract as JSON: Clara is 58 years old and lives in Vienna."}], [{"role": "user", "content": "你会做什么？"}]]


def cases(name, generate, lang, n):
    """Different held-out prompts of a skill; a small skill may have fewer than n."""
    r, seen = random.Random(f"evaluate:{name}:{lang}"), {}
    for _ in range(20 * n):
        turns = skills.example(r, generate, lang, True)
        messages = [{"role": role, "content": text} for q, a in turns for role, text in (("user", q), ("assistant", a))][:-1]
        seen.setdefault(json.dumps(messages), {"skill": name, "lang": lang, "messages": messages, "answer": turns[-1][1]})
        if len(seen) == n:
            break
    return list(seen.values())


def ask(model, tok, batch, temperature):
    x = tok.apply_chat_template([c["messages"] for c in batch], add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True)
    how = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    out = model.generate(input_ids=x["input_ids"], attention_mask=x["attention_mask"], max_new_tokens=96, **how)[:, x["input_ids"].shape[1]:]
    return tok.batch_decode(out)


def golden(model, tok, messages):
    ids = tok.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)["input_ids"]
    stops, out, gap, top = set(model.generation_config.eos_token_id), [], float("inf"), None
    # without a cache, and only up to the stop: what a model says after its stop was never trained and may be a near tie
    while len(out) < 24 and not (out and out[-1] in stops):
        logits = model(torch.tensor([ids + out])).logits[0, -1]
        best = logits.topk(5)
        top = top or [[i, v] for i, v in zip(best.indices.tolist(), best.values.tolist())]
        gap = min(gap, (best.values[0] - best.values[1]).item())
        out.append(best.indices[0].item())
    return {"messages": messages, "ids": ids, "top": top, "greedy": out, "smallest_gap": gap}


@torch.no_grad()
def main():
    p = argparse.ArgumentParser()
    p.add_argument("--n", type=int, default=100, help="prompts per skill and language")
    p.add_argument("--temperature", type=float, default=0)
    p.add_argument("--write", action="store_true")
    p.add_argument("--dump", metavar="FILE", help="only writes the prompts, for other engines (test/engine/rounding.gpu.test.ts)")
    args = p.parse_args()
    if args.dump:
        every = [c for name, generate, _ in skills.SKILLS for lang in ("en", "zh") for c in cases(name, generate, lang, args.n)]
        Path(args.dump).write_text(json.dumps(every, ensure_ascii=False), encoding="utf-8")
        return
    torch.manual_seed(1)
    torch.set_num_threads(2)
    tok = AutoTokenizer.from_pretrained(HERE)
    model = GlmForCausalLM.from_pretrained(HERE, dtype=torch.float32).eval()
    few, total = [], []
    print("| skill | English | Chinese | prompts |\n| --- | --- | --- | --- |")
    for name, generate, _ in skills.SKILLS:
        row, counts = [], []
        for lang in ("en", "zh"):
            batch = cases(name, generate, lang, args.n)
            said = ask(model, tok, batch, args.temperature)
            good = [s.startswith(f"\n{c['answer']}<|user|>") for s, c in zip(said, batch)]
            for s, c in [(s, c) for s, c, g in zip(said, batch, good) if not g][:1]:
                print("<!--", repr(c["messages"][-1]["content"]), "wanted", repr(c["answer"]), "said", repr(s[:60]), "-->")
            # prompts that the model gets right come first: they are there to hold an engine, not to measure the model
            few += sorted(zip(good, batch), key=lambda pair: not pair[0])[:3]
            row.append(sum(good) / len(good))
            counts.append(str(len(good)))
            total += good
        print(f"| {name} | {row[0]:.1%} | {row[1]:.1%} | {' + '.join(counts)} |", flush=True)
    print(f"| all | {sum(total) / len(total):.1%} | | {len(total)} |")
    if args.write:
        lines = [json.dumps({**c, "correct": g}, ensure_ascii=False) for g, c in few]
        (HERE / "heldout.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        lines = [json.dumps(golden(model, tok, m), ensure_ascii=False) for m in GOLDEN]
        (HERE / "golden.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


main()
