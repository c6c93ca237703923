"""InternVL's vision: square tiles and a thumbnail, a fixed number of tokens for each.

The same for both layouts of its checkpoints, since both become the native model of transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from vpbench.models.conversation import place_images
from vpbench.models.tiles import cut_tiles, pixel_values, tile_count
from vpbench.models.vision import ImageFeatures

if TYPE_CHECKING:
    from PIL.Image import Image

TILES_AT_ONCE = 16
"""Tiles that the vision tower sees at once, so that its memory doesn't grow with the number of images."""


@dataclass(frozen=True)
class InternVL:
    """A `Vision`: `model` is an `InternVLForConditionalGeneration`, `image_size` a tile's side in pixels."""

    image_gap: ClassVar[str] = "\n"

    model: Any
    image_token_id: int
    image_size: int
    tokens_per_tile: int

    @classmethod
    def of(cls, model: Any, image_token_id: int) -> InternVL:
        """The vision of a native model, with the tile geometry that its configuration gives."""
        vision = model.config.vision_config
        side, patch = vision.image_size[0], vision.patch_size[0]
        return cls(model, image_token_id, side, int(side // patch * model.config.downsample_ratio) ** 2)

    def tiles(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """Pixel values of all images, (tiles, 3, side, side), or None without images; and the tiles of each image."""
        cut = [cut_tiles(image, max_tiles, self.image_size) for image in images]
        pixels = pixel_values([tile for tiles in cut for tile in tiles]) if cut else None
        return pixels, [len(tiles) for tiles in cut]

    def tile_count(self, width: int, height: int, max_tiles: int) -> int:
        """See `Vision`."""
        return tile_count(width, height, max_tiles, self.image_size)

    def token_count(self, tiles: int) -> int:
        """See `Vision`."""
        return tiles * self.tokens_per_tile

    def place_images(self, text: str, tiles_per_image: Sequence[int]) -> str:
        """See `Vision`."""
        return place_images(text, tiles_per_image, self.tokens_per_tile)

    def image_features(self, pixels: Any) -> ImageFeatures:
        """Output of vision tower and projector, (tiles, tokens per tile, hidden size)."""
        import torch

        with torch.inference_mode():
            parts = [
                self.model.get_image_features(tiles.to(self.model.device), return_dict=True).pooler_output
                for tiles in pixels.split(TILES_AT_ONCE)
            ]
        return ImageFeatures(torch.cat(parts))
