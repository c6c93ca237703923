"""Intervals and comparisons by the bootstrap over questions, or over clusters of them.

A resample draws as many clusters as there are, with replacement; the draws are a function of the seed and the number
of clusters only, so two critics on the same questions are always seen on the same resamples. A mean over a resample is
(sum over its clusters) / (questions in them): one matrix product per chunk of resamples.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpbench.errors import ConfigError

Array = NDArray[np.float64]

RESAMPLES = 10_000
LEVEL = 0.95
CHUNK_CELLS = 2_000_000
"""Resamples x clusters held at once (16 MB)."""
ROUNDING = 1e-12
"""A resampled difference smaller than this is zero but for rounding."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a - b with its interval, as fractions of 1, and the two-sided bootstrap p-value (never 0)."""

    value: float
    low: float
    high: float
    p_value: float


def resample_counts(units: int, resamples: int, seed: int) -> Iterator[Array]:
    """Chunks [r, units] of how often each unit occurs in each resample; `resamples` rows in all."""
    # Seeded by the number of units too: whatever has as many units is seen on the same resamples, nothing else is.
    rng = np.random.default_rng([seed, units])
    rows = max(1, CHUNK_CELLS // max(units, 1))
    for start in range(0, resamples, rows):
        many = min(rows, resamples - start)
        # Row r draws from r * units on, so that a single bincount counts all rows.
        drawn = rng.integers(0, units, size=(many, units)) + units * np.arange(many)[:, None]
        yield np.bincount(drawn.ravel(), minlength=many * units).reshape(many, units).astype(np.float64)


def sum_by_cluster(rows: Array, clusters: Sequence[Hashable] | None) -> tuple[Array, Array]:
    """Sums [C, K] of the rows [Q, K] of each cluster, in order of first appearance, and the cluster sizes [C]."""
    if clusters is None:
        return rows, np.ones(len(rows))
    if len(clusters) != len(rows):
        raise ConfigError(f"{len(clusters)} cluster names for {len(rows)} rows; give one per row")
    number = {name: index for index, name in enumerate(dict.fromkeys(clusters))}
    member = np.array([number[name] for name in clusters], dtype=np.intp)
    sums = np.zeros((len(number), rows.shape[1]))
    np.add.at(sums, member, rows)
    return sums, np.bincount(member, minlength=len(number)).astype(np.float64)


def resampled_means(
    matrix: ArrayLike, clusters: Sequence[Hashable] | None = None, resamples: int = RESAMPLES, seed: int = 0
) -> Array:
    """[resamples, K]: mean over the questions of each resample. Raises `ConfigError` for an empty matrix."""
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ConfigError("an interval needs a table of questions by columns with at least one question")
    sums, sizes = sum_by_cluster(rows, clusters)
    chunks = resample_counts(len(sums), resamples, seed)
    return np.concatenate([(counts @ sums) / (counts @ sizes)[:, None] for counts in chunks])


def bootstrap_intervals(
    matrix: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> tuple[Array, Array]:
    """Percentile interval (low [K], high [K]) of the mean over questions of every column of `matrix` [Q, K].

    Source: Efron and Tibshirani 1993, chapter 13; clusters resampled whole, as in Davison and Hinkley 1997, 3.8.
    """
    means = resampled_means(matrix, clusters, resamples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def paired_differences(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> list[Difference]:
    """Mean of a - b over the questions, for each column of a and b [Q, K], rows in the same order.

    p = min(1, 2 (1 + min(#{d* <= 0}, #{d* >= 0})) / (resamples + 1)) over the resampled differences d*: the percentile
    interval turned around, so that p < 1 - level goes with an interval without 0 (but for rounding of the percentile).
    Source: Davison and Hinkley 1997, 4.2 (the added 1s keep p from 0). Raises `ConfigError` for tables of unlike shape.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 2:
        raise ConfigError(f"can't pair {left.shape} values with {right.shape}; compare results on the same questions")
    means = resampled_means(left - right, clusters, resamples, seed)
    # A zero counts on both sides; one that rounding made 1e-17 would count on one only and make p too small.
    means[np.abs(means) < ROUNDING] = 0.0
    return [
        difference_from_draws(float(value), drawn, level)
        for value, drawn in zip((left - right).mean(axis=0), means.T, strict=True)
    ]


def difference_from_draws(value: float, drawn: Array, level: float = LEVEL) -> Difference:
    """A difference with interval and p-value out of its resampled values `drawn` [resamples]."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    return Difference(value, float(low), float(high), min(1.0, 2 * (1 + tail) / (len(drawn) + 1)))


def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Difference:
    """`paired_differences` of one column: a and b are [Q]. Raises `ConfigError` where they differ in length."""
    left, right = (np.atleast_2d(np.asarray(values, dtype=np.float64)).T for values in (a, b))
    return paired_differences(left, right, clusters, resamples, seed, level)[0]


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p-values, in the given order (Holm 1979): reject at level a where the adjusted value is at most a."""
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return tuple(adjusted)
