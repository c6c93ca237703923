"""Draw the miniature world's pictures: bar charts with a scale, and scattered shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from PIL import Image, ImageDraw

SIZE = 112
COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (214, 62, 57),
    "blue": (52, 108, 196),
    "green": (58, 154, 82),
    "orange": (236, 146, 40),
    "purple": (132, 84, 168),
}


def bars(heights: Mapping[str, int], top: int = 10) -> bytes:
    """A bar chart as PNG: one bar per colour, a grid line per unit up to `top`."""
    image = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(image)
    base, unit = SIZE - 6, (SIZE - 16) / top
    for level in range(top + 1):
        y = base - level * unit
        draw.line([(4, y), (SIZE - 4, y)], fill=(205, 205, 205) if level % 5 else (120, 120, 120))
    width = (SIZE - 12) / len(heights)
    for place, (colour, height) in enumerate(heights.items()):
        left = 6 + place * width
        draw.rectangle([left + 3, base - height * unit, left + width - 3, base], fill=COLOURS[colour])
    return _png(image)


def shapes(placed: Sequence[tuple[str, str, int, int]]) -> bytes:
    """Scattered shapes as PNG: (colour, "square" or "circle", column, row) on a 6 by 6 grid."""
    image = Image.new("RGB", (SIZE, SIZE), "white")
    draw = ImageDraw.Draw(image)
    cell = SIZE / 6
    for colour, kind, column, row in placed:
        box = [column * cell + 3, row * cell + 3, (column + 1) * cell - 3, (row + 1) * cell - 3]
        (draw.rectangle if kind == "square" else draw.ellipse)(box, fill=COLOURS[colour])
    return _png(image)


def _png(image: Image.Image) -> bytes:
    buffer = BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
