"""How a model sees images: what they become, how many tokens they take, where these stand, and what stands there.

A family of vision-language models is one member. An image is cut into tiles, of which a family has few large ones or
many small ones; whoever writes a prompt needs their number only, whoever runs the model their pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class ImageFeatures:
    """What the images of a prompt are to the language model.

    `rows` [..., hidden size] stand at the image tokens in turn. `deep` [image tokens, hidden size] are added there
    behind each of the first layers. `grids` are the rows and columns of each image's tokens, where positions go by
    them.
    """

    rows: Any
    deep: tuple[Any, ...] = ()
    grids: tuple[tuple[int, int], ...] = ()


class Vision(Protocol):
    """What a checkpoint's vision part does, whatever its family."""

    @property
    def image_token_id(self) -> int:
        """Id of the token whose embedding is replaced by image features."""

    @property
    def image_gap(self) -> str:
        """What a chat has between an image in front of a text and the text."""

    def tiles(self, images: Sequence[Image], max_tiles: int) -> tuple[Any | None, list[int]]:
        """Pixel values of all images' tiles, as long as there are tiles (None without images); the tiles of each."""

    def tile_count(self, width: int, height: int, max_tiles: int) -> int:
        """How many tiles `tiles` makes of an image of this size in pixels."""

    def token_count(self, tiles: int) -> int:
        """How many image tokens an image of so many tiles takes."""

    def place_images(self, text: str, tiles_per_image: Sequence[int]) -> str:
        """The text with the first `len(tiles_per_image)` markers `<image>` replaced by image tokens."""

    def image_features(self, pixels: Any) -> ImageFeatures:
        """What the tiles that `tiles` gives are to the language model."""
