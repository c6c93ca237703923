"""Where step detection holds and where it breaks: by step position, by response length, at the first error.

Labels, thresholds and missing scores are read as in `vpbench.stats.steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpbench.errors import DataError
from vpbench.stats.steps import (
    CALLED_INCORRECT,
    Array,
    BoolArray,
    Labels,
    Scores,
    StepF1,
    StepTable,
    Unmade,
    confusion,
    figures,
    step_calls,
    step_table,
)


@dataclass(frozen=True, slots=True)
class BinF1:
    """The figures of the steps whose value lies in [low, high], both being values that occur."""

    low: float
    high: float
    figures: StepF1


@dataclass(frozen=True, slots=True)
class FirstErrorAccuracy:
    """Share of solutions whose first error is placed exactly, over all, over those with an error and those without.

    None over no solutions. `harmonic_mean` of the last two is what ProcessBench (Zheng et al. 2024,
    arXiv:2412.06559, section 3) calls F1.
    """

    accuracy: float | None
    accuracy_with_error: float | None
    accuracy_without_error: float | None
    harmonic_mean: float | None
    solutions: int


def _by_bin(table: StepTable, value: Array, threshold: float, bins: int, unmade: Unmade) -> tuple[BinF1, ...]:
    if not len(value):
        return ()
    edges = np.unique(np.quantile(value, np.linspace(0, 1, bins + 1)[1:-1]))
    bin_of = np.searchsorted(edges, value, side="left")
    counts = confusion(table.correct, step_calls(table, threshold, unmade), bin_of, len(edges) + 1)
    return tuple(
        BinF1(float(value[bin_of == index].min()), float(value[bin_of == index].max()), figures(counts[index]))
        for index in np.unique(bin_of)
    )


def f1_by_position(
    labels: Labels, scores: Scores, threshold: float, bins: int = 5, unmade: Unmade = "missed"
) -> tuple[BinF1, ...]:
    """Step detection by the step's position in its solution (1 = first), in quantile bins over the labelled steps.

    Equal positions share a bin, so there may be fewer bins than asked for. Raises `DataError` where labels and scores
    don't match.
    """
    table = step_table(labels, scores)
    return _by_bin(table, table.position.astype(np.float64) + 1, threshold, bins, unmade)


def f1_by_length(
    labels: Labels,
    scores: Scores,
    threshold: float,
    lengths: Sequence[float],
    bins: int = 5,
    unmade: Unmade = "missed",
) -> tuple[BinF1, ...]:
    """Step detection by the length of the whole response (any unit, one per solution), in quantile bins over steps.

    Raises `DataError` where labels, scores and lengths don't match.
    """
    table = step_table(labels, scores)
    if len(lengths) != table.solutions:
        raise DataError(f"{len(lengths)} lengths for {table.solutions} solutions; give one per solution")
    return _by_bin(table, np.asarray(lengths, dtype=np.float64)[table.solution], threshold, bins, unmade)


def _share(hits: BoolArray) -> float | None:
    return float(hits.mean()) if len(hits) else None


def first_error_accuracy(labels: Labels, scores: Scores, threshold: float) -> FirstErrorAccuracy:
    """How often the first step called incorrect is the first step labelled incorrect.

    Only labelled, non-neutral steps are looked at. A solution without an error is right if no step of it is called
    incorrect. A solution with an unmade prediction counts as wrong; one without a labelled step isn't counted. Raises
    `DataError` where labels and scores don't match.
    """
    hits, erroneous, labelled = first_error_hits(labels, scores, threshold)
    with_error, without_error = _share(hits[labelled & erroneous]), _share(hits[labelled & ~erroneous])
    both = None
    if with_error is not None and without_error is not None:
        total = with_error + without_error
        both = 2 * with_error * without_error / total if total else 0.0
    return FirstErrorAccuracy(_share(hits[labelled]), with_error, without_error, both, int(labelled.sum()))


def first_error_hits(labels: Labels, scores: Scores, threshold: float) -> tuple[BoolArray, BoolArray, BoolArray]:
    """[S] each: whether a solution's first error is placed exactly, whether it has one, whether it has labelled steps.

    Raises `DataError` where labels and scores don't match.
    """
    table = step_table(labels, scores)
    # Beyond every position: where nothing is wrong and nothing is called so, both firsts are this, and agree.
    never = np.iinfo(np.intp).max
    true_first = np.full(table.solutions, never)
    called_first = np.full(table.solutions, never)
    rejected = step_calls(table, threshold) == CALLED_INCORRECT
    np.minimum.at(true_first, table.solution[~table.correct], table.position[~table.correct])
    np.minimum.at(called_first, table.solution[rejected], table.position[rejected])
    hits = true_first == called_first
    hits[table.solution[np.isnan(table.score)]] = False
    return hits, true_first < never, np.bincount(table.solution, minlength=table.solutions) > 0
