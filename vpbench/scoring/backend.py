"""What runs the language model of a `StepScorer`: this process by transformers, vLLM, a server.

A backend sees images in a form of its own and gives the labels' logits of prompts that are already token ids. Here are
the contract and the member that runs the model in this process, which is the reference for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from vpbench.errors import CriticError
from vpbench.models.loaded import LoadedCheckpoint
from vpbench.scoring.head import Head, LabelRows
from vpbench.scoring.label_logits import Engine, StepPrompt, label_logits
from vpbench.scoring.step_format import StepFormat

if TYPE_CHECKING:
    from PIL.Image import Image


class Backend(Protocol):
    """Gives label logits."""

    def images(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """A question's images as `label_logits` takes them (None without images), and the tiles of each."""

    def check(self, prompt: StepPrompt, format: StepFormat) -> None:
        """Raise `CriticError` for a prompt of this format that the backend can't take."""

    def label_logits(
        self,
        prompts: Sequence[StepPrompt],
        images: Any | None,
        tiles_per_image: Sequence[int],
        label_ids: Sequence[int],
    ) -> list[Any]:
        """Logits of the labels for each of the different prompts, in order: float32 tensors (steps, labels) on the CPU.

        They are right up to one number added to all labels of a step. Of a checkpoint with a head of its own the labels
        are its outputs 0, 1, ..., and these are right as they are. Raises `CriticError` for tiles and images that don't
        agree, and where nothing can be scored.
        """


@dataclass(frozen=True)
class LocalBackend:
    """A `Backend` that runs the loaded checkpoint in this process, by an engine; its images are pixels.

    `head` is the checkpoint's own; None: the language model's.
    """

    checkpoint: LoadedCheckpoint
    engine: Engine
    head: Head | None = None

    def images(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """Pixel values of all tiles, (tiles, 3, side, side). Raises `CriticError` for a text-only checkpoint."""
        vision = self.checkpoint.vision
        if vision is not None:
            return vision.tiles(images, max_tiles)
        if images:
            raise CriticError("a text-only checkpoint sees no images")
        return None, []

    def check(self, prompt: StepPrompt, format: StepFormat) -> None:
        """Takes every prompt."""

    def label_logits(
        self,
        prompts: Sequence[StepPrompt],
        images: Any | None,
        tiles_per_image: Sequence[int],
        label_ids: Sequence[int],
    ) -> list[Any]:
        """See `Backend`."""
        check_tiles(images, tiles_per_image)
        checkpoint, features = self.checkpoint, None
        if images is not None and prompts and checkpoint.vision is not None:
            features = checkpoint.vision.image_features(images)
        head = self.head or LabelRows.of(checkpoint.model, label_ids)
        return label_logits(self.engine, checkpoint.model, prompts, features, checkpoint.image_token_id, head)


def check_tiles(pixels: Any | None, tiles_per_image: Sequence[int]) -> None:
    """Raise `CriticError` unless `pixels` are as many tiles as the images have."""
    tiles = 0 if pixels is None else len(pixels)
    if sum(tiles_per_image) != tiles:
        raise CriticError(f"{tiles} tiles are given, tiles_per_image {list(tiles_per_image)} adds up to another")
