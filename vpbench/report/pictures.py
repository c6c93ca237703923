"""The pictures of questions as a run keeps them, for pages that show its results where the data isn't.

They are kept as they came, undecoded, each under the SHA-256 of its content: one that several questions or tasks share
is kept once, and a damaged one is told by its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vpbench.errors import DataError
from vpbench.records import ImageRef
from vpbench.store import sha256, write_atomic

LARGEST = 64 * 2**20
"""Bytes of the largest picture that is kept."""
_FOLDER = "images"


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture's file in the run's folder of them; `name` is "" where there is none, `missing` says why."""

    name: str
    missing: str = ""


def keep_pictures(images: Iterable[ImageRef], output: Path) -> list[KeptPicture]:
    """Keep a question's pictures in the run's folder. One that can't be read is no failure: critics tell of it."""
    return [_keep(image, output / _FOLDER) for image in images]


def kept_picture(output: Path, name: str) -> bytes:
    """The content of a picture that was kept under the name. Raises `DataError` if it is missing or damaged."""
    path = output / _FOLDER / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"missing image: {path} ({error.strerror}); the same `vpbench run` again writes it") from error
    if sha256(data) != name:
        raise DataError(f"broken image: {path}: its SHA-256 isn't its name; remove it and run again")
    return data


def _keep(image: ImageRef, folder: Path) -> KeptPicture:
    try:
        data = image.read()
    except DataError as error:
        return KeptPicture("", str(error))
    if len(data) > LARGEST:
        return KeptPicture("", f"{len(data):,} bytes, at most {LARGEST:,} are kept")
    name = sha256(data)
    if not (folder / name).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        # torn by a power cut, it is told by its name
        write_atomic(folder / name, data, durable=False)
    return KeptPicture(name)
