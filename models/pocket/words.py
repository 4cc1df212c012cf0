"""What the skills talk about: closed lists (days, units) that Pocket knows as whole words, and open ones (names, words) that it spells.

`held_out` is the one rule that keeps prompts from the trainer: by content, in both languages and in all wordings alike.
"""
import hashlib
import re
import string

DAYS = {"en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(), "zh": ["星期" + c for c in "一二三四五六日"]}
MONTHS = {"en": "January February March April May June July August September October November December".split(),
          "zh": [c + "月" for c in "一 二 三 四 五 六 七 八 九 十 十一 十二".split()]}
NAMES = """Anna Tom Mary John Lucy Peter Emma Paul Sara Jack Nina Max Julia Leo Alice Ben Clara David Eva Frank Grace Henry Iris James Kate Liam
           Mia Noah Olga Oscar Rosa Sam Tina Victor Wendy Zoe Adam Bella Carl Diana Erik Fiona George Hanna Ivan Jane Karl Laura Martin Nora
           Otto Paula Quentin Rita Simon Theo Ursula Vera Walter Yara Amir Chen Dara Farid Goran Hugo Ines Jonas Kofi Lena Marta Nils Omar Priya
           Ravi Sofia Tariq Uma Viktor Wei Xenia Yuki Zara""".split()
CITIES = """Paris London Berlin Rome Madrid Oslo Vienna Tokyo Beijing Shanghai Boston Chicago Dublin Lisbon Prague Warsaw Athens Cairo Delhi Sydney
            Toronto Zurich Milan Munich Helsinki Seoul Lima Quito Bogota Havana Nairobi Lagos Accra Tunis Riga Vilnius Tallinn Kyiv Sofia Porto
            Seville Lyon Geneva Basel Turin Naples Venice Hamburg Bremen Leipzig Denver Dallas Austin Miami Phoenix Osaka Kyoto Hanoi Jakarta""".split()
FAMILY = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红文辉建国春梅海燕雪飞云龙婷宇浩然欣怡子轩梓涵晨阳思佳琪"
CITIES_ZH = """北京 上海 广州 深圳 杭州 成都 武汉 南京 西安 天津 重庆 苏州 长沙 青岛 大连 厦门 昆明 郑州 巴黎 伦敦 东京 柏林 济南 沈阳 合肥 福州 南昌 贵阳 兰州
               太原 南宁 海口 拉萨 银川 西宁 宁波 无锡 温州 佛山 东莞 珠海 扬州 徐州 烟台 洛阳 桂林 三亚 台北 香港 澳门 罗马 首尔 纽约 悉尼 莫斯科 新加坡""".split()
WORDS = """apple bread cat dog egg fish goat house ice jam king lemon milk night orange pear queen rose sun tree uncle vase wolf yard zebra
           ant bee cow duck fox hen lion mouse owl pig rabbit snake tiger boat chair desk fork glass hat ink jar kite lamp map nest oven pan
           quilt ring shoe table vest wheel box cup door key leg nose pen rope sock tent wall wind rain snow star moon hill lake river sea sand
           stone grass leaf plum grape melon peach onion carrot potato tomato rice soup salt tea coffee juice honey cheese butter pepper banana
           piano robot summer winter kitten balloon tennis strawberry mississippi cookie noodle puzzle pillow ladder hammer button""".split()
WORDS_ZH = "苹果 面包 鸡蛋 牛奶 书包 雨伞 帽子 手套 茶叶 咖啡 钢琴 自行车 桌子 椅子 台灯 手机 电脑 毛巾 杯子 盘子 西瓜 香蕉 葡萄 米饭 蛋糕 衬衫 裤子 围巾 相机 地图 闹钟 花瓶 铅笔 钥匙 窗帘 枕头".split()
JOBS = {"en": "teacher doctor nurse cook driver baker farmer lawyer painter singer pilot writer dentist engineer gardener waiter".split(),
        "zh": "老师 医生 护士 厨师 司机 农民 律师 画家 歌手 飞行员 作家 牙医 工程师 园丁 警察 记者".split()}
# words that are always spelled, so that Pocket copies letters instead of knowing the word
SPELLED = {w.lower() for w in [*NAMES, *CITIES, *WORDS, *JOBS["en"]]}
# the key of what is always trained
COMMON = "bare greeting"
CONSONANTS, VOWELS = "bcdfghklmnprstvwz", "aeiou"


def held_out(key):
    """One prompt in ten, chosen by its content, is never trained on. Case and punctuation make no other prompt."""
    plain = "".join(c for c in key.lower() if c.isalnum() or c in " ,")
    return hashlib.sha256(plain.encode()).digest()[0] % 10 == 0


def few(r, templates, content):
    """(wordings, key) where contents are few: a held-out one is trained in half of the wordings and measured in the others, as otherwise what is learnt is that it never comes."""
    half = len(templates) // 2
    return (templates[:half], content) if r.random() < half / len(templates) else (templates[half:], COMMON)


def spin(r, pattern):
    """A text of a pattern: one of each (this|that)."""
    while (found := re.search(r"\(([^()]*\|[^()]*)\)", pattern)):
        pattern = pattern[:found.start()] + r.choice(found[1].split("|")) + pattern[found.end():]
    return pattern


def ask(r, templates, **slots):
    """A template with its slots filled, and small changes that people make when they type."""
    text = spin(r, r.choice(templates)).format(**slots)
    if r.random() < 0.15 and text[-1] in "?.？。":
        text = text[:-1]
    if r.random() < 0.1 and text[1:2].islower() and not any(text.startswith(str(value)) for value in slots.values()):
        text = text[0].lower() + text[1:]
    return text


def number(r):
    return r.randrange(10) if r.random() < 0.2 else r.randrange(100)


def made_up(r, low=2, high=3):
    """Syllables that may be a word somewhere."""
    return "".join(r.choice(CONSONANTS) + r.choice(VOWELS) + (r.choice("nrsl") if r.random() < 0.3 else "") for _ in range(r.randint(low, high)))


def name(r, lang):
    if lang == "en":
        return r.choice(NAMES) if r.random() < 0.6 else made_up(r).capitalize()
    if r.random() < 0.08:
        return "".join(chr(r.randrange(0x4E00, 0x9FA5)) for _ in range(2))
    return r.choice("小老阿") + r.choice(FAMILY + GIVEN) if r.random() < 0.25 else r.choice(FAMILY) + "".join(r.choice(GIVEN) for _ in range(r.randint(1, 2)))


def city(r, lang):
    if lang == "en":
        return r.choice(CITIES) if r.random() < 0.7 else made_up(r).capitalize()
    return r.choice(CITIES_ZH) if r.random() < 0.85 else "".join(r.choice(GIVEN) for _ in range(r.randint(1, 2))) + r.choice("城镇州山")


def thing(r, lang):
    if lang == "zh":
        return r.choice(WORDS_ZH)
    return r.choice(WORDS) if r.random() < 0.8 else made_up(r)


def letters(r, low=3, high=7):
    """A word to spell: a real one, or letters of which some come twice; in capitals or not."""
    if r.random() < 0.35:
        word = r.choice([w for w in WORDS if len(w) <= 10])
    else:
        some = r.sample(string.ascii_lowercase, r.randint(2, 9))
        word = "".join(r.choice(some) for _ in range(r.randint(low, high)))
    return word.upper() if r.random() < 0.6 else word
