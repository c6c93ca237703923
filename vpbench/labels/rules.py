"""From Monte-Carlo estimates to step labels.

The worth of a step is the probability that the policy, continuing from the end of that step, reaches the right answer
(Wang et al., 2024, Math-Shepherd; arXiv 2503.10291 section 3). Two rules turn estimates into labels: `value` calls a
step correct where its estimate is above a threshold, `advantage` takes the sign of the change that the step brought.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vpbench.records import CORRECT, INCORRECT, NEUTRAL, LabelRule


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """`correct` of `total` continuations from the end of a step reached the right answer.

    `total` is 0 where none was drawn: after an early stop, whose later steps count as worth nothing.
    """

    correct: int
    total: int

    @property
    def mc(self) -> float:
        """Share of right continuations, in 0..1; 0 where none was drawn."""
        return self.correct / self.total if self.total else 0.0

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Exact (Clopper-Pearson) interval of the probability, from the quantiles of the beta distribution."""
        from scipy.stats import beta

        tail, wrong = (1 - level) / 2, self.total - self.correct
        low = float(beta.ppf(tail, self.correct, wrong + 1)) if self.correct else 0.0
        high = float(beta.ppf(1 - tail, self.correct + 1, wrong)) if wrong else 1.0
        return low, high


def step_labels(
    estimates: Sequence[StepEstimate], rule: LabelRule = "value", threshold: float = 0.0, start: float = 0.0
) -> tuple[int, ...]:
    """One label per step: 1 correct, 0 neutral (`advantage` only), -1 incorrect.

    `value`: correct where mc > `threshold`, strictly. `advantage`: sign of mc - mc of the step before; `start` is what
    the first step is compared with, the policy's accuracy on the bare question.
    """
    values = [estimate.mc for estimate in estimates]
    if rule == "value":
        return tuple(CORRECT if value > threshold else INCORRECT for value in values)
    changes = [after - before for before, after in zip([start, *values], values, strict=False)]
    return tuple(CORRECT if change > 0 else INCORRECT if change < 0 else NEUTRAL for change in changes)
