"""What picking one of n candidates is worth, averaged over all n-subsets of one question's pool of T, exactly.

Each function gives a float64 array of length T whose entry n-1 is the expected correctness at n. All of them rest on
one quantity: the probability C(b, n) / C(T, n) that a random n-subset lies within a given set of b candidates. For
b = T - k wrong candidates it gives pass@n (Chen et al. 2021, arXiv:2107.03374, section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@lru_cache(maxsize=256)
def subset_within(pool_size: int) -> Array:
    """[T+1, T]: entry (b, n-1) is C(b, n) / C(T, n)."""
    table = np.ones((pool_size + 1, pool_size + 1))
    inside = np.arange(pool_size + 1)
    for n in range(1, pool_size + 1):
        # C(b, n) / C(T, n) out of its neighbour at n - 1: no binomial coefficient is formed, so nothing overflows.
        table[:, n] = table[:, n - 1] * np.maximum(inside - n + 1, 0) / (pool_size - n + 1)
    table.setflags(write=False)
    return table[:, 1:]


def rank_groups(scores: ArrayLike) -> tuple[NDArray[np.intp], int]:
    """Group number of every candidate (ascending by score, equal scores share a group) and the number of groups.

    NaN means unscored: all such candidates form the lowest group, below even a score of minus infinity.
    """
    values = np.asarray(scores, dtype=np.float64)
    unscored = np.isnan(values)
    groups = np.zeros(len(values), dtype=np.intp)
    groups[~unscored] = np.unique(values[~unscored], return_inverse=True)[1] + int(unscored.any())
    return groups, int(groups.max(initial=-1)) + 1


def expected_best(scores: ArrayLike, correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: expected correctness of the highest-scored of n random candidates; ties are broken uniformly.

    For a group of g equal scores above b candidates, (C(b+g, n) - C(b, n)) / C(T, n) is the probability that it holds
    the maximum; its worth is its mean correctness. Raises `ValueError` where scores and candidates differ in number.
    """
    right = np.asarray(correct, dtype=np.float64)
    groups, count = rank_groups(scores)
    if len(groups) != len(right):
        raise ValueError(f"{len(groups)} scores for {len(right)} candidates")
    sizes = np.bincount(groups, minlength=count)
    worth = np.bincount(groups, weights=right, minlength=count) / sizes
    upto = np.concatenate([[0], np.cumsum(sizes)])
    within = subset_within(len(right))
    expected: Array = worth @ (within[upto[1:]] - within[upto[:-1]])
    return expected


def expected_oracle(correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: probability that n random candidates hold a correct one, 1 - C(T-k, n) / C(T, n) (pass@n)."""
    right = np.asarray(correct, dtype=bool)
    all_wrong: Array = subset_within(len(right))[len(right) - int(right.sum())]
    return 1.0 - all_wrong


def expected_random(correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: the mean correctness, the same for every n."""
    right = np.asarray(correct, dtype=np.float64)
    return np.full(len(right), right.mean() if len(right) else np.nan)


def first(correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: correctness of the first candidate, the same for every n."""
    right = np.asarray(correct, dtype=np.float64)
    return np.full(len(right), right[0] if len(right) else np.nan)
