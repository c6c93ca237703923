"""Intervals and comparisons of pooled macro-F1 by the bootstrap over solutions, or over clusters of them.

What is resampled are the confusion counts of whole solutions, so that steps of one solution stay together.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from vpbench.errors import ConfigError
from vpbench.stats.bootstrap import (
    LEVEL,
    RESAMPLES,
    ROUNDING,
    Difference,
    difference_from_draws,
    resample_counts,
    sum_by_cluster,
)
from vpbench.stats.steps import Array, Labels, Scores, Unmade, confusion, f1_scores, step_calls, step_table


def _macro_f1(counts: Array) -> Array:
    f1_correct, f1_incorrect = f1_scores(counts)
    return (f1_correct + f1_incorrect) / 2


def _cluster_counts(
    labels: Labels, scores: Scores, threshold: float | Array, clusters: Sequence[Hashable] | None, unmade: Unmade
) -> Array:
    table = step_table(labels, scores)
    per_solution = confusion(table.correct, step_calls(table, threshold, unmade), table.solution, table.solutions)
    counts, _ = sum_by_cluster(per_solution, clusters)
    if not len(counts):
        raise ConfigError("an interval needs at least one labelled solution")
    return counts


def _drawn_macro_f1(counts: Array, draws: Iterator[Array]) -> Array:
    return np.concatenate([_macro_f1(drawn @ counts) for drawn in draws])


def macro_f1_interval(
    labels: Labels,
    scores: Scores,
    threshold: float | Array,
    clusters: Sequence[Hashable] | None = None,
    unmade: Unmade = "missed",
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the pooled macro-F1, fractions of 1; `clusters` holds one name per solution.

    `threshold` is one number, or one per solution, such as the cross-fitted ones of `CrossFitted.by_solution`.
    Raises `ConfigError` without a labelled solution, `DataError` where labels and scores don't match.
    """
    counts = _cluster_counts(labels, scores, threshold, clusters, unmade)
    macro = _drawn_macro_f1(counts, resample_counts(len(counts), resamples, seed))
    low, high = np.quantile(macro, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def macro_f1_difference(
    labels: Labels,
    scores: tuple[Scores, Scores],
    thresholds: tuple[float | Array, float | Array],
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Pooled macro-F1 of the first critic less that of the second on the same solutions, on the same resamples.

    Raises as `macro_f1_interval` does.
    """
    first, second = (
        _cluster_counts(labels, values, threshold, clusters, "missed")
        for values, threshold in zip(scores, thresholds, strict=True)
    )
    value = float(_macro_f1(first.sum(axis=0)) - _macro_f1(second.sum(axis=0)))
    drawn = [_drawn_macro_f1(counts, resample_counts(len(counts), resamples, seed)) for counts in (first, second)]
    differences = drawn[0] - drawn[1]
    differences[np.abs(differences) < ROUNDING] = 0.0
    return difference_from_draws(value, differences)
