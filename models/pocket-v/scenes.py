"""Pictures and clips of coloured shapes and digits, drawn with numpy alone; and what stands where in them.

A thing is one of KINDS (shapes, then the digits 0 to 9), has one of COLOURS and stands in one of nine places, row by row.
"""
import hashlib
import math

import numpy as np

SIDE = 112
SHAPES = ["circle", "square", "triangle", "star", "cross", "heart"]
KINDS = SHAPES + [str(d) for d in range(10)]
COLOURS = {"red": (220, 30, 35), "orange": (245, 135, 20), "yellow": (245, 215, 30), "green": (40, 160, 60), "blue": (35, 80, 215),
           "purple": (135, 50, 175), "black": (20, 20, 20), "white": (250, 250, 250)}
NAMES = list(COLOURS)
LONGEST = 8
WAYS = {"right": (1, 0), "left": (-1, 0), "up": (0, -1), "down": (0, 1)}


def held_out(*key):
    """One combination in ten is never trained on: of a kind, a colour and a place, or of a thing and its times in a clip."""
    return hashlib.sha256(" ".join(map(str, key)).encode()).digest()[0] % 10 == 0


# ---- masks: how much of each pixel a thing covers, made once for each kind, size and tilt

def arc(cx, cy, rx, ry, start, end, n=10):
    return [(cx + rx * math.cos(math.radians(start + (end - start) * i / n)), cy + ry * math.sin(math.radians(start + (end - start) * i / n))) for i in range(n + 1)]


# strokes of digits in a box of 1 x 1.6, y down
NINE = [arc(0.5, 0.48, 0.48, 0.48, 0, 360, 16), [(0.98, 0.5), (0.95, 0.95), (0.72, 1.35), (0.3, 1.58)]]
DIGITS = [[arc(0.5, 0.8, 0.48, 0.8, 0, 360, 20)], [[(0.2, 0.35), (0.58, 0.0), (0.58, 1.6)]], [arc(0.5, 0.45, 0.46, 0.45, 190, 390) + [(0.03, 1.58), (1.0, 1.58)]],
         [arc(0.45, 0.41, 0.45, 0.41, 205, 450) + arc(0.45, 1.2, 0.52, 0.4, -90, 155)], [[(0.72, 1.6), (0.72, 0.0), (0.0, 1.1), (1.0, 1.1)]],
         [[(0.92, 0.0), (0.15, 0.0), (0.08, 0.72)] + arc(0.45, 1.09, 0.52, 0.5, -130, 150)], [[(1 - x, 1.6 - y) for x, y in line] for line in NINE],
         [[(0.0, 0.0), (1.0, 0.0), (0.38, 1.6)]], [arc(0.5, 0.4, 0.4, 0.4, 0, 360, 14), arc(0.5, 1.2, 0.48, 0.4, 0, 360, 14)], NINE]


def grid(size):
    """Four points a pixel and axis, in -1..1 over `size` pixels."""
    side = size + 2
    at = (np.arange(side * 4) + 0.5) / 4 - side / 2
    y, x = np.meshgrid(at, at, indexing="ij")
    return x / (size / 2), y / (size / 2)


def averaged(inside):
    side = len(inside) // 4
    return inside.reshape(side, 4, side, 4).mean((1, 3)).astype(np.float32)[..., None]


def polygon(x, y, corners):
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1]):
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < (bx - ax) * (y - ay) / (by - ay) + ax)
    return inside


def star(points=5, inner=0.45):
    return [((1 if i % 2 == 0 else inner) * math.sin(math.pi * i / points), -(1 if i % 2 == 0 else inner) * math.cos(math.pi * i / points)) for i in range(2 * points)]


CROSS = [(-0.32, -0.95), (0.32, -0.95), (0.32, -0.32), (0.95, -0.32), (0.95, 0.32), (0.32, 0.32), (0.32, 0.95), (-0.32, 0.95), (-0.32, 0.32), (-0.95, 0.32), (-0.95, -0.32), (-0.32, -0.32)]


def shape_mask(kind, size, tilt):
    x, y = grid(size)
    c, s = math.cos(tilt), math.sin(tilt)
    x, y = c * x + s * y, c * y - s * x
    if kind == "circle":
        return averaged(x * x + y * y <= 0.92)
    if kind == "square":
        return averaged((abs(x) <= 0.84) & (abs(y) <= 0.84))
    if kind == "triangle":
        return averaged(polygon(x, y, [(0.0, -0.95), (0.97, 0.78), (-0.97, 0.78)]))
    if kind == "star":
        return averaged(polygon(x, y, star()))
    if kind == "cross":
        return averaged(polygon(x, y, CROSS))
    hx, hy = x * 1.25, -y * 1.25 + 0.12
    return averaged((hx * hx + hy * hy - 1) ** 3 - hx * hx * hy**3 <= 0)


def digit_mask(strokes, size, weight, slant):
    """`size` is the height; `weight` the width of a stroke in widths of the digit."""
    x, y = grid(size)
    unit = 1.6 + weight
    y = y * unit / 2 + 0.8
    x = x * unit / 2 + 0.5 - slant * (0.8 - y)
    near = np.full(x.shape, 9.0)
    for line in strokes:
        for (ax, ay), (bx, by) in zip(line, line[1:]):
            dx, dy = bx - ax, by - ay
            t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
            near = np.minimum(near, (x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2)
    return averaged(near <= weight * weight / 4)


class Masks:
    """Masks by kind and size, made when first needed."""

    def __init__(self):
        self.made = {}

    def __call__(self, r, kind, size):
        key = (kind, size, r.randrange(3))
        if key not in self.made:
            self.made[key] = self.make(*key)
        return self.made[key]

    @staticmethod
    def make(kind, size, tilt):
        if kind < len(SHAPES):
            return shape_mask(SHAPES[kind], size, (tilt - 1) * {"square": 0.12, "triangle": 0.12, "star": 0.2}.get(SHAPES[kind], 0.1))
        return digit_mask(DIGITS[kind - len(SHAPES)], size, (0.28, 0.34, 0.4)[tilt], (0, 0.1, 0)[tilt])


masks = Masks()
# grain, from which each picture takes its own piece; and eight slopes of light
GRAIN = np.random.default_rng(1).normal(0, 1, (SIDE * 2, SIDE * 2, 3)).astype(np.float32)
SLOPES = np.stack([(math.cos(a) * np.linspace(-1, 1, SIDE)[None, :, None] + math.sin(a) * np.linspace(-1, 1, SIDE)[:, None, None]) for a in np.arange(8) * math.pi / 4]).astype(np.float32)


class Thing:
    """`first`, `last`: steps of a clip from which on and before which it is there. `way`: how many pixels it moves in a step."""

    __slots__ = ("kind", "colour", "x", "y", "size", "first", "last", "way")

    def __init__(self, kind, colour, x, y, size):
        self.kind, self.colour, self.x, self.y, self.size = kind, colour, x, y, size
        self.first, self.last, self.way = 0, 1, (0, 0)

    def at(self, step=0):
        gone = step - self.first
        return self.x + self.way[0] * gone, self.y + self.way[1] * gone

    def place(self, step=0):
        x, y = self.at(step)
        return min(2, int(y * 3 // SIDE)) * 3 + min(2, int(x * 3 // SIDE))


# ---- layouts

def chosen(r, count):
    """Kinds and colours: sometimes few of them, so that there is something to count."""
    digits = r.random()
    kinds = range(len(SHAPES)) if digits < 0.55 else range(len(SHAPES), len(KINDS)) if digits > 0.8 else range(len(KINDS))
    kinds = r.sample(kinds, r.choice([1, 2, 2, 3])) if r.random() < 0.65 else kinds
    colours = r.sample(range(len(NAMES)), r.choice([1, 2, 3])) if r.random() < 0.5 else range(len(NAMES))
    return [(r.choice(kinds), r.choice(colours)) for _ in range(count)]


def centres(r, count):
    """(x, y, size) for each: on a loose grid, or anywhere but in a place of its own and not between two places."""
    if count == 1 and r.random() < 0.25:
        size = r.randrange(44, 100, 4)
        slack = max(2, (SIDE - size) // 2 - 2)
        x, y = (56 + r.randint(-min(slack, 16), min(slack, 16)) for _ in "xy")
        return [(x, y, size)]
    if count <= 4 and r.random() < 0.4:
        out = []
        for _ in range(60):
            size = r.randrange(22, 46, 2)
            x, y = (r.uniform(size / 2 + 1, SIDE - 1 - size / 2) for _ in "xy")
            if min(abs(v - third) for v in (x, y) for third in (SIDE / 3, SIDE * 2 / 3)) < 4:
                continue
            cell = (int(x * 3 // SIDE), int(y * 3 // SIDE))
            if all(max(abs(x - a), abs(y - b)) > (size + s) / 2 + 1 and cell != (int(a * 3 // SIDE), int(b * 3 // SIDE)) for a, b, s in out):
                out.append((x, y, size))
                if len(out) == count:
                    return out
    return [(SIDE / 6 * (2 * (p % 3) + 1) + r.randint(-3, 3), SIDE / 6 * (2 * (p // 3) + 1) + r.randint(-3, 3), r.randrange(24, 36, 2)) for p in r.sample(range(9), count)]


def still(r, held=False):
    """Things of a picture, row by row. With `held` its first drawn thing (returned too) is of a combination that is never trained."""
    count = r.choices(range(7), [3, 18, 20, 20, 15, 12, 12])[0]
    count = max(1, count) if held else count
    things, target = [], None
    for (x, y, size), (kind, colour) in zip(centres(r, count), chosen(r, count)):
        thing = Thing(kind, colour, x, y, size)
        want = held and target is None
        for _ in range(200):
            if held_out(KINDS[thing.kind], NAMES[thing.colour], thing.place()) == want or (held and target is not None):
                break
            thing.kind, thing.colour = (thing.kind if r.random() < 0.5 else r.randrange(len(KINDS))), r.randrange(len(NAMES))
        target = target or thing
        things.append(thing)
    return sorted(things, key=Thing.place), target


def clip(r, held=False):
    """(things, times of the steps, target)."""
    steps = r.choice([2, 3, 4, 4, 5, 5, 6, 6, 7, 8])
    pace = r.choice([1 / 3, 0.5, 0.5, 1, 1, 1.5, 2, r.uniform(0.5, 2)])
    start = r.choice([0, 0, 0, r.uniform(0, 10), r.uniform(0, 60), float(r.randint(0, 20))])
    uneven = r.random() < 0.3
    times = [start]
    while len(times) < steps:
        times.append(times[-1] + (r.uniform(0.5, 2) if uneven else pace))
    count = r.choices([1, 2, 3], [35, 40, 25])[0]
    kinds = len(KINDS) if r.random() < 0.3 else len(SHAPES)
    things, used = [], set()
    for p in r.sample(range(9), count):
        free, want = held and bool(things), held and not things
        for _ in range(300):
            kind, colour = r.randrange(kinds), r.randrange(len(NAMES))
            first = 0 if r.random() < 0.4 else r.randrange(steps)
            last = steps if r.random() < 0.45 else r.randint(first + 1, steps)
            if (kind, colour) not in used and (free or held_out(KINDS[kind], NAMES[colour], first, last, steps) == want):
                break
        used.add((kind, colour))
        thing = Thing(kind, colour, *(SIDE / 6 * (2 * n + 1) + r.randint(-3, 3) for n in (p % 3, p // 3)), r.randrange(24, 36, 2))
        thing.first, thing.last = first, last
        things.append(thing)
    target = things[0]
    move(r, r.choice(things), things)
    return sorted(things, key=lambda t: (t.first, t.place(t.first))), times, target


def move(r, thing, things):
    """A thing that is long enough there goes along its row or column, if no other stands in it."""
    seen = thing.last - thing.first
    if seen < 3 or r.random() < 0.25:
        return
    column, row = thing.place() % 3, thing.place() // 3
    others = [(t.place() % 3, t.place() // 3) for t in things if t is not thing]
    ways = []
    if all(b != row for _, b in others):
        ways += [("right", 2 - column), ("left", column)]
    if all(a != column for a, _ in others):
        ways += [("down", 2 - row), ("up", row)]
    ways = [(way, room) for way, room in ways if room]
    if not ways:
        return
    way, room = r.choice(ways)
    far = r.uniform(34, 37.3 * room) / (seen - 0.5)
    thing.way = (WAYS[way][0] * far, WAYS[way][1] * far)


def way_of(thing):
    x, y = thing.way
    return None if x == y == 0 else ("right" if x > 0 else "left") if x else "down" if y > 0 else "up"


def way_number(thing):
    way = way_of(thing)
    return 0 if way is None else 1 + list(WAYS).index(way)


# ---- drawing

def paint(picture, mask, colour, x, y):
    high, wide = mask.shape[:2]
    top, left = round(y) - high // 2, round(x) - wide // 2
    mask = mask[max(0, -top):SIDE - top, max(0, -left):SIDE - left]
    part = picture[max(0, top):top + high, max(0, left):left + wide]
    part += mask * (colour - part)


def background(r, colours):
    """Mostly light, sometimes dark or coloured, and never near the colour of a thing."""
    for _ in range(8):
        kind = r.random()
        if kind < 0.55:
            back = np.array([r.randint(232, 255)] * 3) + [r.randint(-4, 0) for _ in range(3)]
        elif kind < 0.7:
            back = np.array([r.randint(0, 45)] * 3) + [r.randint(0, 6) for _ in range(3)]
        elif kind < 0.85:
            back = np.array([r.randint(90, 200)] * 3)
        else:
            back = np.array([r.randint(170, 235) for _ in range(3)])
        if all(abs(back - c).sum() > 150 for c in colours):
            return back.astype(np.float32)
    return np.array([128.0, 128.0, 128.0], np.float32)


def looks(r, things):
    """What stays the same in all frames: background, grain, and mask and colour of each thing."""
    colours = [np.array([min(255, max(0, v + r.randint(-18, 18))) for v in COLOURS[NAMES[t.colour]]], np.float32) for t in things]
    back = background(r, colours)
    if r.random() < 0.3:
        back = back + r.uniform(4, 22) * SLOPES[r.randrange(8)]
    else:
        back = np.broadcast_to(back, (SIDE, SIDE, 3))
    grain = r.choice([0, 0, 2, 4, 7])
    return back, grain, [(masks(r, t.kind, t.size), c) for t, c in zip(things, colours)]


def frame(r, look, things, step=0.0):
    """A frame of a clip at a step (the second frame of a step is half a step on) or a picture: [112, 112, 3] bytes."""
    back, grain, parts = look
    picture = back.copy()
    for thing, (mask, colour) in zip(things, parts):
        if thing.first <= step < thing.last:
            paint(picture, mask, colour, *thing.at(step))
    if grain:
        x, y = r.randrange(SIDE), r.randrange(SIDE)
        picture += grain * GRAIN[y:y + SIDE, x:x + SIDE]
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


def picture(r, things):
    return frame(r, looks(r, things), things)


def frames(r, things, steps):
    """[steps, 2, 112, 112, 3] bytes."""
    look = looks(r, things)
    out = np.empty((steps, 2, SIDE, SIDE, 3), np.uint8)
    for step in range(steps):
        out[step, 0] = frame(r, look, things, step)
        moving = any(t.way != (0, 0) and t.first <= step < t.last for t in things)
        out[step, 1] = frame(r, look, things, step + 0.5) if moving else out[step, 0]
    return out


# the token of 4 x 4 that is to know what stands in each place, for the trainer's extra loss
SLOTS = [4 * row + column for row in (0, 1, 3) for column in (0, 1, 3)]


def slots(things, step=0):
    """(kind, colour, way) for each of nine places; no kind is len(KINDS), no colour and no way -1, no movement 0."""
    out = [(len(KINDS), -1, -1)] * 9
    for thing in things:
        if thing.first <= step < thing.last:
            out[thing.place(step)] = (thing.kind, thing.colour, way_number(thing))
    return out
