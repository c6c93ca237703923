"""VisualPRM: a process reward model that scores every step of a solution, seeing image and question.

Checkpoints: OpenGVLab/VisualPRM-8B (InternLM2) and OpenGVLab/VisualPRM-8B-v1_1 (Qwen2), or a folder in either their
layout or transformers' own. The score of a response is the mean of its step scores, a step counts as
correct above 0.8: both are the released scorer's defaults (arXiv 2503.10291 and the checkpoints' own code).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from vpbench import Recipe
from vpbench.scoring import StepCritic


@dataclass(frozen=True)
class VisualPRM(StepCritic):
    """Mean of the step scores of a VisualPRM checkpoint."""

    name: ClassVar[str] = "visualprm"
    title: ClassVar[str] = "VisualPRM"
    step_threshold: ClassVar[float] = 0.8
    recipe: ClassVar[Recipe] = Recipe(threshold=0.8)
    nano_settings: ClassVar[Mapping[str, str]] = {"model": "prm"}
