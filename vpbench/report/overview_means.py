"""The mean of all tasks for every row, its gains over the controls, and which rows are told apart.

All rows and N are seen on the same resamples. Holm's correction runs over the rows and N for the gains over a control,
and over the pairs of rows and N for differences between rows; what is 0 by construction is no test.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpbench.report.kinds import same_critic, selects_by_vote
from vpbench.report.overview_record import Mean, Pair
from vpbench.report.result import Gain, Point
from vpbench.report.step_comparison import check_same
from vpbench.report.stored import StoredResult
from vpbench.report.units import WORST, aligned, fraction
from vpbench.stats import (
    Difference,
    Stratum,
    alike_by_construction,
    holm,
    mean_differences,
    mean_intervals,
    shared_letters,
)

Array = NDArray[np.float64]
CONTROLS = ("random", "vote", "oracle")


@dataclass(frozen=True, slots=True)
class Means:
    """By row its mean at every N; the pools' own curves; every pair at every N; how many differences were tested."""

    rows: Mapping[str, tuple[Mean, ...]]
    controls: Mapping[str, tuple[Point, ...]]
    pairs: tuple[Pair, ...]
    tests: int


def means_of(rows: Mapping[str, Sequence[StoredResult]], ns: Sequence[int], resamples: int, seed: int) -> Means:
    """The means of rows that all have a result on the same tasks, in one order, with every one of `ns`.

    Raises `ConfigError` where two results of a task aren't about the same units, or one's file is damaged.
    """
    names, count = list(rows), len(rows)
    units = [stored.units for row in rows.values() for stored in row]
    controls = [name for name in CONTROLS if all(name in one.values for one in units)]
    tasks = [_Task(column, ns, controls) for column in zip(*rows.values(), strict=True)]
    sides = list(combinations(range(count), 2))
    alike = np.all([task.alike(sides) for task in tasks], axis=0)
    over, others = zip(*(task.compared(sides) for task in tasks), strict=True)
    flat = [
        *mean_differences(over, resamples, seed, alike=_positions(alike[:count])),
        *mean_differences(others, resamples, seed, alike=_positions(alike[count:])),
    ]
    differences = [flat[start : start + len(ns)] for start in range(0, len(flat), len(ns))]
    over_control, start = {}, 0
    for name in tasks[0].compared_with:
        part = slice(start, start := start + count)
        over_control[name] = _gains(differences[part], alike[part], ns)
    between = _gains(differences[start:], alike[start:], ns)
    pairs = tuple(
        Pair(first=names[a], second=names[b], **asdict(gain))
        for (a, b), gains in zip(sides, between, strict=True)
        for gain in gains
    )
    strata = [Stratum(task.name, _flat(task.values), task.clusters) for task in tasks]
    low, high = mean_intervals(strata, resamples, seed)
    means = np.mean([stratum.values.mean(axis=0) for stratum in strata], axis=0)
    ends = np.stack([means, low, high], axis=-1).reshape(-1, len(ns), 3)
    curves = [tuple(Point(n, *map(fraction, point)) for n, point in zip(ns, row, strict=True)) for row in ends]
    told = {}
    for k, n in enumerate(ns):
        ranked = sorted(names, key=lambda name: -curves[names.index(name)][k].value)
        told[n] = _told_apart(ranked, [pair for pair in pairs if pair.n == n])
    return Means(
        {
            name: tuple(
                Mean(
                    **asdict(point),
                    over_random=over_control["random"][row][k],
                    over_vote=over_control["vote"][row][k] if "vote" in over_control else None,
                    **told[point.n][name],
                )
                for k, point in enumerate(curves[row])
            )
            for row, name in enumerate(names)
        },
        dict.fromkeys(CONTROLS, ()) | dict(zip(controls, curves[count:], strict=True)),
        pairs,
        int((~alike[start:]).sum()),
    )


class _Task:
    """A task's values [units, rows, len(ns)] of the critics, and of the controls as each row's result has them.

    `compared_with` names the controls that critics are compared with.
    """

    def __init__(self, column: Sequence[StoredResult], ns: Sequence[int], controls: Sequence[str]) -> None:
        self._results, self._ns = [stored.result for stored in column], ns
        first = column[0].units
        self.name, self.clusters = column[0].result.task, first.clusters
        for stored in column:
            check_same(first.names, stored.units.names)
        curves = [aligned(stored.units, first.names, ns) for stored in column]
        self._critics = np.stack([curve["critic"] for curve in curves], axis=1)
        self._controls = {name: np.stack([curve[name] for curve in curves], axis=1) for name in controls}
        self.compared_with = [name for name in ("random", "vote") if name in controls]
        worst = [curve[WORST] for curve in curves if WORST in curve]
        self._worst = np.stack(worst, axis=1) if len(worst) == len(curves) else None

    @property
    def values(self) -> Array:
        """The rows', then those of the pool's own curves."""
        pool = np.stack([values[:, 0] for values in self._controls.values()], axis=1)
        return np.concatenate([self._critics, pool], axis=1)

    def compared(self, sides: Sequence[tuple[int, int]]) -> tuple[Stratum, Stratum]:
        """The differences of every row from the random pick; those from the vote, if there is one, and of the pairs."""
        over, *others = (_flat(left - right) for left, right, _ in self._compared(sides))
        ends = None
        if self._worst is not None:
            random = self._controls["random"]
            ends = _flat(self._controls["oracle"] - random), _flat(self._worst - random)
        return (
            Stratum(self.name, over, self.clusters, ends),
            Stratum(self.name, np.concatenate(others, axis=1), self.clusters),
        )

    def alike(self, sides: Sequence[tuple[int, int]]) -> Any:
        """[differences, len(ns)]: whether they are 0 by construction."""
        rows = []
        for left, right, same in self._compared(sides):
            for k in range(left.shape[1]):
                columns = alike_by_construction(self._ns, left[:, k], right[:, k], same=same[k])
                rows.append([column in columns for column in range(len(self._ns))])
        return np.array(rows)

    def _compared(self, sides: Sequence[tuple[int, int]]) -> list[tuple[Array, Array, list[bool]]]:
        votes = [selects_by_vote(result) for result in self._results]
        same = [(votes[a] and votes[b]) or same_critic(self._results[a], self._results[b]) for a, b in sides]
        left, right = ([side[k] for side in sides] for k in (0, 1))
        alike = {"random": [False] * len(votes), "vote": votes}
        over = [(self._critics, self._controls[name], alike[name]) for name in self.compared_with]
        return [*over, (self._critics[:, left], self._critics[:, right], same)]


def _flat(values: Array) -> Array:
    return values.reshape(len(values), -1)


def _positions(alike: Any) -> list[int]:
    positions: list[int] = np.flatnonzero(alike.ravel()).tolist()
    return positions


def _gains(rows: Sequence[Sequence[Difference]], alike: Any, ns: Sequence[int]) -> list[list[Gain]]:
    """A row's differences at every N, corrected over all rows and N."""
    flat = [difference for row in rows for difference in row]
    adjusted = iter(holm([difference.p_value for difference in flat], _positions(alike)))
    return [
        [Gain(n, d.value, d.low, d.high, d.p_value, next(adjusted)) for n, d in zip(ns, row, strict=True)]
        for row in rows
    ]


def _told_apart(ranked: Sequence[str], pairs: Sequence[Pair]) -> dict[str, dict[str, Any]]:
    """By row, best first, the letters it shares with those it isn't told apart from, and whether it is above all."""
    apart = [pair for pair in pairs if pair.told_apart]
    numbers = {name: number for number, name in enumerate(ranked)}
    letters = shared_letters(len(ranked), [(numbers[pair.first], numbers[pair.second]) for pair in apart])
    won = Counter(pair.first if pair.value > 0 else pair.second for pair in apart)
    return {
        name: {"letters": letters[number], "best": 0 < won[name] == len(ranked) - 1}
        for number, name in enumerate(ranked)
    }
