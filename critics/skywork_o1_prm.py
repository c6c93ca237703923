"""Skywork-o1-Open-PRM: process reward models that see the text alone and score every line, a blind baseline.

Checkpoints: Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B, whose weights are in .bin files: fetch them by `hf
download` and give the folder. The tokenizer's `bos_token`, the question and a line end, then each line of the response,
tokenised apart, with the token of a line end behind it; there a value head is read, whose sigmoid is the score. Blank
lines are scored too. A step that the data gives with several lines is read at the last of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.scoring import HeadLayout, PieceFormat, TextStepCritic


@dataclass(frozen=True)
class SkyworkO1PRM(TextStepCritic):
    """Mean of the scores of a Skywork-o1-Open-PRM checkpoint's lines."""

    name: ClassVar[str] = "skywork-o1-prm"
    title: ClassVar[str] = "Skywork-o1-Open-PRM (text only)"
    format: ClassVar[PieceFormat] = PieceFormat(separator="\n", between="\n", needs_bos=True, by_line=True)
    head: ClassVar[HeadLayout] = HeadLayout(("v_head.summary",), "sigmoid")

    max_steps: int | None = None
    splitter: str = "lines"
