"""Which solutions a step learns from, and how they lie in memory.

The plan is made beforehand from lengths and a seed alone: it gives every optimiser step its solutions, divided into
equally many micro-batches for every process. So how many processes there are changes nothing but rounding, the
number of steps is known before a weight is loaded, and a resumed run goes on where it was. A micro-batch is either one
row of solutions packed one after another, or rows of similar length padded on the right.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from vpbench.train.examples import Encoder, Example, identity
from vpbench.train.recipe import Recipe

WINDOW = 16
"""Batches among which padded solutions are sorted by length."""


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """Numbers of the solutions that run at once, and the step they belong to; one that isn't `counted` only gives a
    process work while others have theirs."""

    step: int
    solutions: tuple[int, ...]
    counted: bool = True


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """All micro-batches in order, `per_step` of them for each of the `steps` optimiser steps."""

    steps: int
    per_step: int
    micro: tuple[MicroBatch, ...]

    def solutions(self) -> list[int]:
        """Numbers of the solutions that are learned from, each once, ascending."""
        return sorted({number for micro in self.micro if micro.counted for number in micro.solutions})


def plan_batches(lengths: Sequence[int], recipe: Recipe, processes: int) -> BatchPlan:
    """Divide solutions of these lengths (tokens); of the recipe the epochs, the tokens, the sizes of batches, the seed
    and packing count. No micro-batch has more than `batch_tokens` tokens, padding included, unless it is a single
    solution."""
    packing, rng = bool(recipe.packing), random.Random(recipe.seed)
    steps = [batch for _ in range(recipe.epochs) for batch in _epoch(lengths, recipe.batch_size, rng, packing)]
    if recipe.tokens is not None:
        reached = accumulate(sum(lengths[number] for number in step) for step in steps)
        steps = steps[: 1 + next((at for at, total in enumerate(reached) if total >= recipe.tokens), len(steps))]
    fewest = max(sum(lengths[number] for number in step) for step in steps) // recipe.batch_tokens + 1
    parts = -(-min(fewest, recipe.batch_size) // processes) * processes
    while True:
        divided = [divide(step, lengths, parts, packing) for step in steps]
        several = (part for step in divided for part in step if len(part) > 1)
        if all(used_tokens(part, lengths, packing) <= recipe.batch_tokens for part in several):
            break
        parts += processes
    micro = tuple(
        MicroBatch(number, tuple(part)) if part else MicroBatch(number, (steps[number][0],), counted=False)
        for number, step in enumerate(divided)
        for part in step
    )
    return BatchPlan(len(steps), parts, micro)


def _epoch(lengths: Sequence[int], size: int, rng: random.Random, packing: bool) -> list[list[int]]:
    order = list(range(len(lengths)))
    rng.shuffle(order)
    window = size if packing else WINDOW * size
    sorted_within = [
        number
        for start in range(0, len(order), window)
        for number in sorted(order[start : start + window], key=lengths.__getitem__)
    ]
    batches = [sorted_within[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(batches)
    return batches


def divide(step: Sequence[int], lengths: Sequence[int], parts: int, packing: bool) -> list[list[int]]:
    """A step in `parts` parts, of even tokens if packed (longest first into the least full), else of even counts."""
    if not packing:
        bounds = [len(step) * part // parts for part in range(parts + 1)]
        return [list(step[start:end]) for start, end in zip(bounds, bounds[1:], strict=False)]
    divided: list[list[int]] = [[] for _ in range(parts)]
    filled = [0] * parts
    for number in sorted(step, key=lengths.__getitem__, reverse=True):
        emptiest = filled.index(min(filled))
        divided[emptiest].append(number)
        filled[emptiest] += lengths[number]
    return divided


def used_tokens(part: Sequence[int], lengths: Sequence[int], packing: bool) -> int:
    """Tokens of a micro-batch, padding included."""
    counts = [lengths[number] for number in part]
    return sum(counts) if packing else len(counts) * max(counts)


@dataclass(frozen=True)
class MicroBatches:
    """The tensors of each micro-batch of a plan, made when asked for.

    `weights` maps a label to its weight in the loss, which is the weighted mean over all labels of an optimiser step.
    With `teach` the labels are in the conversation's history as well.
    """

    examples: Sequence[Example]
    plan: BatchPlan
    encoder: Encoder
    weights: Mapping[int, float]
    packing: bool
    teach: bool

    def __len__(self) -> int:
        return len(self.plan.micro)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """The arguments of `LabelModel.forward`. Raises `DataError` for an image that can't be read."""
        import torch

        micro = self.plan.micro[number]
        examples = [self.examples[number] for number in micro.solutions]
        encoded = [
            self.encoder.encode(example.question, example.steps, example.labels if self.teach else ())
            for example in examples
        ]
        sequences = [ids for ids, _ in encoded]
        width = 0 if self.packing else max(map(len, sequences))
        starts = accumulate((width or len(ids) for ids in sequences), initial=0)
        shifted = zip(starts, (readouts for _, readouts in encoded), strict=False)
        labels = [label for example in examples for label in example.labels]
        scale = micro.counted / self._step_weight(micro.step)
        arguments = {
            **_rows(sequences, width),
            "readouts": torch.tensor([start + readout for start, readouts in shifted for readout in readouts]),
            "targets": torch.tensor([self.encoder.label_id(label) for label in labels]),
            "weights": torch.tensor([self.weights[label] * scale for label in labels]),
        }
        return arguments if self.encoder.scorer.checkpoint.vision is None else {**arguments, **self._pictures(examples)}

    def _step_weight(self, step: int) -> float:
        first = step * self.plan.per_step
        counted = (micro for micro in self.plan.micro[first : first + self.plan.per_step] if micro.counted)
        labels = (label for micro in counted for number in micro.solutions for label in self.examples[number].labels)
        return sum(self.weights[label] for label in labels)

    def _pictures(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Tiles of the different questions, each once, and for every solution in turn which tiles it shows."""
        import torch

        scorer = self.encoder.scorer
        cut: list[Any] = []
        at: dict[tuple[Path | str, ...], range] = {}
        order: list[int] = []
        count = 0
        for images in (example.question.images for example in examples if example.question.images):
            shown = tuple(map(identity, images))
            if shown not in at:
                tiles, counts = scorer.tiles([image.open() for image in images], self.encoder.max_tiles)
                cut.append(tiles)
                at[shown] = range(count, count + sum(counts))
                count = at[shown].stop
            order += at[shown]
        side = self.encoder.image_size
        pixels = torch.cat(cut) if cut else torch.zeros(1, 3, side, side)
        return {"pixels": pixels, "tile_order": torch.tensor(order, dtype=torch.long)}


def _rows(sequences: Sequence[Sequence[int]], width: int) -> dict[str, Any]:
    """Token ids [rows, width], padded on the right; with width 0 one row, and the position of each token in its own
    sequence."""
    import torch

    if width:
        return {"input_ids": torch.tensor([[*ids, *[0] * (width - len(ids))] for ids in sequences])}
    positions = [position for ids in sequences for position in range(len(ids))]
    return {
        "input_ids": torch.tensor([[token for ids in sequences for token in ids]]),
        "position_ids": torch.tensor([positions]),
    }
