"""Measures an exported Pocket V on pictures, clips and wordings that the trainer never makes.

    python3 evaluate.py --n 200     # tables of exact answers by question and language: float32 and INT4, known wordings and held-out ones
    python3 evaluate.py --check     # that ids, pixel values and logits are those of transformers' processor and class
    python3 evaluate.py --write     # golden.json, which the tests read (real class, greedy)
"""
import argparse
import base64
import io
import json
import random
import struct
from pathlib import Path

import numpy as np
import torch

import model
import scenes
import talk
import train
from tokens import Encoder

HERE = Path(__file__).resolve().parent


def weights(folder):
    """The exported tensors in float32, by name, laid flat as model.py has them."""
    data = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    out = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            words = torch.from_numpy(np.frombuffer(data[8 + size + begin:8 + size + end], np.int16).copy())
            out[name] = words.view(torch.bfloat16).float().view(model.shapes()[name])
    return out


def vocabulary(folder):
    file = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return file["model"]["vocab"] | {entry["content"]: entry["id"] for entry in file["added_tokens"]}


def int4(w):
    return {k: model.q4(v) if model.coarse(k, v) else v for k, v in w.items()}


# ---- tables

def tables(folder, n):
    w, encode = weights(folder), Encoder(vocabulary(folder))
    exams = {"all": train.examination(encode, "cpu", n), "few": train.examination(encode, "cpu", n, False, 3), "worded": train.examination(encode, "cpu", n, True)}
    own = {"float32": w, "INT4": int4(w)}
    columns = [train.accuracy(own[how], exams[which]) for how, which in (("float32", "all"), ("INT4", "all"), ("INT4", "few"), ("INT4", "worded"))]
    share = lambda rights: f"{sum(rights) / len(rights):.1%}" if rights else "-"
    print("| question | answers | float32, English | Chinese | INT4, English | Chinese | INT4, up to three things, English | Chinese | INT4, held-out wordings, English | Chinese |\n" + "| --- " * 10 + "|")
    for kind in talk.STILL + talk.CLIP + talk.STATIC + ["all"]:
        found = [[right for k, v in column.items() if k.endswith(lang) and kind in ("all", k[:-3]) for right in v] for column in columns for lang in ("en", "zh")]
        print(f"| {kind} | {len(found[0])} + {len(found[1])} | " + " | ".join(map(share, found)) + " |")


# ---- the real class

def real(folder):
    from transformers import Glm46VForConditionalGeneration, PreTrainedTokenizerFast
    from transformers.models.glm46v.image_processing_glm46v import Glm46VImageProcessor
    from transformers.models.glm46v.processing_glm46v import Glm46VProcessor
    from transformers.models.glm46v.video_processing_glm46v import Glm46VVideoProcessor
    tok = PreTrainedTokenizerFast.from_pretrained(folder)
    tok.chat_template = (folder / "chat_template.jinja").read_text(encoding="utf-8")
    processor = Glm46VProcessor(image_processor=Glm46VImageProcessor.from_pretrained(folder), tokenizer=tok, video_processor=Glm46VVideoProcessor.from_pretrained(folder), chat_template=tok.chat_template)
    return Glm46VForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval(), tok, processor


def messages(turns):
    """As callers of the API write them; answers that are None are left out."""
    out = []
    for _, content, answer, _ in turns:
        if isinstance(content, str):
            out.append({"role": "user", "content": content})
        else:
            mark, text, behind = content
            parts = [{"type": "image" if mark == "picture" else "video"}, {"type": "text", "text": text}]
            out.append({"role": "user", "content": parts[::-1] if behind else parts})
        if answer is not None:
            out.append({"role": "assistant", "content": answer})
    return out


def prepared(tok, processor, dialog, generation):
    """What the real processor makes of a dialog."""
    from PIL import Image
    prompt = tok.apply_chat_template(messages(dialog.turns), tokenize=False, add_generation_prompt=generation)
    media = {}
    if dialog.stills:
        media["images"] = [Image.fromarray(pixels) for pixels in dialog.stills]
    if dialog.clips:
        labels = next(content[0] for _, content, *_ in dialog.turns if not isinstance(content, str) and content[0] != "picture")
        times = [round(float(label) * 10) for label in labels]
        clip = dialog.clips[0].reshape(-1, scenes.SIDE, scenes.SIDE, 3)
        indices = [t for time in times for t in (time, time)]
        media |= {"videos": [torch.from_numpy(clip).permute(0, 3, 1, 2)], "do_sample_frames": False,
                  "video_metadata": [{"fps": 10, "total_num_frames": indices[-1] + 1, "duration": times[-1] / 10, "frames_indices": indices, "width": scenes.SIDE, "height": scenes.SIDE}]}
    return processor(text=[prompt], return_tensors="pt", **media)


@torch.no_grad()
def check(folder, count=40):
    real_model, tok, processor = real(folder)
    w, encode, r = weights(folder), Encoder(vocabulary(folder)), random.Random("check")
    worst, right, total = 0.0, 0, 0
    for _ in range(count):
        dialog = talk.dialog(r, 0.5)
        packed, *_ = train.batch(encode, [dialog], "cpu")
        made = prepared(tok, processor, dialog, False)
        ids = made["input_ids"][0]
        assert torch.equal(ids, packed["ids"][:-1]), dialog.turns
        for key, pixels in (("pixel_values", packed["stills"].repeat(1, 2, 1, 1, 1)), ("pixel_values_videos", packed["clips"])):
            if key in made:
                assert torch.allclose(made[key], model.patches(pixels), atol=2e-6), key
        logits = real_model(**{k: v for k, v in made.items() if k != "attention_mask"}).logits[0]
        # the last token asked is that before the stop; the real class was not given the stop itself
        asked = packed["asked"]
        ours, theirs = model.forward(w, packed), logits[asked]
        worst = max(worst, ((ours - theirs).norm() / theirs.norm()).item())
        right += (ours.argmax(-1) == theirs.argmax(-1)).sum().item()
        total += len(ours)
    print(f"{count} dialogs: ids and pixel values alike; logits differ by {worst:.1e} (relative L2) at most; the likeliest token is the same in {right} of {total}")
    assert worst < 1e-5


# ---- goldens for tests

def png(pixels):
    from PIL import Image
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def shown(dialog):
    """Pixels as PNG, and the labels of a clip's steps, each of one frame or two."""
    if dialog.clips:
        return {"frames": [[png(p) for p in step[:1 if (step[0] == step[1]).all() else 2]] for step in dialog.clips[0]], "labels": dialog.turns[0][1][0]}
    return {"pictures": [png(p) for p in dialog.stills]}


@torch.no_grad()
def golden(real_model, tok, processor, dialog):
    made = prepared(tok, processor, dialog, True)
    inputs = {k: v for k, v in made.items()}
    top = real_model(**{k: v for k, v in inputs.items() if k != "attention_mask"}).logits[0, -1].topk(5)
    out = real_model.generate(**inputs, do_sample=False, max_new_tokens=80, output_scores=True, return_dict_in_generate=True)
    new = out.sequences[0, made["input_ids"].shape[1]:].tolist()
    gaps = [(pair[0] - pair[1]).item() for pair in (score[0].topk(2).values for score in out.scores)]
    kind, content, _, lang = dialog.turns[0]
    return {"question": content if isinstance(content, str) else content[1], "kind": kind, "lang": lang, **shown(dialog), "ids": made["input_ids"][0].tolist(), "top": [[i, v] for i, v in zip(top.indices.tolist(), top.values.tolist())],
            "greedy": new, "text": tok.decode(new, skip_special_tokens=True).strip(), "smallest_gap": min(gaps)}


def write(folder, tries):
    """One held-out picture or clip for each question, in English and in Chinese by turns; of some tries the first that is answered right and clearly."""
    real_model, tok, processor = real(folder)
    out = []
    for number, kind in enumerate(["list", "count", "where", "colour", "digit", "at", "story", "appear", "vanish", "move", "then"]):
        lang = ("en", "zh")[number % 2]
        r, best, tried = random.Random(f"golden:{kind}"), None, 0
        while tried < tries:
            dialog, wanted = talk.Dialog(), kind
            while not dialog.turns or dialog.turns[0][0] != wanted:
                dialog = talk.Dialog()
                (talk.still_turns if kind in talk.STILL else talk.clip_turns)(r, dialog, lang, 1, True, False, [kind])
            if sum(map(len, shown(dialog).get("pictures", []))) > 6000 or sum(len(p) for step in shown(dialog).get("frames", []) for p in step) > 16000:
                continue
            turn = dialog.turns[0]
            # a clip in which something happens, and an answer that says so
            if dialog.clips and (all(step == dialog.slots[0] for step in dialog.slots) or turn[2] == talk.nothing(lang)):
                continue
            tried += 1
            dialog.turns[0] = (turn[0], turn[1][:2] + (False,), None, lang)
            case = golden(real_model, tok, processor, dialog) | {"answer": turn[2]}
            if best is None or (case["text"] == case["answer"] and case["smallest_gap"] > 0.5) > (best["text"] == best["answer"]):
                best = case
            if best["text"] == best["answer"] and best["smallest_gap"] > 0.5:
                break
        out.append(best)
        print(kind, best["question"], "|", best["answer"], "|", best["text"], "| gap", round(best["smallest_gap"], 3), flush=True)
    (folder / "golden.json").write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in out) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--folder", default=HERE, type=Path, help="the exported checkpoint")
    p.add_argument("--n", type=int, default=100, help="pictures, and clips, in each language")
    p.add_argument("--check", action="store_true")
    p.add_argument("--write", action="store_true")
    p.add_argument("--tries", type=int, default=12, help="pictures tried for a golden case")
    args = p.parse_args()
    torch.set_num_threads(1)
    if args.check:
        check(args.folder)
    elif args.write:
        write(args.folder, args.tries)
    else:
        tables(args.folder, args.n)
