"""Every question that the models learned from, drawn again: no question that ships may be a twin of one of these.

Seeds differ, but some kinds have few different questions. Left out is the warm-up of the vision tower, which is told
about one cell at a time and ends before anything is asked or written.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from vpbench.nano import finetune
from vpbench.nano.datasets import draw_questions
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.recipe import FINE_TUNING_SEED, HOT_SEED, SAMPLED_SEED, SLIPS_SEED, WorldRecipe
from vpbench.nano.tuning import BATCH, BUFFER, by_length
from vpbench.records import Drawn


def learned_from(recipe: WorldRecipe) -> Iterator[Drawn]:
    """Every question of fine-tuning, and every one whose solutions the critics learned from; 20 seconds of drawing."""
    for number, stage in enumerate(recipe.rounds):
        rng = random.Random(recipe.seed + FINE_TUNING_SEED + number)
        for _ in range(-(-stage.steps // BUFFER)):
            drawn = draw_mixed(rng, BATCH * BUFFER, stage.shares)
            # A described picture counts too: of a term that only the picture shows it gives away the first step.
            yield from drawn
            if stage.describe:
                for question in drawn:
                    rng.sample(question.facts, len(question.facts))
            by_length([0] * BATCH * BUFFER, rng)
    for seed, count in (
        (SAMPLED_SEED, recipe.questions),
        (HOT_SEED, recipe.hot_questions),
        (SLIPS_SEED, recipe.slips),
    ):
        yield from draw_mixed(random.Random(recipe.seed + seed), count)
    for kind in KINDS:
        for _, drawn_once in draw_questions(kind, recipe.seed + finetune.LABEL_SEED, recipe.labelled_per_kind):
            yield drawn_once
