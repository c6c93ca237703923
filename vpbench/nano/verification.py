"""Verification pre-training: from a fine-tuned language model to one that judges steps.

The critic is the base with two more layers that start as identity. Each sequence is a solution in the critics' own
conversation, and one forward serves three losses: the label where critics are read (and, for a process reward model, on
every token of a step: is it still on the reference?); the next token of the reference, read after the base's layers,
so that these go on predicting what is true while the two upper layers compare it with what is written; and a small one
that makes the plain softmax answer with a label, too. Labels come from reference solutions: this is the part of the
critics' training that a large model has from elsewhere. Fine-tuning on Monte-Carlo labels follows it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from vpbench.models.conversation import (
    ASSISTANT_ROLE,
    LABEL_PLACEHOLDER,
    SEPARATOR,
    SYSTEM_ROLE,
    USER_ROLE,
    mark_images,
    place_images,
)
from vpbench.nano.architecture import (
    CRITIC_LAYERS,
    POLICY_LAYERS,
    SYSTEM_MESSAGE,
    VISUAL_TOKENS,
)
from vpbench.nano.conversations import Conversations
from vpbench.nano.lean import LanguageModel
from vpbench.nano.optimiser import FlatAdamW
from vpbench.nano.truth import expected
from vpbench.nano.tuning import BATCH, WARM_UP_STEPS, Log, by_length, padded
from vpbench.records import Drawn


@dataclass(frozen=True, slots=True)
class Judged:
    """One solution to learn from: token ids, (place, label 0 or 1), (place, id of the token that is true there).

    `question` is the place of its picture's visual tokens.
    """

    ids: list[int]
    labels: list[tuple[int, int]]
    following: list[tuple[int, int]]
    question: int


def judged(
    talk: Conversations, drawn: Drawn, question: int, steps: Sequence[str], labels: Sequence[bool], *, whole: bool
) -> Judged:
    """A training sequence. `labels`: one per step, or with `whole` (outcome) one for the response as a single step.

    Without `whole`, every token after a step's first carries whether the step is still on the reference up to there.
    """
    encode = talk.words.encode
    start = f"### Question:\n{mark_images(talk.text(drawn), 1)}\n\n### Solution Process:\n"
    ids = encode(SYSTEM_ROLE + SYSTEM_MESSAGE + SEPARATOR + USER_ROLE + place_images(start, [1], VISUAL_TOKENS))
    label_turn = encode(SEPARATOR + ASSISTANT_ROLE)
    found: list[tuple[int, int]] = []
    following: list[tuple[int, int]] = []
    for number, (step, wanted) in enumerate(zip(steps, expected(drawn, steps), strict=True)):
        if number:
            ids += encode("\n\n" if whole else USER_ROLE)
        on_track, true = True, encode(wanted)
        for place, token in enumerate(encode(step)):
            if on_track and place < len(true):
                following.append((len(ids) - 1, true[place]))
            on_track = on_track and place < len(true) and token == true[place]
            if place and not whole:
                found.append((len(ids), int(on_track)))
            ids.append(token)
        if not whole or number == len(steps) - 1:
            ids += label_turn
            found.append((len(ids) - 1, int(labels[0] if whole else labels[number])))
            ids += encode(LABEL_PLACEHOLDER + SEPARATOR)
    return Judged(ids, found, following, question)


def with_judging_layers(base: LanguageModel, seed: int) -> LanguageModel:
    """The base with two more layers that change nothing yet (their output projections are zero)."""
    torch.manual_seed(seed)
    critic = LanguageModel(CRITIC_LAYERS, base.head.weight.shape[0])
    critic.to(torch.bfloat16)
    known = base.state_dict()
    with torch.no_grad():
        for name, parameter in critic.named_parameters():
            if name in known:
                parameter.copy_(known[name])
            elif name.endswith(("out.weight", "down.weight", "bias")):
                parameter.zero_()
            elif parameter.dim() == 2:
                parameter.normal_(0, 0.06)
    return critic


RATE, JUDGING_RATE = 2e-4, 2e-3
NEXT_WEIGHT, WORD_WEIGHT = 1.0, 0.1
"""What the losses of the next reference token and of the plain softmax weigh beside the labels' own."""


def train(
    model: LanguageModel,
    talk: Conversations,
    sequences: Sequence[Judged],
    visual: Any,
    seed: int,
    count: int,
    decay: float,
    log: Log,
) -> None:
    """Train in place on `count` sequences, in passes over those given.

    The judging layers learn at `JUDGING_RATE`, the rest at `RATE`: constant after a short warm-up, then falling
    linearly over the last part, `decay`.
    """
    judging = list(model.layers[POLICY_LAYERS:].parameters())
    upper = FlatAdamW(judging)
    known = {id(each) for each in judging}
    lower = FlatAdamW(each for each in model.parameters() if id(each) not in known)
    data = batches(sequences, visual, seed)
    steps = count // BATCH
    falling_steps = int(steps * decay)
    for step in range(steps):
        total, parts = losses(model, talk, next(data))
        total.backward()
        left = (steps - step) / max(1, falling_steps)
        share = min(1, (step + 1) / WARM_UP_STEPS) * (0.02 + 0.98 * min(1, left) if falling_steps else 1.0)
        lower.step(RATE * share)
        upper.step(JUDGING_RATE * share)
        if step % 50 == 49:
            told = ", ".join(f"{name} {value:.3f}" for name, value in parts.items())
            log(f"judging {step + 1}/{steps}: {told}")


def batches(sequences: Sequence[Judged], visual: Any, seed: int) -> Iterator[tuple[list[Judged], Any]]:
    """Endless passes over the sequences in batches of similar length, each with its visual tokens."""
    rng = random.Random(seed)
    while True:
        for places in by_length([len(each.ids) for each in sequences], rng):
            batch = [sequences[place] for place in places]
            yield batch, visual[[each.question for each in batch]]


def losses(model: LanguageModel, talk: Conversations, batch: tuple[list[Judged], Any]) -> tuple[Any, dict[str, float]]:
    """The weighted sum of the three losses, and each of them."""
    sequences, visual = batch
    ids = padded([each.ids for each in sequences], talk.words.ids["<pad>"])
    hidden, middle = model(model.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]), POLICY_LAYERS)
    rows, places, values = flat([each.labels for each in sequences])
    logits = model.head(hidden[rows, places]).float()
    signs = [talk.words.ids["-"], talk.words.ids["+"]]
    label = functional.cross_entropy(logits[:, signs], values)
    word = (logits.logsumexp(-1) - logits[:, signs].logsumexp(-1)).mean()
    rows, places, values = flat([each.following for each in sequences])
    following = functional.cross_entropy(model.head(middle[rows, places]).float(), values)
    parts = {"label": label, "word": word, "next": following}
    total = label + WORD_WEIGHT * word + NEXT_WEIGHT * following
    return total, {name: float(value.detach()) for name, value in parts.items()}


def flat(pairs: Sequence[Sequence[tuple[int, int]]]) -> tuple[Any, Any, Any]:
    """Rows, places and values of all pairs (place, value) of a batch."""
    rows = torch.tensor([row for row, each in enumerate(pairs) for _ in each])
    places, values = (torch.tensor([pair[at] for each in pairs for pair in each]) for at in (0, 1))
    return rows, places, values
