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
from typing import TYPE_CHECKING, Any

from vpbench.base import Critic
from vpbench.errors import ConfigError, CriticError
from vpbench.models.checkpoint import checkpoint_fingerprint, checkpoint_folder
from vpbench.models.conversation import place_images
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, Score
from vpbench.scoring.label_logits import Engine, StepPrompt
from vpbench.scoring.shared_prefix import engine_for

if TYPE_CHECKING:
    from vpbench.generate.chat import Chat

LOGITS_AT_ONCE = 2**24
"""Numbers the head may give at once: 64 MiB in float32."""

PROMPTS = ("chain-of-thought", "question")


def read_log_probs(
    engine: Engine, model: Any, prompts: Sequence[StepPrompt], features: Any | None, image_token_id: int
) -> list[Any]:
    """The natural log-probability of the token after each read-out, given all before it: [readouts] per prompt.

    In float32 on the CPU, in order; `features` as for an `Engine`.
    """
    import torch

    head = model.get_output_embeddings()
    rows = max(1, LOGITS_AT_ONCE // head.weight.shape[0])
    found: dict[int, Any] = {}
    with torch.inference_mode():
        for index, states in engine(model, prompts, features, image_token_id):
            ids = [prompts[index].ids[place + 1] for place in prompts[index].readouts]
            targets = torch.tensor(ids, device=states.device)
            parts = [
                head(some).float().log_softmax(-1).gather(1, wanted[:, None])[:, 0]
                for some, wanted in zip(states.split(rows), targets.split(rows), strict=True)
            ]
            found[index] = torch.cat(parts).cpu()
    return [found[index] for index in range(len(prompts))]


@dataclass(frozen=True)
class LikelihoodCritic(Critic):
    """Scores a response by the probability that a policy gives it.

    `model` is the policy's folder or hub id, `checkpoint_revision` a commit on the hub. The score is the geometric mean
    of the tokens' probabilities, that is the exponential of their mean log-probability, which orders responses as that
    does and can be summed in a weighted vote; `per_token` false: the sum of the log-probabilities. `prompt` is how the
    policy is asked, as for sampling. An image becomes at most `max_tiles` tiles and a thumbnail; `ignore_images` asks
    without them, as a text-only policy has to be. `system_message` None takes the checkpoint's own.
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

    def __post_init__(self) -> None:
        if self.max_tiles < 1:
            raise ConfigError(f"{self.name}: max_tiles is {self.max_tiles}; give at least 1")
        if self.prompt not in PROMPTS:
            raise ConfigError(f"{self.name}: prompt {self.prompt!r} is unknown; give one of {', '.join(PROMPTS)}")

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """The score of each response; one that can't be read gets the reason instead.

        Equal responses are read once, so they tie exactly. Raises `CriticError` for a prompt that is too long.
        """
        chat = self._chat
        start, features = self._prompt(question)
        image_token = -1 if chat.internvl is None else chat.internvl.image_token_id
        texts = [each.response if each.response.strip() else "" for each in candidates]
        responses = [tuple(chat.tokenizer.encode_plain(text)) for text in texts]
        room = chat.max_tokens - len(start)
        unique = list(dict.fromkeys(ids for ids in responses if 0 < len(ids) <= room))
        prompts = [
            StepPrompt((), "", (*start, *ids), tuple(range(len(start) - 1, len(start) + len(ids) - 1)))
            for ids in unique
        ]
        logprobs = read_log_probs(self._engine, chat.model, prompts, features, image_token)
        values = {
            ids: math.exp(each.mean()) if self.per_token else float(each.sum())
            for ids, each in zip(unique, logprobs, strict=True)
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

    def _prompt(self, question: Question) -> tuple[list[int], Any | None]:
        """Token ids of the conversation up to the response, and the image features in it."""
        from vpbench.prompts import Message, chain_of_thought

        chat = self._chat
        seen = chat.internvl if question.images and not self.ignore_images else None
        asked = question.text if self.prompt == "question" else chain_of_thought(question)
        text = chat.text([Message("user", asked, question.images)], seen is not None)
        features, image_tokens = None, 0
        if seen is not None:
            pixels, tiles = seen.tiles([image.open() for image in question.images], self.max_tiles)
            assert pixels is not None
            features, image_tokens = seen.image_features(pixels.to(chat.model.dtype)), sum(tiles) * seen.tokens_per_tile
            text = place_images(text, tiles, seen.tokens_per_tile)
        ids = chat.tokenizer.encode(text, with_special=chat.template is None)
        if seen is not None and ids.count(seen.image_token_id) != image_tokens:
            raise CriticError("image token in the text: the question holds one itself; remove it")
        if len(ids) >= chat.max_tokens:
            raise CriticError(f"too long: a prompt of {len(ids)} tokens, the model takes {chat.max_tokens}")
        return ids, features

    @cached_property
    def _chat(self) -> Chat:
        from vpbench.generate.chat import load_chat

        self.revision()
        return load_chat(
            self.model, self.checkpoint_revision, self.dtype, self.device, self.system_message, self.ignore_images
        )

    @cached_property
    def _engine(self) -> Engine:
        return self._chat.internvl.engine if self._chat.internvl is not None else engine_for(self._chat.model)


def _too_long(ids: Sequence[int], room: int) -> str:
    return f"too long: {len(ids)} tokens, there is room for {room}"
