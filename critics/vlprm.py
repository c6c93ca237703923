"""VL-PRM: a process reward model on Qwen2.5-VL that scores every step of a solution, seeing image and question.

Checkpoints: ob11/Qwen-VL-PRM-3B and -7B (Apache-2.0), or any Qwen2.5-VL or Qwen3-VL trained to say `+` or `-` after
every step. The turns are VisualPRM's in the checkpoint's chat template. An image is resized as its authors' evaluation
does, by `qwen_vl_utils` and then by the processor, to 200,704 to 1,003,520 pixels; the score of a response is the mean
of its step scores (their "step_agg"; their "non_greedy", the whole solution as one step, is `orm`).

Its authors open with a system message of their own, which isn't shipped: give it by `system_message`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import CHAT_TEMPLATE_TURNS, StepCritic, StepFormat

_SQUARE = 28 * 28
_AUTHORS_MESSAGE = "c45b74bef0d6afde015dbfa30fc2ed476fb63a5516a99a6fee6c69390911bb5f"


@dataclass(frozen=True)
class VLPRM(StepCritic):
    """Mean of the step scores of a VL-PRM checkpoint."""

    name: ClassVar[str] = "vlprm"
    title: ClassVar[str] = "VL-PRM"
    format: ClassVar[StepFormat] = CHAT_TEMPLATE_TURNS

    min_pixels: int | None = 256 * _SQUARE
    max_pixels: int | None = 1280 * _SQUARE
    resize: str = "twice"

    def notes(self) -> Sequence[str]:
        """Whether the system message is the one that the released checkpoints were trained with."""
        if hashlib.sha256((self.system_message or "").encode()).hexdigest() == _AUTHORS_MESSAGE:
            return ()
        return (
            f"{self.name}: the system message isn't its authors' (832 characters, sha256 {_AUTHORS_MESSAGE[:8]}), with "
            "which the released checkpoints were trained; give that by system_message",
        )
