"""Units added to those seen, so that a bootstrap can draw what few units, or units all alike, don't show.

A bootstrap knows no value that it hasn't seen: of 60 questions that are all right it says 100% to 100%, and at a true
99% its intervals hold in half of the cases. One unit all right and one all wrong, of average size, are added to every
bootstrap of an accuracy (Laplace's rule of succession). Coverage: `benchmarks/coverage.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

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


def pseudo_differences(sums: Array, sizes: Array, mean: Array, ends: Sequence[Array] = ()) -> Array:
    """[2, K]: the pseudo-units of differences whose units have `sums` [C, K], `sizes` [C] and the mean [K].

    They lie the share `unseen_difference` of the way from the mean to 1 and to -1, the mean's sign first; `ends` are
    the two of `with_skew`, where they are known.
    """
    unseen = unseen_difference((sums - mean * sizes[:, None]) / sizes.mean())
    # Around the mean and not around 0, so that the interval of a few units isn't drawn towards 0. The sign first, so
    # that b - a, seen on the same resamples, is exactly the mirror of a - b.
    sign = np.where(mean < 0, -1.0, 1.0)
    pseudo = np.stack([mean + unseen * (end - mean) for end in (sign, -sign)])
    return with_skew(pseudo, *ends) if ends else pseudo


def with_skew(pseudo: Array, most: Array, least: Array) -> Array:
    """`pseudo` [2, K] moved outwards where what could have happened to the units is lopsided.

    `most` and `least` [C, K] are the largest and the smallest difference that each unit could have shown. A gain of one
    unit is typically worth sum(most^2) / sum(most), a loss likewise: where an answer in ten is right, a right pick
    among 16 gains .9 and a wrong one loses .1. Of 20 units none may have been that lucky, and nothing in the
    differences seen says that a unit can be. So the pseudo-unit of the larger side lies at least as far out as the
    typical gain exceeds the typical loss; where both weigh the same nothing changes.
    """
    gain, loss = (_typical(np.maximum(end, 0.0)) for end in (most, -least))
    upper, lower = pseudo.argmax(axis=0), pseudo.argmin(axis=0)
    column = np.arange(pseudo.shape[1])
    moved = pseudo.copy()
    moved[upper, column] = np.maximum(pseudo[upper, column], gain - loss)
    moved[lower, column] = np.minimum(pseudo[lower, column], gain - loss)
    return moved


def _typical(sizes: Array) -> Array:
    """[K]: the mean size of sizes [C, K], those that weigh more counting for more; 0 where there are none."""
    total = sizes.sum(axis=0)
    typical: Array = np.divide(np.square(sizes).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)
    return typical
