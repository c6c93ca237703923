"""Step detection: how well scores tell correct steps from incorrect ones.

A step is called correct when its score is strictly above the threshold. Labels are 1 correct, -1 incorrect; 0 neutral
and None (not labelled) are left out. A missing score (None or NaN) is an unmade prediction; it is counted, and costs
recall: it is `missed` by its own class, or taken as a call of the `opposite` class, which costs that one's precision
too. It is never dropped, so that a critic can't gain by silence. An undefined F1 (nothing of its kind, neither true nor
called) counts as 0. All figures are fractions of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import ConfigError, DataError
from vpbench.records import CORRECT, INCORRECT, NEUTRAL

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
Labels = Sequence[Sequence[int | None]]
Scores = Sequence[Sequence[float | None]]
Unmade = Literal["missed", "opposite"]

CALLED_CORRECT, CALLED_INCORRECT, NOT_CALLED = range(3)


@dataclass(frozen=True, slots=True)
class StepF1:
    """F1 of the correct and of the incorrect class, their plain mean, and the number of steps counted."""

    f1_correct: float
    f1_incorrect: float
    macro_f1: float
    steps: int


@dataclass(frozen=True, slots=True)
class StepDetection:
    """All averages of one critic's step detection; which one is meant has to be said by name.

    `pooled`: one confusion table over all steps. `step_weighted_mean` and `mean_of_sources`: the sources' figures
    averaged with their step counts, or plainly. `threshold` is None where it differs between solutions. `neutral`
    counts the steps left out for a neutral label, `unmade` the labelled steps without a score.
    """

    threshold: float | None
    pooled: StepF1
    step_weighted_mean: StepF1
    mean_of_sources: StepF1
    by_source: dict[str, StepF1]
    neutral: int
    unmade: int


@dataclass(frozen=True, slots=True, eq=False)
class StepTable:
    """The labelled steps of all solutions, one entry per step; a NaN score is unmade, positions count from 0."""

    correct: BoolArray
    score: Array
    solution: IntArray
    position: IntArray
    solutions: int
    neutral: int


def step_table(labels: Labels, scores: Scores) -> StepTable:
    """Flatten solutions to labelled steps. Raises `DataError` where labels and scores don't match."""
    if len(labels) != len(scores):
        raise DataError(f"{len(labels)} labelled solutions but scores for {len(scores)}; score the same solutions")
    rows: list[tuple[bool, float, int, int]] = []
    neutral = 0
    for number, (given, values) in enumerate(zip(labels, scores, strict=True)):
        if len(given) != len(values):
            raise DataError(f"solution {number}: {len(given)} labels but {len(values)} scores; score every step")
        for position, (label, value) in enumerate(zip(given, values, strict=True)):
            if label not in (CORRECT, NEUTRAL, INCORRECT, None):
                raise DataError(f"solution {number}, step {position}: label {label!r} is none of 1, 0, -1, null")
            neutral += label == NEUTRAL
            if label in (CORRECT, INCORRECT):
                rows.append((label == CORRECT, np.nan if value is None else float(value), number, position))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    correct, score = np.array(columns[0], dtype=bool), np.array(columns[1], dtype=np.float64)
    solution, position_of = (np.array(column, dtype=np.intp) for column in columns[2:])
    return StepTable(correct, score, solution, position_of, len(labels), neutral)


def step_calls(table: StepTable, threshold: float | Array, unmade: Unmade = "missed") -> IntArray:
    """Per step CALLED_CORRECT, CALLED_INCORRECT or NOT_CALLED. `threshold` is one number, or one per solution."""
    if unmade not in ("missed", "opposite"):
        raise ConfigError(f"unmade predictions are 'missed' or 'opposite', not {unmade!r}")
    limit = np.asarray(threshold, dtype=np.float64)
    calls = np.where(table.score > (limit[table.solution] if limit.ndim else limit), CALLED_CORRECT, CALLED_INCORRECT)
    opposite = np.where(table.correct, CALLED_INCORRECT, CALLED_CORRECT)
    return np.where(np.isnan(table.score), NOT_CALLED if unmade == "missed" else opposite, calls).astype(np.intp)


def confusion(correct: BoolArray, calls: IntArray, unit: IntArray, units: int) -> Array:
    """[units, 6]: number of correct and of incorrect steps called correct, then called incorrect, then not called."""
    cell = 2 * calls + (~correct).astype(np.intp)
    return np.bincount(unit * 6 + cell, minlength=6 * units).reshape(units, 6).astype(np.float64)


def f1_scores(counts: Array) -> tuple[Array, Array]:
    """F1 of correct and of incorrect from confusion counts [..., 6], 2 TP / (2 TP + FP + FN), 0 where undefined."""
    right, accepted, rejected, caught, missed_correct, missed_incorrect = np.moveaxis(counts, -1, 0)
    # What is wrong for one class is wrong for the other: FP + FN of both are these two, apart from steps not called.
    wrong = accepted + rejected
    return _share(2 * right, wrong + missed_correct), _share(2 * caught, wrong + missed_incorrect)


def _share(part: Array, rest: Array) -> Array:
    # Counts may be fractions (those of pseudo-solutions are), so that a small denominator isn't a zero.
    return np.divide(part, part + rest, out=np.zeros_like(part), where=part + rest > 0)


def figures(counts: Array) -> StepF1:
    """The figures of one confusion table [6]."""
    f1_correct, f1_incorrect = (float(value) for value in f1_scores(counts))
    return StepF1(f1_correct, f1_incorrect, (f1_correct + f1_incorrect) / 2, int(counts.sum()))


def _average(parts: Sequence[StepF1], weights: Sequence[float]) -> StepF1:
    steps = sum(part.steps for part in parts)
    if not sum(weights):
        return StepF1(0.0, 0.0, 0.0, steps)
    table = np.array([(part.f1_correct, part.f1_incorrect, part.macro_f1) for part in parts])
    f1_correct, f1_incorrect, macro_f1 = (float(value) for value in np.average(table, axis=0, weights=weights))
    return StepF1(f1_correct, f1_incorrect, macro_f1, steps)


def detection(
    table: StepTable, threshold: float | Array, sources: Sequence[str] | None, unmade: Unmade
) -> StepDetection:
    """`step_f1` on steps already flattened, with one threshold or one per solution. Raises `DataError`."""
    names = ["all"] * table.solutions if sources is None else list(sources)
    if len(names) != table.solutions:
        raise DataError(f"{len(names)} source names for {table.solutions} solutions; give one per solution")
    number = {name: index for index, name in enumerate(sorted(set(names)))}
    source_of = np.array([number[name] for name in names], dtype=np.intp)[table.solution]
    counts = confusion(table.correct, step_calls(table, threshold, unmade), source_of, len(number))
    by_source = {name: figures(counts[index]) for name, index in number.items() if counts[index].any()}
    parts = list(by_source.values())
    return StepDetection(
        threshold=None if np.ndim(threshold) else float(threshold),
        pooled=figures(counts.sum(axis=0)),
        step_weighted_mean=_average(parts, [part.steps for part in parts]),
        mean_of_sources=_average(parts, [1.0] * len(parts)),
        by_source=by_source,
        neutral=table.neutral,
        unmade=int(np.isnan(table.score).sum()),
    )


def step_f1(
    labels: Labels, scores: Scores, threshold: float, sources: Sequence[str] | None = None, unmade: Unmade = "missed"
) -> StepDetection:
    """Step detection at a fixed threshold. `labels` and `scores` hold one list per solution, `sources` one name.

    Sources without a labelled step are left out. Raises `DataError` where the lists don't match.
    """
    return detection(step_table(labels, scores), threshold, sources, unmade)
