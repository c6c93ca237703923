"""RLHFlow's process reward models on Llama 3.1: they see the text alone, a blind baseline.

Checkpoints: RLHFlow/Llama3.1-8B-PRM-Deepseek-Data and -Mistral-Data. One user turn per step, the question before the
first, by the checkpoint's own chat template; the score of a step is the probability of `+` against `-`, read before the
`+` that fills the assistant's turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import StepFormat, TextStepCritic, TurnFormat


@dataclass(frozen=True)
class RLHFlowPRM(TextStepCritic):
    """Mean of the step scores of an RLHFlow checkpoint."""

    name: ClassVar[str] = "rlhflow-prm"
    title: ClassVar[str] = "RLHFlow PRM (text only)"
    format: ClassVar[StepFormat] = TurnFormat(
        role="<|start_header_id|>assistant<|end_header_id|>\n\n",
        end="<|eot_id|>",
        label="+",
        weights={"+": 1.0, "-": 0.0},
    )
