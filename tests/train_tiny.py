"""A tiny base checkpoint, drawn pictures and labelled solutions for the training tests."""

from __future__ import annotations

import json
import random
from pathlib import Path

from PIL import Image

STEPS = ("one + two", "three - two", "step two\n\nthree", "solution", "question one", "three")


def write_solutions(folder: Path, count: int, name: str = "solutions.jsonl") -> Path:
    """Conversations of two to four steps about pictures of differing shape, two solutions to a picture, seeded."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = random.Random(count)
    lines = []
    for number in range(count):
        image = folder / f"{number // 2}.png"
        if not image.exists():
            Image.effect_noise((60 + 40 * (number % 3), 60), 80).convert("RGB").save(image)
        steps = drawn.sample(STEPS, drawn.randint(2, 4))
        turns = [{"from": "human", "value": step} for step in steps]
        turns[0]["value"] = f"### Question:\nquestion {number}\n\n### Solution Process:\n{steps[0]}"
        labels = [{"from": "gpt", "value": drawn.choice("++-")} for _ in steps]
        conversation = [turn for pair in zip(turns, labels, strict=True) for turn in pair]
        lines.append(json.dumps({"image": image.name, "conversations": conversation}) + "\n")
    path = folder / name
    path.write_text("".join(lines))
    return path
