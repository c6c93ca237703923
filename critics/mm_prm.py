"""MM-PRM (arXiv 2505.13427): an InternVL2.5-8B that says Yes or No behind every step.

Checkpoint: Cierra0506/MM-PRM. Question and solution stand in the assistant's turn, a marker token `<prm>` behind each
step; the score of a step is the probability of `Yes` against `No`, read at its marker. Its authors take at most 6 tiles
of an image, and the template's system message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import MarkerFormat, StepCritic, StepFormat


@dataclass(frozen=True)
class MMPRM(StepCritic):
    """Mean of the step scores of an MM-PRM checkpoint."""

    name: ClassVar[str] = "mm-prm"
    title: ClassVar[str] = "MM-PRM"
    format: ClassVar[StepFormat] = MarkerFormat(
        opening="Question: ",
        between="\nProcess: ",
        marker="<prm>",
        marker_token="<prm>",
        separator="\n\n",
        weights={"Yes": 1.0, "No": 0.0},
        in_chat=True,
    )

    max_tiles: int = 6
