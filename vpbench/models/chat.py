"""A checkpoint that can chat: its template, and a conversation as text, token ids or embeddings.

Both layouts of InternVL checkpoints and text-only causal language models, which see no images. The template is the
tokenizer's own; the released InternVL layout has its template in remote code instead, which is written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from vpbench.errors import ConfigError, CriticError, DataError
from vpbench.models.checkpoint import checkpoint_folder, read_json
from vpbench.models.conversation import (
    ASSISTANT_ROLE,
    END_OF_TURN,
    SEPARATOR,
    SYSTEM_ROLE,
    USER_ROLE,
    mark_images,
)
from vpbench.models.decoder import why_not_by_hand
from vpbench.models.inputs import DecoderInputs, decoder_inputs
from vpbench.models.internvl_config import NATIVE, ORIGINAL
from vpbench.models.load import load_internvl
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.models.qwen_vl import PixelLimits
from vpbench.models.qwen_vl_load import is_qwen_vl, load_qwen_vl
from vpbench.models.text import load_text_model
from vpbench.models.tokenizer import Tokenizer, TransformersTokenizer
from vpbench.models.vision import Vision
from vpbench.prompts import Message


@dataclass(frozen=True)
class Chat:
    """A loaded checkpoint to talk with. `template` None writes InternVL's own turns.

    `system_message` opens a conversation that has none of its own (None: what the template does then).
    """

    name: str
    checkpoint: LoadedCheckpoint
    template: Any | None
    system_message: str | None

    @property
    def vision(self) -> Vision:
        """What sees the images. Raises `ConfigError` for a text-only model."""
        if self.checkpoint.vision is None:
            raise ConfigError(
                f"{self.name}: a text-only model sees no images; allow that by the setting ignore_images=true"
            )
        return self.checkpoint.vision

    def text(self, messages: Sequence[Message], images: bool, closed: bool = False) -> str:
        """The conversation up to where the model speaks; a last message of the assistant's is to be continued.

        A `closed` one ends as it stands, with the end of the last message's turn.
        With `images`, their markers `<image>` stand in the text. Raises `ConfigError` if the template refuses it.
        """
        gap = self.vision.image_gap if images else ""
        turns = [
            (str(message.role), mark_images(message.text, len(message.images) if images else 0, gap))
            for message in messages
        ]
        if self.system_message is not None and messages[0].role != "system":
            turns.insert(0, ("system", self.system_message))
        if self.template is None:
            return _internvl_turns(turns, closed)
        goes_on = messages[-1].role == "assistant"
        try:
            return str(
                self.template.apply_chat_template(
                    [{"role": role, "content": text} for role, text in turns],
                    tokenize=False,
                    add_generation_prompt=not goes_on and not closed,
                    continue_final_message=goes_on and not closed,
                )
            )
        except Exception as error:  # templates raise whatever they like
            raise ConfigError(f"{self.name}: the chat template fails ({error}); use a chat checkpoint") from error

    def encode(self, messages: Sequence[Message], tiles_per_image: Sequence[int]) -> list[int]:
        """Token ids of a conversation; without tiles its images are left out.

        Raises `CriticError` if it holds image tokens of its own.
        """
        tokenize = partial(self.checkpoint.tokenizer.encode, with_special=self.template is None)
        return self.checkpoint.encode(self.text(messages, bool(tiles_per_image)), tiles_per_image, tokenize)[1]

    def inputs(self, messages: Sequence[Message], pixels: Any | None, tiles_per_image: Sequence[int]) -> DecoderInputs:
        """What the decoder runs of a conversation, one sequence; `pixels` are the tiles of all its images.

        Raises `CriticError` if it holds image tokens of its own, `DataError` if it leaves no room to answer.
        """
        import torch

        checkpoint = self.checkpoint
        ids = self.encode(messages, tiles_per_image)
        if len(ids) >= checkpoint.max_tokens:
            raise DataError(
                f"prompt too long: {len(ids)} tokens, the model takes {checkpoint.max_tokens}; lower max_tiles"
            )
        with torch.inference_mode():
            features = None
            if pixels is not None and checkpoint.vision is not None:
                features = checkpoint.vision.image_features(pixels)
            return decoder_inputs(checkpoint.model, ids, features, checkpoint.image_token_id)

    def stop_ids(self) -> list[int]:
        """The ids that end an answer: the configuration's, the tokenizer's, and the end of a turn."""
        tokenizer = self.checkpoint.tokenizer
        generation = getattr(self.checkpoint.model, "generation_config", None)
        stops = {tokenizer.token_id(token) for token in (END_OF_TURN, "</s>")}
        if isinstance(tokenizer, TransformersTokenizer):
            stops.add(tokenizer.inner.eos_token_id)
        return ending_ids(getattr(generation, "eos_token_id", None), stops)


def ending_ids(configured: int | list[int] | None, others: set[int | None]) -> list[int]:
    """The ids that end an answer, ascending: those of the generation configuration, and of `others` that exist."""
    ends = configured if isinstance(configured, list) else [configured]
    return sorted(id for id in {*ends, *others} if id is not None)


def load_chat(
    model: str,
    revision: str | None,
    dtype: str,
    device: str,
    system_message: str | None,
    limits: PixelLimits | None = None,
) -> Chat:
    """Load a checkpoint to chat with; `limits` of an image's pixels are Qwen's. Raises `ConfigError`."""
    try:
        folder = checkpoint_folder(model, revision)
        config = read_json(folder / "config.json")
        kind = config.get("model_type")
        if limits not in (None, PixelLimits()) and not is_qwen_vl(folder):
            raise ConfigError(f"{model}: only Qwen2.5-VL and Qwen3-VL take min_pixels and max_pixels")
        if kind in (ORIGINAL, NATIVE):
            checkpoint = load_internvl(str(folder), None, dtype, device, system_message)
            template = _template(checkpoint.tokenizer) if kind == NATIVE else None
            opening = checkpoint.system_message if template is None else system_message
            return Chat(model, checkpoint, template, opening)
        if is_qwen_vl(folder):
            checkpoint = load_qwen_vl(str(folder), None, dtype, device, system_message, limits=limits)
            trouble = why_not_by_hand(checkpoint.model.config.get_text_config())
            if trouble is not None:
                raise ConfigError(f"{model}: {trouble} isn't drawn from by the transformers backend; use vllm:{model}")
        elif "vision_config" in config:
            raise ConfigError(
                f"{model}: models of type {kind!r} aren't drawn from by the transformers backend; use vllm:{model}, or "
                "an OpenAI-compatible server with openai:MODEL"
            )
        else:
            checkpoint = load_text_model(str(folder), None, dtype, device)
    except CriticError as error:
        raise ConfigError(str(error)) from error
    template = _template(checkpoint.tokenizer)
    if template is None:
        raise ConfigError(f"{folder}: the tokenizer has no chat template; use a chat checkpoint")
    return Chat(model, checkpoint, template, system_message)


def _template(tokenizer: Tokenizer) -> Any | None:
    """The tokenizer itself where it has a chat template."""
    if isinstance(tokenizer, TransformersTokenizer) and tokenizer.inner.chat_template:
        return tokenizer.inner
    return None


def _internvl_turns(turns: Sequence[tuple[str, str]], closed: bool) -> str:
    """The turns as the released layout's template writes them."""
    roles = {"system": SYSTEM_ROLE, "user": USER_ROLE, "assistant": ASSISTANT_ROLE}
    text = "".join(roles[role] + content + SEPARATOR for role, content in turns)
    if closed:
        return text
    return text.removesuffix(SEPARATOR) if turns[-1][0] == "assistant" else text + ASSISTANT_ROLE
