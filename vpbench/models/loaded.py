"""A checkpoint that is loaded: language model, tokenizer and, where it sees images, its vision.

What scores steps, what samples and what trains all hold one of these. Text becomes token ids and token ids become
embeddings here, so that image tokens are placed and checked in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.errors import CriticError
from vpbench.models.tokenizer import Tokenizer
from vpbench.models.vision import Vision

NO_IMAGE_TOKEN = -1
"""In place of an image token's id, for a model that sees no images; no token has it."""


@dataclass(frozen=True)
class LoadedCheckpoint:
    """`model` is a `PreTrainedModel` of transformers, `max_tokens` the longest sequence that it may see.

    `system_message` is what the checkpoint's conversations open with; `vision` is None for a text-only model.
    """

    model: Any
    tokenizer: Tokenizer
    max_tokens: int
    system_message: str = ""
    vision: Vision | None = None

    @property
    def image_token_id(self) -> int:
        """Id of the image token, `NO_IMAGE_TOKEN` for a text-only model."""
        return NO_IMAGE_TOKEN if self.vision is None else self.vision.image_token_id

    def encode(
        self, text: str, tiles_per_image: Sequence[int], tokenize: Callable[[str], Sequence[int]]
    ) -> tuple[str, list[int]]:
        """The text with image tokens in place of its markers `<image>`, and its token ids by `tokenize`.

        Raises `CriticError` for a text with image tokens of its own, which would take the place of image features.
        """
        expected = 0
        if self.vision is not None:
            text = self.vision.place_images(text, tiles_per_image)
            expected = sum(map(self.vision.token_count, tiles_per_image))
        ids = list(tokenize(text))
        if ids.count(self.image_token_id) != expected:
            raise CriticError("image token in the text: it holds image tokens of its own; remove them")
        return text, ids


def embed(model: Any, ids: Sequence[int], rows: Any | None, image_token_id: int) -> Any:
    """Embeddings of tokens [tokens, hidden size], image tokens in turn replaced by `rows` [image tokens, hidden]."""
    import torch

    tokens = torch.tensor(ids, device=model.device)
    embeddings = model.get_input_embeddings()(tokens)
    if rows is not None:
        embeddings[tokens == image_token_id] = rows.to(embeddings.dtype)
    return embeddings
