"""Process reward models by token classification, as TRL's PRMTrainer makes them: they see the text alone.

Checkpoints of transformers' `AutoModelForTokenClassification` with two labels: HuggingFaceH4's
Qwen2.5-Math-{1.5B,7B}-Instruct-PRM-0.2 (`separator=\\n\\n`), jinachris/PURE-PRM-7B, trl-lib's, those of axolotl, and
your own. The score of a step is the probability of the right label at the separator behind it. The separator isn't
stored with the checkpoint, nor is the tokenisation: `pieces` is how PRMTrainer trains, `joined` is how TRL's
documentation asks and how published figures came about. They give other tokens and other scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench import ConfigError
from vpbench.scoring import HeadLayout, JoinedFormat, PieceFormat, TextStepCritic


@dataclass(frozen=True)
class TokenPRM(TextStepCritic):
    """Mean of the step scores of a token classifier.

    `separator` stands behind each step, `\\n` in it is a line end; `tokenization` is `pieces` or `joined`,
    `right_label` the number (0 or 1) of the label of a right step.
    """

    name: ClassVar[str] = "token-prm"
    title: ClassVar[str] = "Token-classification PRM (text only)"

    max_steps: int | None = None
    separator: str = "\\n"
    tokenization: str = "pieces"
    right_label: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.separator:
            raise ConfigError(f"{self.name}: separator is empty; give what stood behind each step in training")
        if self.tokenization not in ("pieces", "joined"):
            raise ConfigError(f"{self.name}: tokenization {self.tokenization!r} is unknown; give pieces or joined")
        if self.right_label not in (0, 1):
            raise ConfigError(f"{self.name}: right_label is {self.right_label}; give 0 or 1")

    @property
    def format(self) -> PieceFormat | JoinedFormat:  # type: ignore[override]
        """The format that the settings describe."""
        separator = self.separator.replace("\\n", "\n")
        return PieceFormat(separator) if self.tokenization == "pieces" else JoinedFormat(separator)

    @property
    def head(self) -> HeadLayout:  # type: ignore[override]
        """The classifier, one of whose two outputs is the right label's."""
        return HeadLayout(("score",), "softmax", (float(self.right_label == 0), float(self.right_label == 1)))
