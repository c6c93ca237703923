"""Tables of candidates and scores, row by row as JSON lines give them: CSV, TSV, Excel and Parquet.

Cells of text files and Excel sheets are text; those of the columns that are numbers, truth values or lists are read as
such. A cell is missing only where it is empty: "None", "NA" and "nan" are words that a model may answer.
"""

from __future__ import annotations

import importlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from vpbench.data.files import RepeatedKey, check_unpacked, decoded, json_value
from vpbench.errors import DataError
from vpbench.store import table_of

Rows = Iterator[tuple[str, dict[str, Any]]]

_VALUES = {"index", "tokens", "correct", "score", "step_scores", "steps", "candidates", "precision"}
"""Columns whose cells aren't text; others are left as they are."""
_TRUTH = {"true": True, "false": False}
_MAGIC = {b"PAR1": ".parquet", b"PK\x03\x04": ".xlsx"}
"""How tables that are no text begin, whatever the file is called."""
_KEPT_EMPTY = {"response", "prediction", "score", "step_scores"}
"""Columns whose empty cells mean something: an empty response, a row that has no score."""


def table_rows(path: Path, data: bytes) -> Rows | None:
    """Every row of a table with its place; None for a file that is no table. Raises `DataError` naming the row."""
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix not in _MAGIC.values():
        suffix = _MAGIC.get(data[:4], suffix)
    reader = _READERS.get(suffix)
    return None if reader is None else reader(path, data)


def _separated(path: Path, data: bytes, separator: str) -> Rows:
    records = _records(decoded(path, data), separator, path)
    _, header = next(records, (0, []))
    yield from _named(header, ((f"{path} line {number}", cells) for number, cells in records), str(path))


def _named(header: Sequence[str], records: Iterator[tuple[str, Sequence[str]]], table: str) -> Rows:
    names = [name.strip() for name in header]
    twice = [name for name in names if name and names.count(name) > 1]
    if twice:
        raise DataError(f"{table}: two columns are called {twice[0]!r}; rename or remove one")
    for where, cells in records:
        if len(cells) != len(names):
            raise DataError(
                f"{where}: {len(cells)} cells, but the table has {len(names)} columns; put a cell that holds the "
                "separator, a line break or a quotation mark in quotation marks"
            )
        row = {name: _value(name, cell, where) for name, cell in zip(names, cells, strict=True) if name}
        yield where, _without_empty(row)


def _without_empty(value: Any) -> Any:
    """Without the fields that are missing, in lists of objects too."""
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: _without_empty(cell) for name, cell in value.items() if cell is not None or name in _KEPT_EMPTY}


def _value(name: str, cell: str, where: str) -> Any:
    if cell == "":
        return None
    if name not in _VALUES:
        return cell
    text = cell.strip()
    try:
        return _TRUTH[text.lower()] if text.lower() in _TRUTH else json_value(text)
    except RepeatedKey as error:
        raise DataError(f"{where}, column {name}: {error}; keep one of the two values") from error
    except (ValueError, RecursionError):
        return cell


def _records(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """The cells of every record that isn't empty, with the number of the line it begins in.

    A cell in quotation marks may hold separators, line breaks and doubled marks. Tables with tabs are also written
    without any quoting: there a mark that is never closed as such, or only in a later row, is part of the text.
    """
    quoted = re.compile(rf'"((?:[^"]++|"")*+)"(?={separator}|\r?\n|\r?\Z)')
    plain = re.compile(rf"[^{separator}\n]*+")
    columns = text.partition("\n")[0].count(separator)
    position, line = 0, 1
    while position < len(text):
        start, cells = position, list[str]()
        while True:
            match = quoted.match(text, position)
            if match and not (separator == "\t" and _covers_rows(text, match.start(), match.end(), columns)):
                cells.append(match[1].replace('""', '"'))
            elif separator == "," and text.startswith('"', position):
                number = line + text.count("\n", start, position)
                raise DataError(
                    f"{path} line {number}: a cell begins with a quotation mark that isn't closed before the next "
                    "comma or line; double the marks within it and close it, or save the table as .tsv"
                )
            else:
                match = plain.match(text, position)
                assert match is not None, "the pattern matches the empty text too"
                cells.append(match[0].removesuffix("\r"))
            position = match.end()
            if not text.startswith(separator, position):
                break
            position += 1
        position = text.find("\n", position) + 1 or len(text)
        if cells != [""]:
            yield line, cells
        line += text.count("\n", start, position)


def _covers_rows(text: str, start: int, end: int, separators: int) -> bool:
    """Whether a quoted cell would hold several lines each of which is a whole row by itself."""
    if "\n" not in text[start:end]:
        return False
    first = text.rfind("\n", 0, start) + 1
    last = text.find("\n", end)
    lines = text[first : last if last >= 0 else len(text)].split("\n")
    return all(line.count("\t") == separators for line in lines)


def _excel(path: Path, data: bytes) -> Rows:
    try:
        openpyxl: Any = importlib.import_module("openpyxl")
    except ImportError as error:
        raise DataError(f"{path}: reading .xlsx needs openpyxl: pip install openpyxl, or save it as .tsv") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            check_unpacked(path, len(data), sum(entry.file_size for entry in archive.infolist()))
        sheet = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True).worksheets[0]
        records = [["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    except DataError:
        raise
    except Exception as error:  # openpyxl lets through whatever its XML and zip readers raise
        raise DataError(f"{path}: not a readable Excel file ({error}); save it again, or as .tsv") from error
    header = records[0] if records else []
    rows = (
        (f"{path} row {number}", cells + [""] * (len(header) - len(cells)))
        for number, cells in enumerate(records[1:], 2)
        if any(cells)
    )
    yield from _named(header, rows, str(path))


def _parquet(path: Path, data: bytes) -> Rows:
    import pyarrow as pa

    try:
        rows = table_of(data).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}); write it again") from error
    for number, row in enumerate(rows, 1):
        yield f"{path} row {number}", _without_empty(row)


_READERS: dict[str, Callable[[Path, bytes], Rows]] = {
    ".csv": lambda path, data: _separated(path, data, ","),
    ".tsv": lambda path, data: _separated(path, data, "\t"),
    ".xlsx": _excel,
    ".parquet": _parquet,
}
