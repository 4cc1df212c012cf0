"""Tool calls in GLM's format: the right one of the tools offered with its arguments, no call where none fits, and the answer after a result.

A kind of tool has several names and parameter names, so that a call copies them from the tools it was given. In a parameter, the first word
is what it means here (a slot of the questions), then its names, then its JSON type.
"""
import json

from talk import SORRY, about, decline, greet
from words import DAYS, ask, city, few, made_up, name, number, thing

ROOMS = {"en": "kitchen bedroom bathroom garage hall office garden".split(), "zh": "厨房 卧室 浴室 车库 客厅 书房 花园".split()}
SKY = {"en": "sunny cloudy rainy windy snowy foggy".split(), "zh": "晴 多云 下雨 刮风 下雪 有雾".split()}
FAULTS = {"en": ["no network", "not found", "time out", "access denied"], "zh": ["没有网络", "找不到", "超时", "没有权限"]}
KINDS = [
    {"names": ["get_weather", "weather", "weather_now"], "about": {"en": ["Get the weather in a city", "Weather of a place"], "zh": ["查询城市的天气", "查询天气"]}, "params": [("c", ["city", "location", "place"], "string")],
     "en": ["What is the weather in {c}?", "How is the weather in {c}?", "Weather in {c}?", "Is it (warm|cold|raining|sunny) in {c}?", "(Tell|Show) me the weather (in|for) {c}."], "zh": ["{c}天气怎么样？", "{c}的天气如何？", "查一下{c}的天气。", "{c}(冷吗|热吗|下雨吗)？", "今天{c}天气好吗？"],
     "result": "weather", "say": {"en": "In {c} it is {t} degrees and {s}.", "zh": "{c}现在{t}度，{s}。"}},
    {"names": ["get_time", "time_in", "clock"], "about": {"en": ["Get the time in a city", "Time of a place"], "zh": ["查询城市的时间", "查询时间"]}, "params": [("c", ["city", "location", "place"], "string")],
     "en": ["What time is it in {c}?", "What is the time in {c}?", "Time in {c}?", "How late is it in {c}?", "(Tell|Show) me the time in {c}."], "zh": ["{c}现在几点？", "{c}的时间是多少？", "查一下{c}的时间。", "{c}几点了？"],
     "result": "time", "say": {"en": "It is {t} in {c}.", "zh": "{c}现在{t}。"}},
    {"names": ["set_timer", "timer", "start_timer"], "about": {"en": ["Set a timer", "Start a timer"], "zh": ["设置定时器", "开始计时"]}, "params": [("n", ["minutes", "duration"], "integer")],
     "en": ["Set a timer for {n} minutes.", "Start a timer of {n} minutes.", "Timer: {n} minutes", "Wake me in {n} minutes.", "{n} minutes timer, please."], "zh": ["设置{n}分钟的定时器。", "定时{n}分钟。", "{n}分钟后提醒我。", "计时{n}分钟。"], "result": "done"},
    {"names": ["add_note", "note", "save_note"], "about": {"en": ["Save a note", "Write down a text"], "zh": ["保存笔记", "记下文字"]}, "params": [("x", ["text", "content", "note"], "string")],
     "en": ["Note: {x}", "Write down: {x}", "Save a note: {x}", "Make a note: {x}", "Keep this in mind: {x}"], "zh": ["记下：{x}", "记一下：{x}", "保存笔记：{x}", "帮我记：{x}"], "result": "done"},
    {"names": ["send_message", "message", "send_text"], "about": {"en": ["Send a message to a person", "Message someone"], "zh": ["给人发消息", "发送消息"]}, "params": [("p", ["to", "person", "receiver"], "string"), ("x", ["text", "content", "message"], "string")],
     "en": ["Tell {p}: {x}", "Send {p} a message: {x}", "Message {p}: {x}", "Write to {p}: {x}"], "zh": ["告诉{p}：{x}", "给{p}发消息：{x}", "发给{p}：{x}", "写给{p}：{x}"], "result": "done"},
    {"names": ["set_light", "light", "switch_light"], "about": {"en": ["Turn the light in a room on or off", "Switch a light"], "zh": ["开关房间的灯", "控制灯"]}, "params": [("q", ["room", "place"], "string"), ("o", ["state", "value"], "onoff")],
     "en": ["Turn {o} the light in the {q}.", "Turn the {q} light {o}.", "Light {o} in the {q}.", "Switch {o} the {q} light."], "zh": ["{o}{q}的灯。", "把{q}的灯{o}。", "{q}的灯，请{o}。"], "result": "done"},
    {"names": ["search", "web_search", "find"], "about": {"en": ["Search the web", "Find pages"], "zh": ["搜索网页", "搜索"]}, "params": [("x", ["query", "text", "words"], "string")],
     "en": ["Search for {x}", "Look up {x}", "Find {x} on the web", "Search the web for {x}"], "zh": ["搜索{x}", "上网查{x}", "搜一下{x}", "帮我搜索{x}"], "result": "hits", "say": {"en": "I found: {h}.", "zh": "找到：{h}。"}},
    {"names": ["get_price", "price", "price_of"], "about": {"en": ["Get the price of an item", "Price of a thing"], "zh": ["查询商品的价格", "查询价格"]}, "params": [("i", ["item", "product", "name"], "string")],
     "en": ["How much is the {i}?", "What does the {i} cost?", "What is the price of the {i}?", "Price of the {i}?", "How much does the {i} cost?"], "zh": ["{i}多少钱？", "{i}的价格是多少？", "{i}要多少钱？", "查一下{i}的价格。"],
     "result": "price", "say": {"en": "The {i} costs {m} euros.", "zh": "{i}的价格是{m}元。"}},
    {"names": ["find_route", "route", "directions"], "about": {"en": ["Find a route between two cities", "Way from one place to another"], "zh": ["查询两地的路线", "查询路线"]}, "params": [("c", ["from", "start", "origin"], "string"), ("d", ["to", "end", "destination"], "string")],
     "en": ["How do I get from {c} to {d}?", "Route from {c} to {d}", "Show me the way from {c} to {d}.", "How far is it from {c} to {d}?"], "zh": ["从{c}到{d}怎么走？", "{c}到{d}的路线", "从{c}去{d}有多远？", "查一下从{c}到{d}的路。"],
     "result": "route", "say": {"en": "From {c} to {d}: {k} km.", "zh": "从{c}到{d}：{k}公里。"}},
    {"names": ["add_event", "calendar", "create_event"], "about": {"en": ["Add an event to the calendar", "Plan something for a day"], "zh": ["添加日程", "在日历中添加活动"]}, "params": [("i", ["title", "event", "name"], "string"), ("w", ["day", "date", "when"], "string")],
     "en": ["Put {i} on {w}.", "Add {i} to my calendar on {w}.", "Plan {i} for {w}.", "On {w}: {i}, in my calendar."], "zh": ["把{i}安排在{w}。", "{w}安排{i}。", "日程：{w}{i}。", "在{w}添加{i}。"], "result": "done"}]


def offer(r, lang):
    """One to four tools of different kinds, as a caller gives them."""
    kinds, offered = r.sample(KINDS, r.choice([1, 2, 2, 3, 3, 4])), []
    for kind in kinds:
        props, used = {}, set()
        for _, names, form in kind["params"]:
            key = r.choice([n for n in names if n not in used])
            used.add(key)
            props[key] = {"type": "string", "enum": ["on", "off"]} if form == "onoff" else {"type": form}
        function = {"name": r.choice(kind["names"]), "description": r.choice(kind["about"][lang if r.random() < 0.8 else "en"]), "parameters": {"type": "object", "properties": props, "required": list(props)}}
        offered.append((kind, {"type": "function", "function": function}))
    return offered


def phrase(r, lang):
    """A few words for a note, a message or a search."""
    if lang == "zh":
        return r.choice(["买", "带", "找", "修", "", "新的", "红色的"]) + thing(r, lang)
    return " ".join(thing(r, lang) for _ in range(r.randint(1, 3)))


def fill(r, lang, kind):
    """The question, its slots, the arguments' values in the order of the parameters, and the key."""
    on = r.random() < 0.5
    slots = {"c": city(r, lang), "d": city(r, lang), "n": r.randint(1, 99), "x": phrase(r, lang), "p": name(r, lang), "q": r.choice(ROOMS[lang]), "i": thing(r, lang), "w": r.choice(DAYS[lang]),
             "o": ("on" if on else "off") if lang == "en" else ("打开" if on else "关掉")}
    values = [("on" if on else "off") if form == "onoff" else slots[slot] for slot, _, form in kind["params"]]
    wordings, key = kind[lang], f"timer {slots['n']}" if kind["params"][0][0] == "n" else str(values[0])
    if kind["params"][0][0] == "q":
        wordings, key = few(r, wordings, f"{slots['q']} {on}")
    return ask(r, wordings, **slots), slots, values, key


def plain(offered):
    return [tool for _, tool in offered]


def request(r, lang, offered):
    kind, tool = r.choice(offered)
    function = tool["function"]
    question, slots, values, key = fill(r, lang, kind)
    arguments = dict(zip(function["parameters"]["properties"], values))
    return kind, slots, [("user", question), ("call", f"{function['name']}\n{json.dumps(arguments, ensure_ascii=False)}")], key


def call(r, lang, offered=None):
    """The main argument is the key: no call with a held-out one is trained."""
    offered = offered or offer(r, lang)
    *_, messages, key = request(r, lang, offered)
    return messages, key, plain(offered)


def result(r, lang, offered=None):
    """What the tool gave, told. Its main argument is the key again."""
    offered = offered or offer(r, lang)
    kind, slots, messages, key = request(r, lang, offered)
    found = {"t": r.randint(-9, 39), "s": r.choice(SKY[lang]), "h": phrase(r, lang), "m": r.randint(1, 999), "k": r.randint(10, 999)}
    if kind["result"] == "time":
        found["t"] = f"{r.randrange(24)}:{r.randrange(60):02}"
    data = {"weather": {"temperature": found["t"], "sky": found["s"]}, "time": {"time": found["t"]}, "hits": {"result": found["h"]}, "price": {"price": found["m"]}, "route": {"km": found["k"]}, "done": {"ok": True}}[kind["result"]]
    if r.random() < 0.12:
        fault = r.choice(FAULTS[lang])
        data, said = {"error": fault}, f"Sorry, that failed: {fault}." if lang == "en" else f"抱歉，失败了：{fault}。"
    else:
        said = kind["say"][lang].format(**{**slots, **found}) if "say" in kind else "Done." if lang == "en" else "好了。"
    return [*messages, ("observation", json.dumps(data, ensure_ascii=False)), ("assistant", said)], key, plain(offered)


def none(r, lang, offered=None):
    """Tools were offered, but none fits: an answer of its own, or it declines what another tool would do."""
    offered = offered or offer(r, lang)
    if r.random() < 0.5:
        others = [kind for kind in KINDS if all(kind is not k for k, _ in offered)]
        kind = r.choice(others)
        question, *_, key = fill(r, lang, kind)
        return [("user", question), ("assistant", SORRY[lang])], key, plain(offered)
    own, key = r.choice([about, greet, decline, total])(r, lang)
    return own, key, plain(offered)


def unserved(r, lang):
    """What it declines without tools: what it never learned, and what only a tool could do."""
    if r.random() < 0.75:
        return decline(r, lang)
    kind = r.choice(KINDS)
    question, *_, key = fill(r, lang, kind)
    return [("user", question), ("assistant", SORRY[lang])], key


def total(r, lang):
    a, b = number(r), number(r)
    return [("user", f"{a} + {b}" + r.choice(["", " = ?"])), ("assistant", str(a + b))], f"{min(a, b)},{max(a, b)}"
