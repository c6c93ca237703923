"""The figures that a result reports, as its diagnosis reads them: the same units, n, estimator and resamples."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vpbench.stats.bootstrap import RESAMPLES, Array, Difference, paired_differences


@dataclass(frozen=True, slots=True, eq=False)
class Headline:
    """Values [U, len(ns)] of every unit, as fractions of 1; `clusters` names the resampling cluster of each unit.

    `worst` is the least that any critic could reach, as `oracle` is the most; None where it isn't known. `vote` is None
    where there are no answers to vote for.
    """

    ns: tuple[int, ...]
    critic: Array
    random: Array
    vote: Array | None
    oracle: Array
    clusters: tuple[Hashable, ...]
    resamples: int = RESAMPLES
    seed: int = 0
    worst: Array | None = None

    @property
    def columns(self) -> list[int]:
        """The columns of n = 2 and more, by n; with one candidate there is nothing to choose."""
        return [int(column) for column in np.argsort(self.ns) if self.ns[column] > 1]

    def differences(self, a: Array, b: Array) -> list[Difference]:
        """The mean of a - b over units, column by column, with intervals drawn as the result's own."""
        return paired_differences(a, b, self.clusters, self.resamples, self.seed)

    def gains(self, control: Literal["random", "vote"], columns: Sequence[int]) -> list[Difference]:
        """The critic less a control in these columns, exactly as the result has it; nothing where there is no vote."""
        other, worst = (self.random, self.worst) if control == "random" else (self.vote, None)
        if other is None:
            return []
        ends = None if worst is None else (self.oracle[:, columns], worst[:, columns])
        critic, values = self.critic[:, columns], other[:, columns]
        return paired_differences(critic, values, self.clusters, self.resamples, self.seed, ends=ends)


def points(fraction: float) -> str:
    """A difference in percentage points."""
    return f"{100 * fraction:+z.1f}"


def interval(difference: Difference) -> str:
    """A difference with its interval, in percentage points."""
    return f"{points(difference.value)} points ({points(difference.low)} to {points(difference.high)})"
