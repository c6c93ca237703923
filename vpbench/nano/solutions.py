"""Solutions to learn judging from: what a policy says, and reference solutions with a slip.

Most are drawn at temperature 1, some at 1.4 and some slipped on purpose, so that critics meet the rare mistakes that a
large N brings out. Equal solutions of one question are kept once.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vpbench.nano.conversations import Conversations
from vpbench.nano.drawn import Drawn
from vpbench.nano.families import draw_mixed
from vpbench.nano.lean import LanguageModel
from vpbench.nano.sampler import draw
from vpbench.nano.truth import slip
from vpbench.nano.vision import features


@dataclass(frozen=True)
class Solutions:
    """Questions with their visual tokens (questions, 16, 160), and solutions as (place of the question, steps)."""

    drawn: Sequence[Drawn]
    visual: Any
    steps: Sequence[tuple[int, tuple[str, ...]]]


def sample(
    policy: LanguageModel, native: Any, talk: Conversations, seed: int, questions: int, samples: int, temperature: float
) -> Solutions:
    """Distinct solutions among `samples` to each of `questions` fresh questions."""
    drawn = draw_mixed(random.Random(seed), questions)
    visual = features(native, [each.picture.pixels for each in drawn])
    prompts = [talk.asked(each) for each in drawn]
    generator = torch.Generator().manual_seed(seed)
    texts = draw(policy, talk, prompts, visual, samples, temperature, generator)
    steps = [(place, tuple(text.split("\n\n"))) for place, own in enumerate(texts) for text in dict.fromkeys(own)]
    return Solutions(drawn, visual, steps)


def slipped(native: Any, seed: int, questions: int) -> Solutions:
    """One slipped reference solution to each of `questions` fresh questions."""
    rng = random.Random(seed)
    drawn = draw_mixed(rng, questions)
    visual = features(native, [each.picture.pixels for each in drawn])
    return Solutions(drawn, visual, [(place, slip(each, rng)) for place, each in enumerate(drawn)])


def joined(parts: Sequence[Solutions]) -> Solutions:
    """All of them as one."""
    drawn: list[Drawn] = []
    steps: list[tuple[int, tuple[str, ...]]] = []
    for part in parts:
        steps += [(place + len(drawn), own) for place, own in part.steps]
        drawn += part.drawn
    return Solutions(drawn, torch.cat([part.visual for part in parts]), steps)
