"""Verification pre-training: from a fine-tuned language model to one that judges steps.

The critic is the base with two more layers that start as identity. Each sequence is a solution in the critics' own
conversation, and one forward serves three losses: the label where critics are read (and, for a process reward model, on
every token of a step: does it still agree with the reference?); the next token of the reference, read after the base's
layers, so that these go on predicting the reference while the two upper layers compare it with the text; and a small
one that puts the probability of the whole vocabulary on the two labels. Labels come from reference solutions, in place
of the abilities that a large model has from its pre-training. Fine-tuning on Monte-Carlo labels follows.
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
    """One solution to learn from: token ids, (position, label 0 or 1), (position, id of the reference's next token).

    `question` is the index of its picture's visual tokens.
    """

    ids: list[int]
    labels: list[tuple[int, int]]
    following: list[tuple[int, int]]
    question: int


Batch = tuple[list[Judged], Any]
"""Sequences, and the visual tokens (batch, 16, 160) of their pictures."""


def judged(
    talk: Conversations, drawn: Drawn, question: int, steps: Sequence[str], labels: Sequence[bool], *, whole: bool
) -> Judged:
    """A training sequence. `labels`: one per step, or with `whole` (outcome) one for the response as a single step.

    Without `whole`, every token after a step's first is labelled too: does the step agree with the reference up to it?
    """
    encode = talk.words.encode
    start = f"### Question:\n{mark_images(talk.text(drawn), 1)}\n\n### Solution Process:\n"
    ids = encode(SYSTEM_ROLE + SYSTEM_MESSAGE + SEPARATOR + USER_ROLE + place_images(start, [1], VISUAL_TOKENS))
    label_turn = encode(SEPARATOR + ASSISTANT_ROLE)
    token_labels: list[tuple[int, int]] = []
    following: list[tuple[int, int]] = []
    for number, (step, wanted) in enumerate(zip(steps, expected(drawn, steps), strict=True)):
        if number:
            ids += encode("\n\n" if whole else USER_ROLE)
        on_track, true = True, encode(wanted)
        for position, token in enumerate(encode(step)):
            if on_track and position < len(true):
                following.append((len(ids) - 1, true[position]))
            on_track = on_track and position < len(true) and token == true[position]
            if position and not whole:
                token_labels.append((len(ids), int(on_track)))
            ids.append(token)
        if not whole or number == len(steps) - 1:
            ids += label_turn
            token_labels.append((len(ids) - 1, int(labels[0] if whole else labels[number])))
            ids += encode(LABEL_PLACEHOLDER + SEPARATOR)
    return Judged(ids, token_labels, following, question)


def with_judging_layers(base: LanguageModel, seed: int) -> LanguageModel:
    """The base with two more layers that change nothing yet (their output projections are zero)."""
    torch.manual_seed(seed)
    critic = LanguageModel(CRITIC_LAYERS, base.head.weight.shape[0])
    critic.to(torch.bfloat16)
    base_weights = base.state_dict()
    with torch.no_grad():
        for name, parameter in critic.named_parameters():
            if name in base_weights:
                parameter.copy_(base_weights[name])
            elif name.endswith(("out.weight", "down.weight", "bias")):
                parameter.zero_()
            elif parameter.dim() == 2:
                parameter.normal_(0, 0.06)
    return critic


RATE, JUDGING_RATE = 2e-4, 2e-3
NEXT_WEIGHT, WORD_WEIGHT = 1.0, 0.1
"""Weights of the losses of the next reference token and of the plain softmax; the labels' loss weighs 1."""


def train(model: LanguageModel, talk: Conversations, data: Iterator[Batch], count: int, decay: float, log: Log) -> None:
    """Train in place on `count` sequences of the batches `data`.

    The judging layers learn at `JUDGING_RATE`, the rest at `RATE`: constant after a short warm-up, then falling
    linearly over the last part, `decay`.
    """
    judging = list(model.layers[POLICY_LAYERS:].parameters())
    upper = FlatAdamW(judging)
    judging_ids = {id(parameter) for parameter in judging}
    lower = FlatAdamW(parameter for parameter in model.parameters() if id(parameter) not in judging_ids)
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
            shown = ", ".join(f"{name} {value:.3f}" for name, value in parts.items())
            log(f"judging {step + 1}/{steps}: {shown}")


def batches(sequences: Sequence[Judged], visual: Any, seed: int) -> Iterator[Batch]:
    """Endless passes over the sequences in batches of similar length, each with its visual tokens."""
    rng = random.Random(seed)
    while True:
        for group in by_length([len(sequence.ids) for sequence in sequences], rng):
            batch = [sequences[number] for number in group]
            yield batch, visual[[sequence.question for sequence in batch]]


def losses(model: LanguageModel, talk: Conversations, batch: Batch) -> tuple[Any, dict[str, float]]:
    """The weighted sum of the three losses, and the losses by name."""
    sequences, visual = batch
    ids = padded([sequence.ids for sequence in sequences], talk.words.ids["<pad>"])
    hidden, middle = model(model.embed(ids, visual, talk.words.ids["<IMG_CONTEXT>"]), POLICY_LAYERS)
    rows, positions, values = flat([sequence.labels for sequence in sequences])
    logits = model.head(hidden[rows, positions]).float()
    signs = [talk.words.ids["-"], talk.words.ids["+"]]
    label = functional.cross_entropy(logits[:, signs], values)
    word = (logits.logsumexp(-1) - logits[:, signs].logsumexp(-1)).mean()
    rows, positions, values = flat([sequence.following for sequence in sequences])
    following = functional.cross_entropy(model.head(middle[rows, positions]).float(), values)
    parts = {"label": label, "word": word, "next": following}
    total = label + WORD_WEIGHT * word + NEXT_WEIGHT * following
    return total, {name: float(value.detach()) for name, value in parts.items()}


def flat(pairs: Sequence[Sequence[tuple[int, int]]]) -> tuple[Any, Any, Any]:
    """Rows, positions and values of all pairs (position, value) of a batch."""
    rows = torch.tensor([row for row, row_pairs in enumerate(pairs) for _ in row_pairs])
    positions, values = (torch.tensor([pair[at] for row_pairs in pairs for pair in row_pairs]) for at in (0, 1))
    return rows, positions, values
