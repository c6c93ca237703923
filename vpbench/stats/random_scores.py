"""Could a critic's gain over a random pick come from scores that have nothing to do with the responses?

Near 100% (and near 0) most questions have one wrong candidate or none: a critic of random numbers gains a little on
each, and the question where it would have lost much isn't among those seen. No test on the questions' gains alone can
know that (a t-test or bootstrap over 20 to 60 questions calls 10 to 15% of random critics better); the pools do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vpbench.stats.best_of_n import rank_groups, subset_within

Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


def variance_of_dealt_scores(scores: Array, correct: Sequence[bool] | BoolArray) -> Array:
    """[T]: variance of `expected_best` at every n if the question's T scores were dealt to its candidates at random.

    The scores' ties stay. With w_i the probability that the candidate at rank i is the best of n and p the share of
    correct ones, (sum w_i^2 - 1/T) p (1 - p) T / (T - 1): a linear statistic of a sample without replacement.
    """
    groups, count = rank_groups(scores)
    sizes = np.bincount(groups, minlength=count)
    pool_size, share = len(groups), float(np.mean(correct))
    within = subset_within(pool_size)
    upto = np.concatenate([[0], np.cumsum(sizes)])
    held = within[upto[1:]] - within[upto[:-1]]
    spread = np.maximum((np.square(held) / sizes[:, None]).sum(axis=0) - 1 / pool_size, 0.0)
    variance: Array = spread * share * (1 - share) * pool_size / max(pool_size - 1, 1)
    return variance


def random_scores_p(gains: Array, variances: Array) -> Array:
    """Two-sided p [K] of mean gains [K] over a random pick, if scores were dealt at random; `variances` [Q, K]."""
    from scipy.special import ndtr

    error = np.sqrt(variances.sum(axis=0)) / len(variances)
    # No spread means that no deal of these scores gains anything: then there is no gain either.
    ratio = np.divide(np.abs(gains), error, out=np.zeros_like(error), where=error > 0)
    p_values: Array = 2 * ndtr(-ratio)
    return p_values
