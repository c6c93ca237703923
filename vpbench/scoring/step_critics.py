"""The kinds of critics with a scoring checkpoint: by step, by step without images, by response.

A critic's file is a fact sheet on top of one of these: it names the critic, its prompt format and its threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vpbench.errors import ConfigError, CriticError
from vpbench.records import Candidate, Score
from vpbench.scoring.critic import CheckpointCritic
from vpbench.scoring.head import HeadLayout
from vpbench.scoring.load import load_reward_scorer, load_text_scorer
from vpbench.scoring.splitting import splitter
from vpbench.scoring.step_scorer import StepScorer, StepScores


@dataclass(frozen=True)
class StepCritic(CheckpointCritic):
    """Scores every step; the score of a response is the mean over its steps.

    A response is split by the rule that `splitter` names and merged to at most `max_steps` steps (None: not merged);
    steps that the data gives are taken as they are.
    """

    max_steps: int | None = 12
    splitter: str = "released"

    def __post_init__(self) -> None:
        super().__post_init__()
        splitter(self.splitter)
        if self.max_steps is not None and self.max_steps < 1:
            raise ConfigError(f"{self.name}: max_steps is {self.max_steps}; give at least 1")

    def steps(self, candidate: Candidate) -> tuple[str, ...]:
        """The candidate's steps as given, else its split response."""
        if candidate.steps is not None:
            return candidate.steps
        return splitter(self.splitter)(candidate.response, self.max_steps)

    def verdict(self, scores: StepScores) -> Score:
        """The mean, and the scores of the steps."""
        return Score(scores.mean, scores.scores)


@dataclass(frozen=True)
class ResponseCritic(CheckpointCritic):
    """Scores the response as one step; where the data gives steps alone, they are joined by blank lines."""

    def steps(self, candidate: Candidate) -> tuple[str, ...]:
        """The whole response."""
        return (candidate.response or "\n\n".join(candidate.steps or ()).strip(),)

    def verdict(self, scores: StepScores) -> Score:
        """The response's score; its steps have none."""
        return Score(scores.mean)


@dataclass(frozen=True)
class RewardCritic(ResponseCritic):
    """Scores the response by the `head` that a reward model on Qwen2.5-VL or Qwen3-VL has beside its language model."""

    head: ClassVar[HeadLayout]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backend != "transformers":
            raise ConfigError(f"{self.name}: backend {self.backend!r} runs no head of its own; use transformers")

    def _load(self, folder: str) -> StepScorer:
        return load_reward_scorer(
            folder, self.head, None, self.dtype, self.device, self.system_message, limits=self.limits
        )


@dataclass(frozen=True)
class TextStepCritic(StepCritic):
    """Scores every step by a text-only language model; images are left out.

    A causal language model says the labels of the format; a reward model has `head` of its own.
    """

    needs_images: ClassVar[bool] = False
    head: ClassVar[HeadLayout | None] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.backend != "transformers":
            raise ConfigError(f"{self.name}: backend {self.backend!r} takes no text-only checkpoints; use transformers")

    def prepare(self) -> None:
        """Load the checkpoint. Raises `CriticError` as well if its tokenizer can't write this critic's prompts."""
        super().prepare()
        try:
            self._scorer.prompt("1 + 1 = ?", ("2",), [])
        except CriticError as error:
            raise CriticError(f"{self._folder}: {error}") from error

    def _load_base(self, folder: str, weights: bool) -> StepScorer:
        return load_text_scorer(folder, device="cpu", weights=weights)

    def _load(self, folder: str) -> StepScorer:
        if self.head is not None:
            return load_reward_scorer(folder, self.head, None, self.dtype, self.device, self.system_message)
        return load_text_scorer(folder, None, self.dtype, self.device, self.system_message)
