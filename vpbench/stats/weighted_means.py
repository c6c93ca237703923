"""Weighted means under the bootstrap: many measures at once on the same resamples of clusters.

As everywhere, one pseudo-unit all right and one all wrong are added; a measure that is divided by another gets one with
ratio 1 and one with ratio 0.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from vpbench.stats.bootstrap import RESAMPLES, Array, resample_counts, sum_by_cluster


def resampled_weighted_means(
    values: Array,
    weights: Array,
    clusters: Sequence[Hashable],
    resamples: int = RESAMPLES,
    seed: int = 0,
    divisors: Mapping[int, int] | None = None,
) -> Array:
    """[resamples, M, K]: means of `values` [Q, M, K] by `weights` [Q, M]; NaN where a resample holds no weight.

    `clusters` holds one name per question, `divisors` the measure that a measure is going to be divided by, both as
    positions in M. Raises `ConfigError` for another number of names.
    """
    questions, measures, columns = values.shape
    above, _ = sum_by_cluster((values * weights[:, :, None]).reshape(questions, measures * columns), clusters)
    # Weights are drawn along with the values, so that a small category's interval includes how many of it occur.
    below, _ = sum_by_cluster(weights, clusters)
    # A pseudo-unit weighs as much as an average cluster of its measure: one question of a small category, not a part.
    occurring = np.maximum((below > 0).sum(axis=0), 1)
    pseudo_weights = np.broadcast_to(below.sum(axis=0) / occurring, (2, measures))
    pseudo = _pseudo_values(values, weights, divisors or {}) * pseudo_weights[:, :, None]
    above = np.concatenate([above, pseudo.reshape(2, measures * columns)])
    below = np.concatenate([below, pseudo_weights])
    means, row = np.empty((resamples, measures, columns)), 0
    for counts in resample_counts(len(above), resamples, seed):
        total = counts @ below
        total[total <= 0] = np.nan
        sums = (counts @ above).reshape(len(counts), measures, columns)
        np.divide(sums, total[:, :, None], out=means[row : row + len(counts)])
        row += len(counts)
    return means


def _pseudo_values(values: Array, weights: Array, divisors: Mapping[int, int]) -> Array:
    """[2, M, K]: 0 and 1; of a ratio 0 and its divisor's mean, both to be divided by that mean."""
    pseudo = np.stack([np.zeros(values.shape[1:]), np.ones(values.shape[1:])])
    for measure, divisor in divisors.items():
        # Questions whose divisor is 0 say nothing about the ratio, so they don't make the pseudo-units smaller.
        telling = weights[:, divisor, None] * (values[:, divisor] > 0)
        # Summed row after row, as `sum` isn't for a single column: a column's mean is the same whatever is beside it.
        above, below = (np.cumsum(part, axis=0)[-1] for part in (telling * values[:, divisor], telling))
        mean = np.divide(above, below, out=np.ones_like(below), where=below > 0)
        pseudo[1, measure] = mean
        pseudo[:, divisor] = mean
    return pseudo
