"""What critics with a scoring checkpoint share: settings, loading, and candidates in and scores out.

What a step is and what becomes of the steps' scores is left to the kinds of critics in `step_critics`; behind all of
them is a `StepScorer`.
"""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from vpbench.base import Critic
from vpbench.endpoint.keys import API_KEY_ENV, check_address, read_key
from vpbench.errors import ConfigError, CriticError
from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.models.conversation import IMAGE_MARKER
from vpbench.models.qwen_vl import PixelLimits
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, Score
from vpbench.scoring import vllm_scorer, vllm_server
from vpbench.scoring.head_formats import IdFormat
from vpbench.scoring.load import load_step_scorer
from vpbench.scoring.shared_prefix import tokens_read
from vpbench.scoring.step_format import LABEL_WEIGHTS, ChatFormat, StepFormat
from vpbench.scoring.step_scorer import StepScorer, StepScores
from vpbench.scoring.typed_text import NEUTRALISED
from vpbench.settings import ADDED_LATER


@dataclass(frozen=True)
class CheckpointCritic(Critic):
    """A critic with a scoring checkpoint.

    `model` is a folder or hub id, `checkpoint_revision` a commit on the hub. An image becomes at most `max_tiles` tiles
    and a thumbnail (InternVL), or is resized to between `min_pixels` and `max_pixels` (Qwen2.5-VL and Qwen3-VL; None:
    the checkpoint's), `resize=twice` by `qwen_vl_utils` before that. `system_message` None takes the checkpoint's own.
    Special tokens typed in a question or a response are read as text, unless `released_tokenization`. Images are
    upright, unless `released_images`, which leaves the orientation of photographs as the released scorer does.
    `backend` is what runs the checkpoint; "vllm-server" is one that runs already, at `base_url`, where the checkpoint
    is called `served` (empty: `model`).
    """

    format: ClassVar[StepFormat | IdFormat] = ChatFormat()

    model: str = ""
    checkpoint_revision: str | None = None
    max_tiles: int = 12
    dtype: str = "auto"
    device: str = field(default="auto", compare=False)
    system_message: str | None = None
    released_tokenization: bool = False
    released_images: bool = field(default=False, metadata=ADDED_LATER)
    min_pixels: int | None = field(default=None, metadata=ADDED_LATER)
    max_pixels: int | None = field(default=None, metadata=ADDED_LATER)
    resize: str = field(default="once", metadata=ADDED_LATER)
    backend: str = "transformers"
    base_url: str = ""
    served: str = ""

    def __post_init__(self) -> None:
        if self.max_tiles < 1:
            raise ConfigError(f"{self.name}: max_tiles is {self.max_tiles}; give at least 1")
        if self.backend not in BACKENDS:
            raise ConfigError(f"{self.name}: backend {self.backend!r} is unknown; give one of {', '.join(BACKENDS)}")
        if (self.backend == "vllm-server") != bool(self.base_url):
            raise ConfigError(f"{self.name}: base_url and backend=vllm-server go together; give both or neither")
        if self.resize not in ("once", "twice"):
            raise ConfigError(f"{self.name}: resize is {self.resize!r}; give once or twice")
        if self.backend != "transformers" and self.limits != PixelLimits():
            raise ConfigError(f"{self.name}: min_pixels, max_pixels and resize go with backend=transformers only")
        check_address(self.base_url, read_key(API_KEY_ENV))

    @property
    def limits(self) -> PixelLimits:
        """To how many pixels an image is resized."""
        return PixelLimits(self.min_pixels, self.max_pixels, self.resize == "twice")

    @abstractmethod
    def steps(self, candidate: Candidate) -> tuple[str, ...]:
        """The steps to score."""

    @abstractmethod
    def verdict(self, scores: StepScores) -> Score:
        """The score of a candidate whose steps are scored."""

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """Score the candidates of one question; one whose text can't be scored gets the reason instead of a value."""
        ready = self._ready.pop((question.task, question.id), None)
        solutions = [self.steps(candidate) for candidate in candidates]
        scorable = [steps for steps in solutions if any(step.strip() for step in steps)]
        if not scorable:
            return [Score(None, None, EMPTY_RESPONSE) for _ in candidates]
        pixels, tiles = ready or self._tiles(question)
        text = question.text if self.needs_images else question.text.replace(IMAGE_MARKER, "")
        scored = self._scorer.score(text, scorable, pixels, tiles)
        self._used["prompt_tokens"] += tokens_read(
            [result.prompt for result in scored if isinstance(result, StepScores)]
        )
        results = iter(scored)
        scores = []
        for steps in solutions:
            if not any(step.strip() for step in steps):
                scores.append(Score(None, None, EMPTY_RESPONSE))
                continue
            result = next(results)
            if isinstance(result, CriticError):
                scores.append(Score(None, None, str(result)))
            else:
                remark = NEUTRALISED if result.prompt.neutralised else None
                scores.append(dataclasses.replace(self.verdict(result), reason=remark))
        return scores

    def prepare(self) -> None:
        """Load the checkpoint."""
        self._scorer  # noqa: B018

    def prefetch(self, question: Question) -> None:
        """Decode and cut the images; `score` takes them from here."""
        self._ready[question.task, question.id] = self._tiles(question)

    def usage(self) -> Mapping[str, float]:
        """Tokens read so far: what the responses to a question share counts once, and so does an equal response."""
        return dict(self._used)

    def revision(self) -> str:
        """Fingerprint of the checkpoint's files."""
        return checkpoint_fingerprint(self._folder)

    def _tiles(self, question: Question) -> tuple[Any | None, list[int]]:
        images = [image.open(self.released_images) for image in question.images] if self.needs_images else []
        return self._scorer.tiles(images, self.max_tiles)

    @cached_property
    def _ready(self) -> dict[tuple[str, str], tuple[Any | None, list[int]]]:
        return {}

    @cached_property
    def _used(self) -> Counter[str]:
        return Counter()

    @cached_property
    def _folder(self) -> Path:
        if not self.model:
            raise ConfigError(f"{self.name} needs a checkpoint: give its folder or hub id by --critic-model")
        return checkpoint_folder(self.model, self.checkpoint_revision)

    @cached_property
    def _scorer(self) -> StepScorer:
        loaded = self._in_format(self._load(str(self._folder)))
        return dataclasses.replace(loaded, released_tokenization=self.released_tokenization)

    def base_scorer(self, folder: str, weights: bool = True) -> StepScorer:
        """A checkpoint to train this critic from, on the CPU: it writes prompts as this critic does.

        Without `weights` the model's parameters have no memory. Raises `CriticError` as loading does.
        """
        return self._in_format(self._load_base(folder, weights))

    def _in_format(self, loaded: StepScorer) -> StepScorer:
        """A critic without a format of its own writes VisualPRM's turns as its kind of checkpoint does."""
        return loaded if self.format == ChatFormat() else dataclasses.replace(loaded, format=self.format)

    def _load_base(self, folder: str, weights: bool) -> StepScorer:
        return load_step_scorer(folder, device="cpu", weights=weights)

    def _load(self, folder: str) -> StepScorer:
        return BACKENDS[self.backend](self, folder)


def _with_transformers(critic: CheckpointCritic, folder: str) -> StepScorer:
    return load_step_scorer(folder, None, critic.dtype, critic.device, critic.system_message, limits=critic.limits)


def _with_vllm(critic: CheckpointCritic, folder: str) -> StepScorer:
    labels = tuple(dict.fromkeys((*LABEL_WEIGHTS, *critic.format.weights)))
    return vllm_scorer.load_vllm_step_scorer(
        folder, None, critic.dtype, critic.device, critic.system_message, labels, critic.max_tiles
    )


def _with_vllm_server(critic: CheckpointCritic, folder: str) -> StepScorer:
    served = critic.served or critic.model
    return vllm_server.load_server_step_scorer(folder, critic.base_url, served, system_message=critic.system_message)


BACKENDS: dict[str, Callable[[CheckpointCritic, str], StepScorer]] = {
    "transformers": _with_transformers,
    "vllm": _with_vllm,
    "vllm-server": _with_vllm_server,
}
