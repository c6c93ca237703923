"""Whether scores follow a property of the response, such as its length, rather than its worth.

Wrong solutions are often longer, so a good critic's scores correlate with length over all candidates. Ranks are
therefore compared only among candidates of one question that are equally correct; what remains is the critic's taste.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vpbench.errors import DataError
from vpbench.stats.bootstrap import bootstrap_intervals
from vpbench.stats.pool_curves import QuestionPool

Array = NDArray[np.float64]

LEAST_CANDIDATES = 4
"""Fewer equally correct candidates say too little of a rank correlation."""
LEAST_QUESTIONS = 20


@dataclass(frozen=True, slots=True)
class Correlation:
    """Mean over questions of the within-question rank correlation, with its 95% bootstrap interval."""

    value: float
    low: float
    high: float
    questions: int


def ranks(values: ArrayLike) -> Array:
    """Ranks from 0, equal values sharing their mean rank."""
    _, group, sizes = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    mean_rank: Array = (np.cumsum(sizes) - (sizes + 1) / 2)[group]
    return mean_rank


def spearman(a: ArrayLike, b: ArrayLike) -> float | None:
    """Spearman's rank correlation; None where one side is constant."""
    left, right = ranks(a), ranks(b)
    left, right = left - left.mean(), right - right.mean()
    scale = float(np.sqrt((left @ left) * (right @ right)))
    return float(left @ right) / scale if scale else None


def _of_question(pool: QuestionPool, scores: Array, size: Array) -> float | None:
    """Mean over the right and the wrong candidates, weighted by their number less one."""
    # Without any connection the variance of Spearman's rho over m pairs is 1 / (m - 1): the weights are its inverse.
    parts: list[tuple[float, int]] = []
    for side in (pool.correct, ~pool.correct):
        members = side & ~np.isnan(scores)
        rho = spearman(scores[members], size[members]) if members.sum() >= LEAST_CANDIDATES else None
        if rho is not None:
            parts.append((rho, int(members.sum()) - 1))
    return sum(rho * weight for rho, weight in parts) / sum(weight for _, weight in parts) if parts else None


def within_question_correlation(pools: Sequence[QuestionPool], sizes: Sequence[Sequence[float]]) -> Correlation | None:
    """Correlation of score and size among equally correct candidates; None with fewer than 20 questions to tell by.

    Raises `DataError` where `sizes` doesn't hold one value per candidate.
    """
    if len(sizes) != len(pools):
        raise DataError(f"sizes for {len(sizes)} questions but {len(pools)} pools; give one list per question")
    correlations: list[float] = []
    for pool, size in zip(pools, sizes, strict=True):
        if len(size) != pool.size:
            raise DataError(f"question {pool.question_id}: {len(size)} sizes for {pool.size} candidates")
        rho = None if pool.scores is None else _of_question(pool, pool.scores, np.asarray(size, dtype=np.float64))
        if rho is not None:
            correlations.append(rho)
    if len(correlations) < LEAST_QUESTIONS:
        return None
    low, high = bootstrap_intervals(np.array(correlations)[:, None], ends=(-1.0, 1.0))
    return Correlation(float(np.mean(correlations)), float(low[0]), float(high[0]), len(correlations))
