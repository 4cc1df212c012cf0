"""What Pocket learns: one table of skills, each with a generator per language.

A generator takes a random source and a language and returns (messages, key) or (messages, key, tools). A message is (role, text), the role being
user, assistant, call (name, newline, arguments) or observation; the last one is the answer that is measured. The key is the content that
decides whether the example is held out: it stands for the content in both languages and in all wordings.
"""
import json
import string

import tools
from talk import about, greet
from words import DAYS, JOBS, MONTHS, WORDS, ask, city, few, held_out, letters, name, number, thing


def turn(question, answer):
    return [("user", question), ("assistant", answer)]


# ---- sums

SUM = {"en": {"+": ["What is {a} + {b}?", "{a}+{b}", "{a} + {b} = ?", "{a}+{b}=", "Add {a} and {b}.", "How much is {a} plus {b}?", "What is {a} plus {b}?", "What is the sum of {a} and {b}?", "Calculate {a} + {b}."],
              "-": ["What is {a} - {b}?", "{a}-{b}", "{a} - {b} = ?", "{a}-{b}=", "Subtract {b} from {a}.", "How much is {a} minus {b}?", "What is {a} minus {b}?", "Calculate {a} - {b}."]},
       "zh": {"+": ["{a}+{b}等于多少？", "{a}加{b}是多少？", "计算{a}+{b}", "{a}加{b}等于几？", "请算一下：{a}+{b}", "{a}与{b}的和是多少？", "{a} + {b} 是多少？"],
              "-": ["{a}-{b}等于多少？", "{a}减{b}是多少？", "计算{a}-{b}", "{a}减{b}等于几？", "请算一下：{a}-{b}", "{a}减去{b}是多少？", "{a} - {b} 是多少？"]}}


def add(r, lang):
    a, b = number(r), number(r)
    return turn(ask(r, SUM[lang]["+"], a=a, b=b), str(a + b)), f"{min(a, b)},{max(a, b)}"


def sub(r, lang):
    """A third of the pairs are near each other: else results of one digit are rare."""
    b = number(r)
    b, a = sorted((b, min(99, b + r.randrange(10)) if r.random() < 0.33 else number(r)))
    return turn(ask(r, SUM[lang]["-"], a=a, b=b), str(a - b)), f"{a},{b}"


# ---- steps in a circle: days and months. The answer counts aloud, so that each word of it is a small step.

STEP = {"en": {"after": ["What (day|comes|day comes) after {d}?", "(Which|What) day follows {d}?", "What is the day after {d}?", "Today is {d}. What day is tomorrow?", "If today is {d}, what is tomorrow?", "(Next day|The day) after {d}?", "It is {d}. And tomorrow?"],
               "before": ["What (day|comes|day comes) before {d}?", "(Which|What) day is before {d}?", "What is the day before {d}?", "Today is {d}. What day was yesterday?", "If today is {d}, what was yesterday?", "(The day|Day) before {d}?", "It is {d}. And yesterday?"],
               "later": ["What day is {n} days after {d}?", "Today is {d}. What day is it in {n} days?", "{d} plus {n} days is which day?", "{n} days after {d}?", "It is {d}. What day comes {n} days later?"],
               "earlier": ["What day was {n} days before {d}?", "Today is {d}. What day was it {n} days ago?", "{d} minus {n} days is which day?", "{n} days before {d}?", "It is {d}. What day was {n} days earlier?"]},
        "zh": {"after": ["{d}的(后一天|第二天|下一天)是星期几？", "{d}(之后|后面)是星期几？", "今天是{d}，明天是星期几？", "如果今天是{d}，明天呢？", "{d}的明天是(哪天|星期几)？", "今天{d}，明天是？"],
               "before": ["{d}的(前一天|上一天)是星期几？", "{d}(之前|前面)是星期几？", "今天是{d}，昨天是星期几？", "如果今天是{d}，昨天呢？", "{d}的昨天是(哪天|星期几)？", "今天{d}，昨天是？"],
               "later": ["{d}过{n}天是星期几？", "今天是{d}，{n}天后是星期几？", "{d}再过{n}天是星期几？", "{d}加{n}天是星期几？", "{d}之后{n}天是星期几？"],
               "earlier": ["{d}的{n}天前是星期几？", "今天是{d}，{n}天前是星期几？", "{d}减{n}天是星期几？", "{d}之前{n}天是星期几？"]}}
MONTH_STEP = {"en": {"after": ["(Which|What) month (comes after|follows) {d}?", "What is the month after {d}?", "It is {d}. What is the next month?", "If it is {d}, what month is next?", "(Next month|The month) after {d}?"],
                     "before": ["(Which|What) month (comes|is) before {d}?", "What is the month before {d}?", "It is {d}. What was the last month?", "If it is {d}, what month was before?", "(The month|Month) before {d}?"],
                     "later": ["(What|Which) month is {n} months after {d}?", "It is {d}. What month is it in {n} months?", "{d} plus {n} months is which month?", "{n} months after {d}?"],
                     "earlier": ["(What|Which) month was {n} months before {d}?", "It is {d}. What month was it {n} months ago?", "{d} minus {n} months is which month?", "{n} months before {d}?"]},
              "zh": {"after": ["{d}的(下一个月|后一个月)是几月？", "{d}(之后|过后)是几月？", "现在是{d}，下个月是几月？", "{d}后面是(哪个月|几月)？", "如果现在是{d}，下个月呢？"],
                     "before": ["{d}的(上一个月|前一个月)是几月？", "{d}之前是几月？", "现在是{d}，上个月是几月？", "{d}前面是(哪个月|几月)？", "如果现在是{d}，上个月呢？"],
                     "later": ["{d}过{n}个月是几月？", "现在是{d}，{n}个月后是几月？", "{d}再过{n}个月是几月？", "{d}加{n}个月是几月？"],
                     "earlier": ["{d}的{n}个月前是几月？", "现在是{d}，{n}个月前是几月？", "{d}减{n}个月是几月？"]}}


def walk(lang, circle, start, step):
    items = circle[lang]
    names = [items[(start + k * (1 if step > 0 else -1)) % len(items)] for k in range(1, abs(step) + 1)]
    if len(names) == 1:
        return names[0]
    if lang == "en":
        return f"{'After' if step > 0 else 'Before'} {items[start]}: " + ", ".join(f"{k} {d}" for k, d in enumerate(names, 1))
    return f"{items[start]}{'之后' if step > 0 else '之前'}：" + "，".join(f"{k} {d}" for k, d in enumerate(names, 1))


def step_in(r, lang, circle, templates):
    start, n, kind = r.randrange(len(circle[lang])), r.randint(2, 6), r.choice(["after", "before", "later", "earlier", "later", "earlier"])
    step = {"after": 1, "before": -1, "later": n, "earlier": -n}[kind]
    wordings, key = templates[lang][kind], f"{len(circle[lang])} {start} {step + 9}"
    if abs(step) == 1:
        wordings, key = few(r, wordings, key)
    return turn(ask(r, wordings, d=circle[lang][start], n=n), walk(lang, circle, start, step)), key


def day(r, lang):
    return step_in(r, lang, DAYS, STEP)


def month(r, lang):
    return step_in(r, lang, MONTHS, MONTH_STEP)


# ---- units: one step for each unit, or zeros set behind the number

UNITS = [("minutes", "hour", "小时", "分钟", 60), ("days", "week", "周", "天", 7), ("months", "year", "年", "个月", 12), ("hours", "day", "天", "小时", 24), ("seconds", "minute", "分钟", "秒", 60),
         ("centimeters", "meter", "米", "厘米", 100), ("grams", "kilogram", "公斤", "克", 1000), ("meters", "kilometer", "公里", "米", 1000), ("millimeters", "centimeter", "厘米", "毫米", 10)]
UNIT = {"en": ["How many {s} are in {n} {b}?", "How many {s} is {n} {b}?", "{n} {b} in {s}?", "Convert {n} {b} to {s}.", "{n} {b} is how many {s}?"],
        "zh": ["{n}{b}是多少{s}？", "{n}{b}等于多少{s}？", "{n}{b}有多少{s}？", "把{n}{b}换成{s}", "请问{n}{b}是几{s}？"]}


def units(r, lang):
    small, big, big_zh, small_zh, f = r.choice(UNITS)
    zeros = str(f).strip("0") == "1"
    n = r.randint(1, 99 if zeros else 9)
    s, b, gap = (small, big + "s" * (n > 1), " ") if lang == "en" else (small_zh, big_zh, "")
    steps = [n * f] if zeros or n == 1 else [f"{k}{'：' if gap == '' else ': '}{k * f}" for k in range(1, n + 1)]
    wordings, key = (UNIT[lang], f"{small} {n}") if zeros else few(r, UNIT[lang], f"{small} {n}")
    return turn(ask(r, wordings, s=s, b=b, n=n), (", " if gap else "，").join(map(str, steps)) + gap + s), key


# ---- letters: sorting, reversing, counting

SORT = {"en": ["(Sort|Please sort|Order) these {w}: {x}", "Sort: {x}", "Put these {w} in order: {x}", "(Please sort|Sort) {x}", "Sort the {w} {x}"],
        "zh": ["把这些{w}排序：{x}", "(排序|请排序)：{x}", "请给{w}排序：{x}", "请排序 {x}", "把{w} {x} 按顺序排好"]}
BACK = {"en": ["And backwards?", "Now backwards.", "And in reverse?", "Now reverse it.", "Backwards, please."], "zh": ["倒过来呢？", "反过来呢？", "再倒过来。", "倒序呢？", "请倒过来。"]}
REVERSE = {"en": ["Reverse {x}", "Reverse the {w} {x}", "(Write|Spell) {x} backwards.", "What is {x} backwards?", "Reverse: {x}"], "zh": ["把 {x} 倒过来写", "把{w} {x} 倒过来", "{x} 倒过来是什么？", "反转 {x}", "倒序写出 {x}", "倒过来：{x}"]}


def items_to_sort(r):
    """Items and their noun. Words differ in their first letter."""
    kind, n = r.random(), r.randint(3, 6)
    if kind < 0.4:
        return r.sample(string.ascii_lowercase, n), ("letters", "字母")
    if kind < 0.65:
        return [str(x) for x in r.sample(range(10) if r.random() < 0.3 else range(100), min(n, 5))], ("numbers", "数字")
    first, words = r.sample(sorted({w[0] for w in WORDS}), min(n, 4)), []
    for c in first:
        words.append(r.choice([w for w in WORDS if w[0] == c]))
    return words, ("words", "单词")


def in_order(items):
    return sorted(items, key=lambda x: (int(x), "") if x.isdigit() else (0, x))


def sort(r, lang):
    """The items are the key, in any order."""
    items, w = items_to_sort(r)
    comma = ", " if r.random() < 0.2 else " "
    ordered = in_order(items)
    return turn(ask(r, SORT[lang], w=w[lang == "zh"], x=comma.join(items)), comma.join(ordered)), " ".join(ordered)


def reverse(r, lang):
    if r.random() < 0.6:
        x, w = letters(r), ("word", "单词")
        answer = x[::-1]
    else:
        items = r.sample(string.ascii_lowercase, r.randint(3, 6))
        x, w = " ".join(items), ("letters", "字母")
        answer = " ".join(items[::-1])
    return turn(ask(r, REVERSE[lang], x=x, w=w[lang == "zh"]), answer), x


COUNT = {"en": ["How many letters are in {x}?", "How many letters does {x} have?", "Count the letters in {x}.", "How long is the word {x}?"], "zh": ["{x} 有几个字母？", "{x} 有多少个字母？", "数一数 {x} 的字母", "单词 {x} 有多长？"]}
COUNT_ONE = {"en": ["How many {c} are in {x}?", "How many {c}'s are in {x}?", "How often is {c} in {x}?", "Count the letter {c} in {x}.", "How many times does {c} appear in {x}?"],
             "zh": ["{x} 里有几个 {c}？", "{x} 中有多少个 {c}？", "数一数 {x} 里的 {c}", "{c} 在 {x} 里出现几次？"]}


def aloud(word, wanted):
    """Spelling aloud with a number behind each letter that counts: a small model cannot count in one step, but it can add one."""
    seen, out = 0, []
    for c in word:
        seen += c in wanted
        out.append(f"{c}{seen}" if c in wanted else c)
    return " ".join(out) + f": {seen}"


def count(r, lang):
    """The word is the key."""
    x = letters(r, 3, 8)
    if r.random() < 0.3:
        return turn(ask(r, COUNT[lang], x=x), aloud(x, x)), x
    c = r.choice([d for d in x if x.count(d) > 1] or x) if r.random() < 0.85 else r.choice(string.ascii_uppercase if x.isupper() else string.ascii_lowercase)
    return turn(ask(r, COUNT_ONE[lang], x=x, c=c), f"{c}: {aloud(x, c)}"), x


# ---- JSON out of a sentence

PERSON = {"en": {"nac": ["{n} is {a} years old and lives in {c}.", "My name is {n}, I am {a} and I live in {c}.", "{n} lives in {c} and is {a} years old.", "{n}, {a}, from {c}.", "In {c} lives {n}, {a} years old."],
                 "na": ["{n} is {a} years old.", "I am {n} and I am {a}.", "{n} turned {a} today."], "nc": ["{n} lives in {c}.", "I am {n} from {c}.", "{n} comes from {c}."],
                 "nj": ["{n} is a {j}.", "{n} works as a {j}.", "I am {n}, a {j}."], "njc": ["{n} works as a {j} in {c}.", "{n} is a {j} from {c}."], "naj": ["{n} is {a} and works as a {j}.", "{n}, {a}, is a {j}."],
                 "ip": ["The {i} costs {p} euros.", "I bought a {i} for {p} euros.", "One {i} is {p} euros.", "They sell the {i} for {p} euros."]},
          "zh": {"nac": ["{n}今年{a}岁，住在{c}。", "我叫{n}，{a}岁，来自{c}。", "{n}住在{c}，今年{a}岁。", "{c}的{n}今年{a}岁。"], "na": ["{n}今年{a}岁。", "我叫{n}，我{a}岁了。", "{n}已经{a}岁了。"],
                 "nc": ["{n}住在{c}。", "我是{n}，来自{c}。", "我叫{n}，住在{c}。"], "nj": ["{n}是{j}。", "我叫{n}，是一名{j}。", "{n}的工作是{j}。"], "njc": ["{n}在{c}当{j}。", "{n}住在{c}，是一名{j}。"], "naj": ["{n}今年{a}岁，是{j}。", "{j}{n}今年{a}岁。"],
                 "ip": ["{i}的价格是{p}元。", "我花{p}元买了{i}。", "{i}卖{p}元。", "一个{i}要{p}元。"]}}
EXTRACT = {"en": ["Extract as JSON: {x}", "Make JSON from this: {x}", "JSON: {x}", "{x} Give me that as JSON.", "{x} As JSON, please."], "zh": ["提取为 JSON：{x}", "用 JSON 表示：{x}", "JSON：{x}", "{x}请转成 JSON。", "{x}输出 JSON。"]}
ONLY = {"en": ["Extract {k} as JSON: {x}", "{x} Give me {k} as JSON.", "Only {k} as JSON: {x}"], "zh": ["只提取 {k} 为 JSON：{x}", "{x}只要 {k}，输出 JSON。", "用 JSON 给出 {k}：{x}"]}
KEYS = {"n": "name", "a": "age", "c": "city", "j": "job", "i": "item", "p": "price"}


def person(r, lang):
    return {"n": name(r, lang), "a": r.randint(1, 99), "c": city(r, lang), "j": r.choice(JOBS[lang]), "i": thing(r, lang), "p": r.randint(1, 200)}


def as_json(values, kind):
    return json.dumps({KEYS[k]: values[k] for k in kind}, ensure_ascii=False)


def extract(r, lang):
    """The name (or the item) is the key: a held-out one is in no training example of this skill."""
    values, kind = person(r, lang), r.choice(["nac", "nac", "na", "nc", "nj", "njc", "naj", "ip"])
    said, wanted = ask(r, PERSON[lang][kind], **values), kind
    if not said[-1] in ".。":
        said += "." if lang == "en" else "。"
    if r.random() < 0.25 and kind != "ip":
        wanted = r.choice([k for k in ("n", "na", "nc", "ac", "c", "a", "j", "nj", "jc", "aj") if set(k) <= set(kind)])
        text = r.choice(ONLY[lang]).format(x=said, k=(" and " if lang == "en" else "、").join(KEYS[k] for k in wanted))
    else:
        text = r.choice(EXTRACT[lang]).format(x=said)
    return turn(text, as_json(values, wanted)), values["i" if kind == "ip" else "n"]


# ---- turns that need the one before

AGAIN = {"en": ["And {x}?", "What about {x}?", "Now {x}.", "And for {x}?"], "zh": ["那 {x} 呢？", "{x} 呢？", "再来 {x}。"]}
MEANT = {"en": ["No, I meant {x}.", "Sorry, I meant {x}.", "I mean {x}.", "Wrong, {x} please."], "zh": ["不，我是说 {x}。", "抱歉，我是说 {x}。", "错了，是 {x}。"]}
FIX = {"en": {"a": ["No, {x} years old.", "Sorry, the age is {x}.", "The age is {x}."], "c": ["No, from {x}.", "Sorry, the city is {x}.", "The city is {x}."]},
       "zh": {"a": ["不，是{x}岁。", "抱歉，年龄是{x}。", "年龄是{x}岁。"], "c": ["不，是{x}人。", "抱歉，城市是{x}。", "城市是{x}。"]}}
PLUS = {"en": {"+": ["And plus {x}?", "Add {x} to that.", "Plus {x}?"], "-": ["And minus {x}?", "Subtract {x} from that.", "Minus {x}?"]}, "zh": {"+": ["再加{x}呢？", "加上{x}呢？", "再加{x}。"], "-": ["再减{x}呢？", "减去{x}呢？", "再减{x}。"]}}


def backwards(r, lang):
    """"And backwards?" after a sort or a reversal."""
    messages, key = (sort if r.random() < 0.7 else reverse)(r, lang)
    last = messages[-1][1]
    comma = ", " if ", " in last else " "
    return messages + turn(ask(r, BACK[lang]), comma.join(last.split(comma)[::-1]) if " " in last else last[::-1]), key


def follow(r, lang):
    """The same with other content, a correction, or a calculation that goes on. The new content is the key."""
    kind, more = r.choice(["sum", "sum", "count", "reverse", "sort", "fix", "fix", "plus", "plus"]), r.choice([AGAIN, MEANT])[lang]
    if kind == "fix":
        values, part = person(r, lang), r.choice("ac")
        shape = r.choice(["nac", "na" if part == "a" else "nc"])
        new = person(r, lang)[part]
        first = turn(r.choice(EXTRACT[lang]).format(x=r.choice(PERSON[lang][shape]).format(**values)), as_json(values, shape))
        return first + turn(ask(r, FIX[lang][part], x=new), as_json({**values, part: new}, shape)), values["n"]
    if kind == "plus":
        first, _ = training(r, add if r.random() < 0.5 else sub, lang)
        start = int(first[-1][1])
        sign, x = r.choice("+-"), number(r)
        if start > 99 or (sign == "-" and x > start):
            return follow(r, lang)
        total = start + x if sign == "+" else start - x
        return first + turn(ask(r, PLUS[lang][sign], x=x), str(total)), f"{min(start, x)},{max(start, x)}" if sign == "+" else f"{start},{x}"
    generate = {"sum": add if r.random() < 0.5 else sub, "count": count, "reverse": reverse, "sort": sort}[kind]
    first, _ = training(r, generate, lang)
    if kind == "sum":
        sign = r.choice("+-")
        low, high = number(r), number(r)
        a, b = (low, high) if sign == "+" else (max(low, high), min(low, high))
        gap = r.choice(["", " "])
        return first + turn(ask(r, more, x=f"{a}{gap}{sign}{gap}{b}"), str(a + b if sign == "+" else a - b)), f"{min(a, b)},{max(a, b)}" if sign == "+" else f"{a},{b}"
    if kind == "count":
        x, one = letters(r, 3, 8), first[-1][1][0] if first[-1][1][1:3] == ": " else ""
        x = x.upper() if one.isupper() else x.lower() if one else x
        return first + turn(ask(r, more, x=x), f"{one}: {aloud(x, one)}" if one else aloud(x, x)), x
    if kind == "reverse":
        x = letters(r) if " " not in first[-1][1] else " ".join(r.sample(string.ascii_lowercase, r.randint(3, 6)))
        return first + turn(ask(r, more, x=x), " ".join(x.split(" ")[::-1]) if " " in x else x[::-1]), x
    items, _ = items_to_sort(r)
    return first + turn(ask(r, more, x=" ".join(items)), " ".join(in_order(items))), " ".join(in_order(items))


def training(r, generate, lang):
    """An example that is not held out, for the turns before the one that counts."""
    while True:
        messages, key = generate(r, lang)
        if not held_out(key):
            return messages, key


# name, generator, how often it is drawn in a dialog without tools: at first, and from each of TURNS on, when what is easy is known and
# sums, then what is still mixed up, need practice. The order is the order of the accuracy table.
SKILLS = [("add", add, 2.5, 5, 14, 12), ("sub", sub, 3.5, 6, 14, 14), ("day", day, 2, 1, 0.7, 1.5), ("month", month, 2, 2, 2, 2), ("units", units, 1.5, 1, 2, 3.5), ("sort", sort, 4, 3.5, 3.5, 3),
          ("reverse", reverse, 2, 2.5, 3, 2.5), ("count", count, 4, 3, 2, 1.5), ("backwards", backwards, 1.2, 1, 1, 3), ("follow", follow, 3, 3.5, 4, 7), ("json", extract, 3, 4, 4, 3.5),
          ("about", about, 1.5, 1, 1.5, 5), ("greet", greet, 1, 1.5, 0.8, 0.8), ("decline", tools.unserved, 2, 1.2, 1.2, 2),
          ("tool", tools.call, 0, 0, 0, 0), ("tool_result", tools.result, 0, 0, 0, 0), ("no_tool", tools.none, 0, 0, 0, 0)]
TURNS = 1500, 2000, 3300
# of dialogs with tools, and what is asked in them
TOOL_SHARE = 0.15, 0.15, 0.15, 0.25
TOOL_SKILLS = [[tools.call, tools.result, tools.result, tools.none]] * 3 + [[tools.call, tools.result, tools.none, tools.none]]
SYSTEM = ["You are a helpful assistant.", "You are Pocket.", "You are Pocket, a tiny helpful model.", "Be brief.", "你是一个有用的助手。", "你是 Pocket。"]


def example(r, generate, lang, want_held_out):
    """(messages, tools) of a skill, on the wanted side of the fence."""
    while True:
        messages, key, *rest = generate(r, lang)
        if held_out(key) == want_held_out:
            return messages, rest[0] if rest else None


def dialog(r, step=0):
    """A training dialog (messages, tools): one to four requests, mostly in one language, sometimes with a system message or tools."""
    phase = sum(step >= turn for turn in TURNS)
    lang = r.choice(["en", "zh", "en", "zh", "zh"] if phase else ["en", "zh"])
    messages = [("system", r.choice(SYSTEM))] if r.random() < 0.07 else []
    if r.random() < TOOL_SHARE[phase]:
        offered = tools.offer(r, lang)
        for _ in range(r.choice([1, 2, 3, 4])):
            generate = r.choice(TOOL_SKILLS[phase])
            messages += example(r, lambda r, lang: generate(r, lang, offered), lang, False)[0]
        return messages, tools.plain(offered)
    for _, generate, *_ in r.choices(SKILLS, [skill[2 + phase] for skill in SKILLS], k=r.choice([1, 1, 2, 2, 3])):
        if r.random() < 0.05:
            lang = "zh" if lang == "en" else "en"
        messages += example(r, generate, lang, False)[0]
    return messages, None
