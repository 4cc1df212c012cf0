"""Questions and answers about pictures and clips, in English and Chinese, and a little talk without them.

An answer about a thing names it first: what is said of it then follows its name, as in lists and stories, and is found by that name.
Wordings are patterns of (this|that). A few of each question's wordings are never trained, chosen by their hash (`wordings`).
"""
import hashlib
import re
from functools import cache

from scenes import COLOURS, KINDS, NAMES, SHAPES, clip, frames, picture, slots, still, way_of

MANY = [*("circles", "squares", "triangles", "stars", "crosses", "hearts")]
SHAPES_ZH = ["圆形", "方形", "三角形", "星形", "十字形", "心形"]
ALSO_ZH = {"圆形": ["圆", "圆圈"], "方形": ["正方形", "方块"], "三角形": ["三角"], "星形": ["五角星", "星星"], "十字形": ["十字"], "心形": ["爱心"]}
COLOURS_ZH = dict(zip(COLOURS, ["红色", "橙色", "黄色", "绿色", "蓝色", "紫色", "黑色", "白色"]))
PLACES = ["at the top left", "at the top", "at the top right", "at the left", "in the middle", "at the right", "at the bottom left", "at the bottom", "at the bottom right"]
PLACES_ALSO = {"at the left": ["on the left"], "at the right": ["on the right"]}
PLACES_ZH = ["左上角", "上边", "右上角", "左边", "中间", "右边", "左下角", "下边", "右下角"]
PLACES_ALSO_ZH = {"左上角": ["左上"], "上边": ["上面", "上方"], "右上角": ["右上"], "左边": ["左侧"], "中间": ["正中间", "中央"], "右边": ["右侧"], "左下角": ["左下"], "下边": ["下面", "下方"], "右下角": ["右下"]}
WAYS = {"right": ("moves to the right", "向右"), "left": ("moves to the left", "向左"), "up": ("moves up", "向上"), "down": ("moves down", "向下")}

WORDINGS = {
    "list": (["What (is there|do you see|can you see|is shown)?", "What (is shown|do you see|can you see|is there) in (the|this) picture?", "(Describe|Please describe) (the|this) picture.", "(List|Name) (the things|all things)( in the picture|).", "(Tell me|Say) what (you see|is there)."],
             ["(这里|图里|图中|图片里)有(什么|哪些东西|什么东西)？", "你(看到|看见|能看到)(了|)什么？", "(请|)描述(一下|)(这张图片|图片|这张图)。", "(说说|告诉我)(你看到了什么|图里有什么)。", "有什么？"]),
    "count": (["How many {x} (are there|do you see|can you see|are shown)?", "How many {x} (are there|do you see|can you see|are shown) in (the|this) picture?", "(Count|Please count) the {x}.", "(What is the number|Number) of {x}?", "(Tell me|Say) how many {x} (you see|are there)."],
              ["(有|图里有|图中有|这里有|图片里有)(几个|多少个){x}？", "(数一数|数数|请数一数){x}。", "{x}有(几个|多少个)？", "你(看到|能看到)(几个|多少个){x}？", "(告诉我|请问)有(几个|多少个){x}。"]),
    "where": (["Where is {x}?", "Where (do|can) you see {x}?", "Where in (the|this) picture is {x}?", "(Find|Please find|Locate) {x}.", "(Tell me|Say) where {x} is."],
              ["{x}在(哪里|哪儿|什么地方|什么位置)？", "(找一找|请找到|找到){x}。", "(告诉我|请问){x}在(哪里|哪儿|什么位置)？", "{x}的位置(是什么|在哪里|)？"]),
    "colour": (["What (colour|color) is {x}?", "(Which|What) (colour|color) does {x} have?", "(Tell me|Say) the (colour|color) of {x}.", "(What is the|The) (colour|color) of {x}?"],
               ["{x}是(什么|哪种)颜色(的|)？", "{x}的颜色是什么？", "(告诉我|请问){x}的颜色。", "{x}有什么颜色？", "(告诉我|请问){x}是(什么|哪种)颜色？"]),
    "digit": (["(Which|What) (digit|number) (is there|do you see|can you see|is shown)?", "(Which|What) (digits|numbers) (are there|do you see|can you see|are shown)?", "(Which|What) (digit|number) is in (the|this) picture?", "(Read|Please read|Name) the (digit|digits|number|numbers)."],
              ["(有|图里有|图中有|这里有)(什么|哪个|哪些)数字？", "数字是(几|什么|多少)？", "(读一下|请读出|念一下)数字。", "你(看到|能看到)(什么|哪个|哪些)数字？", "这是(几|什么数字|哪个数字)？"]),
    "at": (["What is {p}?", "What (do|can) you see {p}?", "(Which|What) thing is {p}?", "(Tell me|Say) what is {p}.", "What is shown {p}?"],
           ["{p}(有|是)(什么|什么东西)？", "你(看到|能看到){p}有什么？", "(告诉我|请问|说说){p}(有|是)什么。", "图片{p}有什么？"]),
    "is": (["Is there {a}?", "(Do|Can) you see {a}?", "Is there {a} in (the|this) picture?", "(Do|Can) you see {a} in (the|this) picture?", "(Tell me|Say) if there is {a}."],
           ["(有|图里有|图中有|这里有|图片里有){x}吗？", "(有没有|图里有没有|图中有没有|这里有没有){x}？", "你(看到|能看到){x}(了|)吗？"]),
    "appear": (["When (does|did) {x} (appear|show up|come)?", "At (what|which) time (does|did) {x} (appear|show up|come)?", "When (do|can) you first see {x}?", "(Tell me|Say) when {x} (appears|shows up|comes)."],
               ["{x}(什么时候|何时|第几秒|几秒)出现(的|)？", "{x}是(什么时候|何时|第几秒|几秒)出现的？", "{x}在(第几秒|几秒|什么时候)出现？", "(告诉我|请问){x}(什么时候|何时|第几秒)出现。"]),
    "vanish": (["When (does|did) {x} (vanish|disappear|go away)?", "At (what|which) time (does|did) {x} (vanish|disappear|go away)?", "When is {x} gone?", "(Tell me|Say) when {x} (vanishes|disappears|goes away)."],
               ["{x}(什么时候|何时|第几秒|几秒)(消失|不见)(的|)？", "{x}是(什么时候|何时|第几秒|几秒)(消失|不见)的？", "{x}在(第几秒|几秒|什么时候)(消失|不见)？", "(告诉我|请问){x}(什么时候|何时|第几秒)(消失|不见)。"]),
    "move": (["Which way does {x} (move|go)?", "(Which|What) direction does {x} (move|go)?", "In (which|what) direction does {x} (move|go)?", "Where does {x} (move|go)?", "How does {x} move?"],
             ["{x}(往|向|朝)(哪里|哪边|哪个方向)(移动|动|走)？", "{x}(移动|运动)的方向(是什么|)？", "{x}怎么(移动|动)？", "(告诉我|请问){x}(往|向|朝)(哪里|哪边)(移动|动)。"]),
    "then": (["What (is there|do you see|can you see|is shown) at {t} seconds?", "At {t} seconds, what (is there|do you see|can you see|is shown)?", "(Tell me|Say) what is there at {t} seconds."],
             ["(在|){t}秒(时|的时候|)(有什么|能看到什么|有哪些东西)？", "(在|){t}秒(时|的时候|)你(看到|能看到)什么？", "(告诉我|请问){t}秒时有什么。"]),
    "count_then": (["How many things (are there|do you see|can you see|are shown) at {t} seconds?", "At {t} seconds, how many things (are there|do you see|can you see|are shown)?", "(Count|Please count) the things at {t} seconds."],
                   ["(在|){t}秒(时|的时候|)有(几个|多少个)东西？", "(在|){t}秒(时|的时候|)你(看到|能看到)(几个|多少个)东西？"]),
    "story": (["What (happens|happened)( here| in the clip| in this clip| in the video| in this video|)?", "(Describe|Please describe) (the|this) (clip|video).", "(Tell me|Say) what (happens|happened)."],
              ["(这里|视频里|这段视频里|)发生了什么(事|)？", "(请|)描述(一下|)(这段|这个|)视频。", "(说说|告诉我)发生了什么。"]),
    "hello": (["(Hello|Hi|Hey)(!|.|, Pocket| there|)", "Good (morning|evening|day)(!|.|)"], ["(你好|您好|嗨|早上好|晚上好|哈喽)(！|。|，Pocket|)"]),
    "thanks": (["(Thanks|Thank you|Thanks a lot|Thank you very much|Great, thanks)(!|.|)"], ["(谢谢|谢谢你|多谢|非常感谢|太好了，谢谢)(！|。|)"]),
    "about": (["(Who|What) are you?", "What is your name?", "(Introduce|Describe|Tell me about) yourself.", "(Tell me|Say) (who|what) you are.", "Are you a (robot|person|language model|model)?", "What is Pocket V?"],
              ["你是(谁|什么)？", "你叫什么(名字|)？", "(请|)(介绍一下|介绍)(你自己|自己)。", "(告诉我|说说)你是(谁|什么)。", "你是(机器人|人|语言模型|模型)吗？"]),
    "can": (["What can (you do|I ask you|I ask)?", "How can you help(| me)?", "What (do you know|are you good at)?", "(Tell me|Show me|Say) what you can do."],
            ["你(会|能|可以)(做什么|做些什么|什么)？", "我(能|可以)问(你|)什么？", "你(擅长|知道)什么？", "(告诉我|说说)你(会|能做)什么。"]),
    "other": (["What is the capital of (France|China|Japan)?", "(Tell me|Write) a (story|joke|poem).", "What is the weather (today|like)?", "Who is the (president|king)?", "What is (love|time|life)?", "(Translate|Write) this (text|letter)."],
              ["(法国|中国|日本)的首都是(哪里|什么)？", "(讲|写)(一个|个)(故事|笑话)。", "今天天气(怎么样|好吗)？", "(总统|国王)是谁？", "(翻译|写)这(段|封)(文字|信)。"]),
}
SAID = {
    "hello": ("Hello! Show me a picture or a clip.", "你好！给我看一张图片或一段视频吧。"),
    "thanks": ("You are welcome!", "不客气！"),
    "about": ("I am Pocket V, a tiny GLM that sees. I was made for shapes, colours, digits and short clips.", "我是Pocket V，一个会看的小小GLM。我认识形状、颜色、数字和短视频。"),
    "can": ("I name and count shapes and digits in a picture, say their colour and place, and tell when things appear, move or vanish in a clip.", "我能说出图片里的形状、数字、颜色和位置，会数数，还能说出视频里的东西什么时候出现、移动或消失。"),
    "other": ("I only know shapes, colours, digits, places and times.", "我只懂形状、颜色、数字、位置和时间。"),
    "picture": ("I see no picture. Please show me one.", "我没看到图片，请给我看一张。"),
    "clip": ("I see no clip. Please show me one.", "我没看到视频，请给我看一段。"),
}
STILL = ["list", "count", "count_colour", "count_both", "count_all", "where", "colour", "digit", "at", "is", "missing"]
# how often each is asked: at first, and when what is easy is known and things still have to be found by their names
STILL_WEIGHTS = [1.2, 2.2, 0.7, 0.5, 1.5, 1.5, 1.0, 1.0, 1.2, 0.7, 0.6], [1.8, 1.6, 0.7, 0.4, 0.5, 3.0, 1.6, 1.4, 1.0, 1.3, 0.5]
# a drill in finding things by their names
DRILL = [0.3, 0.3, 0.2, 0, 0, 4, 2, 0.5, 1, 2, 0.3]
CLIP = ["appear", "vanish", "move", "then", "count_then", "story", "missing_clip"]
# what appear, vanish and move are called where it doesn't happen: the thing is there from the start, stays, or stands
STATIC = ["start", "stay", "stand"]


# ---- wordings

def spun(pattern):
    found = re.search(r"\(([^()]*)\)", pattern)
    if not found:
        return [pattern]
    return [one for part in found[1].split("|") for one in spun(pattern[:found.start()] + part + pattern[found.end():])]


@cache
def wordings(kind, lang, held):
    """Of all wordings of a question about one in eight is held out, if each of its words also stands in one that is not. The first of each pattern never is."""
    patterns = WORDINGS[kind][lang == "zh"]
    plain = {spun(pattern)[0] for pattern in patterns}
    every = sorted({one for pattern in patterns for one in spun(pattern)}, key=lambda one: hashlib.sha256(one.encode()).hexdigest())
    words = {one: set(re.findall(r"[A-Za-z{}]+|[^\sA-Za-z{}]", one)) for one in every}
    out, kept = [], list(every)
    for one in every:
        if one in plain:
            continue
        rest = [other for other in kept if other != one]
        if len(out) < max(1, len(every) // 8) and words[one] <= set().union(*(words[other] for other in rest)):
            out, kept = out + [one], rest
    return tuple(out if held else kept)


def ask(r, kind, lang, held=False, **slots):
    """A wording with its slots filled, and small changes that people make when they type."""
    text = r.choice(wordings(kind, lang, held)).format(**slots)
    if r.random() < 0.12 and text[-1] in "?.？。":
        text = text[:-1]
    if r.random() < 0.1 and text[1:2].islower():
        text = text[0].lower() + text[1:]
    return text


# ---- names

def joined(parts, lang):
    parts = list(parts)
    if lang == "zh":
        return "和".join(parts) if len(parts) < 3 else "、".join(parts[:-1]) + "和" + parts[-1]
    return " and ".join(parts) if len(parts) < 3 else ", ".join(parts[:-1]) + " and " + parts[-1]


def noun(kind, lang, many=False):
    if kind >= len(SHAPES):
        return KINDS[kind] if lang == "en" else "数字" + KINDS[kind]
    return SHAPES_ZH[kind] if lang == "zh" else MANY[kind] if many else SHAPES[kind]


def called(colour, kind, lang, many=False):
    """red circle, 红色圆形; without a colour circle, without a kind red thing."""
    word = ("东西" if lang == "zh" else "things" if many else "thing") if kind is None else noun(kind, lang, many)
    if colour is None:
        return word
    return COLOURS_ZH[NAMES[colour]] + word if lang == "zh" else f"{NAMES[colour]} {word}"


def one(text):
    return f"an {text}" if text.startswith("orange") or text == "8" else f"a {text}"


def upper(text):
    return text[0].upper() + text[1:]


def asked(r, name, lang):
    """A name as it is asked for."""
    if lang == "en":
        return f"the {name}"
    for word, others in ALSO_ZH.items():
        if name.endswith(word) and r.random() < 0.3:
            name = name[:-len(word)] + r.choice(others)
    colour = name[:2]
    return colour + "的" + name[2:] if colour in COLOURS_ZH.values() and r.random() < 0.5 else name


def place(r, p, lang):
    if lang == "en":
        return r.choice(PLACES_ALSO.get(PLACES[p], [PLACES[p]])) if r.random() < 0.4 else PLACES[p]
    return r.choice(PLACES_ALSO_ZH[PLACES_ZH[p]]) if r.random() < 0.3 else PLACES_ZH[p]


def none(name, lang):
    return f"I see no {name}." if lang == "en" else f"我没看到{name}。"


def nothing(lang):
    return "Nothing." if lang == "en" else "什么也没有。"


def number(count, name, names, lang):
    if lang == "zh":
        return f"{count}个{name}。" if count else none(name, lang)
    return f"{count} {name if count == 1 else names}." if count else none(name, lang)


def label(seconds):
    """As the processor of GLM-4.6V writes times."""
    return f"{seconds:.1f}"


# ---- pictures

def name_of(r, things, thing, lang):
    """(the things meant, name): by kind, by colour and kind, or by colour where that says enough."""
    same = [t for t in things if t.kind == thing.kind]
    if len(same) == 1 and r.random() < 0.4:
        return same, called(None, thing.kind, lang)
    if r.random() < 0.1:
        return [t for t in things if t.colour == thing.colour], called(thing.colour, None, lang)
    return [t for t in same if t.colour == thing.colour], called(thing.colour, thing.kind, lang)


def absent(r, things):
    """A colour and kind that are not there; often one of the two is."""
    have = {(t.colour, t.kind) for t in things}
    for _ in range(50):
        kind = r.choice(things).kind if things and r.random() < 0.4 else r.randrange(len(SHAPES) if r.random() < 0.8 else len(KINDS))
        colour = r.choice(things).colour if things and r.random() < 0.4 else r.randrange(len(NAMES))
        if (colour, kind) not in have:
            return colour, kind
    return None


def about_picture(r, kind, things, lang, held, target=None):
    """(question, answer), or nothing where the picture does not fit the question."""
    thing = target or (r.choice(things) if things else None)
    if kind == "list":
        each = [(called(t.colour, t.kind, lang), t.place()) for t in things]
        parts = [f"{PLACES_ZH[p]}有{n}" if lang == "zh" else f"{one(n)} {PLACES[p]}" for n, p in each]
        return ask(r, "list", lang, held), ("，".join(parts) + "。" if lang == "zh" else upper(joined(parts, lang)) + ".") if parts else nothing(lang)
    if kind.startswith("count"):
        kinds = thing.kind if thing and r.random() < 0.8 else r.randrange(len(SHAPES))
        colour = thing.colour if thing and r.random() < 0.8 else r.randrange(len(NAMES))
        kinds, colour = (None if kind in ("count_all", "count_colour") else kinds), (None if kind in ("count", "count_all") else colour)
        if kinds is not None and kinds >= len(SHAPES):
            return None
        count = sum((kinds is None or t.kind == kinds) and (colour is None or t.colour == colour) for t in things)
        name, names = called(colour, kinds, lang), called(colour, kinds, lang, True)
        if count == 0 and kind == "count_all":
            return ask(r, "count", lang, held, x=names), nothing(lang)
        return ask(r, "count", lang, held, x=asked(r, name, lang) if lang == "zh" else names), number(count, name, names, lang)
    if kind == "digit":
        digits = [KINDS[t.kind] for t in things if t.kind >= len(SHAPES)]
        if not digits and r.random() < 0.8:
            return None
        end = "。" if lang == "zh" else "."
        return ask(r, "digit", lang, held), joined(digits, lang) + end if digits else none("数字" if lang == "zh" else "digit", lang)
    if kind == "at":
        p = thing.place() if thing and (target or r.random() < 0.7) else r.randrange(9)
        found = [t for t in things if t.place() == p]
        said = called(found[0].colour, found[0].kind, lang) if found else None
        return ask(r, "at", lang, held, p=place(r, p, lang)), nothing(lang) if not found else said + "。" if lang == "zh" else upper(one(said)) + "."
    if kind == "missing" or (kind == "is" and r.random() < 0.4):
        away = absent(r, things)
        if not away:
            return None
        name = called(*away, lang)
        how = "is" if kind == "is" else r.choice([how for how in ("where", "where", "count") if wordings(how, lang, held)])
        if how == "is":
            no = "No, " if lang == "en" else "没有，"
            return ask(r, how, lang, held, a=one(name), x=asked(r, name, lang)), no + none(name, lang)
        return ask(r, how, lang, held, x=called(*away, lang, True) if how == "count" and lang == "en" else asked(r, name, lang)), none(name, lang)
    if not thing:
        return None
    found, name = name_of(r, things, thing, lang)
    if len(found) > 3:
        return None
    if kind == "where":
        if not wordings("where", lang, held):
            return None
        where = joined([(PLACES_ZH if lang == "zh" else PLACES)[t.place()] for t in found], lang)
        return ask(r, "where", lang, held, x=asked(r, name, lang)), f"{name}在{where}。" if lang == "zh" else f"The {name} is {where}."
    if kind == "colour":
        found, name = [t for t in things if t.kind == thing.kind], called(None, thing.kind, lang)
        colours = list(dict.fromkeys(NAMES[t.colour] for t in found))
        if len(colours) > 3:
            return None
        said = joined([COLOURS_ZH[c] for c in colours] if lang == "zh" else colours, lang)
        return ask(r, "colour", lang, held, x=asked(r, name, lang)), f"{name}是{said}。" if lang == "zh" else f"The {name} is {said}."
    # is
    where = joined([(PLACES_ZH if lang == "zh" else PLACES)[t.place()] for t in found], lang)
    return ask(r, "is", lang, held, a=one(name), x=asked(r, name, lang)), f"有，{name}在{where}。" if lang == "zh" else f"Yes, {one(name)} {where}."


# ---- clips

def about_clip(r, kind, things, times, lang, held, target=None, it=None):
    """(question, answer, the thing that it was about). `it` is the thing of the question before, which may be asked for as it."""
    steps = len(times)
    thing = target or chosen(r, kind, things, steps)
    if kind == "missing_clip":
        away = absent(r, things)
        name = called(*away, lang)
        return ask(r, r.choice(["appear", "vanish", "move"]), lang, held, x=asked(r, name, lang)), none(name, lang), None
    if kind in ("then", "count_then"):
        step = r.randrange(steps)
        seen = sorted((t for t in things if t.first <= step < t.last), key=lambda t: t.place(step))
        names = [called(t.colour, t.kind, lang) for t in seen]
        if kind == "count_then":
            things_, thing_ = ("东西", "东西") if lang == "zh" else ("things", "thing")
            said = number(len(seen), thing_, things_, lang) if seen else nothing(lang)
        else:
            said = nothing(lang) if not seen else joined(names, lang) + "。" if lang == "zh" else upper(joined(map(one, names), lang)) + "."
        return ask(r, kind, lang, held, t=label(times[step])), said, None
    if kind == "story":
        return ask(r, "story", lang, held), " ".join(story(t, times, lang) for t in things) if lang == "en" else "".join(story(t, times, lang) for t in things), None
    same = [t for t in things if t.kind == thing.kind]
    if it is not None and r.random() < 0.5:
        thing, name = it, "它" if lang == "zh" else "it"
    else:
        name = asked(r, called(None if len(same) == 1 and r.random() < 0.35 else thing.colour, thing.kind, lang), lang)
    who = called(thing.colour, thing.kind, lang) if lang == "zh" else "The " + called(thing.colour, thing.kind, lang)
    return ask(r, kind, lang, held, x=name), who + did(kind, thing, times, lang), thing


def chosen(r, kind, things, steps):
    """The thing to ask about: mostly one to which it happens."""
    some = [t for t in things if happens(kind, t, steps)]
    return r.choice(some if some and r.random() < 0.6 else things)


def happens(kind, thing, steps):
    return thing.first > 0 if kind == "appear" else thing.last < steps if kind == "vanish" else kind == "move" and way_of(thing) is not None


def did(kind, thing, times, lang):
    """What is said of a thing that is named before: the words of `story`."""
    if kind == "move":
        way = way_of(thing)
        if lang == "zh":
            return WAYS[way][1] + "移动。" if way else "没有移动。"
        return f" {WAYS[way][0]}." if way else " does not move."
    if kind == "appear":
        if thing.first == 0:
            return "一开始就在。" if lang == "zh" else " is there from the start."
        return f"在{label(times[thing.first])}秒出现。" if lang == "zh" else f" appears at {label(times[thing.first])} seconds."
    if thing.last == len(times):
        return "没有消失。" if lang == "zh" else " does not vanish."
    return f"在{label(times[thing.last])}秒消失。" if lang == "zh" else f" vanishes at {label(times[thing.last])} seconds."


def story(thing, times, lang):
    way, name = way_of(thing), called(thing.colour, thing.kind, lang)
    if lang == "zh":
        parts = [f"{name}一开始就在" if thing.first == 0 else f"{name}在{label(times[thing.first])}秒出现"]
        parts += [WAYS[way][1] + "移动"] if way else []
        parts += [f"在{label(times[thing.last])}秒消失"] if thing.last < len(times) else []
        return "，".join(parts) + "。"
    parts = [f"{one(name)} is there from the start" if thing.first == 0 else f"{one(name)} appears at {label(times[thing.first])} seconds"]
    parts += [WAYS[way][0]] if way else []
    parts += [f"vanishes at {label(times[thing.last])} seconds"] if thing.last < len(times) else []
    return upper(joined(parts, lang)) + "."


NAMED = {"where": (r"The .+? (?=is ([ai][tn] the [a-z ]+)\.$)", r".+(?=在([^在和、]+)。$)"), "is": (r"Yes, an? .+? (?=([ai][tn] the [a-z ]+)\.$)", r"有，.+(?=在([^在和、]+)。$)"),
         "list": (r"[Aa]n? [^,]+? (?=([ai][tn] the [a-z ]+?)(?:,| and an? |\.$))", None),
         "move": (r"The .+? (?=(moves [a-z ]+|does not move)\.$)", r".+?(?=(向.移动|没有移动)。$)")}
NAMED["stand"] = NAMED["move"]
GOES = [["does not move"] + [way for way, _ in WAYS.values()], ["没有移动"] + [way + "移动" for _, way in WAYS.values()]]


def named(kind, answer, lang):
    """(how much of the answer ends with the name of a thing, its place or nine and its way) for each thing whose place or way is said next."""
    pattern, places = NAMED.get(kind, (None, None))[lang == "zh"], (PLACES_ZH if lang == "zh" else PLACES) + GOES[lang == "zh"]
    return [(m.end() - (lang == "en"), places.index(m[1])) for m in re.finditer(pattern, answer) if m[1] in places] if pattern else []


# ---- dialogs

class Dialog:
    """Turns (kind, content, answer): content is a text, or (mark, text) with "picture" or the times of a clip before it, or behind it.

    `stills` and `clips` are the pixels, in order of the turns; `slots` what stands in each place, for each still or step.
    """

    def __init__(self, drawn=True):
        self.turns, self.stills, self.clips, self.slots, self.drawn = [], [], [], [], drawn

    def show(self, r, things, steps=None):
        if steps is None:
            self.stills.append(picture(r, things) if self.drawn else None)
            self.slots.append(slots(things))
        else:
            self.clips.append(frames(r, things, steps) if self.drawn else None)
            self.slots += [slots(things, step) for step in range(steps)]


def still_turns(r, out, lang, count, held, worded, kinds=None, late=False):
    things, target = still(r, held)
    out.show(r, things)
    weights = DRILL if late and not held and r.random() < 0.4 else STILL_WEIGHTS[late]
    count = 10 if weights is DRILL else count
    first = True
    for _ in range(count * 4):
        if count == 0:
            break
        kind = kinds.pop(0) if kinds else r.choices(STILL, weights)[0]
        tongue = lang if r.random() < 0.9 or held else ("zh" if lang == "en" else "en")
        if kind == "list":
            weights = [0, *weights[1:]]
        if held and kind in ("where", "colour", "at", "is"):
            found = about_picture(r, kind, things, tongue, worded, target)
        else:
            found = about_picture(r, kind, things, tongue, worded)
        if found and not any(found[0] == t[1] for t in out.turns):
            before = "picture" if first else None
            out.turns.append((kind, (before, found[0], r.random() < 0.15) if first else found[0], found[1], tongue))
            first, count = False, count - 1
    if first:
        out.stills.pop()
        out.slots.pop()


def clip_turns(r, out, lang, count, held, worded, kinds=None):
    things, times, target = clip(r, held)
    out.show(r, things, len(times))
    first, it, asked = True, None, set()
    for _ in range(count * 6):
        if count == 0:
            break
        # what happens in all of it is asked last, if at all: nothing would be left to see for the other questions
        kind = kinds.pop(0) if kinds else r.choices(CLIP, [1.6, 1.5, 1.0, 2.0, 1.0, 2 if count == 1 else 0, 0.3])[0]
        tongue = lang if r.random() < 0.9 or held else ("zh" if lang == "en" else "en")
        question, answer, about = about_clip(r, kind, things, times, tongue, worded, target if held else None, None if held else it)
        # nor is the same asked twice, which only asks for a copy
        same = (kind, (about.kind, about.colour) if about else answer)
        if same in asked:
            continue
        asked.add(same)
        it = about
        if about and not happens(kind, about, len(times)):
            kind = STATIC[CLIP.index(kind)]
        out.turns.append((kind, ([label(t) for t in times], question, r.random() < 0.15) if first else question, answer, tongue))
        first, count = False, count - 1


def plain_turn(r, out, lang, seen, worded=False):
    """A turn that is not about what is shown; questions about a picture that is not there are such too."""
    kind = r.choices(["hello", "thanks", "about", "can", "other", "picture", "clip"], [1, 0.5, 1.2, 1, 0.6, 0 if seen else 1.5, 0 if seen else 0.8])[0]
    question = None
    if kind == "picture":
        thing = called(r.randrange(len(NAMES)), r.randrange(len(SHAPES)), lang)
        which = r.choice(["list", "where", "is", "digit", "count"])
        question = ask(r, which, lang, worded, x=(asked(r, thing, lang) if which != "count" else thing if lang == "zh" else called(None, r.randrange(len(SHAPES)), lang, True)), a=one(thing))
    if kind == "clip":
        thing = called(r.randrange(len(NAMES)), r.randrange(len(SHAPES)), lang)
        question = ask(r, r.choice(["appear", "vanish", "move", "story"]), lang, worded, x=asked(r, thing, lang))
    out.turns.append((kind, question or ask(r, kind, lang, worded), SAID[kind][lang == "zh"], lang))


def dialog(r, share, turns=None, held=False, worded=False, drawn=True, late=False):
    """A dialog of training: a picture or (with the chance `share`) a clip, and questions; sometimes a second picture, or nothing to see."""
    out, lang = Dialog(drawn), r.choice(["en", "zh"])
    kind = r.random()
    if kind < 0.05 and not held:
        for _ in range(r.choice([1, 2, 3])):
            plain_turn(r, out, lang, False)
        return out
    if kind < 0.1 and not held:
        plain_turn(r, out, lang, False)
    if r.random() < share:
        clip_turns(r, out, lang, turns or r.choice([4, 5, 6]), held, worded)
    elif r.random() < 0.1 and not held:
        still_turns(r, out, lang, 3, held, worded, late=late)
        still_turns(r, out, lang, 3, held, worded, late=late)
    else:
        still_turns(r, out, lang, turns or r.choice([4, 5, 6, 7, 8]), held, worded, late=late)
    if r.random() < 0.12 and not held:
        plain_turn(r, out, lang, True)
    return out
