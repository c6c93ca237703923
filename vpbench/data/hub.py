"""Rows from the hub, through `datasets`, at the task's pinned revision.

The HF offline variables are honoured by `datasets` itself; what can't be had becomes a `DataError` that says how to go
on without a network. Images of sets that ship them beside the rows, in one `images.zip`, are read out of that file.
"""

from __future__ import annotations

import functools
import posixpath
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from vpbench.base import Source
from vpbench.data.table import (
    DATA_URL,
    Row,
    Table,
    by_split,
    check_columns,
    image_content,
    image_ref,
    single_cells,
)
from vpbench.errors import DataError, require
from vpbench.images import MAX_BYTES
from vpbench.records import ImageRef

MAX_RATIO, UNSUSPECTED_BYTES = 200, 2**30
"""How many times its size an archive may unpack to, where that is more than a gigabyte."""


def read_hub(source: Source) -> Table:
    """All rows of the task's split, or of its several splits.

    Raises `DataError` where the hub can't be reached or holds something else, and `ConfigError` without `datasets`.
    """
    require("models", "datasets", otherwise="; or give a folder that holds the data set's own files: --data DIR")
    return by_split(source, _read_split)


def _read_split(source: Source) -> Table:
    import datasets

    data, commit = _dataset(source)
    check_columns(source, data.column_names, source.hub_id)
    inline = [column for column in source.image_columns if isinstance(data.features[column], datasets.Image)]
    several = len(source.image_columns) > 1
    texts = data.remove_columns(inline)
    rows = []
    for number, values in enumerate(texts):
        where = f"{source.hub_id} ({source.split}) row {number + 1}"
        images: list[ImageRef] = []
        cells = data[number] if several and inline else {}
        for column in source.image_columns:
            name = f"{where}, column {column}"
            if column not in inline:
                images += [_beside(source, cell, label) for cell, label in single_cells(values[column], name)]
            elif not several or cells[column] is not None:
                load = functools.partial(_inline, source, data._fingerprint, number, column, name)
                images.append(ImageRef(name, load=load))
        rows.append(Row(values, tuple(images), where))
    revision = commit or source.revision
    return Table(rows, f"{source.hub_id}@{revision}:{data._fingerprint}", source.hub_id, revision)


# Kept for the images, which are read when they are opened: a reference names its row instead of holding the data set,
# so that another process can open it too. Data sets are mapped into memory, not read.
@functools.cache
def _dataset(source: Source) -> tuple[Any, str | None]:
    """The rows of one split, images undecoded, and its commit on the hub if `datasets` has recorded it."""
    import datasets

    try:
        parts = [
            datasets.load_dataset(
                source.hub_id, None if config == "default" else config, split=source.split, revision=source.revision
            )
            for config in source.configs
        ]
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(
            f"can't load {source.hub_id} (split {source.split}, revision {source.revision or 'main'}) from the hub: "
            f"{reason}. Without a network, give a folder that holds the data set's own files: --data DIR."
        ) from error
    data = parts[0] if len(parts) == 1 else datasets.concatenate_datasets(parts)
    for column, feature in data.features.items():
        if isinstance(feature, datasets.Image):
            data = data.cast_column(column, datasets.Image(decode=False))
    return data, _commit(parts[0])


def _inline(source: Source, fingerprint: str, number: int, column: str, name: str) -> bytes:
    data, _ = _dataset(source)
    if data._fingerprint != fingerprint:
        raise DataError(f"missing image: {name}: {source.hub_id} has changed since its rows were read; run again")
    return image_ref(data[number][column], name, None).read()


def _beside(source: Source, cell: Any, name: str) -> ImageRef:
    content = image_content(cell)
    if not isinstance(content, str) or content.startswith(DATA_URL):
        return image_ref(cell, name, None)
    member = posixpath.normpath(content)
    return ImageRef(name, load=functools.partial(_unzip, source.hub_id, source.revision, member, name))


def _unzip(hub_id: str, revision: str | None, member: str, name: str) -> bytes:
    archive = _archive(hub_id, revision)
    try:
        if archive.exists() and not archive.is_file():
            raise zipfile.BadZipFile("it isn't a regular file")
        with zipfile.ZipFile(archive) as file:
            _check_sizes(file, member, archive.stat().st_size)
            return file.read(member)
    # zipfile's RuntimeError: a member that is encrypted, or packed in a way it doesn't know
    except (KeyError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise DataError(f"missing image: {name}: {member} can't be read from {archive} ({error})") from error


def _check_sizes(file: zipfile.ZipFile, member: str, packed: int) -> None:
    """Raise `BadZipFile` for an archive, or a member of it, that unpacks to far more than pictures do."""
    info = file.getinfo(member)
    total = sum(other.file_size for other in file.infolist())
    if total > max(UNSUSPECTED_BYTES, MAX_RATIO * packed):
        raise zipfile.BadZipFile(f"its {packed:,} bytes unpack to {total:,}, more than {MAX_RATIO} times as many")
    if info.is_dir() or info.file_size > MAX_BYTES:
        raise zipfile.BadZipFile(f"no picture file of at most {MAX_BYTES:,} bytes")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Others unpack a block at once, however large.
        raise zipfile.BadZipFile("it is neither stored nor deflated; pack the archive anew with the usual method")


@functools.lru_cache(maxsize=8)
def _archive(hub_id: str, revision: str | None) -> Path:
    if Path(hub_id).is_dir():
        return Path(hub_id) / "images.zip"
    import huggingface_hub

    try:
        return Path(huggingface_hub.hf_hub_download(hub_id, "images.zip", repo_type="dataset", revision=revision))
    except (OSError, ValueError, huggingface_hub.errors.HfHubHTTPError) as error:
        raise DataError(
            f"can't get images.zip of {hub_id} from the hub: {error}; give --data DIR with images"
        ) from error


def _commit(data: Any) -> str | None:
    for address in data.info.download_checksums or {}:
        match = re.search(r"@([0-9a-f]{40})/", address)
        if match:
            return match.group(1)
    return None
