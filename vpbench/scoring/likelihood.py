"""How likely a policy finds a response: the log-probability of its tokens after image and question.

The conversation is the one the policy is sampled with, and the response's tokens follow it as they do when they are
drawn. The engine is that of step scores, read at every token of the response; the head over the whole vocabulary runs
on a few tokens at a time, so that memory stays bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_args

from vpbench.base import Critic
from vpbench.errors import ConfigError, CriticError
from vpbench.models.chat import Chat, load_chat
from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.models.qwen_vl import PixelLimits
from vpbench.models.vision import ImageFeatures
from vpbench.prompts import Message, PromptStyle, chain_of_thought
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, Score
from vpbench.scoring.label_logits import Engine, StepPrompt
from vpbench.scoring.shared_prefix import engine_for
from vpbench.settings import ADDED_LATER

LOGITS_AT_ONCE = 2**24
"""Numbers the head may give at once: 64 MiB in float32."""

PROMPTS = get_args(PromptStyle)


def read_log_probs(
    engine: Engine, model: Any, prompts: Sequence[StepPrompt], features: ImageFeatures | None, image_token_id: int
) -> list[Any]:
    """The natural log-probability of the token after each read-out, given all before it: [readouts] per prompt.

    In float32 on the CPU, in order; `features` as for an `Engine`.
    """
    import torch

    head = model.get_output_embeddings()
    rows = max(1, LOGITS_AT_ONCE // head.weight.shape[0])
    logprobs: dict[int, Any] = {}
    with torch.inference_mode():
        for index, states in engine(model, prompts, features, image_token_id):
            ids = [prompts[index].ids[position + 1] for position in prompts[index].readouts]
            targets = torch.tensor(ids, device=states.device)
            parts = [
                head(part).float().log_softmax(-1).gather(1, following[:, None])[:, 0]
                for part, following in zip(states.split(rows), targets.split(rows), strict=True)
            ]
            logprobs[index] = torch.cat(parts).cpu()
    return [logprobs[index] for index in range(len(prompts))]


@dataclass(frozen=True)
class LikelihoodCritic(Critic):
    """Scores a response by the probability that a policy gives it.

    `model` is the policy's folder or hub id, `checkpoint_revision` a commit on the hub. The score is the geometric mean
    of the tokens' probabilities, that is the exponential of their mean log-probability, which orders responses as that
    does and can be summed in a weighted vote; `per_token` false: the sum of the log-probabilities. `prompt` is how the
    policy is asked, as for sampling. An image becomes at most `max_tiles` tiles and a thumbnail (InternVL), or is
    resized to between `min_pixels` and `max_pixels` (Qwen2.5-VL and Qwen3-VL; None: the checkpoint's); `ignore_images`
    asks without them, as a text-only policy has to be. `system_message` None takes the checkpoint's own.
    """

    model: str = ""
    checkpoint_revision: str | None = None
    per_token: bool = True
    prompt: str = "chain-of-thought"
    max_tiles: int = 12
    ignore_images: bool = False
    dtype: str = "auto"
    device: str = field(default="auto", compare=False)
    system_message: str | None = None
    min_pixels: int | None = field(default=None, metadata=ADDED_LATER)
    max_pixels: int | None = field(default=None, metadata=ADDED_LATER)

    def __post_init__(self) -> None:
        if self.max_tiles < 1:
            raise ConfigError(f"{self.name}: max_tiles is {self.max_tiles}; give at least 1")
        if self.prompt not in PROMPTS:
            raise ConfigError(f"{self.name}: prompt {self.prompt!r} is unknown; give one of {', '.join(PROMPTS)}")

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """The score of each response; one that can't be read gets the reason instead.

        Equal responses are read once, so they tie exactly. Raises `CriticError` for a prompt that is too long.
        """
        checkpoint = self._chat.checkpoint
        start, features = self._prompt(question)
        texts = [candidate.response if candidate.response.strip() else "" for candidate in candidates]
        responses = [tuple(checkpoint.tokenizer.encode_plain(text)) for text in texts]
        room = checkpoint.max_tokens - len(start)
        unique = list(dict.fromkeys(ids for ids in responses if 0 < len(ids) <= room))
        prompts = [
            StepPrompt((), "", (*start, *ids), tuple(range(len(start) - 1, len(start) + len(ids) - 1)))
            for ids in unique
        ]
        logprobs = read_log_probs(self._engine, checkpoint.model, prompts, features, checkpoint.image_token_id)
        values = {
            ids: math.exp(response.mean()) if self.per_token else float(response.sum())
            for ids, response in zip(unique, logprobs, strict=True)
        }
        return [
            Score(values[ids])
            if ids in values
            else Score(None, None, EMPTY_RESPONSE if not ids else _too_long(ids, room))
            for ids in responses
        ]

    def prepare(self) -> None:
        """Load the policy."""
        self._chat  # noqa: B018

    def revision(self) -> str:
        """Fingerprint of the checkpoint's files."""
        if not self.model:
            raise ConfigError(f"{self.name} needs the policy's checkpoint: give its folder or hub id by --critic-model")
        return checkpoint_fingerprint(checkpoint_folder(self.model, self.checkpoint_revision))

    def _prompt(self, question: Question) -> tuple[list[int], ImageFeatures | None]:
        """Token ids of the conversation up to the response, and the image features in it."""
        chat, checkpoint = self._chat, self._chat.checkpoint
        features: ImageFeatures | None = None
        tiles = list[int]()
        if question.images and not self.ignore_images:
            vision = chat.vision
            pixels, tiles = vision.tiles([image.open() for image in question.images], self.max_tiles)
            features = vision.image_features(pixels)
        asked = question.text if self.prompt == "question" else chain_of_thought(question)
        ids = chat.encode([Message("user", asked, question.images)], tiles)
        if len(ids) >= checkpoint.max_tokens:
            raise CriticError(f"too long: a prompt of {len(ids)} tokens, the model takes {checkpoint.max_tokens}")
        return ids, features

    @cached_property
    def _chat(self) -> Chat:
        self.revision()
        limits = PixelLimits(self.min_pixels, self.max_pixels)
        return load_chat(self.model, self.checkpoint_revision, self.dtype, self.device, self.system_message, limits)

    @cached_property
    def _engine(self) -> Engine:
        return engine_for(self._chat.checkpoint.model)


def _too_long(ids: Sequence[int], room: int) -> str:
    return f"too long: {len(ids)} tokens, there is room for {room}"
