"""Units added to those seen, so that a bootstrap can draw what few units, or units all alike, don't show.

A bootstrap knows no value that it hasn't seen: of 60 questions that are all right it says 100% to 100%, and at a true
99% its intervals hold in half of the cases. One unit all right and one all wrong, of average size, are added to every
bootstrap of an accuracy (Laplace's rule of succession). Coverage: `benchmarks/coverage.py`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROUNDING = 1e-12
"""A difference smaller than this is zero but for rounding."""


def with_pseudo_units(sums: Array, sizes: Array, pseudo: Array) -> tuple[Array, Array]:
    """`sums` [C, K] and `sizes` [C] with units of average size and the mean values `pseudo` [P, K] at the end."""
    size = sizes.mean()
    return np.concatenate([sums, pseudo * size]), np.concatenate([sizes, np.full(len(pseudo), size)])


def unseen_difference(deviations: Array) -> Array:
    """[K] in 0..1: how far, as a share of what is possible, a unit not yet seen may lie from the mean difference.

    `deviations` [C, K] are those of the units' differences from their mean. With m the largest and v the number of
    units that make up the variance (participation ratio: (sum e^2)^2 / sum e^4), it is (v^2 m + 1) / (v^2 + 1): where
    many units differ, the largest difference seen says how large one may be; where one or none does, it says nothing.
    """
    # Fixed pseudo-differences of +1 and -1 cover too, but where n < T, and differences of 0.3 are large, they double
    # the width at 60 questions. The largest one seen (v left out) fails where hardly a question differs: a share of
    # .02 to .8 is covered then. Weighing by v instead of v^2 is wider by a tenth at 20 units and covers no better.
    deviations = np.where(np.abs(deviations) < ROUNDING, 0.0, deviations)
    largest = np.minimum(np.abs(deviations).max(axis=0), 1.0)
    squares = np.square(deviations)
    fourth = np.square(squares).sum(axis=0)
    units = np.divide(np.square(squares.sum(axis=0)), fourth, out=np.zeros_like(fourth), where=fourth > 0)
    share: Array = (np.square(units) * largest + 1) / (np.square(units) + 1)
    return share


def pseudo_differences(mean: Array, unseen: Array) -> Array:
    """[2, K]: differences that lie the share `unseen` of the way from `mean` to 1 and to -1, the mean's sign first."""
    # Around the mean and not around 0, so that the interval of a few units isn't drawn towards 0. The sign first, so
    # that b - a, seen on the same resamples, is exactly the mirror of a - b.
    sign = np.where(mean < 0, -1.0, 1.0)
    return np.stack([mean + unseen * (end - mean) for end in (sign, -sign)])
