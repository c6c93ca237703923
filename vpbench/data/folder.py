"""A local folder in the hub's own columns: Parquet, JSON or JSONL, images inline or as relative paths.

The files of the split are those named `{split}.ext` or `{split}-00000-of-00004*.ext`; where no file is named so, the
only data file there is. They stand in the folder, in its folder `data`, or in one named like a configuration. Of
several splits each has to be there under its name. Image columns of Parquet files are read one row group at a time,
when an image is opened.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vpbench.base import Source
from vpbench.data.files import decoded, parse_json, read_bytes
from vpbench.data.table import (
    Row,
    Table,
    by_split,
    check_columns,
    image_content,
    image_ref,
    image_refs,
    path_column,
    split_names,
)
from vpbench.errors import DataError
from vpbench.records import ImageRef

_SUFFIXES = (".parquet", ".jsonl", ".json")


def read_folder(source: Source, folder: Path) -> Table:
    """All rows of the split in `folder` (or of one file), or of its several splits.

    Raises `DataError` for what isn't there or can't be read.
    """
    several = len(split_names(source)) > 1
    if several and folder.is_file():
        raise DataError(f"--data {folder}: {source.hub_id} has a file for each of its splits; give their folder")
    return by_split(source, lambda one: _read_split(one, folder, only_file=not several))


def _read_split(source: Source, folder: Path, only_file: bool) -> Table:
    files = _files(source, folder, only_file)
    root = folder if folder.is_dir() else folder.parent
    digest = hashlib.sha256()
    rows: list[Row] = []
    for path in files:
        digest.update(path.name.encode())
        if not path.is_file():
            raise DataError(f"{path}: no regular file; replace it by the data set's own file")
        with path.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        rows += _parquet(source, path, root) if path.suffix == ".parquet" else _json(source, path, root)
    return Table(rows, digest.hexdigest(), str(folder), None)


def _files(source: Source, folder: Path, only_file: bool) -> list[Path]:
    """The files of one split; `only_file`: whether the only data file there may have another name."""
    if folder.is_file():
        return [folder]
    if folder.exists() and not folder.is_dir():
        raise DataError(f"--data {folder}: a pipe or device; write the content to a file and give that")
    if not folder.is_dir():
        raise DataError(f"--data {folder}: no such folder; give the folder that holds the files of {source.hub_id}")
    folders = (folder, folder / "data", *(folder / config for config in source.configs))
    files = sorted(path for parent in folders for path in parent.glob("*") if path.suffix in _SUFFIXES)
    pattern = re.compile(rf"{re.escape(source.split)}(-\d+-of-\d+.*)?")
    named = [path for path in files if pattern.fullmatch(path.stem)]
    chosen = named or (files if only_file and len(files) == 1 else [])
    if not chosen:
        have = ", ".join(path.name for path in files) or "none"
        raise DataError(
            f"--data {folder}: no file of split {source.split!r} (expected {source.split}.parquet, .jsonl or .json, or "
            f"{source.split}-00000-of-....parquet); data files there: {have}"
        )
    if len({path.suffix for path in chosen}) > 1:
        raise DataError(
            f"--data {folder}: split {source.split!r} is there in more than one format; keep one of "
            f"{', '.join(path.name for path in chosen)}"
        )
    return chosen


def _parquet(source: Source, path: Path, root: Path) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error})") from error
    schema = file.schema_arrow
    check_columns(source, schema.names, str(path))
    inline = [name for name in source.image_columns if name in schema.names and _holds_bytes(schema.field(name).type)]
    columns = [name for name in schema.names if name not in inline]
    several = len(source.image_columns) > 1
    number = 0
    for group in range(file.num_row_groups):
        try:
            values = file.read_row_group(group, columns=columns).to_pylist()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"{path}: row group {group} can't be read ({error}); copy the file again") from error
        present = {name: _cells(path, group, name).is_valid() for name in inline} if several else {}
        for offset, row in enumerate(values):
            number += 1
            where = f"{path} row {number}"
            images: list[ImageRef] = []
            for name in source.image_columns:
                if name in inline:
                    if several and not present[name][offset].as_py():
                        continue
                    label, beside = f"{where}, column {name}", row.get(path_column(name))
                    load = functools.partial(_inline, path, group, name, offset, beside, root, label)
                    images.append(ImageRef(label, load=load))
                elif not (several and row.get(name) is None):
                    images += _images(row, name, where, root)
            yield Row(row, tuple(images), where)


def _json(source: Source, path: Path, root: Path) -> Iterator[Row]:
    for number, row in _json_rows(path):
        where = f"{path} line {number}" if path.suffix == ".jsonl" else f"{path} row {number}"
        if not isinstance(row, dict):
            raise DataError(f"{where}: expected a JSON object with the columns of {source.hub_id}")
        check_columns(source, list(row), where)
        several = len(source.image_columns) > 1
        names = [name for name in source.image_columns if not (several and row.get(name) is None)]
        yield Row(row, tuple(ref for name in names for ref in _images(row, name, where, root)), where)


def _json_rows(path: Path) -> Iterator[tuple[int, Any]]:
    text = decoded(path, read_bytes(path))
    if path.suffix == ".json":
        content = parse_json(text, str(path), "fix the file")
        rows = list(content.values()) if isinstance(content, dict) else content
        if not isinstance(rows, list):
            raise DataError(f"{path}: a {type(rows).__name__}, expected a list of rows")
        yield from enumerate(rows, 1)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse_json(line, f"{path} line {number}")


def _images(row: dict[str, Any], column: str, where: str, root: Path) -> tuple[ImageRef, ...]:
    cell = row.get(column)
    if cell is None:
        cell = row.get(path_column(column))
    return image_refs(cell, f"{where}, column {column}", root)


def _inline(path: Path, group: int, column: str, offset: int, beside: Any, root: Path, name: str) -> bytes:
    """The encoded image in a Parquet file; `beside` is the cell that holds its path where it isn't inline after all."""
    cell = _cells(path, group, column)[offset].as_py()
    return image_ref(cell if image_content(cell) else beside, name, root).read()


@functools.lru_cache(maxsize=2)
def _cells(path: Path, group: int, column: str) -> Any:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group, columns=[column]).column(column)


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_struct(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
