"""What a language model runs: embeddings, positions, and what is added behind its first layers.

Of most models that is the embeddings of the tokens, with image features at the image tokens. Qwen's vision-language
models count positions along three axes, and Qwen3-VL adds further image features behind its first layers. Given
embeddings alone transformers 5 takes the positions of text and leaves those features out, both in silence; so whoever
runs a model here passes them on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.models.loaded import embed
from vpbench.models.vision import ImageFeatures


@dataclass(frozen=True)
class DecoderInputs:
    """One sequence for a decoder, T tokens.

    `embeddings` [T, hidden size]; `positions` [3, T] along time, height and width, or None where they are 0, 1, 2, ...;
    `deep` is what is added behind each of the first layers, [image tokens, hidden size], where `images` [T] is true.
    """

    embeddings: Any
    positions: Any | None = None
    images: Any | None = None
    deep: tuple[Any, ...] = ()

    @property
    def end(self) -> int:
        """The position of the token that comes next, the same along all axes."""
        return len(self.embeddings) if self.positions is None else int(self.positions.max()) + 1

    def arguments(self) -> dict[str, Any]:
        """The same as a decoder of transformers takes it, a batch of one."""
        arguments: dict[str, Any] = {"inputs_embeds": self.embeddings[None]}
        if self.positions is not None:
            arguments["position_ids"] = self.positions[:, None]
        if self.images is not None and self.deep:
            arguments |= {"visual_pos_masks": self.images[None], "deepstack_visual_embeds": list(self.deep)}
        return arguments


def decoder_inputs(
    model: Any, ids: Sequence[int], features: ImageFeatures | None, image_token_id: int
) -> DecoderInputs:
    """The inputs of a sequence from its start on, which holds all images or their first."""
    import torch

    if features is None:
        return DecoderInputs(embed(model, ids, None, image_token_id))
    count = ids.count(image_token_id)
    rows = features.rows.flatten(0, -2)[:count]
    embeddings = embed(model, ids, rows, image_token_id)
    if not features.grids:
        return DecoderInputs(embeddings)
    images = torch.tensor([token == image_token_id for token in ids], device=embeddings.device)
    deep = tuple(layer[:count].to(embeddings.dtype) for layer in features.deep)
    positions = three_axis_positions(images.tolist(), features.grids)
    return DecoderInputs(embeddings, torch.tensor(positions, device=embeddings.device), images, deep)


def three_axis_positions(images: Sequence[bool], grids: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Positions of tokens along time, height and width, three lists; `images` tells the image tokens.

    A text token has one position along all axes. An image has the next one as its time, its tokens row by row count
    height and width up from there, and text goes on behind the larger of its `grids` entry (rows, columns).
    """
    positions: list[list[int]] = [[], [], []]
    following, token, remaining = 0, 0, iter(grids)
    while token < len(images):
        if not images[token]:
            for axis in positions:
                axis.append(following)
            following, token = following + 1, token + 1
            continue
        rows, columns = next(remaining)
        positions[0] += [following] * (rows * columns)
        positions[1] += [following + row for row in range(rows) for _ in range(columns)]
        positions[2] += list(range(following, following + columns)) * rows
        following, token = following + max(rows, columns), token + rows * columns
    return positions
