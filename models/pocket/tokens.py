"""Pocket's tokenizer, and dialogs as ids. A piece of text that it knows whole is one token; any other is spelled in bytes.

So a name, a word to sort or a letter list is a row of letters, which a small model can copy, count and turn round; and no merges are needed.
"""
import json
import random
import re
from collections import Counter
from pathlib import Path

import skills
import talk
import tools
from words import DAYS, MONTHS, SPELLED

SPECIALS = ["<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"]
STOPS = ["<|endoftext|>", "<|user|>", "<|observation|>"]
USE = "在调用上述函数时，请使用 Json 格式表示调用的参数。"
# one sentence of GLM's tool format; words; single signs of other scripts; digits; JSON's signs up to the next word; other signs; spaces
SPLIT = r"(?i:" + USE + r')| ?[A-Za-z]+|\p{L}|\p{N}|[{\["][^\p{L}\p{N}]*| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+'
PIECES = re.compile(SPLIT.replace(r"[^\s\p{L}\p{N}]", r"(?:[^\w\s]|_)").replace(r"[^\p{L}\p{N}]", r"[\W_]").replace(r"\p{L}", r"[^\W\d_]").replace(r"\p{N}", r"\d"))
# GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = {b: chr(b) if b in PRINTABLE else chr(256 + i) for b, i in zip([*PRINTABLE, *sorted({*range(256)} - {*PRINTABLE})], [0] * len(PRINTABLE) + [*range(68)])}


def shown(piece):
    return "".join(BYTES[b] for b in piece.encode())


def make_vocabulary(seed, size):
    """Bytes, the commonest pieces of the training dialogs (but no words that are to be spelled), and the special tokens."""
    r, seen = random.Random(f"{seed}:tokenizer"), Counter()
    for _ in range(12000):
        messages, offered = skills.dialog(r)
        for text in [tools_text(offered), *("\n" + text for _, text in messages), *(text for role, text in messages if role == "call")]:
            seen.update(PIECES.findall(text))
    # words of the templates, not those that a generator made up
    known = {w for module in (skills, talk, tools) for w in re.findall("[A-Za-z]+", Path(module.__file__).read_text(encoding="utf-8"))}
    known |= {w[0].swapcase() + w[1:] for w in known} | {*DAYS["en"], *MONTHS["en"]}
    whole = [p for p, _ in seen.most_common() if len(p.encode()) > 1 and not spelled(p) and not (p.strip().isascii() and p.strip().isalpha() and p.strip() not in known)]
    entries = [BYTES[b] for b in range(256)] + [shown(p) for p in whole][:size - 256 - len(SPECIALS)]
    entries += [f"<|unused_{i}|>" for i in range(size - len(SPECIALS) - len(entries))]
    return {entry: i for i, entry in enumerate(entries + SPECIALS)}


def spelled(piece):
    word = piece.strip()
    return word.lower() in SPELLED or (len(word) > 1 and word.isascii() and word.isalpha() and word.isupper() and word != "JSON") or (word.isascii() and word.isalpha() and len(word) == 1)


def tools_text(offered):
    """As chat_template.jinja writes them, behind <|system|>."""
    if not offered:
        return ""
    return "\n# 可用工具" + "".join(f"\n\n## {t['function']['name']}\n\n{json.dumps(t['function'], indent=4, ensure_ascii=False)}\n{USE}" for t in offered)


class Encoder:
    """Turns a dialog into ids as the chat template does, with a flag on each token that is an answer or its stop."""

    def __init__(self, vocabulary):
        self.id, self.cache = vocabulary, {}

    def text(self, text):
        ids = []
        for piece in PIECES.findall(text):
            known = self.cache.get(piece)
            if known is None:
                entry = shown(piece)
                known = [self.id[entry]] if entry in self.id else [self.id[c] for c in entry]
                if len(self.cache) < 20000:
                    self.cache[piece] = known
            ids += known
        return ids

    def __call__(self, messages, offered=None):
        ids, learn = [self.id["[gMASK]"], self.id["<sop>"]], [0, 0]
        if offered:
            part = self.text(tools_text(offered))
            ids, learn = ids + [self.id["<|system|>"], *part], learn + [0] * (1 + len(part))
        spoke = ""
        for role, text in messages:
            part = self.text(text if role == "call" else "\n" + text)
            ids += [self.id["<|assistant|>" if role == "call" else f"<|{role}|>"], *part]
            # the role token after an answer is what stops it, so it is learnt too
            # (but a call that nothing answers, as in the middle of made dialogs, would teach the wrong one)
            after = learn[-1] and not (spoke == "call" and role != "observation")
            spoke = role
            learn += [int(after), *([int(role in ("assistant", "call"))] * len(part))]
        return ids + [self.id["<|observation|>" if messages[-1][0] == "call" else "<|user|>"]], learn + [learn[-1]]


def tokenizer_json(vocabulary):
    specials = [{"id": vocabulary[s], "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for s in SPECIALS]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": specials, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}, level]},
            "post_processor": None, "decoder": {**level, "add_prefix_space": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {k: v for k, v in vocabulary.items() if k not in SPECIALS}, "merges": []}}
