"""How much there is to choose from: the different answers to a question, and where right and wrong ones meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from vpbench.stats.pool_curves import QuestionPool


@dataclass(frozen=True, slots=True)
class DistinctAnswers:
    """Of a pool's questions: the median number of different answers, how many have one at most, how many are `mixed`.

    `mixed` questions have right and wrong candidates; elsewhere every critic's pick is worth the same. The others are
    None where no answer is known, only verdicts. Candidates without an answer are wrong, but aren't another answer.
    """

    median: float | None
    one_at_most: int | None
    mixed: int


def distinct_answers(pools: Sequence[QuestionPool]) -> DistinctAnswers:
    """Count the answer classes of every pool, of which there is at least one."""
    mixed = sum(bool(pool.correct.any() and not pool.correct.all()) for pool in pools)
    counts = [len(set(pool.classes) - {None}) for pool in pools]
    if not any(counts):
        return DistinctAnswers(None, None, mixed)
    return DistinctAnswers(float(median(counts)), sum(count <= 1 for count in counts), mixed)
