"""A process reward model made of any causal language model: it sees the text alone and can be trained.

Question and steps stand one after another, a marker behind each step, and the score of a step is the probability of
the right label against the wrong one, read at its marker. `vpbench train --critic text-prm` makes a checkpoint of a
language model whose vocabulary has a token for marker and labels; the settings it was trained with are given again
when it scores. The default marker is a special token of SmolLM2 and StarCoder; Qwen's vocabulary calls it
`<|file_sep|>`. Solutions are learned up to their first incorrect step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench import ConfigError, Recipe
from vpbench.scoring import MarkerFormat, StepFormat, TextStepCritic


@dataclass(frozen=True)
class TextPRM(TextStepCritic):
    """Mean of the step scores read at markers.

    `marker` is a token behind each step, `labels` the tokens of a right and of a wrong step with a space between, as
    the vocabulary writes them, `template` what stands before the first step, with `{question}` in it.
    """

    name: ClassVar[str] = "text-prm"
    title: ClassVar[str] = "Trainable PRM (text only)"
    recipe: ClassVar[Recipe] = Recipe(until_first_error=True)

    marker: str = "<file_sep>"
    labels: str = "+ -"
    template: str = "{question}\n"

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(set(self.labels.split(" "))) != 2 or not all(self.labels.split(" ")):
            raise ConfigError(
                f"{self.name}: labels is {self.labels!r}; give two tokens with a space between, as in '+ -'"
            )
        if self.template.count("{question}") != 1:
            raise ConfigError(f"{self.name}: template is {self.template!r}; it has to hold {{question}} once")
        if not self.marker:
            raise ConfigError(f"{self.name}: marker is empty; give a token of the vocabulary")

    @property
    def format(self) -> StepFormat:  # type: ignore[override]
        """The format that the settings describe."""
        opening, between = self.template.split("{question}")
        right, wrong = self.labels.split(" ")
        return MarkerFormat(
            opening, between, self.marker, self.marker, "", {right: 1.0, wrong: 0.0}, with_special=False
        )
