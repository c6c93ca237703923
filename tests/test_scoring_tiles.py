"""Tile grids and pixels, against a direct search in exact arithmetic and hand-computed values."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vpbench.models.tiles import CHANNEL_MEAN, CHANNEL_STD, cut_tiles, pixel_values, tile_grid


@pytest.mark.parametrize(
    ("width", "height", "limit", "grid"),
    [
        (448, 448, 12, (1, 1)),
        (896, 448, 12, (2, 1)),
        (896, 448, 1, (1, 1)),
        (448, 1344, 12, (1, 3)),
        (4000, 100, 12, (12, 1)),
        (100, 4000, 6, (1, 6)),
        (633, 633, 12, (1, 1)),  # 633^2 is less than half the pixels of 2 x 2 tiles
        (634, 634, 12, (2, 2)),  # 634^2 is more than half of 2 x 2, less than half of 3 x 3
        (1344, 1344, 12, (3, 3)),
        (1344, 1344, 6, (2, 2)),
    ],
)
def test_tile_grid(width: int, height: int, limit: int, grid: tuple[int, int]) -> None:
    assert tile_grid(width, height, limit) == grid


@pytest.mark.parametrize("limit", [1, 2, 6, 12])
def test_no_grid_within_the_limit_is_nearer(limit: int) -> None:
    for width in range(50, 1500, 117):
        for height in range(50, 1500, 131):
            columns, rows = tile_grid(width, height, limit)
            assert columns * rows <= limit
            ratio = Fraction(width, height)
            nearest = min(abs(ratio - Fraction(c, r)) for c in range(1, limit + 1) for r in range(1, limit // c + 1))
            assert math.isclose(abs(ratio - Fraction(columns, rows)), nearest, abs_tol=1e-12)


def test_tiles_row_by_row_and_the_thumbnail_last() -> None:
    colours = {(0, 0): (255, 0, 0), (1, 0): (0, 255, 0), (0, 1): (0, 0, 255), (1, 1): (255, 255, 0)}
    image = Image.new("RGB", (56, 56))
    for (column, row), colour in colours.items():
        image.paste(colour, (column * 28, row * 28, column * 28 + 28, row * 28 + 28))
    tiles = cut_tiles(image, max_tiles=4, tile_size=28)
    assert [tile.size for tile in tiles] == [(28, 28)] * 5
    assert [tile.getpixel((14, 14)) for tile in tiles[:4]] == list(colours.values())
    corners = [tiles[4].getpixel((x, y)) for y in (3, 24) for x in (3, 24)]
    assert corners == list(colours.values())


def test_one_tile_has_no_thumbnail() -> None:
    assert len(cut_tiles(Image.new("L", (500, 500)), max_tiles=1)) == 1


def test_alpha_is_dropped_without_compositing() -> None:
    (tile,) = cut_tiles(Image.new("RGBA", (28, 28), (10, 20, 30, 0)), max_tiles=1, tile_size=28)
    assert tile.mode == "RGB"
    assert tile.getpixel((5, 5)) == (10, 20, 30)


def test_pixel_values() -> None:
    tile = Image.new("RGB", (14, 14), (0, 128, 255))
    values = pixel_values([tile, tile])
    assert values.shape == (2, 3, 14, 14)
    wanted = [np.float32((v / 255 - m) / s) for v, m, s in zip((0, 128, 255), CHANNEL_MEAN, CHANNEL_STD, strict=True)]
    assert values[1, :, 7, 3].tolist() == pytest.approx(wanted, abs=1e-6)


def test_resampling_is_bicubic() -> None:
    edge = Image.new("L", (14, 14), 100)
    edge.paste(200, (7, 0, 14, 14))
    (tile,) = cut_tiles(edge, max_tiles=1, tile_size=28)
    row = np.asarray(tile)[14, :, 0]
    assert row.min() < 100  # a cubic kernel overshoots at an edge, a linear or box one doesn't
    assert row.max() > 200
