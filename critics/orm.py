"""Outcome reward model: the whole response judged as one step, seeing image and question.

The baseline of arXiv 2503.10291, trained on the same conversations with all steps in one turn and one label for the
outcome. Checkpoints: any that `visualprm` takes; a process reward model can be asked this way too. The score is the
probability of `+`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from vpbench import Recipe
from vpbench.scoring import ResponseCritic


@dataclass(frozen=True)
class OutcomeRewardModel(ResponseCritic):
    """Probability that the response is right, from one read-out at its end."""

    name: ClassVar[str] = "orm"
    title: ClassVar[str] = "Outcome reward model"
    recipe: ClassVar[Recipe] = Recipe(unit="response")
    nano_settings: ClassVar[Mapping[str, str]] = {"model": "orm"}
