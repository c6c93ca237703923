"""Math-Shepherd (arXiv 2312.08935): a process reward model that sees the text alone, a blind baseline.

Checkpoint: peiyi9979/math-shepherd-mistral-7b-prm; its weights are in safetensors at the revision refs/pr/5. Behind the
question each step stands on a line that ends in the marker `ки`; the score of a step is the probability of `+` against
`-`, read at its marker. Trained on solutions whose lines begin with "Step 1:" and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import MarkerFormat, StepFormat, TextStepCritic


@dataclass(frozen=True)
class MathShepherd(TextStepCritic):
    """Mean of the step scores of a Math-Shepherd checkpoint."""

    name: ClassVar[str] = "math-shepherd"
    title: ClassVar[str] = "Math-Shepherd (text only)"
    format: ClassVar[StepFormat] = MarkerFormat(
        opening="",
        between=" ",
        marker=" ки",
        marker_token="▁ки",
        separator="\n",
        weights={"▁+": 1.0, "▁-": 0.0},
    )
