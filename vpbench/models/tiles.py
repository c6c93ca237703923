"""Images as InternVL sees them: cut into square tiles along a grid that fits their shape, thumbnail last.

The image becomes RGB, is resized once (bicubic) to a grid of columns x rows tiles, cut row by row, and followed by a
square thumbnail of the whole if there is more than one tile. Own code on Pillow, since other resamplers differ by up
to 0.3 in normalised units, which moves step scores (measured against the released preprocessing).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNEL_MEAN = (0.485, 0.456, 0.406)
CHANNEL_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's red, green, blue on the scale 0 ... 1."""


@lru_cache
def _grids(max_tiles: int) -> tuple[tuple[int, int], ...]:
    """All (columns, rows) of at most `max_tiles` tiles, fewest tiles first."""
    sides = range(1, max_tiles + 1)
    grids = [(columns, rows) for columns in sides for rows in sides if columns * rows <= max_tiles]
    return tuple(sorted(grids, key=lambda grid: (grid[0] * grid[1], grid)))


def tile_grid(width: int, height: int, max_tiles: int, tile_size: int = 448) -> tuple[int, int]:
    """The (columns, rows) whose aspect ratio is nearest to the image's; sizes in pixels.

    Of equally near grids the smallest is taken, unless the image has more than half as many pixels as a larger one.
    """
    best, nearest = (1, 1), float("inf")
    for columns, rows in _grids(max_tiles):
        distance = abs(width / height - columns / rows)
        fills = 2 * width * height > tile_size**2 * columns * rows
        if distance < nearest or (distance == nearest and fills):
            best, nearest = (columns, rows), distance
    return best


def tile_count(width: int, height: int, max_tiles: int, tile_size: int = 448) -> int:
    """How many tiles `cut_tiles` makes of an image of this size."""
    columns, rows = tile_grid(width, height, max_tiles, tile_size)
    return columns * rows + (columns * rows > 1)


def cut_tiles(image: Image, max_tiles: int, tile_size: int = 448) -> list[Image]:
    """The tiles of one image, each RGB and `tile_size` square: row by row, then the thumbnail if there are several.

    An alpha channel is dropped without compositing.
    """
    image = image.convert("RGB")
    columns, rows = tile_grid(*image.size, max_tiles, tile_size)
    canvas = _bicubic(image, columns * tile_size, rows * tile_size)
    tiles = [
        canvas.crop((x, y, x + tile_size, y + tile_size))
        for y in range(0, rows * tile_size, tile_size)
        for x in range(0, columns * tile_size, tile_size)
    ]
    return tiles if len(tiles) == 1 else [*tiles, _bicubic(image, tile_size, tile_size)]


def pixel_values(tiles: Sequence[Image]) -> Any:
    """Normalised float32 tensor of shape (tiles, 3, tile_size, tile_size), computed as (x / 255 - mean) / std."""
    import numpy as np
    import torch

    raw = torch.from_numpy(np.stack([np.asarray(tile) for tile in tiles]))
    mean = torch.tensor(CHANNEL_MEAN).view(3, 1, 1)
    std = torch.tensor(CHANNEL_STD).view(3, 1, 1)
    return (raw.permute(0, 3, 1, 2).contiguous().float() / 255 - mean) / std


def _bicubic(image: Image, width: int, height: int) -> Image:
    from PIL.Image import Resampling

    return image.resize((width, height), Resampling.BICUBIC)
