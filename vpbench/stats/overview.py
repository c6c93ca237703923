"""The mean of several tasks, each with one vote, and differences of such means, by a bootstrap within every task.

Questions, or clusters of them, are resampled within their task, each task on draws of its own, and every critic on the
same ones. The two pseudo-units of `vpbench.stats.pseudo_units` are one pair for the whole mean, as for the figure of a
single task: in each resample one task has them, in turn.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vpbench.errors import ConfigError
from vpbench.stats.bootstrap import (
    LEVEL,
    NO_DIFFERENCE,
    RESAMPLES,
    Difference,
    differences_from_draws,
    resample_counts,
    table_by_cluster,
    widened,
)
from vpbench.stats.few_units import T_TEST_BELOW, mean_and_error
from vpbench.stats.pseudo_units import pseudo_differences, with_pseudo_units

Array = NDArray[np.float64]

T_INTERVAL_BELOW = 6
"""Degrees of freedom of a mean below which one pair of pseudo-units is too little: with a task of two groups that makes
up most of the variance, the bootstrap alone holds the truth in 91%."""


@dataclass(frozen=True, slots=True, eq=False)
class Stratum:
    """A task: `values` [units, K] in 0..1, or differences in -1..1, and the cluster of each unit.

    `ends` are the most and the least [units, K] that each difference could have been, as in `paired_differences`.
    """

    name: str
    values: Array
    clusters: Sequence[Hashable] | None = None
    ends: tuple[Array, Array] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """A stratum by cluster: `sums` [C, K] and `sizes` [C]; the seed of its draws; `ends` [C, K] by average size."""

    sums: Array
    sizes: Array
    seed: int
    ends: tuple[Array, ...] = ()

    @property
    def mean(self) -> Array:
        return np.asarray(self.sums.sum(axis=0) / self.sizes.sum())


def mean_intervals(
    strata: Sequence[Stratum], resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL
) -> tuple[Array, Array]:
    """Interval (low [K], high [K]) of the plain mean over strata of every column's mean.

    The bootstrap's percentile interval; where hardly any units make up the variance, it is widened to Welch's
    t-interval. Source: Davison and Hinkley 1997, 3.2 (several samples). Raises `ConfigError` without a stratum, or for
    one without units.
    """
    tables = _tables(strata, seed)
    drawn = _drawn(tables, lambda table: np.broadcast_to([[0.0], [1.0]], (2, table.sums.shape[1])), resamples)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return (low, high) if len(tables) == 1 else _widened(low, high, tables, level)


def mean_differences(
    strata: Sequence[Stratum],
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    alike: Collection[int] = (),
) -> list[Difference]:
    """The plain mean over strata of every column of differences, on the same resamples as `mean_intervals`.

    The columns `alike` are 0 by construction. Elsewhere no interval has zero width. p is the bootstrap's; where a
    stratum has few units it is that of Welch's t-test on the mean, whose degrees of freedom are those of the strata
    that make up its variance: many where the few units hardly count, as few as theirs where they make up all of it; and
    the interval reaches from the lower to the higher end of the bootstrap's and that test's. Of a single stratum all is
    as in `paired_differences`. Source: Welch 1947; Satterthwaite 1946. Raises as `mean_intervals` does.
    """
    tables = _tables(strata, seed)
    drawn = _drawn(tables, _pseudo_differences, resamples)
    values = np.mean([table.mean for table in tables], axis=0)
    if not _few(tables):
        rows = differences_from_draws(values, drawn, None, level)
    else:
        rows = differences_from_draws(values, drawn, _welch_p(tables), level)
        rows = widened(rows, *_welch_interval(tables, level))
    return [NO_DIFFERENCE if k in alike else row for k, row in enumerate(rows)]


def _tables(strata: Sequence[Stratum], seed: int) -> list[_Sums]:
    """The strata by name, so that their order changes nothing."""
    if not strata:
        raise ConfigError("a mean of tasks needs a task")
    tables = []
    for stratum in sorted(strata, key=lambda stratum: stratum.name):
        # Two tasks of as many units would be drawn alike: their sums would vary more or less than they do.
        own = hashlib.sha256(f"{seed} {stratum.name}".encode()).digest()[:8]
        sums, sizes = table_by_cluster(stratum.values, stratum.clusters)
        ends = tuple(table_by_cluster(end, stratum.clusters)[0] / sizes.mean() for end in stratum.ends or ())
        tables.append(_Sums(sums, sizes, seed if len(strata) == 1 else int.from_bytes(own), ends))
    return tables


def _drawn(tables: Sequence[_Sums], pseudo: Callable[[_Sums], Array], resamples: int) -> Array:
    """[resamples, K]: the mean over strata in each resample; `pseudo` makes pseudo-units [2, K] for a stratum."""
    total = np.zeros((resamples, tables[0].sums.shape[1]))
    for turn, table in enumerate(tables):
        units = len(table.sums)
        sums, sizes = with_pseudo_units(table.sums, table.sizes, pseudo(table))
        row = 0
        for counts in resample_counts(units + 2, resamples, table.seed):
            # A pair for every task would draw each of them towards one half: seven tasks of 90% by a point each.
            counts[(np.arange(row, row + len(counts)) % len(tables)) != turn, units:] = 0
            drawn = (counts @ sizes)[:, None]
            mean = np.broadcast_to(table.mean, (len(counts), sums.shape[1])).copy()
            total[row : row + len(counts)] += np.divide(counts @ sums, drawn, out=mean, where=drawn > 0)
            row += len(counts)
    return total / len(tables)


def _pseudo_differences(table: _Sums) -> Array:
    return pseudo_differences(table.sums, table.sizes, table.mean, table.ends)


def _few(tables: Iterable[_Sums]) -> bool:
    return any(len(table.sums) < T_TEST_BELOW for table in tables)


def _welch(tables: Sequence[_Sums]) -> tuple[Array, Array, Array]:
    """Mean over strata [K], its standard error and its degrees of freedom (Satterthwaite's)."""
    means, errors = zip(*(mean_and_error(table.sums, table.sizes) for table in tables), strict=True)
    parts = np.square(np.array(errors) / len(tables))
    freedom = np.array([max(len(table.sums) - 1, 1) for table in tables])[:, None]
    variance = parts.sum(axis=0)
    shares = (np.square(parts) / freedom).sum(axis=0)
    fewest = np.full_like(variance, freedom.min())
    return (
        np.mean(means, axis=0),
        np.sqrt(variance),
        np.divide(np.square(variance), shares, out=fewest, where=shares > 0),
    )


def _welch_p(tables: Sequence[_Sums]) -> Array:
    """Two-sided p [K] that the mean over strata is 0, at least what flipping the signs of their units can give."""
    from scipy.special import stdtr

    mean, error, freedom = _welch(tables)
    ratio = np.divide(np.abs(mean), error, out=np.where(mean == 0, 0.0, np.inf), where=error > 0)
    units = sum(len(table.sums) * np.any(table.sums != 0, axis=0) for table in tables)
    p_values: Array = np.clip(2 * stdtr(freedom, -ratio), 2.0 ** np.minimum(1 - units, 0), 1.0)
    return p_values


def _welch_interval(tables: Sequence[_Sums], level: float) -> tuple[Array, Array]:
    from scipy.special import stdtrit

    mean, error, freedom = _welch(tables)
    half = stdtrit(freedom, (1 + level) / 2) * error
    return mean - half, mean + half


def _widened(low: Array, high: Array, tables: Sequence[_Sums], level: float) -> tuple[Array, Array]:
    few = _welch(tables)[2] < T_INTERVAL_BELOW
    t_low, t_high = _welch_interval(tables, level)
    return (
        np.where(few, np.maximum(np.minimum(low, t_low), 0.0), low),
        np.where(few, np.minimum(np.maximum(high, t_high), 1.0), high),
    )
