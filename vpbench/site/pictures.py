"""Questions' pictures as a page shows them: of a bounded size, decoded once, with small ones for lists."""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from vpbench.errors import DataError
from vpbench.images import decode, decoded_size, open_undecoded
from vpbench.report.names import without_paths
from vpbench.report.pictures import kept_picture
from vpbench.store import write_atomic

LARGEST = 1280
"""Pixels of the longer side; larger pictures are made smaller."""
AS_IT_IS = 400_000
"""Bytes up to which a PNG or JPEG of at most that size is taken over as it is."""
THUMB = 112
_SUFFIXES = {"PNG": "png", "JPEG": "jpg"}
_NAME = 20
"""Digits of the SHA-256 that name a picture's files."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture's file and small one in the site's `images`, and its size in pixels."""

    file: str
    thumb: str
    width: int
    height: int


def stem(name: str) -> str:
    """What the files of a kept picture are called, their suffixes aside."""
    return name[:_NAME]


class Pictures:
    """Writes the pictures that a run kept into a site, each once."""

    def __init__(self, output: Path, site: Path, names: Iterable[str]) -> None:
        self._output, self._folder = output, site / "images"
        self._folder.mkdir(parents=True, exist_ok=True)
        distinct = sorted(set(names))
        # decoders and disks work outside the interpreter's lock
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            self._shown = dict(zip(distinct, threads.map(self._picture, distinct), strict=True))

    def shown(self, name: str, missing: str) -> dict[str, Any]:
        """The picture as the page has it: the fields of `Shown`, or `missing`, which says why it isn't there."""
        return self._shown[name] if name else {"missing": without_paths(missing)}

    def _picture(self, name: str) -> dict[str, Any]:
        try:
            return asdict(self._write(name, kept_picture(self._output, name)))
        except DataError as error:
            return {"missing": without_paths(str(error))}

    def _write(self, name: str, data: bytes) -> Shown:
        image = open_undecoded(data, name)
        suffix = _SUFFIXES.get(image.format or "")
        file, thumb = f"{stem(name)}.{suffix or 'png'}", f"{stem(name)}.thumb.jpg"
        width, height = decoded_size(data, name)
        if suffix is None or len(data) > AS_IT_IS or max(width, height) > LARGEST:
            whole = decode(data, name)
            whole.thumbnail((LARGEST, LARGEST))
            (width, height), data = whole.size, _encoded(whole, "PNG" if suffix != "jpg" else "JPEG")
        for path, content in ((file, data), (thumb, _small(data, name))):
            if not (self._folder / path).is_file():
                write_atomic(self._folder / path, content, durable=False)
        return Shown(file, thumb, width, height)


def _small(data: bytes, name: str) -> bytes:
    image = open_undecoded(data, name)
    if image.format == "JPEG" and image.mode in ("L", "RGB"):
        # a JPEG can be decoded at a fraction of its size, which is what a picture so small needs
        image.draft("RGB", (THUMB, THUMB))
        small = image if image.getexif().get(0x0112, 1) == 1 else decode(data, name)
    else:
        small = decode(data, name)
    try:
        small.thumbnail((THUMB, THUMB))
        return _encoded(small.convert("RGB"), "JPEG")
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise DataError(f"broken image: {name}: not a readable image ({error})") from error


def _encoded(image: Any, kind: str) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **({"quality": 80} if kind == "JPEG" else {}))
    return buffer.getvalue()
