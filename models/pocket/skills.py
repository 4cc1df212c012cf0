"""What Pocket learns: one table of skills, each with a generator per language.

A generator takes a random source and returns (turns, key): the turns are (question, answer) pairs, and the key is
the content that decides whether the example is held out. A key of None means the text of the questions is the key.
The last turn is the one that is measured.
"""
import hashlib
import json
import string

DAYS = {"en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(),
        "zh": ["星期" + c for c in "一二三四五六日"]}
MONTHS = {"en": "January February March April May June July August September October November December".split(),
          "zh": [c + "月" for c in "一 二 三 四 五 六 七 八 九 十 十一 十二".split()]}
MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
NAMES = {"en": """Anna Tom Mary John Lucy Peter Emma Paul Sara Jack Nina Max Julia Leo Alice Ben Clara David Eva Frank
         Grace Henry Iris James Kate Liam Mia Noah Olga Oscar Rosa Sam Tina Victor Wendy Zoe""".split(),
         "zh": "小明 小红 小刚 小丽 小华 小芳 小军 小燕 王伟 李娜 张强 刘洋 陈静 杨帆 赵敏 黄磊 周杰 吴迪 徐丽 孙悦 马超 朱琳 胡军 林涛".split()}
CITIES = {"en": """Paris London Berlin Rome Madrid Oslo Vienna Tokyo Beijing Shanghai Boston Chicago Dublin Lisbon Prague
          Warsaw Athens Cairo Delhi Sydney Toronto Zurich Milan Munich Helsinki Seoul""".split(),
          "zh": "北京 上海 广州 深圳 杭州 成都 武汉 南京 西安 天津 重庆 苏州 长沙 青岛 大连 厦门 昆明 郑州 巴黎 伦敦 东京 柏林".split()}
WORDS = {"en": """apple bread cat dog egg fish green house ice jump king lemon milk night orange pear queen red sun tree
         under very water yellow zebra blue car door earth flower garden hand island juice key lamp moon nose open pink
         quick river star table uncle voice wind young bird cloud""".split(),
         "zh": "苹果 面包 猫 狗 鸡蛋 鱼 绿色 房子 月亮 太阳 水 树 花 红色 蓝色 汽车 门 手 鸟 云 山 河 书 桌子 牛奶 茶 米饭 学校 老师 朋友".split()}
CAPITALS = """CAT DOG SUN TIGER APPLE BANANA HOUSE WATER LEMON PIANO ROBOT TREE BOOK STAR MOON GLASS COFFEE LETTER BUTTER
           SUMMER WINTER RABBIT KITTEN PEPPER CARROT TOMATO POTATO BALLOON TENNIS""".split()


def held_out(key):
    """One prompt in ten, chosen by its content, is never trained on. Case and punctuation make no other prompt."""
    plain = "".join(c for c in key.lower() if c.isalnum() or c in " ,")
    return hashlib.sha256(plain.encode()).digest()[0] % 10 == 0


def ask(r, templates, **slots):
    """A template with its slots filled, and small changes that people make when they type."""
    text = r.choice(templates).format(**slots)
    if r.random() < 0.15 and text[-1] in "?.？。":
        text = text[:-1]
    if r.random() < 0.1 and text[1:2].islower():
        text = text[0].lower() + text[1:]
    return text


def number(r):
    return r.randrange(10) if r.random() < 0.2 else r.randrange(100)


def capital_word(r, low=3, high=7):
    if r.random() < 0.25:
        return r.choice(CAPITALS)
    letters = r.sample(string.ascii_uppercase, r.randint(2, 9))
    return "".join(r.choice(letters) for _ in range(r.randint(low, high)))


ADD = {"en": ["What is {a} + {b}?", "{a}+{b}", "{a} + {b} = ?", "{a}+{b}=", "Add {a} and {b}.", "How much is {a} plus {b}?",
              "What is {a} plus {b}?", "What is the sum of {a} and {b}?", "Calculate {a} + {b}."],
       "zh": ["{a}+{b}等于多少？", "{a}加{b}是多少？", "计算{a}+{b}", "{a}加{b}等于几？", "请算一下：{a}+{b}", "{a}与{b}的和是多少？", "{a} + {b} 是多少？"]}
SUB = {"en": ["What is {a} - {b}?", "{a}-{b}", "{a} - {b} = ?", "{a}-{b}=", "Subtract {b} from {a}.", "How much is {a} minus {b}?",
              "What is {a} minus {b}?", "Calculate {a} - {b}."],
       "zh": ["{a}-{b}等于多少？", "{a}减{b}是多少？", "计算{a}-{b}", "{a}减{b}等于几？", "请算一下：{a}-{b}", "{a}减去{b}是多少？", "{a} - {b} 是多少？"]}


def add(r, lang):
    a, b = number(r), number(r)
    return [(ask(r, ADD[lang], a=a, b=b), str(a + b))], f"{min(a, b)},{max(a, b)}"


def sub(r, lang):
    b, a = sorted((number(r), number(r)))
    return [(ask(r, SUB[lang], a=a, b=b), str(a - b))], f"{a},{b}"


LARGER = {"en": ["Which is {w}, {a} or {b}?", "Which number is {w}: {a} or {b}?", "{a} or {b}, which is {w}?", "Tell me the {w} of {a} and {b}."],
          "zh": ["{a}和{b}哪个{w}？", "{a}和{b}，哪个数更{w}？", "哪个{w}，{a}还是{b}？", "{a}与{b}相比，哪个{w}？"]}


def compare(r, lang):
    a, b = number(r), number(r)
    b += (a == b)
    big = r.random() < 0.5
    w = r.choice([["smaller", "less"], ["larger", "bigger", "greater"]][big]) if lang == "en" else "小大"[big]
    return [(ask(r, LARGER[lang], a=a, b=b, w=w), str(max(a, b) if big else min(a, b)))], f"{a},{b}"


PARITY = {"en": ["Is {a} even or odd?", "Is the number {a} odd or even?", "{a}: even or odd?", "Tell me if {a} is even or odd."],
          "zh": ["{a}是奇数还是偶数？", "{a}是偶数还是奇数？", "请问{a}是奇数还是偶数？", "数字{a}是奇数还是偶数？"]}


def parity(r, lang):
    a = number(r)
    word = (("even", "odd") if lang == "en" else ("偶数", "奇数"))[a % 2]
    return [(ask(r, PARITY[lang], a=a), word)], f"{a}"


DAY = {"en": {1: ["What day comes after {d}?", "Which day follows {d}?", "What is the day after {d}?", "Today is {d}. What day is tomorrow?", "If today is {d}, what is tomorrow?", "What comes after {d}?", "Next day after {d}?",
                  "It is {d}. And tomorrow?", "{d} is followed by which day?"],
              -1: ["What day comes before {d}?", "Which day is before {d}?", "What is the day before {d}?", "Today is {d}. What day was yesterday?", "If today is {d}, what was yesterday?", "What comes before {d}?", "Day before {d}?",
                   "It is {d}. And yesterday?", "{d} comes after which day?"],
              0: ["What day is {n} days after {d}?", "Today is {d}. What day is it in {n} days?", "{d} plus {n} days is which day?", "{n} days after {d}?", "It is {d}. What day comes {n} days later?"],
              9: ["What day was {n} days before {d}?", "Today is {d}. What day was it {n} days ago?", "{d} minus {n} days is which day?", "{n} days before {d}?", "It is {d}. What day was {n} days earlier?"]},
       "zh": {1: ["{d}的后一天是星期几？", "{d}之后是星期几？", "今天是{d}，明天是星期几？", "{d}的第二天是星期几？", "如果今天是{d}，明天呢？", "{d}后面是星期几？", "{d}的明天是哪天？", "{d}的下一天是星期几？", "今天{d}，明天是？"],
              -1: ["{d}的前一天是星期几？", "{d}之前是星期几？", "今天是{d}，昨天是星期几？", "如果今天是{d}，昨天呢？", "{d}前面是星期几？", "{d}的昨天是哪天？", "{d}的上一天是星期几？", "今天{d}，昨天是？"],
              0: ["{d}过{n}天是星期几？", "今天是{d}，{n}天后是星期几？", "{d}再过{n}天是星期几？", "{d}加{n}天是星期几？", "{d}之后{n}天是星期几？"],
              9: ["{d}的{n}天前是星期几？", "今天是{d}，{n}天前是星期几？", "{d}减{n}天是星期几？", "{d}之前{n}天是星期几？"]}}
MONTH = {"en": {1: ["Which month comes after {m}?", "What month follows {m}?", "What is the month after {m}?", "It is {m}. What is the next month?", "What comes after {m}?", "If it is {m}, what month is next?", "Next month after {m}?", "{m} is followed by which month?"],
                -1: ["Which month comes before {m}?", "What month is before {m}?", "What is the month before {m}?", "It is {m}. What was the last month?", "What comes before {m}?", "If it is {m}, what month was before?", "Month before {m}?", "{m} comes after which month?"],
                0: ["How many days does {m} have?", "How many days are in {m}?", "How long is {m} in days?", "Days in {m}?", "Number of days in {m}?", "{m} has how many days?"],
                9: ["Which month is number {n}?", "What is month {n} of the year?", "What is the name of month {n}?", "Name month number {n}.", "Month {n} is called what?", "Which month is month {n}?"]},
         "zh": {1: ["{m}的下一个月是几月？", "{m}之后是几月？", "现在是{m}，下个月是几月？", "{m}后面是哪个月？", "{m}的后一个月是几月？", "如果现在是{m}，下个月呢？", "{m}过后是几月？"],
                -1: ["{m}的上一个月是几月？", "{m}之前是几月？", "现在是{m}，上个月是几月？", "{m}前面是哪个月？", "{m}的前一个月是几月？", "如果现在是{m}，上个月呢？"],
                0: ["{m}有多少天？", "{m}有几天？", "请问{m}一共有多少天？", "{m}多少天？", "{m}总共有几天？"],
                9: ["一年的第{n}个月是几月？", "第{n}个月是哪个月？", "第{n}个月叫什么？", "一年中第{n}个月是什么月？"]}}


def day(r, lang):
    i, n, kind = r.randrange(7), r.randint(2, 6), r.choice([1, -1, 0, 9])
    step = {1: 1, -1: -1, 0: n, 9: -n}[kind]
    text = ask(r, DAY[lang][kind], d=DAYS[lang][i], n=n)
    # the answer counts aloud from day to day, so that each word of it is a small step, whatever the question's phrasing was
    walk = [DAYS[lang][(i + k * (1 if step > 0 else -1)) % 7] for k in range(1, abs(step) + 1)]
    if len(walk) == 1:
        return [(text, walk[0])], None
    if lang == "en":
        return [(text, f"{'After' if step > 0 else 'Before'} {DAYS[lang][i]}: " + ", ".join(f"{k} {d}" for k, d in enumerate(walk, 1)))], None
    return [(text, f"{DAYS[lang][i]}{'之后' if step > 0 else '之前'}：" + "，".join(f"{k} {d}" for k, d in enumerate(walk, 1)))], None


def month(r, lang):
    i, kind = r.randrange(12), r.choice([1, -1, 0, 9])
    answer = str(MONTH_DAYS[i]) if kind == 0 else MONTHS[lang][i if kind == 9 else (i + kind) % 12]
    return [(ask(r, MONTH[lang][kind], m=MONTHS[lang][i], n=i + 1), answer)], None


SORT = {"en": ["Sort these {w}: {x}", "Sort: {x}", "Put these {w} in order: {x}", "Please sort {x}", "Sort the {w} {x}"],
        "zh": ["把这些{w}排序：{x}", "排序：{x}", "请给{w}排序：{x}", "请排序 {x}", "把{w} {x} 按顺序排好"]}
BACK = {"en": ["And backwards?", "Now backwards.", "And in reverse?", "Now reverse it."], "zh": ["倒过来呢？", "反过来呢？", "再倒过来。", "倒序呢？"]}


def sort(r, lang, words=False):
    n = r.randint(3, 6)
    if words:
        items, w = r.sample(WORDS["en"], min(n, 4)), ("words", "单词")
    elif r.random() < 0.6:
        items, w = r.sample(string.ascii_lowercase, n), ("letters", "字母")
    else:
        items, w = r.sample(range(10) if r.random() < 0.3 else range(100), min(n, 4)), ("numbers", "数字")
    text = ask(r, SORT[lang], w=w[lang == "zh"], x=" ".join(map(str, items)))
    turns = [(text, " ".join(map(str, sorted(items))))]
    return turns, " ".join(map(str, items))


def sort_words(r, lang):
    return sort(r, lang, True)


def backwards(r, lang):
    """A follow-up that needs the answer before it."""
    turns, key = (sort if r.random() < 0.6 else reverse)(r, lang)
    last = turns[-1][1]
    turns.append((ask(r, BACK[lang]), " ".join(last.split()[::-1]) if " " in last else last[::-1]))
    return turns, key


REVERSE = {"en": ["Reverse {x}", "Reverse the {w} {x}", "Write {x} backwards.", "What is {x} backwards?", "Spell {x} backwards.", "Reverse: {x}"],
           "zh": ["把 {x} 倒过来写", "把{w} {x} 倒过来", "{x} 倒过来是什么？", "反转 {x}", "倒序写出 {x}", "倒过来：{x}"]}


def reverse(r, lang):
    if r.random() < 0.5:
        x, w = capital_word(r), ("word", "单词")
        answer = x[::-1]
    else:
        items = r.sample(string.ascii_lowercase, r.randint(3, 6))
        x, w = " ".join(items), ("letters", "字母")
        answer = " ".join(items[::-1])
    return [(ask(r, REVERSE[lang], x=x, w=w[lang == "zh"]), answer)], x


COUNT = {"en": ["How many letters are in {x}?", "How many letters does {x} have?", "Count the letters in {x}.", "How long is the word {x}?"],
         "zh": ["{x} 有几个字母？", "{x} 有多少个字母？", "数一数 {x} 的字母", "单词 {x} 有多长？"]}
COUNT_ONE = {"en": ["How many {c} are in {x}?", "How often is {c} in {x}?", "Count the letter {c} in {x}.", "How many times does {c} appear in {x}?"],
             "zh": ["{x} 里有几个 {c}？", "{x} 中有多少个 {c}？", "数一数 {x} 里的 {c}", "{c} 在 {x} 里出现几次？"]}


def aloud(word, wanted):
    """Counting aloud, letter by letter: a small model cannot count in one step, but it can add one."""
    return " ".join(f"{c}{sum(d in wanted for d in word[:i + 1])}" for i, c in enumerate(word)) + f": {sum(d in wanted for d in word)}"


def count(r, lang):
    x = capital_word(r, 3, 8)
    if r.random() < 0.3:
        return [(ask(r, COUNT[lang], x=x), aloud(x, x))], x
    c = r.choice(x) if r.random() < 0.85 else r.choice(string.ascii_uppercase)
    return [(ask(r, COUNT_ONE[lang], x=x, c=c), aloud(x, c))], f"{x},{c}"


ECHO = {"en": ["Repeat: {x}", "Repeat after me: {x}", "Say: {x}", "Please say: {x}", "Echo: {x}", "Write this: {x}"],
        "zh": ["重复：{x}", "请重复：{x}", "跟我说：{x}", "请说：{x}", "请写：{x}"]}


def echo(r, lang):
    kind = r.random()
    if kind < 0.7:
        x = " ".join(r.choice(WORDS[lang]) for _ in range(r.randint(2, 5)))
    elif kind < 0.85:
        x = capital_word(r)
    else:
        x = " ".join(str(number(r)) for _ in range(r.randint(2, 4)))
    return [(ask(r, ECHO[lang], x=x), x)], x


UNITS = [("minutes", "hour", "小时", "分钟", 60), ("days", "week", "周", "天", 7), ("months", "year", "年", "个月", 12),
         ("hours", "day", "天", "小时", 24), ("seconds", "minute", "分钟", "秒", 60), ("centimeters", "meter", "米", "厘米", 100),
         ("grams", "kilogram", "公斤", "克", 1000), ("meters", "kilometer", "公里", "米", 1000), ("millimeters", "centimeter", "厘米", "毫米", 10)]
UNIT = {"en": ["How many {s} are in {n} {b}?", "How many {s} is {n} {b}?", "{n} {b} in {s}?", "Convert {n} {b} to {s}.", "{n} {b} is how many {s}?"],
        "zh": ["{n}{b}是多少{s}？", "{n}{b}等于多少{s}？", "{n}{b}有多少{s}？", "把{n}{b}换成{s}", "请问{n}{b}是几{s}？"]}


def units(r, lang):
    small, big, big_zh, small_zh, f = r.choice(UNITS)
    n = r.randint(1, 9)
    if lang == "en":
        return [(ask(r, UNIT[lang], s=small, b=big + "s" * (n > 1), n=n), f"{n * f} {small}")], None
    return [(ask(r, UNIT[lang], s=small_zh, b=big_zh, n=n), f"{n * f}{small_zh}")], None


FACTS = {"en": {"nac": ["{n} is {a} years old and lives in {c}.", "My name is {n}, I am {a} and I live in {c}.", "{n} lives in {c} and is {a} years old.", "{n}, {a}, from {c}."],
                "na": ["{n} is {a} years old.", "I am {n} and I am {a}.", "{n} turned {a} today."],
                "nc": ["{n} lives in {c}.", "I am {n} from {c}.", "{n} comes from {c}."]},
         "zh": {"nac": ["{n}今年{a}岁，住在{c}。", "我叫{n}，{a}岁，来自{c}。", "{n}住在{c}，今年{a}岁。", "{c}的{n}今年{a}岁。"],
                "na": ["{n}今年{a}岁。", "我叫{n}，我{a}岁了。", "{n}已经{a}岁了。"],
                "nc": ["{n}住在{c}。", "我是{n}，来自{c}。", "我叫{n}，住在{c}。"]}}
EXTRACT = {"en": ["Extract as JSON: {x}", "Make JSON from this: {x}", "JSON: {x}", "{x} Give me that as JSON."],
           "zh": ["提取为 JSON：{x}", "用 JSON 表示：{x}", "JSON：{x}", "{x}请转成 JSON。"]}


def extract(r, lang):
    n, a, c = r.choice(NAMES[lang]), r.randint(1, 99), r.choice(CITIES[lang])
    kind = r.choice(["nac", "nac", "na", "nc"])
    text = r.choice(EXTRACT[lang]).format(x=r.choice(FACTS[lang][kind]).format(n=n, a=a, c=c))
    fields = {"n": ("name", n), "a": ("age", a), "c": ("city", c)}
    return [(text, json.dumps(dict(fields[k] for k in kind), ensure_ascii=False))], f"{n},{a},{c}"


ABOUT = {"en": [(["Who are you?", "What are you?", "What is your name?", "Tell me who you are.", "Who am I talking to?", "Introduce yourself.", "Are you a robot?", "What should I call you?"],
                 "I am Pocket, a tiny GLM toy model that runs in your browser."),
                (["What can you do?", "What can I ask you?", "How can you help me?", "What are you good at?", "What are your skills?", "Help", "What do you know?", "Show me what you can do."],
                 "I can add, subtract, sort, reverse, count letters, name days and months, convert units and make JSON."),
                (["What can't you do?", "What are your limits?", "What are you bad at?", "What can you not do?", "Do you make mistakes?", "Are you smart?", "Can I trust you?", "Do you know everything?"],
                 "I am only a toy: I know no facts, news or stories, and I can be wrong."),
                (["Who made you?", "Where do you run?", "Are you big?", "How big are you?", "Are you online?", "How were you trained?", "Do you send my data anywhere?", "Where do you live?"],
                 "I have about two million weights, trained from scratch, and I run on your own device.")],
         "zh": [(["你是谁？", "你叫什么？", "你叫什么名字？", "介绍一下你自己。", "请自我介绍。", "你是机器人吗？", "我在和谁说话？", "我该怎么称呼你？"], "我是 Pocket，一个在浏览器里运行的小小 GLM 玩具模型。"),
                (["你会什么？", "你能做什么？", "你会做什么？", "我可以问你什么？", "你能帮我什么？", "你擅长什么？", "帮助", "你有什么本领？"], "我会加减、排序、倒写、数字母、说星期和月份、换算单位和提取 JSON。"),
                (["你不会什么？", "你不能做什么？", "你有什么缺点？", "你会出错吗？", "你聪明吗？", "我能相信你吗？", "你什么都知道吗？", "你的局限是什么？"], "我只是玩具：不懂知识、新闻和故事，也会出错。"),
                (["谁做的你？", "你在哪里运行？", "你有多大？", "你大吗？", "你联网吗？", "你是怎么训练的？", "你会上传我的数据吗？", "你住在哪里？"], "我大约有两百万个参数，从零训练，在你自己的设备上运行。")]}
LEAD = {"en": ["", "", "Hey, ", "Please: ", "Pocket, ", "Tell me, ", "Hello! ", "OK, ", "One question: ", "So, "], "zh": ["", "", "请问，", "你好，", "Pocket，", "那么，", "告诉我，", "好的，", "嗨，", "对了，"]}


def about(r, lang):
    questions, answer = r.choice(ABOUT[lang])
    return [(r.choice(LEAD[lang]) + ask(r, questions), answer)], None


HELLO = {"en": ["Hello", "Hi", "Hey", "Hi there", "Hello there", "Good morning", "Good evening", "Hello Pocket", "Hi Pocket", "Hey Pocket"],
         "zh": ["你好", "您好", "嗨", "早上好", "晚上好", "大家好", "你好，Pocket", "嗨，Pocket", "哈喽"]}
NAMED = {"en": ["{h}, I am {n}.", "{h}! My name is {n}.", "{h}, this is {n}.", "I'm {n}. {h}!"], "zh": ["{h}，我是{n}。", "{h}，我叫{n}。", "{h}！我的名字是{n}。", "我是{n}，{h}！"]}
THANKS = {"en": (["Thanks", "Thank you", "Thanks a lot", "Thank you very much", "Great, thanks", "OK, thank you", "Many thanks"], "You are welcome!"),
          "zh": (["谢谢", "谢谢你", "多谢", "非常感谢", "太好了，谢谢", "好的，谢谢你", "感谢"], "不客气！")}
BYE = {"en": (["Bye", "Goodbye", "See you", "See you later", "Good night", "Bye bye", "I have to go"], "Goodbye!"),
       "zh": (["再见", "拜拜", "回头见", "晚安", "下次见", "我走了", "我要走了"], "再见！")}


def greet(r, lang):
    end = r.choice(["", ".", "!"] if lang == "en" else ["", "。", "！"])
    kind, hello = r.random(), r.choice(HELLO[lang])
    if kind < 0.5:
        n = r.choice(NAMES[lang])
        answer = f"Hello {n}! What can I do for you?" if lang == "en" else f"你好，{n}！我能帮你什么？"
        return [(ask(r, NAMED[lang], h=hello, n=n), answer)], None
    # a bare greeting is one of a few and always trained, so its key is a fixed one; the ones with a name are measured
    if kind < 0.7:
        return [(hello + end, "Hello! What can I do for you?" if lang == "en" else "你好！我能帮你什么？")], "bare greeting"
    said, answer = (THANKS if kind < 0.85 else BYE)[lang]
    whom = r.choice(["", "Pocket", r.choice(NAMES[lang])])
    return [(r.choice(said) + ((", " if lang == "en" else "，") + whom if whom else "") + end, answer)], None if whom else "bare greeting"


UNKNOWN = {"en": (["Write a poem about {x}.", "Tell me a story about {x}.", "Who invented {x}?", "What is the capital of {x}?", "Explain {x} to me.", "Write code for {x}.", "What is the price of {x}?",
                   "Draw {x}.", "What is the news about {x}?", "Translate {x} into French.", "Who is the president of {x}?", "Give me a recipe for {x}.", "Sing a song about {x}.", "Why is {x} so popular?"],
                  "love,the sea,music,France,Brazil,the moon,physics,football,a website,soup,the internet,history,cars,my dog,the stock market,China,Germany,art,winter,a game,chess,coffee,the weather,space,robots".split(","),
                  "Sorry, I am a toy and never learned that."),
           "zh": (["写一首关于{x}的诗。", "讲一个关于{x}的故事。", "{x}是谁发明的？", "{x}的首都是哪里？", "给我解释一下{x}。", "写一段{x}的代码。", "{x}多少钱？", "画一张{x}。", "{x}有什么新闻？", "把{x}翻译成法语。", "{x}的总统是谁？", "{x}怎么做？", "唱一首关于{x}的歌。", "为什么{x}这么流行？"],
                  "爱情,大海,音乐,法国,巴西,宇宙,物理,足球,网站,汤,互联网,历史,飞机,小狗,股票,中国,德国,艺术,冬天,游戏,象棋,咖啡,天气,太空,机器人".split(","), "抱歉，我只是玩具，没有学过这个。")}


def decline(r, lang):
    templates, things, answer = UNKNOWN[lang]
    return [(ask(r, templates, x=r.choice(things)), answer)], None


# name, generator, weight: how often it is drawn. The order is the order of the accuracy table.
SKILLS = [("add", add, 4), ("sub", sub, 4), ("compare", compare, 1.5), ("parity", parity, 0.4), ("day", day, 3), ("month", month, 2),
          ("sort", sort, 2.5), ("sort_words", sort_words, 1.5), ("reverse", reverse, 1.5), ("backwards", backwards, 1), ("count", count, 3.5),
          ("echo", echo, 1.5), ("units", units, 1), ("json", extract, 1), ("about", about, 0.7), ("greet", greet, 1), ("decline", decline, 0.6)]
SYSTEM = ["You are a helpful assistant.", "You are Pocket.", "You are Pocket, a tiny helpful model.", "Be brief.", "你是一个有用的助手。", "你是 Pocket。"]


def example(r, generate, lang, want_held_out):
    while True:
        turns, key = generate(r, lang)
        if held_out("\n".join(q for q, _ in turns) if key is None else key) == want_held_out:
            return turns


def dialog(r):
    """A training dialog: one to three requests, mostly in one language, sometimes with a system message."""
    lang = r.choice(["en", "zh"])
    messages = [("system", r.choice(SYSTEM))] if r.random() < 0.07 else []
    for _, generate, _ in r.choices(SKILLS, [w for *_, w in SKILLS], k=r.choice([1, 1, 2, 2, 3])):
        if r.random() < 0.05:
            lang = "zh" if lang == "en" else "en"
        for question, answer in example(r, generate, lang, False):
            messages += [("user", question), ("assistant", answer)]
    return messages
