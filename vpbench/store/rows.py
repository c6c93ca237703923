"""Durable, resumable rows.

Each stage of a run keeps its rows in one folder, named for people and by a short hash of the key: everything that
determines the rows. Rows go to a journal as they finish, one JSON line each; at the end of a stage the journal is
sealed into a Parquet part (written beside, checksummed, then renamed). Whatever stops a run, the same command finds
what is done: a torn last line of the journal is dropped and owed again; whatever else is damaged is named.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from vpbench.errors import ConfigError, DataError
from vpbench.records import RowKey
from vpbench.store import journal
from vpbench.store.codec import CANDIDATES, SCORES, VERDICTS
from vpbench.store.files import sha256
from vpbench.store.local import LocalStore, Store
from vpbench.store.tables import parquet_bytes, parquet_rows

SEAL_ROWS = 50_000
_BUFFER_BYTES = 8192
_KEY, _JOURNAL, _PART = "key.json", "journal.jsonl", re.compile(r"part-\d+\.parquet")
_SCHEMAS = {
    "candidates": CANDIDATES.columns,
    "verdicts": {**VERDICTS.columns, "content": "string"},
    "continuations": {"text": "string", "error": "string"},
    "replies": {"text": "string"},
    "scores": {**SCORES.columns, "content": "string"},
}


class RowStore:
    """The rows of one stage under one key; a context manager that holds the folder's lease.

    `kind` ("verdicts", "scores", ...) fixes the columns. Waits for another run that writes the folder. Raises
    `ConfigError` if the folder can't be written, `DataError` naming a file in it that is damaged.
    """

    def __init__(self, folder: Path, kind: str, key: Mapping[str, Any]) -> None:
        self._folder, self._columns = folder, _SCHEMAS[kind]
        with ExitStack() as stack:
            try:
                self._store: Store = LocalStore(folder)
                stack.enter_context(self._store.lease("lock"))
            except OSError as error:
                raise ConfigError(
                    f"{folder}: can't be written ({error.strerror}); choose another folder by --output"
                ) from error
            names = self._store.names()
            self._check_key(key, names)
            self._parts = _parts(names)
            self.rows: dict[RowKey, dict[str, Any]] = dict(_sealed(folder, self._store, self._parts, self._columns))
            self._unsealed = dict(_journaled(folder, self._whole_journal(), self._columns) if _JOURNAL in names else ())
            self.rows.update(self._unsealed)
            self._buffer = bytearray()
            self._lease = stack.pop_all()

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self._lease:
            if kind is None:
                self.seal()
            else:
                self._write()

    def append(self, key: RowKey, row: Mapping[str, Any]) -> None:
        """Add a row (its values without the key), replacing an earlier one with the same key. Kept from `flush` on.

        Raises `DataError` for a value that its column can't hold.
        """
        values = {name: _stored(row[name]) for name in self._columns}
        try:
            self._buffer += journal.encode(key, values, self._columns)
        except ValueError as error:
            raise DataError(
                f"question {key[0]!r} candidate {key[1]}: can't be kept in {self._folder}: {error}"
            ) from error
        self.rows[key] = self._unsealed[key] = values
        if len(self._buffer) > _BUFFER_BYTES:
            self._write()

    def forget(self, keys: Iterable[RowKey]) -> None:
        """Let rows be owed again; they stay on disk until rows with the same keys replace them."""
        for key in list(keys):
            del self.rows[key]

    def flush(self) -> None:
        """Hand the appended rows to the operating system, and seal them once they are many."""
        self._write()
        if len(self._unsealed) >= SEAL_ROWS:
            self.seal()

    def seal(self) -> None:
        """Turn the journal into a Parquet part. A kill at any point leaves every row in at least one of the two."""
        self._write()
        if not self._unsealed:
            return
        part = f"part-{_number(self._parts[-1]) + 1 if self._parts else 0:05d}.parquet"
        data = parquet_bytes(self._unsealed, self._columns)
        # The checksum first: a kill in between leaves one without a part, which nobody reads.
        self._store.replace(_checksum(part), f"{sha256(data)}\n".encode())
        self._store.replace(part, data)
        self._parts.append(part)
        # Only now: rows that are in both are the same rows, rows in neither would be lost.
        self._store.replace(_JOURNAL, b"")
        self._unsealed = {}

    def _write(self) -> None:
        # Emptied first: what failed to be written is owed again, and nothing follows its torn line.
        data, self._buffer = bytes(self._buffer), bytearray()
        if data:
            self._store.append(_JOURNAL, data)

    def _check_key(self, key: Mapping[str, Any], names: list[str]) -> None:
        data = json.dumps(key, indent=1, sort_keys=True).encode()
        if _KEY not in names:
            self._store.replace(_KEY, data)
            return
        try:
            kept = json.loads(self._store.read(_KEY))
        except (ValueError, RecursionError):
            kept = None
        if kept != json.loads(data):
            raise DataError(
                f"{self._folder / _KEY}: damaged, or of other rows than the folder's name says; delete the folder to "
                "redo its rows, or this file alone if you are sure that the rows beside it are right"
            )

    def _whole_journal(self) -> bytes:
        """The journal, from which a torn last line is taken away."""
        data = self._store.read(_JOURNAL)
        whole = _whole_lines(data)
        if len(whole) < len(data):
            self._store.replace(_JOURNAL, whole)
        return whole


def kept_rows(folder: Path, kind: str) -> dict[RowKey, dict[str, Any]]:
    """The rows that a folder holds now, none where there is none; nothing is written, and nobody waited for.

    Raises `DataError` as `RowStore` does.
    """
    if not folder.is_dir():
        return {}
    store, columns = LocalStore(folder), _SCHEMAS[kind]
    names = store.names()
    rows = dict(_sealed(folder, store, _parts(names), columns))
    if _JOURNAL in names:
        rows.update(_journaled(folder, _whole_lines(store.read(_JOURNAL)), columns))
    return rows


def _sealed(
    folder: Path, store: Store, parts: Iterable[str], columns: Mapping[str, str]
) -> Iterator[tuple[RowKey, dict[str, Any]]]:
    for part in parts:
        path, data = folder / part, store.read(part)
        try:
            kept = store.read(_checksum(part)).strip()
        except FileNotFoundError:
            kept = b""
        if kept != sha256(data).encode():
            raise DataError(
                f"{path}: damaged (its checksum {_checksum(part)} differs or is missing); delete the file and run "
                "again to redo its rows"
            )
        try:
            yield from parquet_rows(data, columns)
        except ValueError as error:
            raise DataError(f"{path}: damaged ({error}); delete the file and run again to redo its rows") from error


def _journaled(folder: Path, lines: bytes, columns: Mapping[str, str]) -> Iterator[tuple[RowKey, dict[str, Any]]]:
    for number, line in enumerate(lines.split(b"\n")[:-1], 1):
        try:
            yield journal.decode(line, columns)
        except (ValueError, RecursionError) as error:
            raise DataError(
                f"{folder / _JOURNAL} line {number}: damaged ({error}); remove the line and run again to redo its row"
            ) from error


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def _parts(names: Iterable[str]) -> list[str]:
    return sorted((name for name in names if _PART.fullmatch(name)), key=_number)


def _checksum(part: str) -> str:
    return part.replace(".parquet", ".sha256")


def _number(part: str) -> int:
    return int(part[len("part-") : -len(".parquet")])


def _stored(value: Any) -> Any:
    if isinstance(value, str):
        return journal.clean(value)
    return list(value) if isinstance(value, tuple) else value
