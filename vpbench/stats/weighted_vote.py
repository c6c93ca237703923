"""What the answer class with the largest sum of scores is worth, by seeded draws, with the error of the drawing.

The sums depend on which members a subset holds, so there is no short closed form. A random permutation of a pool
gives one random n-subset for every n at once: its prefixes. Draws are added until the standard error of the mean over
all questions is below a tenth of a point at every n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpbench.errors import ConfigError, DataError
from vpbench.stats.voting import class_worths

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Link = Literal["sigmoid"]

STANDARD_ERROR_GOAL = 0.001
"""Fraction of 1; a tenth of a point."""
FIRST_DRAWS = 128
SUM_TOLERANCE = 1e-12
"""Class sums closer than this share of the pool's sum of absolute scores are tied: they differ by rounding only."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnVotes:
    """Weighted-vote correctness [Q, n] (mean over draws) and the standard error of its mean over questions [n]."""

    values: Array
    standard_error: Array
    draws: int


@dataclass(frozen=True, slots=True, eq=False)
class VotePool:
    """One question's candidates as a weighted vote sees them: class number (-1: none), weight, worth per class."""

    class_of: NDArray[np.intp]
    weights: Array
    worths: Array
    tolerance: float


def vote_weights(scores: Sequence[Array], link: Link | None = None) -> list[Array]:
    """The weights of all questions' candidates: their scores, or 1 / (1 + exp(-score)) under the link `sigmoid`.

    Raises `ConfigError` for negative weights: a class's sum of those falls with every vote it gets, and where 0 lies on
    the critic's scale would decide who wins.
    """
    if link == "sigmoid":
        # By tanh, which doesn't overflow where exp does; infinities become 0 and 1.
        return [(1 + np.tanh(values / 2)) / 2 for values in scores]
    negative = sum(int((values < 0).sum()) for values in scores)
    if negative:
        total = sum(len(values) for values in scores)
        raise ConfigError(
            f"a weighted vote can't add negative scores: {negative} of {total} are below 0. Choose --link sigmoid if "
            "they are logits or log-odds, another --aggregate, or --selection best"
        )
    return list(scores)


def vote_pool(scores: ArrayLike, classes: Sequence[str | None], correct: Sequence[bool] | BoolArray) -> VotePool:
    """A pool of T candidates; a NaN score weighs 0. Raises `DataError` for an infinite one, `ValueError` on lengths."""
    weights = np.nan_to_num(np.asarray(scores, dtype=np.float64), nan=0.0, posinf=np.inf, neginf=np.inf)
    if len(weights) != len(classes):
        raise ValueError(f"{len(weights)} scores for {len(classes)} candidates")
    if np.isinf(weights).any():
        raise DataError("a weighted vote can't add infinite scores; use another aggregation or selection `best`")
    worths = class_worths(classes, correct)
    number = {name: index for index, name in enumerate(worths)}
    class_of = np.array([-1 if name is None else number[name] for name in classes], dtype=np.intp)
    worth = np.array([value for _, value in worths.values()])
    return VotePool(class_of, weights, worth, SUM_TOLERANCE * float(np.abs(weights).sum()))


def winners(sums: Array, tolerance: float) -> BoolArray:
    """[..., K] -> [..., K]: which classes share the largest sum; minus infinity marks a class without a vote."""
    lead: BoolArray = (sums >= sums.max(axis=-1, keepdims=True) - tolerance) & (sums > -np.inf)
    return lead


def _drawn(pool: VotePool, draws: int, length: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Sums over `draws` permutations of the correctness and of its square, for n = 1 ... length."""
    total, squares = np.zeros(length), np.zeros(length)
    if not len(pool.worths):
        return total, squares
    orders = rng.permuted(np.tile(np.arange(len(pool.weights)), (draws, 1)), axis=1)
    sums = np.full((draws, len(pool.worths)), -np.inf)
    for position in range(length):
        taken = orders[:, position]
        voting = np.flatnonzero(pool.class_of[taken] >= 0)
        where = voting, pool.class_of[taken[voting]]
        before = sums[where]
        sums[where] = np.where(before == -np.inf, 0.0, before) + pool.weights[taken[voting]]
        lead = winners(sums, pool.tolerance)
        value = lead @ pool.worths / np.maximum(lead.sum(axis=1), 1)
        total[position], squares[position] = value.sum(), value @ value
    return total, squares


def expected_weighted_vote(
    scores: ArrayLike,
    classes: Sequence[str | None],
    correct: Sequence[bool] | BoolArray,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Array, Array]:
    """One question: mean correctness over `draws` (2 or more) permutations, and its standard error, both [T].

    The winner is the class with the largest sum of scores among the classes present, ties uniform; its worth is the
    mean correctness of the class. NaN scores add 0; a subset without votes is wrong. Raises as `vote_pool` does.
    """
    pool = vote_pool(scores, classes, correct)
    total, squares = _drawn(pool, draws, len(classes), rng)
    mean = total / draws
    return mean, np.sqrt(np.maximum(squares / draws - mean**2, 0.0) / (draws - 1))


def weighted_votes(pools: Sequence[VotePool], length: int, seed: int = 0) -> DrawnVotes:
    """All Q questions for n = 1 ... length, with as many draws as STANDARD_ERROR_GOAL needs.

    The number of draws follows from the variance seen so far; since a variance is at most 1/4 it never exceeds
    about 250,000 / Q. Each question draws from its own stream, numbered by its place among the pools.
    """
    streams = [np.random.default_rng([seed, index]) for index in range(len(pools))]
    total, squares = np.zeros((len(pools), length)), np.zeros((len(pools), length))
    draws, more = 0, FIRST_DRAWS
    while True:
        for index, pool in enumerate(pools):
            drawn_total, drawn_squares = _drawn(pool, more, length, streams[index])
            total[index] += drawn_total
            squares[index] += drawn_squares
        draws += more
        mean = total / draws
        variance = np.maximum(squares / draws - mean**2, 0.0) / (draws - 1)
        error = np.sqrt(variance.sum(axis=0)) / max(len(pools), 1)
        worst = float(error.max(initial=0.0))
        if worst <= STANDARD_ERROR_GOAL:
            return DrawnVotes(mean, error, draws)
        # The error falls as 1 / sqrt(draws); 2% more, since it is estimated from the draws so far.
        needed = int(np.ceil(draws * (worst / STANDARD_ERROR_GOAL) ** 2 * 1.02))
        more = min(max(needed - draws, 16), 4096)
