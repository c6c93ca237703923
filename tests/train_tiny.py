"""Drawn pictures, labelled solutions, and what training makes of them, for the training tests."""

from __future__ import annotations

import dataclasses
import json
import random
from pathlib import Path

from PIL import Image

from vpbench import Recipe
from vpbench.labels.read import read_labelled
from vpbench.scoring.step_scorer import StepScorer
from vpbench.train.batches import MicroBatches, plan_batches
from vpbench.train.examples import Encoder, label_ids, label_weights, read_examples
from vpbench.train.model import LabelModel
from vpbench.train.parts import set_trained

RECIPE = Recipe(threshold=0.7, batch_size=4, learning_rate=2e-3, max_tiles=2, epochs=2, packing=False)
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


def batches(
    scorer: StepScorer,
    path: Path,
    recipe: Recipe = RECIPE,
    *,
    packing: bool = False,
    tokens: int = 10**6,
    teach: bool = True,
) -> MicroBatches:
    """The solutions of a file as one step, in micro-batches of at most `tokens`."""
    encoder = Encoder(scorer, recipe.max_tiles, *label_ids(scorer))
    examples, _ = read_examples(encoder, recipe, read_labelled(path), lambda: None)
    settings = {"batch_size": len(examples), "batch_tokens": tokens, "epochs": 1, "packing": packing}
    plan = plan_batches([example.length for example in examples], dataclasses.replace(recipe, **settings), 1)
    return MicroBatches(examples, plan, encoder, label_weights(examples, recipe.class_weights), packing, teach)


def label_model(scorer: StepScorer) -> LabelModel:
    """What the Trainer gets."""
    set_trained(scorer.model.float(), RECIPE)
    return LabelModel(scorer.model, scorer.checkpoint.image_token_id, label_ids(scorer))
