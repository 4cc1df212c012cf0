"""Pocket V's tokenizer, and dialogs as ids. A piece of text that it knows whole is one token; any other is spelled in bytes.

A time is two pieces, 12 and .5, so that a small model can copy it in two steps; Chinese goes sign by sign.
"""
import random
import re
from collections import Counter

import talk

FIRST = "<|endoftext|> [MASK] [gMASK] [sMASK] <sop> <eop> <|system|> <|user|> <|assistant|> <|observation|> <|begin_of_image|> <|end_of_image|> <|begin_of_video|> <|end_of_video|>".split()
AUDIO = "<|begin_of_audio|> <|end_of_audio|> <|begin_of_transcription|> <|end_of_transcription|> <|code_prefix|> <|code_middle|> <|code_suffix|>".split()
PLAIN = "<think> </think> <tool_call> </tool_call> <tool_response> </tool_response> <arg_key> </arg_key> <arg_value> </arg_value> /nothink".split()
# in the order of GLM-4.6V; of these the ones in PLAIN are added, but not special
CONTROLS = FIRST + AUDIO + PLAIN + "<|begin_of_box|> <|end_of_box|> <|image|> <|video|>".split()
STOPS = ["<|endoftext|>", "<|user|>", "<|observation|>"]
TOKENS, SIDE = 16, 4
# words; single signs of other scripts; one or two digits; tenths; other signs; spaces
SPLIT = r" ?[A-Za-z]+|\p{L}|\p{N}{1,2}|\.\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PIECES = re.compile(SPLIT.replace(r"[^\s\p{L}\p{N}]", r"(?:[^\w\s]|_)").replace(r"\p{L}", r"[^\W\d_]").replace(r"\p{N}", r"\d"))
TIME = re.compile(r"\d+\.\d")
# GPT-2's byte alphabet: printable Latin-1 stands for itself, the other 68 bytes for U+0100 onwards
PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = {b: chr(b) if b in PRINTABLE else chr(256 + i) for b, i in zip([*PRINTABLE, *sorted({*range(256)} - {*PRINTABLE})], [0] * len(PRINTABLE) + [*range(68)])}


def shown(piece):
    return "".join(BYTES[b] for b in piece.encode())


def make_vocabulary(seed, size):
    """Bytes, numbers, tenths, the commonest pieces of the training dialogs, and the control tokens; the rest of the model's rows are no tokens."""
    r, seen = random.Random(f"{seed}:tokenizer"), Counter()
    for kind in talk.WORDINGS:
        for lang in ("en", "zh"):
            for wording in talk.wordings(kind, lang, False):
                text = wording.format(x="the circle", a="a circle", p="at the top", t="0")
                seen.update(PIECES.findall(text) + PIECES.findall(text[0].lower() + text[1:]))
    for _ in range(5000):
        for _, content, answer, _ in talk.dialog(r, 0.4, drawn=False).turns:
            seen.update(PIECES.findall(content if isinstance(content, str) else content[1]) + PIECES.findall("\n" + answer))
    numbers = [str(n) for n in range(10, 100)] + [f".{n}" for n in range(10)]
    whole = numbers + [p for p, _ in sorted(seen.items(), key=lambda found: (-found[1], found[0])) if len(p.encode()) > 1 and p not in numbers and not p.strip().isdigit()]
    entries = [BYTES[b] for b in range(256)] + [shown(p) for p in whole]
    assert len(entries) + len(CONTROLS) <= size, (len(entries), size)
    return {entry: i for i, entry in enumerate(entries + CONTROLS)}


class Row:
    """A dialog as ids: `learn` has for each token the number of its answer or -1, `positions` are [3][tokens], `kinds` names the answers.

    `aims`: where a thing's name ends in an answer, and the thing's place or way. `labels`: where the labels of a clip's steps begin.
    `asks`: where a question about a time has named it, and the number of that step.
    """

    __slots__ = ("ids", "learn", "positions", "kinds", "pictures", "aims", "labels", "asks")

    def __init__(self):
        self.ids, self.learn, self.positions, self.kinds, self.pictures, self.aims, self.labels, self.asks = [], [], ([], [], []), [], [], [], [], []


class Encoder:
    """Turns a dialog into ids as the chat template and the processor do, with a number on each token that is an answer or its stop."""

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

    def shown(self, mark):
        """Ids of a picture, or of a clip whose steps have these labels; and where its pictures begin in them."""
        begin, image, end = (self.id[f"<|{name}|>"] for name in ("begin_of_image", "image", "end_of_image"))
        if mark == "picture":
            return [begin] + [image] * TOKENS + [end], [1]
        ids, at = [self.id["<|begin_of_video|>"]], []
        for label in mark:
            at.append(len(ids) + 1)
            ids += [begin] + [image] * TOKENS + [end] + self.text(f"{label} seconds")
        return ids + [self.id["<|end_of_video|>"]], at

    def __call__(self, turns):
        """`turns`: (kind, content, answer, language). The answer of the last one may be left out, for a prompt."""
        row, where, times = Row(), [], []
        ids, learn = [self.id["[gMASK]"], self.id["<sop>"]], [-1, -1]
        user, assistant = self.id["<|user|>"], self.id["<|assistant|>"]
        for kind, content, answer, lang in turns:
            # the role token after an answer is what stops it, so it is learnt too
            learn.append(len(row.kinds) - 1)
            ids.append(user)
            if isinstance(content, str):
                part = self.text("\n" + content)
                asked, at_text = content, len(ids)
            else:
                mark, text, behind = content
                part, at = self.shown(mark)
                before = self.text("\n" + text) if behind else self.text("\n")
                where += [len(ids) + len(before) + a for a in at]
                row.labels += [len(ids) + len(before) + a + TOKENS + 1 for a in at] if mark != "picture" else []
                asked, at_text = text, len(ids) + (0 if behind else len(part))
                times = times if mark == "picture" else mark
                part = before + part + ([] if behind else self.text(text))
            if kind in ("then", "count_then"):
                named = TIME.search(asked)
                row.asks.append((at_text + len(self.text("\n" + asked[:named.end()])) - 1, times.index(named[0])))
            ids += part
            learn += [-1] * (len(part) + 1)
            ids.append(assistant)
            if answer is not None:
                said = self.text("\n" + answer)
                row.aims += [(len(ids) + len(self.text("\n" + answer[:end])) - 1, place) for end, place in talk.named(kind, answer, lang)]
                ids += said
                learn += [len(row.kinds)] * len(said)
                row.kinds.append(f"{kind}/{lang}")
        if turns[-1][2] is not None:
            ids.append(user)
            learn.append(len(row.kinds) - 1)
        row.ids, row.learn, row.pictures = ids, learn, where
        row.positions = positions(len(ids), where)
        return row


def positions(length, pictures):
    """Three numbers for each token: a picture's tokens have the time of its first, and that plus their row and their column."""
    t, h, w = [], [], []
    now = 0
    for at in pictures + [length]:
        run = range(now, now + at - len(t))
        t += run
        h += run
        w += run
        now = run.stop
        if at < length:
            t += [now] * TOKENS
            h += [now + i // SIDE for i in range(TOKENS)]
            w += [now + i % SIDE for i in range(TOKENS)]
            now += SIDE
    return t, h, w


def tokenizer_json(vocabulary):
    added = [{"id": vocabulary[s], "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": s not in PLAIN} for s in CONTROLS]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}, level]},
            "post_processor": None, "decoder": {**level, "add_prefix_space": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
                      "vocab": {k: v for k, v in vocabulary.items() if k not in CONTROLS}, "merges": []}}
