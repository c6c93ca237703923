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
    """B sequences of T tokens for a decoder.

    `embeddings` [B, T, hidden size]; `positions` [3, B, T] along time, height and width, or None where they are 0, 1,
    2, ...; `deep` is what is added behind each of the first layers, [image tokens, hidden size], where `images` [B, T]
    is true.
    """

    embeddings: Any
    positions: Any | None = None
    images: Any | None = None
    deep: tuple[Any, ...] = ()

    @property
    def length(self) -> int:
        """T."""
        return int(self.embeddings.shape[1])

    @property
    def ends(self) -> list[int]:
        """The position of the token that comes next in each sequence, the same along all axes."""
        if self.positions is None:
            return [self.length] * len(self.embeddings)
        return [int(last) + 1 for last in self.positions.amax((0, 2))]

    def arguments(self) -> dict[str, Any]:
        """The same as a decoder of transformers takes it."""
        arguments: dict[str, Any] = {"inputs_embeds": self.embeddings}
        if self.positions is not None:
            arguments["position_ids"] = self.positions
        if self.images is not None and self.deep:
            arguments |= {"visual_pos_masks": self.images, "deepstack_visual_embeds": list(self.deep)}
        return arguments


def decoder_inputs(
    model: Any, ids: Sequence[int], features: ImageFeatures | None, image_token_id: int
) -> DecoderInputs:
    """The inputs of one sequence from its start on, which holds all images or the first of them."""
    import torch

    if features is None:
        return DecoderInputs(embed(model, ids, None, image_token_id)[None])
    count = ids.count(image_token_id)
    embeddings = embed(model, ids, features.rows.flatten(0, -2)[:count], image_token_id)[None]
    if not features.grids:
        return DecoderInputs(embeddings)
    images = [token == image_token_id for token in ids]
    positions = torch.tensor(three_axis_positions(images, features.grids), device=embeddings.device)
    deep = tuple(layer[:count].to(embeddings.dtype) for layer in features.deep)
    return DecoderInputs(embeddings, positions[:, None], torch.tensor([images], device=embeddings.device), deep)


def joined(sequences: Sequence[DecoderInputs]) -> DecoderInputs:
    """Sequences of equal length as one batch, in order."""
    import torch

    embeddings = torch.cat([sequence.embeddings for sequence in sequences])
    if all(sequence.positions is None for sequence in sequences):
        return DecoderInputs(embeddings)
    counting = torch.arange(embeddings.shape[1], device=embeddings.device).expand(3, 1, -1)
    nowhere = torch.zeros_like(counting[0], dtype=torch.bool)
    return DecoderInputs(
        embeddings,
        torch.cat([counting if sequence.positions is None else sequence.positions for sequence in sequences], 1),
        torch.cat([nowhere if sequence.images is None else sequence.images for sequence in sequences]),
        tuple(map(torch.cat, zip(*(sequence.deep for sequence in sequences if sequence.deep), strict=True))),
    )


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
