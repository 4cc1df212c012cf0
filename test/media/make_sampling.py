"""What the real video processors take of clips: ../shared/oracle/run.sh python3 test/media/make_sampling.py > test/media/sampling.json

A case is [frames, fps numerator, fps denominator, duration (0: none given), 4.1V indices, 4.6V indices]; long lists as [length, sum, sum of i * index]."""
import json
import random

from transformers.models.glm4v.video_processing_glm4v import Glm4vVideoProcessor
from transformers.models.glm46v.video_processing_glm46v import Glm46VVideoProcessor
from transformers.video_utils import VideoMetadata

random.seed(5)
processors = [Glm4vVideoProcessor(), Glm46VVideoProcessor()]
rates = [(24, 1), (25, 1), (30, 1), (30000, 1001), (24000, 1001), (60, 1), (60000, 1001), (5, 1), (1, 1), (15, 2), (12, 1), (1, 2), (2997, 100), (50, 1)]


def short(indices):
    indices = [int(i) for i in indices]
    return indices if len(indices) <= 24 else [len(indices), sum(indices), sum(k * i for k, i in enumerate(indices))]


def case(frames, num, den, duration):
    metadata = lambda: VideoMetadata(total_num_frames=frames, fps=num / den, duration=duration or None)
    return [frames, num, den, duration, *[short(p.sample_frames(metadata())) for p in processors]]


fixed = [(30, 30, 1), (240, 24, 1), (900, 30000, 1001), (1800, 30, 1), (9000, 25, 1), (90000, 30, 1), (20, 5, 1)]
cases = [case(n, a, b, n / (a / b)) for n, a, b in fixed]
for _ in range(350):
    num, den = random.choice(rates)
    seconds = random.choice([2, 10, 29, 30, 31, 60, 299, 300, 301, 700, 2399, 2401, 4000])
    frames = max(1, min(120000, int(seconds * num / den * random.choice([1, 1, random.random() + 0.02]))))
    duration = random.choice([0, frames / (num / den), frames / (num / den), (frames - 1) / (num / den), round(frames / (num / den), 3)])
    if duration and duration < 0.5:
        duration = 0
    cases.append(case(frames, num, den, duration))
print("[" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "]")
