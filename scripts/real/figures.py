"""Figures of step scores on labelled solutions, with paired intervals: bootstrap over questions, 95%.

Steps after the first error aren't labelled and don't count. AUROC is that of telling right from wrong steps; `same
index` counts pairs of steps with the same number in solutions of one source, `same length` pairs in one eighth of the
lengths, so that neither place nor length can help. First-error F1 is ProcessBench's, the mean of its sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

RESAMPLES = 1000
METRICS = ("AUROC", "AUROC, same index", "AUROC, same length", "macro-F1", "first-error F1")


@dataclass(frozen=True, slots=True)
class Solution:
    """`labels` are 1 right, -1 wrong, 0 not labelled, one for each of the `steps`."""

    source: str
    question: str
    text: str
    steps: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scorer:
    """`scores` of every labelled step, above its `threshold` (one, or one per labelled step) it is called right."""

    name: str
    scores: Array
    threshold: Array | float


@dataclass(frozen=True, slots=True)
class Figure:
    """A value and the values on the resamples [R]."""

    value: float
    drawn: Array

    def __sub__(self, other: Figure) -> Figure:
        return Figure(self.value - other.value, self.drawn - other.drawn)

    def interval(self) -> tuple[float, float]:
        """The ends of the 95% interval."""
        low, high = np.quantile(self.drawn, (0.025, 0.975))
        return float(low), float(high)


class Measure:
    """Measures scorers on the labelled steps of these solutions."""

    def __init__(self, solutions: Sequence[Solution], seed: int = 0) -> None:
        self.solutions = solutions
        steps = [
            (row, at) for row, solution in enumerate(solutions) for at, label in enumerate(solution.labels) if label
        ]
        self.row, self.position = np.array(steps, dtype=np.intp).T
        self.truth = np.array([solutions[row].labels[at] > 0 for row, at in steps])
        self.length = np.array([len(solutions[row].steps[at]) for row, at in steps], dtype=np.float64)
        self.source = np.unique([solution.source for solution in solutions], return_inverse=True)[1]
        cluster = np.unique([solution.question for solution in solutions], return_inverse=True)[1]
        questions = int(cluster.max()) + 1
        draws = np.random.default_rng(seed).multinomial(questions, [1 / questions] * questions, RESAMPLES)
        # The first row is the sample itself.
        self.weights = np.concatenate([np.ones((1, len(solutions))), draws[:, cluster]])

    def figures(self, scorer: Scorer) -> dict[str, Figure]:
        """All metrics of a scorer."""
        called = scorer.scores > scorer.threshold
        eighth = np.searchsorted(np.quantile(self.length, np.arange(1, 8) / 8), self.length)
        index = self.position + 1000 * self.source[self.row]
        values = (
            self._area(scorer.scores, np.zeros(len(index), dtype=np.intp)),
            self._area(scorer.scores, index),
            self._area(scorer.scores, eighth),
            self._macro_f1(called),
            self._first_error_f1(called),
        )
        return {name: Figure(float(drawn[0]), drawn[1:]) for name, drawn in zip(METRICS, values, strict=True)}

    @cached_property
    def _with_error(self) -> Array:
        return np.array([-1 in solution.labels for solution in self.solutions])

    def _area(self, scores: Array, stratum: Array) -> Array:
        """[1 + R]: share of pairs (right, wrong) of one stratum in order, equal scores counted half."""
        order = np.lexsort((scores, stratum))
        new_stratum = np.diff(stratum[order], prepend=-1) != 0
        new_value = new_stratum | (np.diff(scores[order], prepend=np.nan) != 0)
        value_starts, truth = np.flatnonzero(new_value), self.truth[order]
        stratum_starts = np.searchsorted(value_starts, np.flatnonzero(new_stratum))
        stratum_of = np.cumsum(new_stratum[value_starts]) - 1
        area = np.empty(len(self.weights))
        for number, weights in enumerate(self.weights):
            weight = weights[self.row][order]
            right, wrong = (np.add.reduceat(weight * kind, value_starts) for kind in (truth, ~truth))
            wrong_in, right_in = (np.add.reduceat(values, stratum_starts) for values in (wrong, right))
            before = np.cumsum(wrong_in) - wrong_in
            below = np.cumsum(wrong) - wrong - before[stratum_of]
            area[number] = (right * (below + wrong / 2)).sum() / max((right_in * wrong_in).sum(), 1)
        return area

    def _macro_f1(self, called: Array) -> Array:
        counts = np.zeros((len(self.solutions), 2, 2))
        np.add.at(counts, (self.row, self.truth.astype(int), called.astype(int)), 1)
        drawn = np.tensordot(self.weights, counts, 1)
        hits, labelled, calls = drawn[:, [0, 1], [0, 1]], drawn.sum(axis=2), drawn.sum(axis=1)
        return (2 * hits / np.maximum(labelled + calls, 1)).mean(axis=1)

    def _first_error_f1(self, called: Array) -> Array:
        first = np.full(len(self.solutions), -1)
        for row, at, right in zip(self.row[::-1], self.position[::-1], called[::-1], strict=True):
            if not right:
                first[row] = at
        expected = [solution.labels.index(-1) if -1 in solution.labels else -1 for solution in self.solutions]
        hit = first == np.array(expected)
        parts = []
        for source in np.unique(self.source):
            kinds = [(self.source == source) & (self._with_error == kind) for kind in (False, True)]
            accuracy = [self.weights @ (hit & kind) / np.maximum(self.weights @ kind, 1) for kind in kinds]
            parts.append(2 * accuracy[0] * accuracy[1] / np.maximum(accuracy[0] + accuracy[1], 1e-12))
        return np.mean(parts, axis=0)


def mean_of(figures: Sequence[dict[str, Figure]]) -> dict[str, Figure]:
    """The mean of several scorers' figures, of a coin thrown several times."""
    return {
        name: Figure(
            float(np.mean([row[name].value for row in figures])), np.mean([row[name].drawn for row in figures], axis=0)
        )
        for name in METRICS
    }
