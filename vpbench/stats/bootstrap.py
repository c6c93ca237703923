"""Intervals and comparisons by the bootstrap over questions, or over clusters of them.

A resample draws as many clusters as there are, with replacement; the draws are a function of the seed and the number
of clusters only, so two critics on the same questions are always seen on the same resamples. A mean over a resample is
(sum over its clusters) / (questions in them): one matrix product per chunk of resamples. Two pseudo-units are added to
those that were seen (`vpbench.stats.pseudo_units`); a comparison of few units takes its p from a t-test.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpbench.errors import ConfigError
from vpbench.stats.few_units import T_TEST_BELOW, t_interval, t_test
from vpbench.stats.pseudo_units import ROUNDING, pseudo_differences, with_pseudo_units

Array = NDArray[np.float64]

RESAMPLES = 10_000
LEVEL = 0.95
CHUNK_CELLS = 500_000
"""Resamples x clusters held at once (4 MB): drawing much more leaves the processor's cache and takes twice as long."""
KEPT_CELLS = 32_000_000
"""Resamples x clusters whose draws are kept for the next interval (32 MB): 3,200 clusters at 10,000 resamples."""
KEPT_DRAWS = 8
"""As many as a study has tasks."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean of a - b with its interval, as fractions of 1, and the two-sided p-value (never 0)."""

    value: float
    low: float
    high: float
    p_value: float


NO_DIFFERENCE = Difference(0.0, 0.0, 0.0, 1.0)


def resample_counts(units: int, resamples: int, seed: int) -> Iterator[Array]:
    """Chunks [r, units] of how often each unit occurs in each resample; `resamples` rows in all."""
    few = units * resamples <= KEPT_CELLS
    chunks = kept_counts(units, resamples, seed) if few else drawn_counts(units, resamples, seed)
    return (chunk.astype(np.float64) for chunk in chunks)


def drawn_counts(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """The chunks of `resample_counts`, drawn afresh."""
    # Seeded by the number of units too: whatever has as many units is seen on the same resamples, nothing else is.
    rng = np.random.default_rng([seed, units])
    rows = max(1, CHUNK_CELLS // max(units, 1))
    for start in range(0, resamples, rows):
        many = min(rows, resamples - start)
        # Row r draws from r * units on, so that a single bincount counts all rows.
        drawn = rng.integers(0, units, size=(many, units)) + units * np.arange(many)[:, None]
        yield np.bincount(drawn.ravel(), minlength=many * units).reshape(many, units)


@lru_cache(maxsize=KEPT_DRAWS)
def kept_counts(units: int, resamples: int, seed: int) -> tuple[NDArray[np.unsignedinteger[Any]], ...]:
    """`drawn_counts`, kept: one result asks for the same draws many times, and drawing costs most of an interval."""
    return tuple(chunk.astype(np.min_scalar_type(chunk.max())) for chunk in drawn_counts(units, resamples, seed))


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


def table_by_cluster(matrix: ArrayLike, clusters: Sequence[Hashable] | None) -> tuple[Array, Array]:
    """`sum_by_cluster` of anything that is a table. Raises `ConfigError` for an empty one."""
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ConfigError("an interval needs a table of questions by columns with at least one question")
    return sum_by_cluster(rows, clusters)


def resampled_means(sums: Array, sizes: Array, resamples: int = RESAMPLES, seed: int = 0) -> Array:
    """[resamples, K]: mean over the questions of each resample of the units with `sums` [C, K] and `sizes` [C]."""
    chunks = resample_counts(len(sums), resamples, seed)
    return np.concatenate([(counts @ sums) / (counts @ sizes)[:, None] for counts in chunks])


def bootstrap_intervals(
    matrix: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    ends: tuple[float, float] = (0.0, 1.0),
) -> tuple[Array, Array]:
    """Percentile interval (low [K], high [K]) of the mean over questions of every column of `matrix` [Q, K].

    `ends` are the least and the largest value there can be, those of the two pseudo-units. Source: Efron and
    Tibshirani 1993, chapter 13; clusters resampled whole, as in Davison and Hinkley 1997, 3.8.
    """
    sums, sizes = table_by_cluster(matrix, clusters)
    pseudo = np.broadcast_to(np.array(ends)[:, None], (2, sums.shape[1]))
    means = resampled_means(*with_pseudo_units(sums, sizes, pseudo), resamples, seed)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def paired_differences(
    a: ArrayLike,
    b: ArrayLike,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    alike: Collection[int] = (),
    ends: tuple[Array, Array] | None = None,
) -> list[Difference]:
    """Mean of a - b over the questions, for each column of a and b [Q, K] (in 0..1), rows in the same order.

    The columns `alike` are known not to differ (`alike_by_construction`): 0 from 0 to 0. Elsewhere no interval has zero
    width: that no question seen tells two critics apart doesn't say that none does.

    `ends` are the most and the least [Q, K] that a could have been, where b couldn't have been otherwise: they tell how
    far off a unit may be of which none was seen (`vpbench.stats.pseudo_units.with_skew`).

    From 50 units on p = min(1, 2 (1 + min(#{d* <= 0}, #{d* >= 0})) / (resamples + 1)) over the resampled differences
    d*: the percentile interval turned around, so that p < 1 - level goes with an interval without 0 (but for rounding
    of the percentile). Below, p is that of a t-test over units, and the interval reaches from the lower to the higher
    end of the bootstrap's and the t-test's: a percentile interval of 7 units is a quarter too short.
    Source: Davison and Hinkley 1997, 4.2 (the added 1s keep p from 0). Raises `ConfigError` for tables of unlike shape.
    """
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if left.shape != right.shape or left.ndim != 2:
        raise ConfigError(f"can't pair {left.shape} values with {right.shape}; compare results on the same questions")
    sums, sizes = table_by_cluster(left - right, clusters)
    values = (left - right).mean(axis=0)
    reach = [table_by_cluster(end - right, clusters)[0] / sizes.mean() for end in ends or ()]
    pseudo = pseudo_differences(sums, sizes, values, reach)
    means = resampled_means(*with_pseudo_units(sums, sizes, pseudo), resamples, seed)
    if len(sums) >= T_TEST_BELOW:
        differences = differences_from_draws(values, means, None, level)
    else:
        differences = differences_from_draws(values, means, t_test(sums, sizes), level)
        differences = widened(differences, *t_interval(sums, sizes, level))
    return [NO_DIFFERENCE if k in alike else difference for k, difference in enumerate(differences)]


def differences_from_draws(
    values: Array, drawn: Array, p_values: Array | None = None, level: float = LEVEL
) -> list[Difference]:
    """Differences [K] with intervals, and p-values where not given, out of resampled values `drawn` [resamples, K]."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    if p_values is None:
        # A zero counts on both sides; one that rounding made 1e-17 would count on one only and make p too small.
        tails = np.minimum((drawn <= ROUNDING).sum(axis=0), (drawn >= -ROUNDING).sum(axis=0))
        p_values = np.minimum(1.0, 2 * (1 + tails) / (len(drawn) + 1))
    columns = zip(values.tolist(), low.tolist(), high.tolist(), p_values.tolist(), strict=True)
    return [Difference(*column) for column in columns]


def widened(differences: Sequence[Difference], low: Array, high: Array) -> list[Difference]:
    """The differences with intervals that reach to `low` [K] and `high` [K] at least, within -1..1."""
    ends = zip(low.tolist(), high.tolist(), strict=True)
    return [
        replace(row, low=max(min(row.low, lower), -1.0), high=min(max(row.high, upper), 1.0))
        for row, (lower, upper) in zip(differences, ends, strict=True)
    ]


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


def alike_by_construction(ns: Sequence[int], a: Array, b: Array, same: bool = False) -> list[int]:
    """The columns of a and b [Q, len(ns)] that no draw of questions can tell apart: no test, and no doubt about them.

    That is n = 1, where any way to select makes the same figure of a single candidate of one pool (on two pools it is
    a test like the others), and every n where both are the `same` way to select; each only if the values are equal.
    """
    equal = [np.allclose(a[:, k], b[:, k], rtol=0, atol=ROUNDING) for k in range(len(ns))]
    return [k for k, n in enumerate(ns) if equal[k] and (n == 1 or (same and all(equal)))]


def holm(p_values: Sequence[float], left_out: Collection[int] = ()) -> tuple[float, ...]:
    """Adjusted p-values, in the given order (Holm 1979): reject at level a where the adjusted value is at most a.

    The positions `left_out` aren't tests (a difference that is 0 by construction): they keep their p and don't count.
    """
    adjusted = list(p_values)
    running = 0.0
    tests = sorted(set(range(len(p_values))) - set(left_out), key=lambda index: p_values[index])
    for rank, index in enumerate(tests):
        running = max(running, min(1.0, (len(tests) - rank) * p_values[index]))
        adjusted[index] = running
    return tuple(adjusted)
