"""VisualPRM: a process reward model that scores every step of a solution, seeing image and question.

Checkpoints: OpenGVLab/VisualPRM-8B (InternLM2) and OpenGVLab/VisualPRM-8B-v1_1 (Qwen2), or a folder in either their
layout or transformers' own. The score of a response is the mean of its step scores, a step counts as
correct above 0.8: both are the released scorer's defaults (arXiv 2503.10291 and the checkpoints' own code).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from vpbench import Candidate, ConfigError, Critic, CriticError, Question, Score
from vpbench.scoring import StepScorer, checkpoint_fingerprint, checkpoint_folder, load_step_scorer, split_steps


@dataclass(frozen=True)
class VisualPRM(Critic):
    """Mean of the step scores of a VisualPRM checkpoint.

    `model` is a folder or hub id, `checkpoint_revision` a commit on the hub. A response is split at blank lines and
    merged to at most `max_steps`; an image becomes at most `max_tiles` tiles and a thumbnail. `system_message` None
    takes the checkpoint's own.
    """

    name: ClassVar[str] = "visualprm"
    title: ClassVar[str] = "VisualPRM"
    step_threshold: ClassVar[float] = 0.8

    model: str = ""
    checkpoint_revision: str | None = None
    max_steps: int = 12
    max_tiles: int = 12
    dtype: str = "auto"
    device: str = "auto"
    system_message: str | None = None

    def __post_init__(self) -> None:
        for setting in ("max_steps", "max_tiles"):
            if getattr(self, setting) < 1:
                raise ConfigError(f"{self.name}: {setting} is {getattr(self, setting)}; give at least 1")

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """Score the candidates of one question; one whose text can't be scored gets the reason instead of a value."""
        solutions = [self._steps(candidate) for candidate in candidates]
        scorable = [steps for steps in solutions if steps]
        if not scorable:
            return [Score(None, None, "empty response") for _ in candidates]
        pixels, tiles = self._scorer.tiles([image.open() for image in question.images], self.max_tiles)
        results = iter(self._scorer.score(question.text, scorable, pixels, tiles))
        scores = []
        for steps in solutions:
            if not steps:
                scores.append(Score(None, None, "empty response"))
                continue
            result = next(results)
            if isinstance(result, CriticError):
                scores.append(Score(None, None, str(result)))
            else:
                scores.append(Score(result.mean, result.scores))
        return scores

    def prepare(self) -> None:
        """Load the checkpoint."""
        self._scorer  # noqa: B018

    def revision(self) -> str:
        """Fingerprint of the checkpoint's files."""
        return checkpoint_fingerprint(self._folder)

    def _steps(self, candidate: Candidate) -> tuple[str, ...]:
        """The candidate's steps as given, else its split response; none if there is nothing but white space."""
        steps = candidate.steps
        if steps is None:
            steps = split_steps(candidate.response, self.max_steps)
        return steps if any(step.strip() for step in steps) else ()

    @cached_property
    def _folder(self) -> Path:
        if not self.model:
            raise ConfigError(f"{self.name} needs a checkpoint: give its folder or hub id by --critic-model")
        return checkpoint_folder(self.model, self.checkpoint_revision)

    @cached_property
    def _scorer(self) -> StepScorer:
        return load_step_scorer(
            str(self._folder), dtype=self.dtype, device=self.device, system_message=self.system_message
        )
