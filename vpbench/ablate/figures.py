"""The figures of one row of a table, the comparison of two rows, and the verdict on the paper's finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vpbench.ablate.measuring import JudgedSteps
from vpbench.stats import (
    Difference,
    QuestionPool,
    expected_best,
    expected_random,
    macro_f1_difference,
    paired_differences,
    step_f1,
    step_ranking,
)
from vpbench.stats.bootstrap import Array

STEP_THRESHOLD = 0.5
"""A step counts as correct above it."""


@dataclass(frozen=True, eq=False)
class Figures:
    """Correctness [questions, values of N] of the best of N and of a random pick; the questions' clusters; the steps
    where the critic scored them."""

    best: Array
    random: Array
    clusters: Sequence[str]
    judged: JudgedSteps | None

    @property
    def macro_f1(self) -> float | None:
        """Pooled macro-F1 of the steps against the truth, in percent."""
        if self.judged is None:
            return None
        return 100 * step_f1(self.judged.labels, self.judged.scores, STEP_THRESHOLD).pooled.macro_f1

    @property
    def auc(self) -> float | None:
        """Area under the ROC curve over all steps."""
        return None if self.judged is None else step_ranking(self.judged.labels, self.judged.scores).auroc

    def minus(self, other: Figures) -> list[Difference | None]:
        """Paired differences of macro-F1 and of the best of each N, as fractions of 1."""
        f1 = None
        if self.judged is not None and other.judged is not None:
            both = (self.judged.scores, other.judged.scores)
            f1 = macro_f1_difference(self.judged.labels, both, (STEP_THRESHOLD, STEP_THRESHOLD))
        # equal for every question and N: the same picks, by a setting that none of these responses feels
        alike = range(self.best.shape[1]) if np.array_equal(self.best, other.best) else ()
        return [f1, *paired_differences(self.best, other.best, self.clusters, alike=alike)]


def figures_of(
    pools: Sequence[QuestionPool], ns: Sequence[int], clusters: Sequence[str], judged: JudgedSteps | None
) -> Figures:
    """The figures of scored candidates at the values `ns` of N."""
    at = np.asarray(ns, dtype=np.intp) - 1
    best = [expected_best(pool.scores, pool.correct)[at] for pool in pools if pool.scores is not None]
    random = [expected_random(pool.correct)[at] for pool in pools]
    return Figures(np.array(best), np.array(random), clusters, judged)


def sign(difference: Difference) -> int:
    """Whether it is above (1) or below (-1) zero, 0 where the interval includes zero."""
    return (difference.low > 0) - (difference.high < 0)


def verdict(published: float, here: Difference, spread: float = 0.0) -> str:
    """Whether a published change has the same direction here; `spread` is what another seed changes at most."""
    if not sign(here):
        return "can't be told"
    return ("holds" if sign(here) == np.sign(published) else "doesn't hold") + _remark(here, spread)


def direction(here: Difference, spread: float = 0.0) -> str:
    """The direction in words, for a change that the paper doesn't report."""
    if here.low == here.high == 0:
        return "no change"
    if not sign(here):
        return "can't be told"
    return ("higher" if sign(here) > 0 else "lower") + _remark(here, spread)


def _remark(here: Difference, spread: float) -> str:
    return ", but no more than another seed may change" if abs(here.value) <= spread else ""
