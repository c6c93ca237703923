"""Weighted means under the bootstrap: many measures at once on the same resamples of clusters."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from vpbench.stats.bootstrap import RESAMPLES, Array, resample_counts, sum_by_cluster


def resampled_weighted_means(
    values: Array, weights: Array, clusters: Sequence[Hashable], resamples: int = RESAMPLES, seed: int = 0
) -> Array:
    """[resamples, M, K]: means of `values` [Q, M, K] by `weights` [Q, M]; NaN where a resample holds no weight.

    `clusters` holds one name per question. Raises `ConfigError` for another number of names.
    """
    questions, measures, columns = values.shape
    above, _ = sum_by_cluster((values * weights[:, :, None]).reshape(questions, measures * columns), clusters)
    # Weights are drawn along with the values, so that a small category's interval includes how many of it occur.
    below, _ = sum_by_cluster(weights, clusters)
    chunks = []
    for counts in resample_counts(len(above), resamples, seed):
        total = (counts @ below)[:, :, None]
        sums = (counts @ above).reshape(len(counts), measures, columns)
        chunks.append(np.divide(sums, total, out=np.full_like(sums, np.nan), where=total > 0))
    return np.concatenate(chunks)
