"""Intervals and comparisons of pooled macro-F1 by the bootstrap over solutions, or over clusters of them.

What is resampled are the confusion counts of whole solutions, so that steps of one solution stay together. Two
pseudo-solutions are added, as everywhere (`vpbench.stats.pseudo_units`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from vpbench.errors import ConfigError
from vpbench.stats.bootstrap import (
    LEVEL,
    NO_DIFFERENCE,
    RESAMPLES,
    Difference,
    differences_from_draws,
    resample_counts,
    sum_by_cluster,
)
from vpbench.stats.few_units import T_TEST_BELOW, t_interval, t_test
from vpbench.stats.pseudo_units import unseen_difference
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


def _by_unit(counts: Array) -> Array:
    """[C]: what each unit says of the macro-F1, as jackknife pseudo-values (Efron and Tibshirani 1993, 11.5)."""
    units, total = len(counts), counts.sum(axis=0)
    return units * _macro_f1(total) - (units - 1) * _macro_f1(total - counts)


def _unseen(by_unit: Array) -> float:
    return float(unseen_difference((by_unit - by_unit.mean())[:, None])[0])


def _with_pseudo_solutions(counts: Array, unseen: float, right_first: bool = True) -> Array:
    """`counts` with two units of average size, the share `unseen` of the way from the mean to all right and all wrong.

    Not the whole way, as for questions: the steps of a solution are hardly ever all wrong, and one solution that is
    would make the interval of a macro-F1 of .97 three times as wide as it has to be.
    """
    mean = counts.mean(axis=0)
    correct, incorrect = mean.reshape(3, 2).sum(axis=0)
    ends = np.array([[correct, 0, 0, incorrect, 0, 0], [0, incorrect, correct, 0, 0, 0]])
    return np.concatenate([counts, mean + unseen * (ends[:: 1 if right_first else -1] - mean)])


def _drawn_macro_f1(counts: Array, resamples: int, seed: int) -> Array:
    return np.concatenate([_macro_f1(drawn @ counts) for drawn in resample_counts(len(counts), resamples, seed)])


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
    """Interval of the pooled macro-F1, fractions of 1; `clusters` holds one name per solution.

    From the lower to the higher end of the bootstrap's percentile interval and of the jackknife's t-interval.

    `threshold` is one number, or one per solution, such as the cross-fitted ones of `CrossFitted.by_solution`.
    Raises `ConfigError` without a labelled solution, `DataError` where labels and scores don't match.
    """
    counts = _cluster_counts(labels, scores, threshold, clusters, unmade)
    by_unit = _by_unit(counts)
    macro = _drawn_macro_f1(_with_pseudo_solutions(counts, _unseen(by_unit)), resamples, seed)
    low, high = np.quantile(macro, [(1 - level) / 2, (1 + level) / 2])
    # Macro-F1 isn't a mean: resampled, it is lower than what it is resampled from. So the bootstrap alone holds the
    # truth in 92 to 95% of the cases with 60 units and in 82% with 7, the jackknife alone in 93 to 96% with 60.
    t_low, t_high = t_interval(by_unit[:, None], np.ones(len(counts)), level)
    low, high = max(min(low, t_low[0]), 0.0), min(max(high, t_high[0]), 1.0)
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

    The same scores at the same threshold are one critic: 0 from 0 to 0. Raises as `macro_f1_interval` does.
    """
    if scores[0] == scores[1] and np.array_equal(*thresholds):
        return NO_DIFFERENCE
    first, second = (
        _cluster_counts(labels, values, threshold, clusters, "missed")
        for values, threshold in zip(scores, thresholds, strict=True)
    )
    value = float(_macro_f1(first.sum(axis=0)) - _macro_f1(second.sum(axis=0)))
    by_unit = _by_unit(first) - _by_unit(second)
    unseen = _unseen(by_unit)
    # One pseudo-unit in favour of either critic, that of the better one first: the other way round is the mirror.
    drawn = [
        _drawn_macro_f1(_with_pseudo_solutions(counts, unseen, right_first), resamples, seed)
        for counts, right_first in ((first, value >= 0), (second, value < 0))
    ]
    p_values = t_test(by_unit[:, None], np.ones(len(first))) if len(first) < T_TEST_BELOW else None
    return differences_from_draws(np.array([value]), (drawn[0] - drawn[1])[:, None], p_values)[0]
