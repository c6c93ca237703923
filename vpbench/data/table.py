"""Rows as a data set holds them, before a task has read them.

Both readers, folder and hub, end in a `Table`: rows with their own column names, each with the images its image columns
hold (unread) and with the place it came from, for messages.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vpbench.base import Source
from vpbench.errors import DataError
from vpbench.records import ImageRef


@dataclass(frozen=True, slots=True)
class Row:
    """One row: column values (image columns left out where their bytes are inline), its images, and where it stands."""

    values: Mapping[str, Any]
    images: tuple[ImageRef, ...]
    where: str


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of a split. `fingerprint` changes whenever any content does; `revision` is the hub's commit."""

    rows: list[Row]
    fingerprint: str
    origin: str
    revision: str | None


DATA_URL = "data:image/"
SPLIT, ROW = "__split__", "__row__"
"""The keys under which a row of a source with several splits says which of them it is from, and a question's row which
of all it is, counted from 0."""


def split_names(source: Source) -> list[str]:
    """The splits of a source; several are joined by "+", as `datasets` does."""
    return source.split.split("+")


def by_split(source: Source, read: Callable[[Source], Table]) -> Table:
    """What `read` gives for the source's split, or for each of several in their order, with `SPLIT` in every row."""
    names = split_names(source)
    if len(names) == 1:
        return read(source)
    tables = [read(replace(source, split=name)) for name in names]
    rows = [
        replace(row, values={**row.values, SPLIT: name})
        for name, table in zip(names, tables, strict=True)
        for row in table.rows
    ]
    fingerprint = hashlib.sha256("\n".join(table.fingerprint for table in tables).encode()).hexdigest()
    return Table(rows, fingerprint, tables[0].origin, tables[0].revision)


def check_columns(source: Source, have: list[str], where: str) -> None:
    """Raise `DataError` if a column that the task reads is missing."""
    missing = [column for column in source.columns if column not in have]
    if missing:
        raise DataError(
            f"{where}: column {', '.join(missing)} missing; it has {', '.join(have)}. "
            f"Expected are the columns of {source.hub_id} (split {source.split})."
        )


def image_ref(cell: Any, name: str, root: Path | None) -> ImageRef:
    """The image in one cell: encoded bytes, `{bytes, path}` (the hub's Image feature), a data URL or a relative path.

    An empty cell gives a reference that raises `DataError` when it is opened, and so does a path without a `root`.
    """
    content = image_content(cell)
    # What a reference loads by are values and functions of a module, so that it can be sent to another process.
    if isinstance(content, bytes):
        return ImageRef(name, load=functools.partial(bytes, content))
    if content is not None and content.startswith(DATA_URL):
        return ImageRef(name, load=functools.partial(_decoded, content, name))
    if content is not None and root is not None:
        try:
            path = (root / content).resolve()
        except (OSError, ValueError) as error:
            raise DataError(f"bad image path: {name}: {content!r} can't be a path ({error})") from error
        if not path.is_relative_to(root.resolve()):
            raise DataError(
                f"bad image path: {name}: path {content!r} leaves the data folder {root}; image paths must stay inside "
                "it"
            )
        return ImageRef(name, path=path)
    return ImageRef(name)


def image_content(cell: Any) -> bytes | str | None:
    """What a cell says of its image: the encoded bytes, else its path or data URL, None where it is empty."""
    if isinstance(cell, Mapping):
        cell = cell["bytes"] if cell.get("bytes") else cell.get("path")
    return (cell or None) if isinstance(cell, bytes | str) else None


def image_refs(cell: Any, name: str, root: Path | None) -> tuple[ImageRef, ...]:
    """The images in one cell, which may hold one image or a list of them."""
    return tuple(image_ref(single, label, root) for single, label in single_cells(cell, name))


def single_cells(cell: Any, name: str) -> list[tuple[Any, str]]:
    """A cell of one image or of a list of them as cells of one image, each with what messages call it."""
    cells = cell if isinstance(cell, list) else [cell]
    return [(single, name if len(cells) == 1 else f"{name}[{i}]") for i, single in enumerate(cells)]


def path_column(column: str) -> str:
    """The column that holds the path of an inline image: the hub's sets pair `decoded_image` with `image`."""
    return column.removeprefix("decoded_")


def _decoded(url: str, name: str) -> bytes:
    try:
        return base64.b64decode(url.split(",", 1)[1], validate=True)
    except (IndexError, binascii.Error) as error:
        raise DataError(f"broken image: {name}: a data URL that isn't valid base64") from error
