"""Encoded pictures -> the pixels that critics and policies see.

Every picture of a question is opened here, as data of strangers: by formats that Pillow decodes itself, at most
`MAX_PIXELS`, any failure as a `DataError`. What comes out is 8-bit grey or RGB, upright, the first frame, and carries
nothing else: alpha is dropped and not composited, as the released preprocessing does.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from vpbench.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

# No format that starts a program (Pillow hands EPS to Ghostscript).
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
MAX_BYTES = 512 * 2**20
"""The largest encoded picture that is read; 50 megapixels uncompressed are at most 400 MB."""

ORIENTATION, BITS_PER_SAMPLE = 0x0112, 0x0102
"""Tags of EXIF and TIFF."""

UPRIGHT = 1
"""The orientation of a picture that needn't be turned."""

_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What sets a picture of this orientation upright, in Pillow's words (Exif 2.32, tag Orientation)."""


def open_undecoded(data: bytes, name: str) -> Image:
    """A picture whose header is read; `name` is what messages call it. Raises `DataError` for what isn't decoded."""
    from PIL import Image as pil
    from PIL import UnidentifiedImageError

    with _decoding(name):
        try:
            image = pil.open(BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise DataError(
                f"broken image: {name}: not a readable image; formats are {', '.join(FORMATS)}, convert others"
            ) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(
            f"image too large: {name}: {width} x {height} pixels, at most {MAX_PIXELS:,} are decoded; make it smaller"
        )
    return image


def decode(data: bytes, name: str, released: bool = False) -> Image:
    """The picture in mode L or RGB.

    `released` does what the released scorer's preprocessing does, Pillow's `convert("RGB")` and nothing else: a
    photograph stays as the camera was held, 16-bit grey is clipped at 255. Raises `DataError`.
    """
    image = open_undecoded(data, name)
    with _decoding(name):
        image.load()
        if not released:
            image = _eight_bits(_upright(image, data), name)
        if image.mode != "L":
            image = image.convert("RGB")
        # A colour that is to be transparent would be written into files made of this picture.
        image.info.clear()
    return image


def decoded_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in pixels of what `decode` gives, from the header where that suffices. Raises `DataError`."""
    image = open_undecoded(data, name)
    with _decoding(name):
        turned = _turn(image, data) is not None
    return decode(data, name).size if turned else image.size


def encode(data: bytes, name: str) -> tuple[str, bytes]:
    """A file ("png" or "jpeg", bytes) that shows whoever reads it the pixels of `decode`. Raises `DataError`.

    It is `data` itself where that is PNG or JPEG without alpha, frames or an orientation, else an RGB PNG.
    """
    decoded, file = decode(data, name), open_undecoded(data, name)
    kind = {"PNG": "png", "JPEG": "jpeg", "MPO": "jpeg"}.get(file.format or "")
    plain = file.mode in ("1", "L", "P", "RGB") and "transparency" not in file.info
    frames = kind == "png" and getattr(file, "is_animated", False)
    if kind is None or not plain or frames or _turn(file, data) is not None:
        return "png", png(decoded)
    return kind, data


def png(image: Image) -> bytes:
    """A decoded picture as PNG, in RGB."""
    buffer = BytesIO()
    image.convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def _turn(image: Image, data: bytes) -> str | None:
    """What sets the picture upright, None where it is."""
    # Pillow decodes a whole PNG to look for tags behind its pixels.
    tagged = (b"eXIf", b"Raw profile type exif", b"XML:com.adobe.xmp")
    if image.format == "PNG" and not any(key in data for key in tagged):
        return None
    try:
        return _TURNS.get(image.getexif().get(ORIENTATION, UPRIGHT))
    except Exception:  # broken tags, of which Pillow raises many kinds, tell no orientation; viewers show such pictures
        return None


def _upright(image: Image, data: bytes) -> Image:
    """The picture as `datasets` decodes it: turned by its tag."""
    from PIL.Image import Transpose

    turn = _turn(image, data)
    return image if turn is None else image.transpose(Transpose[turn])


def _eight_bits(image: Image, name: str) -> Image:
    """16-bit grey as 8 bits, the high byte as Pillow takes of 16-bit colour; its own conversion clips at 255."""
    import numpy as np
    from PIL import Image as pil

    sixteen = image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")  # I: Pillow below 11
    if not sixteen:
        if image.mode in ("I", "F"):
            raise DataError(f"broken image: {name}: 32-bit grey, whose white isn't defined; save it with 8 bits")
        return image
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, (16,))[0]
    return pil.fromarray((np.asarray(image) >> (bits - 8)).astype(np.uint8))


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except Exception as error:  # decoders raise whatever a damaged file leads them to, MemoryError among it
        reason = str(error) or type(error).__name__
        raise DataError(f"broken image: {name}: not a readable image ({reason})") from error
