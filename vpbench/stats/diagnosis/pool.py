"""What the candidates say whatever the critic: too few, too few scored, identical, or too alike to choose from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vpbench.errors import DataError
from vpbench.stats.diagnosis.headline import Headline, points
from vpbench.stats.pool_curves import QuestionPool

LEAST_HEADROOM = 0.02
"""Oracle less random pick; below it no critic can show much."""
IDENTICAL_QUESTIONS = 0.1
"""Share of questions with one distinct response from which they are spoken of."""


def incomplete(pools: Sequence[QuestionPool]) -> list[str]:
    """Questions with fewer candidates than others, and candidates without a score."""
    statements = []
    full = max(pool.size for pool in pools)
    short = [pool for pool in pools if pool.size < full]
    if short:
        smallest = min(pool.size for pool in short)
        statements.append(
            f"pool incomplete: {len(short)} of {len(pools)} questions have fewer than {full} candidates "
            f"(the fewest: {smallest}), so no n above {smallest} can be computed"
        )
    scores = [pool.scores for pool in pools if pool.scores is not None]
    missing = sum(int(np.isnan(values).sum()) for values in scores)
    if missing:
        total = sum(len(values) for values in scores)
        statements.append(
            f"scores incomplete: {missing} of {total} candidates ({missing / total:.1%}) have none and rank last"
        )
    return statements


def identical_responses(pools: Sequence[QuestionPool], distinct: Sequence[int] | None) -> list[str]:
    """Questions all of whose candidates are the same response. Raises `DataError` unless there is a number for each."""
    if distinct is None:
        return []
    if len(distinct) != len(pools):
        raise DataError(f"{len(distinct)} numbers of distinct responses for {len(pools)} pools; give one per question")
    one = sum(number == 1 and pool.size > 1 for number, pool in zip(distinct, pools, strict=True))
    if one < IDENTICAL_QUESTIONS * len(pools) or not one:
        return []
    return [
        f"identical candidates: one distinct response in {one} of {len(pools)} questions, where no critic can choose; "
        "draw at a higher temperature"
    ]


def headroom(pools: Sequence[QuestionPool], headline: Headline) -> list[str]:
    """A pool on which even the oracle would gain next to nothing at the largest n."""
    last = headline.columns[-1:]
    if not last:
        return []
    gain = float((headline.oracle - headline.random)[:, last].mean())
    if gain >= LEAST_HEADROOM:
        return []
    mixed = sum(bool(pool.correct.any() and not pool.correct.all()) for pool in pools)
    n = headline.ns[last[0]]
    return [
        f"candidates too alike to choose from: only {mixed} of {len(pools)} questions have both right and wrong "
        f"candidates; at n = {n} a perfect critic would gain {points(gain)} points over a random pick"
    ]
