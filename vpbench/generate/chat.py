"""A checkpoint that can chat: its template, its tokenizer, and a conversation as embeddings.

InternVL checkpoints of both layouts come through the loader of `vpbench.scoring`, with its tiles and without an
AutoProcessor; a text-only causal language model comes through transformers and sees no images. The template is the
tokenizer's own; the released InternVL layout has its template in remote code instead, which `vpbench.scoring` writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError, CriticError, DataError
from vpbench.models.checkpoint import bars_on_terminals_only, read_json
from vpbench.models.conversation import (
    ASSISTANT_ROLE,
    SEPARATOR,
    SYSTEM_ROLE,
    USER_ROLE,
    mark_images,
    place_images,
)
from vpbench.models.tokenizer import Tokenizer, TransformersTokenizer, load_tokenizer
from vpbench.prompts import Message
from vpbench.scoring import StepScorer, checkpoint_folder, load_step_scorer
from vpbench.scoring.load import DTYPES, NATIVE, ORIGINAL

END_OF_TURN = "<|im_end|>"


@dataclass(frozen=True)
class Chat:
    """A loaded checkpoint. `internvl` is None for a text-only model; `template` None writes InternVL's own turns.

    `system_message` opens a conversation that has none of its own (None: what the template does then).
    """

    name: str
    model: Any
    tokenizer: Tokenizer
    max_tokens: int
    internvl: StepScorer | None
    template: Any | None
    system_message: str | None

    def text(self, messages: Sequence[Message], images: bool) -> str:
        """The conversation up to where the model speaks; a last message of the assistant's is to be continued.

        With `images`, their markers `<image>` stand in the text. Raises `ConfigError` if the template refuses it.
        """
        turns = [(str(each.role), mark_images(each.text, len(each.images) if images else 0)) for each in messages]
        if self.system_message is not None and messages[0].role != "system":
            turns.insert(0, ("system", self.system_message))
        if self.template is None:
            return _internvl_turns(turns)
        goes_on = messages[-1].role == "assistant"
        try:
            return str(
                self.template.apply_chat_template(
                    [{"role": role, "content": text} for role, text in turns],
                    tokenize=False,
                    add_generation_prompt=not goes_on,
                    continue_final_message=goes_on,
                )
            )
        except Exception as error:  # templates raise whatever they like
            raise ConfigError(f"{self.name}: the chat template fails ({error}); use a chat checkpoint") from error

    def embed(self, messages: Sequence[Message], pixels: Any | None, tiles_per_image: Sequence[int]) -> Any:
        """Input embeddings (tokens, hidden size) of a conversation; `pixels` are the tiles of all its images.

        Raises `DataError` if it holds image tokens of its own or leaves no room to answer.
        """
        import torch

        text = self.text(messages, bool(tiles_per_image))
        if self.internvl is not None:
            text = place_images(text, tiles_per_image, self.internvl.tokens_per_tile)
        ids = self.tokenizer.encode(text, with_special=self.template is None)
        if len(ids) >= self.max_tokens:
            raise DataError(f"prompt too long: {len(ids)} tokens, the model takes {self.max_tokens}; lower max_tiles")
        tensor = torch.tensor(ids, device=self.model.device)
        with torch.inference_mode():
            embeddings = self.model.get_input_embeddings()(tensor)
            if self.internvl is None:
                return embeddings
            places = tensor == self.internvl.image_token_id
            if int(places.sum()) != sum(tiles_per_image) * self.internvl.tokens_per_tile:
                raise DataError("the prompt holds image tokens of its own; remove them from the text")
            if pixels is not None:
                features = self.internvl.image_features(pixels.to(self.model.dtype))
                embeddings[places] = features.flatten(0, 1).to(embeddings.dtype)
        return embeddings

    def stop_ids(self) -> list[int]:
        """The ids that end an answer: the configuration's, the tokenizer's, and the end of a turn."""
        generation = getattr(self.model, "generation_config", None)
        ends = getattr(generation, "eos_token_id", None)
        found = set(ends if isinstance(ends, list) else [ends])
        if isinstance(self.tokenizer, TransformersTokenizer):
            found.add(self.tokenizer.inner.eos_token_id)
        found |= {self.tokenizer.token_id(token) for token in (END_OF_TURN, "</s>")}
        return sorted(id for id in found if id is not None)


def load_chat(
    model: str, revision: str | None, dtype: str, device: str, system_message: str | None, blind: bool
) -> Chat:
    """Load a checkpoint to chat with; `blind` says that images are left out. Raises `ConfigError`."""
    try:
        folder = checkpoint_folder(model, revision)
        kind = read_json(folder / "config.json").get("model_type")
        if kind in (ORIGINAL, NATIVE):
            scorer = load_step_scorer(str(folder), None, dtype, device, system_message)
            template = _template(scorer.tokenizer) if kind == NATIVE else None
            opening = scorer.system_message if template is None else system_message
            return Chat(model, scorer.model, scorer.tokenizer, scorer.max_tokens, scorer, template, opening)
        text_model, tokenizer = _load_text_model(model, folder, str(kind), dtype, device, blind)
        length = int(text_model.config.get_text_config().max_position_embeddings)
        return Chat(model, text_model, tokenizer, length, None, tokenizer.inner, system_message)
    except CriticError as error:
        raise ConfigError(str(error)) from error


def _load_text_model(
    name: str, folder: Path, kind: str, dtype: str, device: str, blind: bool
) -> tuple[Any, TransformersTokenizer]:
    import torch
    from transformers import AutoModelForCausalLM

    if "vision_config" in read_json(folder / "config.json"):
        raise ConfigError(
            f"{name}: models of type {kind!r} aren't drawn from by the transformers backend; use vllm:{name}, or an "
            "OpenAI-compatible server with openai:MODEL"
        )
    if not blind:
        raise ConfigError(f"{name}: a text-only model sees no images; allow that by the setting ignore_images=true")
    if dtype not in DTYPES:
        raise ConfigError(f"dtype {dtype!r} is unknown; give one of {', '.join(DTYPES)}")
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    bars_on_terminals_only()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, trust_remote_code=False
        ).to(where)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder}: transformers can't load the checkpoint ({error})") from error
    tokenizer = load_tokenizer(folder, original=False)
    if not isinstance(tokenizer, TransformersTokenizer) or _template(tokenizer) is None:
        raise ConfigError(f"{folder}: the tokenizer has no chat template; use a chat checkpoint")
    return model.requires_grad_(False).eval(), tokenizer


def _template(tokenizer: Tokenizer) -> Any | None:
    """The tokenizer itself where it has a chat template."""
    if isinstance(tokenizer, TransformersTokenizer) and tokenizer.inner.chat_template:
        return tokenizer.inner
    return None


def _internvl_turns(turns: Sequence[tuple[str, str]]) -> str:
    """The turns as the released layout's template writes them."""
    roles = {"system": SYSTEM_ROLE, "user": USER_ROLE, "assistant": ASSISTANT_ROLE}
    text = "".join(roles[role] + said + SEPARATOR for role, said in turns)
    return text.removesuffix(SEPARATOR) if turns[-1][0] == "assistant" else text + ASSISTANT_ROLE
