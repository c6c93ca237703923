"""Implicit PRMs (arXiv 2412.01981): what a policy finds likelier than the model it was trained from, step by step.

Checkpoints: PRIME-RL/EurusPRM-Stage1 and -Stage2 with `reference=Qwen/Qwen2.5-Math-7B-Instruct`; and any policy with
the model it was trained from, one that sees images too. Its authors number steps "Step 1: ...", join them by blank
lines and take the smallest score of a step; `cumulative=true` with `--aggregate last` is the sum over the response,
their other rule. Scores lie around 0 without bounds, so a weighted vote takes them by `--link sigmoid` only, as theirs
does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import LogRatioCritic


@dataclass(frozen=True)
class ImplicitPRM(LogRatioCritic):
    """Smallest step score of a policy against its reference."""

    name: ClassVar[str] = "implicit-prm"
    title: ClassVar[str] = "Implicit PRM"
    aggregation: ClassVar[str] = "min"
    step_threshold: ClassVar[float] = 0.0
    unbounded: ClassVar[bool] = True
