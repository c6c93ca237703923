"""Supervised fine-tuning of the language model: first it describes pictures, then it answers questions.

Pictures and questions are drawn afresh for every batch, the frozen vision tower turns them into visual tokens, and the
language model learns to continue the prompt. Every token of a description has to be looked up in the picture, few of a
solution, so descriptions teach that first. A policy is an early state of this training, a base for critics a later one:
its length decides how hard the world is.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from vpbench.nano.architecture import POLICY_LAYERS
from vpbench.nano.conversations import Conversations
from vpbench.nano.families import draw_mixed
from vpbench.nano.lean import LanguageModel
from vpbench.nano.optimiser import FlatAdamW
from vpbench.nano.vision import cosine, features
from vpbench.records import Drawn

Log = Callable[[str], None]

BATCH, BUFFER = 64, 16
RATE, WARM_UP_STEPS = 1e-3, 60


Draw = Callable[[random.Random, int, Mapping[str, int]], list[Drawn]]
"""Draws so many questions of kinds in the given shares."""


def batches(
    native: Any, talk: Conversations, seed: int, stage: Round
) -> Iterator[tuple[list[list[int]], list[int], Any]]:
    """Endless batches of fresh questions: token ids, where each response starts, visual tokens (batch, 16, 160).

    Where the round describes nothing is asked, and the response says what the picture holds, in any order.
    """
    rng = random.Random(seed)
    while True:
        drawn = (stage.draw or draw_mixed)(rng, BATCH * BUFFER, stage.shares)
        asked = [talk.shown() if stage.describe else talk.asked(question) for question in drawn]
        answers = [
            rng.sample(question.facts, len(question.facts)) if stage.describe else question.solution
            for question in drawn
        ]
        whole = [prompt + talk.answered(steps) for prompt, steps in zip(asked, answers, strict=True)]
        visual = features(native, [question.picture.pixels for question in drawn])
        for group in by_length([len(ids) for ids in whole], rng):
            yield [whole[i] for i in group], [len(asked[i]) for i in group], visual[group]


def by_length(lengths: Sequence[int], rng: random.Random) -> list[list[int]]:
    """Indices in batches of similar length, the batches in random order."""
    order = sorted(range(len(lengths)), key=lambda number: (lengths[number], rng.random()))
    groups = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    rng.shuffle(groups)
    return groups


def padded(sequences: Sequence[Sequence[int]], pad_id: int) -> Any:
    """Token ids (batch, longest), padded on the right."""
    longest = max(map(len, sequences))
    return torch.tensor([[*ids, *[pad_id] * (longest - len(ids))] for ids in sequences])


def solution_loss(model: LanguageModel, talk: Conversations, batch: tuple[list[list[int]], list[int], Any]) -> Any:
    """Mean cross-entropy of the solutions' tokens."""
    sequences, starts, visual = batch
    ids = padded(sequences, talk.words.ids["<pad>"])
    hidden, _ = model(model.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]))
    rows = [
        row
        for row, (sequence, start) in enumerate(zip(sequences, starts, strict=True))
        for _ in range(start, len(sequence))
    ]
    positions = [
        position for sequence, start in zip(sequences, starts, strict=True) for position in range(start, len(sequence))
    ]
    at = torch.tensor(positions)
    logits = model.head(hidden[rows, at - 1])
    return functional.cross_entropy(logits.float(), ids[rows, at])


def new_language_model(vocabulary: int, seed: int) -> LanguageModel:
    """Four layers of random weights."""
    torch.manual_seed(seed)
    model = LanguageModel(POLICY_LAYERS, vocabulary)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=0.05 if name.startswith(("embedding", "head")) else 0.06)
        elif name.endswith("bias"):
            torch.nn.init.zeros_(parameter)
    model.to(torch.bfloat16)
    return model


@dataclass(frozen=True, slots=True)
class Round:
    """`steps` batches with kinds of questions in the given shares, at a rate that falls as if `planned` were made.

    With `describe` the pictures are described, else the questions answered; `draw` draws both (None: `draw_mixed`).
    """

    steps: int
    planned: int
    shares: Mapping[str, int]
    describe: bool = False
    draw: Draw | None = None


def fine_tune(
    model: LanguageModel, native: Any, talk: Conversations, seed: int, rounds: Sequence[Round], early: int, log: Log
) -> LanguageModel:
    """Train in place, one round after the other; each starts its optimiser anew.

    Returns the model as it was after `early` steps of the last round.
    """
    for number, stage in enumerate(rounds):
        optimiser, data = (
            FlatAdamW(model.parameters()),
            batches(native, talk, seed + number, stage),
        )
        for step in range(stage.steps):
            if number == len(rounds) - 1 and step == early:
                kept = copy.deepcopy(model)
            loss = solution_loss(model, talk, next(data))
            loss.backward()
            optimiser.step(cosine(RATE, step, stage.planned, WARM_UP_STEPS))
            if step % 50 == 49:
                log(f"fine-tuning, round {number + 1}, {step + 1}/{stage.steps}: {loss.item():.4f} nats a token")
    return kept
