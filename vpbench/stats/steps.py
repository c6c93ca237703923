"""Step detection: how well scores tell correct steps from incorrect ones.

A step is called correct when its score is strictly above the threshold. Labels are 1 correct, -1 incorrect; 0 neutral
and None (not labelled) are left out. A missing score (None or NaN) is an unmade prediction, counted, and either
dropped or taken as the wrong answer. F1 without any true, or any called, step of its kind is undefined and counts as 0.
All figures are fractions of 1.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import ConfigError, DataError
from vpbench.stats.bootstrap import LEVEL, RESAMPLES, resample_counts, sum_by_cluster

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.intp]
Labels = Sequence[Sequence[int | None]]
Scores = Sequence[Sequence[float | None]]
Unmade = Literal["dropped", "opposite"]


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
    averaged with their step counts, or plainly. `threshold` is None where it differs between solutions. `neutral` and
    `unmade` count steps left out for a neutral label, and labelled steps without a score.
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
    """The labelled steps of all solutions, one entry per step: truth, score (NaN: unmade), solution, position from 0."""

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
            if label not in (1, 0, -1, None):
                raise DataError(f"solution {number}, step {position}: label {label!r} is none of 1, 0, -1, null")
            neutral += label == 0
            if label in (1, -1):
                rows.append((label == 1, np.nan if value is None else float(value), number, position))
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    correct, score = np.array(columns[0], dtype=bool), np.array(columns[1], dtype=np.float64)
    solution, position_of = (np.array(column, dtype=np.intp) for column in columns[2:])
    return StepTable(correct, score, solution, position_of, len(labels), neutral)


def called_correct(table: StepTable, threshold: float | Array, unmade: Unmade) -> tuple[BoolArray, BoolArray]:
    """Per step: called correct, and counted at all. `threshold` is one number, or one per solution."""
    if unmade not in ("dropped", "opposite"):
        raise ConfigError(f"unmade predictions are 'dropped' or 'opposite', not {unmade!r}")
    limit = np.asarray(threshold, dtype=np.float64)
    missing = np.isnan(table.score)
    called = table.score > (limit[table.solution] if limit.ndim else limit)
    return np.where(missing, ~table.correct, called), ~missing | (unmade == "opposite")


def confusion(correct: BoolArray, called: BoolArray, unit: IntArray, units: int) -> Array:
    """[units, 4]: correct called correct, incorrect called correct, correct called incorrect, incorrect so called."""
    cell = 2 * (~called).astype(np.intp) + (~correct).astype(np.intp)
    return np.bincount(unit * 4 + cell, minlength=4 * units).reshape(units, 4).astype(np.float64)


def f1_scores(counts: Array) -> tuple[Array, Array]:
    """F1 of correct and of incorrect from confusion counts [..., 4], 2 TP / (2 TP + FP + FN), 0 where undefined."""
    right, missed_error, missed_correct, caught = np.moveaxis(counts, -1, 0)
    wrong = missed_error + missed_correct
    return 2 * right / np.maximum(2 * right + wrong, 1), 2 * caught / np.maximum(2 * caught + wrong, 1)


def figures(counts: Array) -> StepF1:
    """The figures of one confusion table [4]."""
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
    """`step_f1` on steps already flattened, with one threshold or one per solution."""
    names = ["all"] * table.solutions if sources is None else list(sources)
    if len(names) != table.solutions:
        raise DataError(f"{len(names)} source names for {table.solutions} solutions; give one per solution")
    number = {name: index for index, name in enumerate(sorted(set(names)))}
    called, counted = called_correct(table, threshold, unmade)
    source_of = np.array([number[name] for name in names], dtype=np.intp)[table.solution]
    counts = confusion(table.correct[counted], called[counted], source_of[counted], len(number))
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
    labels: Labels, scores: Scores, threshold: float, sources: Sequence[str] | None = None, unmade: Unmade = "dropped"
) -> StepDetection:
    """Step detection at a fixed threshold. `labels` and `scores` hold one list per solution, `sources` one name.

    Sources without a counted step are left out. Raises `DataError` where the lists don't match.
    """
    return detection(step_table(labels, scores), threshold, sources, unmade)


def macro_f1_interval(
    labels: Labels,
    scores: Scores,
    threshold: float,
    clusters: Sequence[Hashable] | None = None,
    unmade: Unmade = "dropped",
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the pooled macro-F1, over solutions or over clusters of them."""
    table = step_table(labels, scores)
    called, counted = called_correct(table, threshold, unmade)
    per_solution = confusion(table.correct[counted], called[counted], table.solution[counted], table.solutions)
    counts, _ = sum_by_cluster(per_solution, clusters)
    if not len(counts):
        raise ConfigError("an interval needs at least one labelled solution")
    chunks = [f1_scores(drawn @ counts) for drawn in resample_counts(len(counts), resamples, seed)]
    macro = np.concatenate([(f1_correct + f1_incorrect) / 2 for f1_correct, f1_incorrect in chunks])
    low, high = np.quantile(macro, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
