"""VisualPRM: a process reward model that scores every step of a solution, seeing image and question.

Checkpoints: OpenGVLab/VisualPRM-8B (InternLM2) and OpenGVLab/VisualPRM-8B-v1_1 (Qwen2), or a folder in either their
layout or transformers' own. The first is the paper's (arXiv 2503.10291), and scores where no other is named. The score
of a response is the mean of its step scores, a step counts as correct above 0.8: both are the released scorer's
defaults (the paper and the checkpoints' own code).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from vpbench import PublishedPolicy, Recipe, ReleasedModel
from vpbench.scoring import StepCritic

# Both are InternViT-300M on InternLM2.5-7B: 8,075,365,376 parameters in bfloat16, 32 layers of 8 x 128 keys and values.
_DOWNLOAD_BYTES, _TOKEN_BYTES = 16_150_730_752, 131_072


@dataclass(frozen=True)
class VisualPRM(StepCritic):
    """Mean of the step scores of a VisualPRM checkpoint."""

    name: ClassVar[str] = "visualprm"
    title: ClassVar[str] = "VisualPRM"
    step_threshold: ClassVar[float] = 0.8
    recipe: ClassVar[Recipe] = Recipe(threshold=0.8)
    nano_settings: ClassVar[Mapping[str, str]] = {"model": "prm"}
    released: ClassVar[ReleasedModel] = ReleasedModel("OpenGVLab/VisualPRM-8B", _DOWNLOAD_BYTES, _TOKEN_BYTES)
    published_policy: ClassVar[PublishedPolicy] = PublishedPolicy(
        ReleasedModel("OpenGVLab/InternVL2_5-8B", _DOWNLOAD_BYTES, _TOKEN_BYTES),
        samples=8,
        temperature=0.7,
        where="arXiv 2503.10291",
        unsaid="top-p, the longest response, the tiles of an image, and by which prompt it asks for a chain of thought",
    )
