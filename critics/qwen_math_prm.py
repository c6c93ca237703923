"""Qwen2.5-Math-PRM (arXiv 2501.07301): a process reward model that sees the text alone, a blind baseline.

Checkpoints: Qwen/Qwen2.5-Math-PRM-7B and -72B, Qwen/Qwen2.5-Math-7B-PRM800K. The question is the user's turn, the steps
(between blank lines) the assistant's, a marker `<extra_0>` directly behind each; at the markers a head of two layers
gives two outputs, and the score of a step is the probability of the second. Its authors multiply the steps' scores. The
checkpoint takes 4096 tokens; its own remote code, which isn't run, loses steps whose probability is exactly 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import ChatMarkerFormat, HeadLayout, TextStepCritic


@dataclass(frozen=True)
class QwenMathPRM(TextStepCritic):
    """Step scores of a Qwen2.5-Math-PRM checkpoint."""

    name: ClassVar[str] = "qwen-math-prm"
    title: ClassVar[str] = "Qwen2.5-Math-PRM (text only)"
    aggregation: ClassVar[str] = "product"
    format: ClassVar[ChatMarkerFormat] = ChatMarkerFormat("<extra_0>")
    head: ClassVar[HeadLayout] = HeadLayout(("score.0", "score.2"), "softmax", (0.0, 1.0))

    max_steps: int | None = None
