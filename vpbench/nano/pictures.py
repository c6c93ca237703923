"""Draw the miniature world's pictures: 64 x 64 pixels, a grid of 4 x 4 cells, one thing in a cell.

A cell is what the tiny vision tower turns into one visual token. Fonts, sizes, inks, tints and places vary, so that
reading has to be learned. A `Picture` also keeps what is in each cell (`content`, an index into `CONTENTS`) and which
colour it goes by (`key`, 1 + an index into `COLOURS`, 0 for none): the targets that the vision tower is warmed up on.
"""

from __future__ import annotations

import functools
import random
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

SIDE, CELL, CELLS = 64, 16, 4
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (222, 70, 62),
    "blue": (72, 118, 214),
    "green": (66, 168, 86),
    "yellow": (232, 200, 60),
    "purple": (150, 92, 190),
    "gray": (150, 150, 150),
}
SHAPES = ("circle", "square")
GLYPHS = "0123456789+-*"
BAR_HEIGHTS = 8
CONTENTS = ("nothing", "tag", *SHAPES, *GLYPHS, *(f"bar {height}" for height in range(1, BAR_HEIGHTS + 1)))
FONTS = ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold")
SIZES = (11, 12, 13)


@functools.cache
def _sprite(char: str, font: str, size: int) -> Any:
    """Coverage 0 ... 1 of one character, cut to its box."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    image = Image.new("L", (2 * CELL, 2 * CELL))
    ImageDraw.Draw(image).text((6, 4), "×" if char == "*" else char, font=ImageFont.truetype(str(path), size), fill=255)
    return np.asarray(image.crop(image.getbbox()), dtype=np.float32) / 255


@functools.cache
def _shape(kind: str, side: int) -> Any:
    rows, columns = np.mgrid[:side, :side] - (side - 1) / 2
    inside = np.maximum(abs(rows), abs(columns)) if kind == "square" else np.hypot(rows, columns)
    return np.clip(side / 2 + 0.5 - inside, 0, 1).astype(np.float32)


class Picture:
    """A picture being drawn. `pixels` is uint8 (64, 64, 3); cells are counted row by row from the top left."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.font, self.size = rng.choice(FONTS), rng.choice(SIZES)
        self.ink = np.array([rng.randint(0, 60) for _ in range(3)], dtype=np.float32)
        paper = rng.randint(228, 255)
        self._canvas = np.full((SIDE, SIDE, 3), paper, dtype=np.float32)
        self.content = [0] * CELLS**2
        self.key = [0] * CELLS**2

    @property
    def pixels(self) -> Any:
        """The picture as uint8 (64, 64, 3)."""
        return self._canvas.round().astype(np.uint8)

    def png(self) -> bytes:
        """The picture as a PNG file."""
        return to_png(self.pixels)

    def fill(self, cell: int, colour: str) -> None:
        """Give a cell a coloured ground."""
        top, left = self._corner(cell)
        self._canvas[top + 1 : top + CELL - 1, left + 1 : left + CELL - 1] = self._tint(colour)
        self.content[cell], self.key[cell] = CONTENTS.index("tag"), 1 + list(COLOURS).index(colour)

    def write(self, cell: int, char: str) -> None:
        """Write one of `GLYPHS` into a cell."""
        mask = _sprite(char, self.font, self.size)
        self._blend(cell, mask, self.ink)
        self.content[cell] = CONTENTS.index(char)

    def place(self, cell: int, kind: str, colour: str) -> None:
        """Put a coloured shape into a cell."""
        self._blend(cell, _shape(kind, self._rng.randint(10, 12)), self._tint(colour))
        self.content[cell], self.key[cell] = CONTENTS.index(kind), 1 + list(COLOURS).index(colour)

    def bar(self, column: int, height: int, colour: str) -> None:
        """A bar of 1 to 8 half cells in a column."""
        left = column * CELL + self._rng.randint(2, 4)
        self._canvas[SIDE - height * CELL // 2 :, left : left + self._rng.randint(9, 11)] = self._tint(colour)
        for cell in range(column, CELLS**2, CELLS):
            self.content[cell], self.key[cell] = CONTENTS.index(f"bar {height}"), 1 + list(COLOURS).index(colour)

    def _corner(self, cell: int) -> tuple[int, int]:
        return cell // CELLS * CELL, cell % CELLS * CELL

    def _tint(self, colour: str) -> Any:
        return np.clip([value + self._rng.randint(-18, 18) for value in COLOURS[colour]], 0, 255)

    def _blend(self, cell: int, mask: Any, ink: Any) -> None:
        height, width = mask.shape
        top, left = self._corner(cell)
        top += min(max((CELL - height) // 2 + self._rng.randint(-1, 1), 0), CELL - height)
        left += min(max((CELL - width) // 2 + self._rng.randint(-2, 2), 0), CELL - width)
        area = self._canvas[top : top + height, left : left + width]
        area += mask[..., None] * (ink - area)


def to_png(pixels: Any) -> bytes:
    """A uint8 array (height, width, 3) as a PNG file."""
    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
