"""Which shipped questions the models have met: equal in text, options and every cell, if not in every pixel.

Seeds differ, but some kinds have few different questions. Those of the policy's fine-tuning and of the critics'
training are drawn again here and compared.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from vpbench.nano import finetune
from vpbench.nano.build import QUESTION_SEED, QUESTIONS, SOLUTION_SEED, SOLUTIONS
from vpbench.nano.datasets import draw_questions, questions_by_id
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.nano.recipe import FINE_TUNING_SEED, HOT_SEED, SAMPLED_SEED, SLIPS_SEED, WorldRecipe
from vpbench.nano.tuning import BATCH, BUFFER, by_length
from vpbench.records import Drawn

Content = tuple[object, ...]


def content(drawn: Drawn) -> Content:
    """All of a question but fonts, tints and other details of its picture."""
    return drawn.kind, drawn.text, drawn.options, tuple(drawn.picture.content), tuple(drawn.picture.key)


def learned_from(recipe: WorldRecipe) -> Iterator[Drawn]:
    """Every question asked in fine-tuning, and every one whose solutions the critics learned from."""
    number, asking = next((number, part) for number, part in enumerate(recipe.rounds) if not part.describe)
    rng = random.Random(recipe.seed + FINE_TUNING_SEED + number)
    for _ in range(-(-asking.steps // BUFFER)):
        yield from draw_mixed(rng, BATCH * BUFFER, asking.shares)
        by_length([0] * BATCH * BUFFER, rng)
    for seed, count in (
        (SAMPLED_SEED, recipe.questions),
        (HOT_SEED, recipe.hot_questions),
        (SLIPS_SEED, recipe.slips),
    ):
        yield from draw_mixed(random.Random(recipe.seed + seed), count)
    for kind in KINDS:
        for _, drawn in draw_questions(kind, recipe.seed + finetune.LABEL_SEED, recipe.labelled_per_kind):
            yield drawn


def met(recipe: WorldRecipe) -> tuple[set[tuple[str, str]], list[bool]]:
    """The shipped questions that were met, as (task, id), and for each labelled solution whether its question was."""
    learned = {content(drawn) for drawn in learned_from(recipe)}
    shipped = questions_by_id(QUESTION_SEED, QUESTIONS)
    questions = {name for name, drawn in shipped.items() if content(drawn) in learned}
    return questions, [content(drawn) in learned for drawn in draw_mixed(random.Random(SOLUTION_SEED), SOLUTIONS)]
