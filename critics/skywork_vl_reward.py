"""Skywork-VL-Reward (arXiv 2505.07263): an outcome reward model on Qwen2.5-VL-7B, trained on pairs of responses.

Checkpoint: Skywork/Skywork-VL-Reward-7B (MIT, gated: its terms are accepted on the hub); its head lies in a file of its
own, `value_head.safetensors`. Images and question are the user's turn, the response the assistant's, and the score is
the head's one output at the last token. It has no bounds; higher is better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import AnswerFormat, HeadLayout, RewardCritic, StepFormat


@dataclass(frozen=True)
class SkyworkVLReward(RewardCritic):
    """The reward that the whole response gets."""

    name: ClassVar[str] = "skywork-vl-reward"
    title: ClassVar[str] = "Skywork-VL-Reward"
    format: ClassVar[StepFormat] = AnswerFormat()
    unbounded: ClassVar[bool] = True
    head: ClassVar[HeadLayout] = HeadLayout(("v_head.summary",), "identity")
