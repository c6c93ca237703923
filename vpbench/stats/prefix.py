"""The papers' way: the first n candidates in order stand for n candidates, and a tie goes to the earliest.

Each function gives a float64 array of length T whose entry n-1 is the correctness of what is picked from the first n.
A class's worth is the mean correctness of its votes among those n.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpbench.stats.weighted_vote import vote_pool, winners

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def prefix_picks(scores: ArrayLike) -> NDArray[np.intp]:
    """[T]: index of the highest score among the first n, ties to the lowest index; NaN is below every score."""
    values = np.asarray(scores, dtype=np.float64)
    picked = np.zeros(len(values), dtype=np.intp)
    best = 0
    for index in range(1, len(values)):
        if values[index] > values[best] or (np.isnan(values[best]) and not np.isnan(values[index])):
            best = index
        picked[index] = best
    return picked


def prefix_best(scores: ArrayLike, correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: correctness of the candidate `prefix_picks` picks from the first n. Raises `ValueError` on lengths."""
    picked, right = prefix_picks(scores), np.asarray(correct, dtype=np.float64)
    if len(picked) != len(right):
        raise ValueError(f"{len(picked)} scores for {len(right)} candidates")
    return right[picked]


def prefix_oracle(correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: 1 where the first n hold a correct candidate."""
    return np.maximum.accumulate(np.asarray(correct, dtype=np.float64))


def prefix_random(correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: mean correctness of the first n."""
    right = np.asarray(correct, dtype=np.float64)
    return np.cumsum(right) / np.arange(1, len(right) + 1)


def prefix_weighted_vote(
    scores: ArrayLike, classes: Sequence[str | None], correct: Sequence[bool] | BoolArray
) -> Array:
    """[T]: the class with the largest sum of scores wins, ties to the class whose first vote comes earliest.

    NaN scores add 0; no votes among the first n is wrong. Raises `DataError` for an infinite score, `ValueError` where
    scores, classes and candidates differ in number.
    """
    pool = vote_pool(scores, classes, correct)
    right = np.asarray(correct, dtype=np.float64)
    sums = np.full(len(pool.worths), -np.inf)
    votes, hits = np.zeros(len(sums)), np.zeros(len(sums))
    result = np.zeros(len(right))
    for index, number in enumerate(pool.class_of):
        if number >= 0:
            sums[number] = (sums[number] if votes[number] else 0.0) + pool.weights[index]
            votes[number] += 1
            hits[number] += right[index]
        if votes.any():
            # Classes are numbered by their first vote, and argmax takes the first of equals.
            winner = int(np.argmax(winners(sums, pool.tolerance)))
            result[index] = hits[winner] / votes[winner]
    return result


def prefix_vote(classes: Sequence[str | None], correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: the class with most votes wins, ties to the class whose first vote comes earliest; no votes is wrong."""
    return prefix_weighted_vote(np.ones(len(classes)), classes, correct)
