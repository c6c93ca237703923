"""Files from outside as bytes and as JSON objects, whatever their packing, encoding and layout.

Packing is told from the content, not from the name, and unpacking is bounded. JSON comes as an object a line, or as one
list of objects. Whatever is wrong is a `DataError` that names the file, the line or item, and what to do.
"""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from vpbench.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"
FREE_UNPACKED, LARGEST_RATIO = 2**30, 200
"""A file may unpack to `FREE_UNPACKED` bytes, and beyond that to `LARGEST_RATIO` times its packed size."""

_CHUNK = 2**24
_AS_TEXT = "save the file as UTF-8; of packed files only gzip is read"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_START = 1024
"""So many bytes show how a file is encoded and laid out."""


class RepeatedKey(ValueError):
    """One JSON object has a key twice; readers of JSON would keep the last value without a word."""


def read_bytes(path: Path) -> bytes:
    """The file's content, unpacked if it is gzip. Raises `DataError`, at once for what is no regular file."""
    try:
        path.name.encode()  # results are named after their files
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "a pipe or device"
            raise DataError(f"{path}: {kind}, expected a file; write the content to a file and give that")
        data = path.read_bytes()
    except UnicodeEncodeError as error:
        raise DataError(f"{path}: the file's name isn't UTF-8; rename it") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise DataError(f"{path}: can't be read ({getattr(error, 'strerror', None) or error})") from error
    return _unpacked(path, data) if data.startswith(GZIP_MAGIC) else data


def check_unpacked(path: Path, packed: int, unpacked: int) -> None:
    """Raise `DataError` if a file of `packed` bytes becomes more than it may; both are numbers of bytes."""
    if unpacked > FREE_UNPACKED and unpacked > LARGEST_RATIO * packed:
        raise DataError(
            f"{path}: {packed} bytes unpack to more than {LARGEST_RATIO} times as many; if that is right, give the "
            "unpacked file"
        )


def _unpacked(path: Path, data: bytes) -> bytes:
    content = bytearray()
    try:
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            while chunk := stream.read(_CHUNK):
                content += chunk
                check_unpacked(path, len(data), len(content))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip stream is broken ({error}); copy the file again") from error
    return bytes(content)


def decoded(path: Path, data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 with its byte order mark. Raises `DataError`."""
    utf16 = data.startswith(_UTF16) and not data.startswith(_UTF32)
    if not utf16 and _is_wide(data):
        raise DataError(f"{path}: looks like UTF-16 or UTF-32; {_AS_TEXT}")
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path} line {line}: not UTF-8 ({error.reason}); {_AS_TEXT}") from error


def _is_wide(data: bytes) -> bool:
    """Whether a text begins in UTF-32, or in UTF-16 without its mark: these have a NUL with every ASCII character."""
    start = data[:_START]
    return start.startswith(_UTF32) or (len(start) >= 4 and 4 * start.count(0) >= len(start))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        keys = [key for key, _ in pairs]
        key = next(key for key in keys if keys.count(key) > 1)
        raise RepeatedKey(f"the key {key[:64]!r} stands twice in one object")
    return row


_decode = json.JSONDecoder(object_pairs_hook=_object).decode


def json_value(text: str) -> Any:
    """The JSON value of a text. Raises `RepeatedKey`, other `ValueError` and `RecursionError` as `json.loads` does."""
    return _decode(text)


def parse_json(text: str | bytes, where: str, remedy: str = "fix or remove the line") -> Any:
    """The JSON value of a text. Raises `DataError` for any text that has none that can be held."""
    try:
        # A byte order mark may stand at any line: files that begin with one are put together, or saved with one twice.
        return json_value((text if isinstance(text, str) else text.decode()).lstrip("\ufeff"))
    except RepeatedKey as error:
        raise DataError(f"{where}: {error}; keep one of the two values") from error
    except RecursionError as error:
        raise DataError(f"{where}: JSON that is nested too deeply; {remedy}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 ({error.reason}); {_AS_TEXT}") from error
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not valid JSON ({error}); {remedy}") from error
    except ValueError as error:  # Python's limit on the digits of whole numbers
        number = str(error).partition(":")[0]
        raise DataError(f"{where}: JSON with a number that can't be read ({number}); {remedy}") from error


def json_lines(path: Path, data: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every JSON object with its place: one a line, or the items of one list.

    Raises `DataError` naming the line or item that isn't one.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    if data.startswith(_UTF16) or _is_wide(data):
        data = decoded(path, data).encode()
    if data[:_START].lstrip().startswith(b"[") or path.name.removesuffix(".gz").endswith(".json"):
        items = _whole(path, data)
        if items is not None:
            yield from _objects(items)
            return
    yield from _objects(
        (f"{path} line {number}", parse_json(line, f"{path} line {number}"))
        for number, line in enumerate(data.split(b"\n"), 1)
        if line.strip()
    )


def _whole(path: Path, data: bytes) -> list[tuple[str, Any]] | None:
    """The items of a file that is one JSON list, or one object; None for one that isn't one value."""
    try:
        content = parse_json(data, str(path), "fix the file")
    except DataError as error:
        if isinstance(error.__cause__, json.JSONDecodeError) and error.__cause__.msg == "Extra data":
            return None
        raise
    items = content if isinstance(content, list) else [content]
    return [(f"{path} item {number}", item) for number, item in enumerate(items, 1)]


def _objects(rows: Iterator[tuple[str, Any]] | list[tuple[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for where, row in rows:
        if not isinstance(row, dict):
            raise DataError(f"{where}: a {type(row).__name__}, expected a JSON object; fix or remove it")
        yield where, row
