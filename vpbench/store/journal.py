"""Lines of a journal: a row as JSON, checked before it is written, with a checksum that is checked when it is read.

The checksum is the object's last field, the CRC-32 of the bytes before it. Lines of vpbench 0.1.0 have none.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

from vpbench.records import RowKey

_MARK = b',"crc32":"'
_INT64, _EXACT = 2**63, 2**53


def encode(key: RowKey, row: Mapping[str, Any], columns: Mapping[str, str]) -> bytes:
    """A row as one line. Raises `ValueError` naming a value that its column could never hold."""
    _check(key, row, columns)
    body = json.dumps({"question_id": key[0], "index": key[1], **row}, separators=(",", ":")).encode()[:-1]
    return body + _MARK + _crc(body) + b'"}\n'


def decode(line: bytes, columns: Mapping[str, str]) -> tuple[RowKey, dict[str, Any]]:
    """The row of a line, without its line end. Raises `ValueError` that says how it is damaged."""
    body, mark, checksum = line.rpartition(_MARK)
    if mark and checksum != _crc(body) + b'"}':
        raise ValueError("its checksum differs")
    row = json.loads(body + b"}" if mark else line)
    # Without a checksum, anything else than the columns is a damaged line of today, not a line of 0.1.0.
    if not isinstance(row, dict) or set(row) != {"question_id", "index", *columns}:
        raise ValueError("its columns are others")
    key = (row.pop("question_id"), row.pop("index"))
    _check(key, row, columns)
    return key, row


def clean(text: str) -> str:
    """The text without lone surrogates, which no file holds; a question mark stands for each."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _crc(body: bytes) -> bytes:
    return b"%08x" % zlib.crc32(body)


def _check(key: RowKey, row: Mapping[str, Any], columns: Mapping[str, str]) -> None:
    if not isinstance(key[0], str) or not _fits(key[0], "string"):
        raise ValueError(f"question id {key[0]!r} is no text")
    if key[1] is None or not _fits(key[1], "integer"):
        raise ValueError(f"candidate {key[1]!r} is no whole number of 64 bits")
    for name, column in columns.items():
        if not _fits(row[name], column):
            raise ValueError(f"{name} is {str(row[name])[:60]!r}, which is no {column}")


def _fits(value: Any, column: str) -> bool:
    """Whether a Parquet column takes the value; every column takes None."""
    if value is None:
        return True
    if column == "string":
        return isinstance(value, str) and value == clean(value)
    if column == "bool":
        return isinstance(value, bool)
    if column == "list":
        return isinstance(value, list) and all(_fits(item, "double") for item in value)
    if column == "double" and isinstance(value, float):
        return True
    limit = _EXACT if column == "double" else _INT64
    return isinstance(value, int) and not isinstance(value, bool) and -limit <= value < limit
