"""Where first errors are placed, source by source, and the plain mean of the sources with its interval.

The interval is from a bootstrap over solutions, or over clusters of them, which two units of average size join, one all
right and one all wrong, as everywhere (`vpbench.stats.pseudo_units`).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vpbench.errors import DataError
from vpbench.stats.bootstrap import LEVEL, RESAMPLES, resample_counts, sum_by_cluster
from vpbench.stats.step_breakdown import FirstErrorAccuracy, first_error_accuracy, first_error_hits
from vpbench.stats.steps import Array, Labels, Scores


@dataclass(frozen=True, slots=True)
class FirstErrors:
    """First errors by source; `mean_f1` is the mean of the sources' harmonic means, with its interval.

    Sources that lack solutions with an error, or without, aren't in the mean; None where all do.
    """

    by_source: Mapping[str, FirstErrorAccuracy]
    mean_f1: float | None
    low: float | None
    high: float | None


def first_errors(
    labels: Labels,
    scores: Scores,
    threshold: float,
    sources: Sequence[str],
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> FirstErrors:
    """`first_error_accuracy` of each source; `sources` and `clusters` hold a name per solution. Raises `DataError`."""
    if not len(labels) == len(scores) == len(sources):
        raise DataError(f"{len(labels)} solutions, {len(scores)} rows of scores, {len(sources)} sources; give as many")
    rows: dict[str, list[int]] = {source: [] for source in sorted(set(sources))}
    for row, source in enumerate(sources):
        rows[source].append(row)
    by_source = {
        source: first_error_accuracy([labels[row] for row in members], [scores[row] for row in members], threshold)
        for source, members in rows.items()
    }
    means = [part.harmonic_mean for part in by_source.values() if part.harmonic_mean is not None]
    if not means:
        return FirstErrors(by_source, None, None, None)
    hits, with_error, labelled = first_error_hits(labels, scores, threshold)
    counts = np.zeros((len(labels), len(rows), 2, 2))
    number = {source: index for index, source in enumerate(rows)}
    at = (np.arange(len(labels)), np.array([number[source] for source in sources]), with_error.astype(np.intp))
    counts[(*at, 0)], counts[(*at, 1)] = hits & labelled, labelled
    sums, _ = sum_by_cluster(counts.reshape(len(labels), -1), clusters)
    mean = sums.mean(axis=0).reshape(len(rows), 2, 2)
    pseudo = np.stack([mean[..., 1:] * [1, 1], mean[..., 1:] * [0, 1]]).reshape(2, -1)
    units = np.concatenate([sums, pseudo])
    drawn = np.concatenate([_mean_f1(draw @ units, len(rows)) for draw in resample_counts(len(units), resamples, seed)])
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return FirstErrors(by_source, sum(means) / len(means), float(low), float(high))


def _mean_f1(counts: Array, sources: int) -> Array:
    """[R]: the mean over sources of the harmonic mean of both accuracies, from counts [R, sources * 2 kinds * 2].

    Of each kind (without an error, with one) stand the hits and the solutions. NaN where no source has both kinds.
    """
    hits, solutions = np.moveaxis(counts.reshape(-1, sources, 2, 2), -1, 0)
    accuracy = np.divide(hits, solutions, out=np.full_like(hits, np.nan), where=solutions > 0)
    product, total = accuracy.prod(axis=-1), accuracy.sum(axis=-1)
    f1 = np.divide(2 * product, total, out=np.zeros_like(total), where=total > 0)
    there = ~np.isnan(total)
    count = there.sum(axis=-1)
    mean: Array = np.divide(np.where(there, f1, 0.0).sum(axis=-1), count, out=np.full(len(f1), np.nan), where=count > 0)
    return mean
