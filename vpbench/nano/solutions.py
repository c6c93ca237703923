"""Solutions to learn judging from: a policy's, and reference solutions with a slip.

Most are drawn at temperature 1, some at 1.4 and some slipped on purpose, so that critics meet the rare mistakes that a
large N brings out. Equal solutions of one question are kept once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vpbench.errors import ConfigError
from vpbench.generate import Message, Prompt, Sampling, load_generator
from vpbench.nano.conversations import Conversations
from vpbench.nano.families import draw_mixed
from vpbench.nano.truth import slip
from vpbench.records import Drawn, ImageRef

MAX_TOKENS = 64


@dataclass(frozen=True)
class Solutions:
    """Questions, and solutions as (number of the question in `drawn`, steps)."""

    drawn: Sequence[Drawn]
    steps: Sequence[tuple[int, tuple[str, ...]]]


def sample(
    policy: Path, talk: Conversations, drawn: Sequence[Drawn], seed: int, samples: int, temperature: float
) -> Solutions:
    """Distinct solutions among `samples` to each of the questions `drawn`, from the policy in a folder."""
    sampling = Sampling(temperature=temperature, top_p=1.0, max_tokens=MAX_TOKENS)
    texts = [talk.text(question) for question in drawn]
    order = sorted(range(len(drawn)), key=lambda number: len(talk.words.encode(texts[number])))
    prompts = [
        Prompt((Message("user", texts[number], (_image(drawn[number]),)),), sampling, samples, seed + number)
        for number in order
    ]
    responses: list[list[str]] = [[] for _ in drawn]
    for position, generation in load_generator(str(policy), {}).generate(prompts):
        if generation.error is not None:
            raise ConfigError(f"{policy}: {generation.error}")
        responses[order[position]].append(generation.text)
    steps = [
        (number, tuple(text.split("\n\n")))
        for number, question_responses in enumerate(responses)
        for text in dict.fromkeys(question_responses)
    ]
    return Solutions(drawn, steps)


def slipped(seed: int, questions: int) -> Solutions:
    """One slipped reference solution to each of `questions` fresh questions."""
    rng = random.Random(seed)
    drawn = draw_mixed(rng, questions)
    return Solutions(drawn, [(number, slip(question, rng)) for number, question in enumerate(drawn)])


def joined(parts: Sequence[Solutions]) -> Solutions:
    """All of them as one."""
    drawn: list[Drawn] = []
    steps: list[tuple[int, tuple[str, ...]]] = []
    for part in parts:
        steps += [(number + len(drawn), solution) for number, solution in part.steps]
        drawn += part.drawn
    return Solutions(drawn, steps)


def _image(drawn: Drawn) -> ImageRef:
    return ImageRef("picture", load=drawn.picture.png)
