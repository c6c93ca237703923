"""How steps are to be labelled: how many continuations are drawn, and the rule that makes labels of their outcomes."""

from __future__ import annotations

from dataclasses import dataclass

from vpbench.errors import ConfigError
from vpbench.records import GradingMode, LabelRule


@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """How to estimate: `continuations` per prefix.

    `early_stop`: after a step worth 0 no later step is continued (they count as worth 0, with no continuation).
    `early_exit`: a prefix is continued in growing rounds only until one is right, which leaves the labels of the rule
    mc > 0 as they are and biases mc itself upwards.
    """

    continuations: int = 16
    early_stop: bool = False
    early_exit: bool = False
    seed: int = 0

    def rounds(self) -> list[int]:
        """How many continuations each round brings a prefix up to."""
        if not self.early_exit:
            return [self.continuations]
        targets = [1]
        while targets[-1] < self.continuations:
            targets.append(min(2 * targets[-1], self.continuations))
        return targets


@dataclass(frozen=True)
class Labelling:
    """How steps get their labels; field names are the command line's.

    A solution is merged to at most `max_steps` steps; `rule` and `threshold` are those of `step_labels`.
    """

    monte_carlo: MonteCarlo
    max_steps: int = 12
    rule: LabelRule = "value"
    threshold: float = 0.0
    grading: GradingMode = "robust"

    def __post_init__(self) -> None:
        if self.monte_carlo.early_exit and (self.rule != "value" or self.threshold > 0):
            raise ConfigError("--early-exit biases mc, so it is for --rule value and --mc-threshold 0 only")
