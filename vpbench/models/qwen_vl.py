"""Vision of Qwen2.5-VL and Qwen3-VL: an image near its own size, a token for each small square of it.

An image is resized to sides that are multiples of a square's and to a number of pixels between two limits, cut into
patches, and becomes as many tokens as there are squares of 2 x 2 patches; such a square is a tile here. Resizing and
cutting are those of transformers' processor on Pillow, with the checkpoint's settings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from vpbench.errors import CriticError
from vpbench.models.conversation import IMAGE_MARKER
from vpbench.models.vision import ImageFeatures

if TYPE_CHECKING:
    from PIL.Image import Image

VISION_START, IMAGE_PAD, VISION_END = "<|vision_start|>", "<|image_pad|>", "<|vision_end|>"
FIRST_LIMITS = (4, 16384)
"""Squares that `qwen_vl_utils` makes of an image at least and at most (its version 0.0.11)."""


@dataclass(frozen=True)
class PixelLimits:
    """To how many pixels an image is resized; None takes the checkpoint's setting.

    `twice`: to multiples of a square's side within wide limits first, as whoever calls `qwen_vl_utils` before the
    processor does. That gives small images another grid and large ones other pixels.
    """

    least: int | None = None
    most: int | None = None
    twice: bool = False


@dataclass(frozen=True)
class Patches:
    """The pixels of images: `values` [patches, numbers of a patch], `grids` rows and columns of each image's squares.

    It is as long as there are squares.
    """

    values: Any
    grids: tuple[tuple[int, int], ...]

    def __len__(self) -> int:
        return sum(rows * columns for rows, columns in self.grids)


@dataclass(frozen=True)
class QwenVL:
    """A `Vision`: `model` is a `Qwen2_5_VLForConditionalGeneration` or `Qwen3VLForConditionalGeneration`.

    `processor` is the checkpoint's `Qwen2VLImageProcessorPil`.
    """

    image_gap: ClassVar[str] = ""

    model: Any
    processor: Any
    image_token_id: int
    limits: PixelLimits = field(default_factory=PixelLimits)

    @property
    def side(self) -> int:
        """The side of a square in pixels."""
        return int(self.processor.patch_size * self.processor.merge_size)

    def tiles(self, images: Sequence[Image], max_tiles: int) -> tuple[Patches | None, list[int]]:
        """See `Vision`; the limits are of pixels, `max_tiles` isn't used. Raises `CriticError` for a mere line."""
        if not images:
            return None, []
        least, most = self.pixel_limits()
        given = [self._first_resize(image.convert("RGB")) for image in images]
        for image in given:
            self._resized(*image.size, least, most)
        size = {"shortest_edge": least, "longest_edge": most}
        patches = self.processor(images=given, size=size, return_tensors="pt")
        merge = self.processor.merge_size
        grids = tuple((rows // merge, columns // merge) for _, rows, columns in patches["image_grid_thw"].tolist())
        return Patches(patches["pixel_values"], grids), [rows * columns for rows, columns in grids]

    def tile_count(self, width: int, height: int, max_tiles: int) -> int:
        """See `Vision`."""
        if self.limits.twice:
            width, height = self._resized(width, height, *self._first_limits())
        width, height = self._resized(width, height, *self.pixel_limits())
        return width * height // self.side**2

    def token_count(self, tiles: int) -> int:
        """One for each square."""
        return tiles

    def place_images(self, text: str, tiles_per_image: Sequence[int]) -> str:
        """See `Vision`."""
        for tiles in tiles_per_image:
            text = text.replace(IMAGE_MARKER, VISION_START + IMAGE_PAD * tiles + VISION_END, 1)
        return text

    def image_features(self, pixels: Patches) -> ImageFeatures:
        """Output of the vision tower, (tokens, hidden size), of Qwen3-VL with what goes to its first layers."""
        import torch

        merge = self.processor.merge_size
        grids = [(1, rows * merge, columns * merge) for rows, columns in pixels.grids]
        rows, deep = [], []
        with torch.inference_mode():
            # One image at a time, so that memory doesn't grow with their number.
            for grid, values in zip(grids, pixels.values.split([high * wide for _, high, wide in grids]), strict=True):
                output = self.model.get_image_features(
                    values.to(self.model.device), torch.tensor([grid], device=self.model.device), return_dict=True
                )
                rows += output.pooler_output
                deep.append([layer[0] for layer in getattr(output, "deepstack_features", ())])
        layers = tuple(torch.cat(layer) for layer in zip(*deep, strict=True))
        return ImageFeatures(torch.cat(rows), layers, pixels.grids)

    def pixel_limits(self) -> tuple[int, int]:
        """The least and the most pixels of a resized image."""
        size = self.processor.size
        least = size["shortest_edge"] if self.limits.least is None else self.limits.least
        return least, size["longest_edge"] if self.limits.most is None else self.limits.most

    def _first_limits(self) -> tuple[int, int]:
        least, most = FIRST_LIMITS
        return least * self.side**2, most * self.side**2

    def _first_resize(self, image: Image) -> Image:
        from PIL.Image import Resampling

        if not self.limits.twice:
            return image
        return image.resize(self._resized(*image.size, *self._first_limits()), Resampling.BICUBIC)

    def _resized(self, width: int, height: int, least: int, most: int) -> tuple[int, int]:
        """Width and height that an image is resized to. Raises `CriticError` for one too long for its width."""
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

        try:
            height, width = smart_resize(height, width, self.side, least, most)
        except ValueError as error:
            raise CriticError(f"image of {width} x {height} pixels can't be resized ({error}); crop it") from error
        return width, height
