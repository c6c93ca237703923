"""Monte-Carlo labels from the tiny policy: a step is `+` if one of 16 continuations from it ends in the right answer.

Drawn in rounds of 1, 1, 2, 4 and 8, since the first success decides the label. A step without any makes the rest of
its solution `-` (early stop). The answer line, from which nothing continues, is `+` if it is right.
"""

from __future__ import annotations

from typing import Any

import torch

from vpbench.nano.conversations import Conversations
from vpbench.nano.lean import LanguageModel
from vpbench.nano.sampler import draw
from vpbench.nano.solutions import Solutions
from vpbench.nano.truth import outcome

ROUNDS = (1, 1, 2, 4, 8)


def step_labels(
    policy: LanguageModel, talk: Conversations, solutions: Solutions, seed: int, temperature: float = 1.0
) -> list[list[bool]]:
    """Labels of each solution's steps."""
    generator = torch.Generator().manual_seed(seed)
    known: dict[tuple[int, tuple[str, ...]], bool] = {}
    labels: list[list[bool]] = [[] for _ in solutions.steps]
    for depth in range(max(len(steps) for _, steps in solutions.steps)):
        going = [
            place for place, (_, steps) in enumerate(solutions.steps) if depth < len(steps) - 1 and all(labels[place])
        ]
        prefixes = {(solutions.steps[place][0], solutions.steps[place][1][: depth + 1]) for place in going}
        known |= _recoverable(policy, talk, solutions, sorted(prefixes - known.keys()), generator, temperature)
        for place, (question, steps) in enumerate(solutions.steps):
            if depth == len(steps) - 1:
                labels[place].append(outcome(solutions.drawn[question], steps))
            elif depth < len(steps) - 1:
                labels[place].append(all(labels[place]) and known[(question, steps[: depth + 1])])
    return labels


def _recoverable(
    policy: LanguageModel, talk: Conversations, solutions: Solutions, prefixes: list[tuple[int, tuple[str, ...]]],
    generator: Any, temperature: float,
) -> dict[tuple[int, tuple[str, ...]], bool]:  # fmt: skip
    """For each (question, steps so far) whether a continuation ends in the right answer."""
    found = dict.fromkeys(prefixes, False)
    for count in ROUNDS:
        owed = [each for each in prefixes if not found[each]]
        prompts = [
            talk.asked(solutions.drawn[question]) + talk.words.encode("\n\n".join(steps) + "\n\n")
            for question, steps in owed
        ]
        visual = solutions.visual[[question for question, _ in owed]]
        texts = draw(policy, talk, prompts, visual, count, temperature, generator)
        for each, own in zip(owed, texts, strict=True):
            found[each] = any(outcome(solutions.drawn[each[0]], text.split("\n\n")) for text in own)
    return found
