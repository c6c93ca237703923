"""Durable, resumable rows.

Each stage of a run keeps its rows in one folder, named for people and by a short hash of the key: everything that
determines the rows. Rows go to a journal as they finish, one JSON line each; at the end of a stage the journal is
sealed into a Parquet part (written beside, checksummed, then renamed). Whatever stops a run, the same command finds
what is done: a torn last line of the journal is dropped and owed again, a part that fails its checksum is named.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from vpbench.errors import ConfigError, DataError
from vpbench.records import RowKey
from vpbench.store.codec import CANDIDATES, SCORES, VERDICTS
from vpbench.store.files import write_atomic
from vpbench.store.tables import parquet_bytes

SEAL_ROWS = 50_000
_SCHEMAS = {
    "candidates": CANDIDATES.columns,
    "verdicts": {**VERDICTS.columns, "content": "string"},
    "continuations": {"text": "string", "error": "string"},
    "replies": {"text": "string"},
    "scores": {**SCORES.columns, "content": "string"},
}


class RowStore:
    """The rows of one stage under one key; a context manager that holds the folder's lock.

    `kind` ("verdicts", "scores", ...) fixes the columns. Raises `ConfigError` if another run is writing the folder or
    it can't be written, `DataError` if a part is damaged.
    """

    def __init__(self, folder: Path, kind: str, key: Mapping[str, Any]) -> None:
        self._folder, self._kind = folder, kind
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("w")
        except OSError as error:
            raise ConfigError(
                f"{folder}: can't be written ({error.strerror}); choose another folder by --output"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{folder}: another run is writing here; wait for it or choose another --output"
            ) from error
        if not (folder / "key.json").exists():
            write_atomic(folder / "key.json", json.dumps(key, indent=1, sort_keys=True).encode())
        self.rows: dict[RowKey, dict[str, Any]] = dict(self._sealed())
        self._unsealed = dict(self._open_journal())
        self.rows.update(self._unsealed)
        self._journal = (folder / "journal.jsonl").open("ab")

    def __enter__(self) -> RowStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._lock.close)
            stack.callback(self._journal.close)
            if kind is None:
                self.seal()
            else:
                self._journal.flush()

    def append(self, key: RowKey, row: Mapping[str, Any]) -> None:
        """Add a row (its values without the key), replacing an earlier one with the same key. Flushed, not synced."""
        values = {name: _clean(row[name]) for name in _SCHEMAS[self._kind]}
        line = json.dumps({"question_id": _clean(key[0]), "index": key[1], **values}, separators=(",", ":"))
        self._journal.write(line.encode() + b"\n")
        self.rows[key] = self._unsealed[key] = values

    def forget(self, keys: Iterable[RowKey]) -> None:
        """Let rows be owed again; they stay on disk until rows with the same keys replace them."""
        for key in list(keys):
            del self.rows[key]

    def flush(self) -> None:
        """Hand the appended rows to the operating system, and seal them once they are many."""
        self._journal.flush()
        if len(self._unsealed) >= SEAL_ROWS:
            self.seal()

    def seal(self) -> None:
        """Turn the journal into a Parquet part. A kill at any point leaves every row in at least one of the two."""
        self._journal.flush()
        os.fsync(self._journal.fileno())
        if not self._unsealed:
            return
        number = 1 + max((int(path.stem[5:]) for path in self._folder.glob("part-*.parquet")), default=-1)
        data = parquet_bytes(self._unsealed, _SCHEMAS[self._kind])
        digest = hashlib.sha256(data).hexdigest()
        # The checksum first: a kill in between leaves one without a part, which nobody reads.
        write_atomic(self._folder / f"part-{number:05d}.sha256", f"{digest}\n".encode())
        write_atomic(self._folder / f"part-{number:05d}.parquet", data)
        # Only now: rows that are in both are the same rows, rows in neither would be lost.
        self._journal.truncate(0)
        os.fsync(self._journal.fileno())
        self._unsealed = {}

    def _sealed(self) -> Iterator[tuple[RowKey, dict[str, Any]]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        for path in sorted(self._folder.glob("part-*.parquet")):
            data, checksum = path.read_bytes(), path.with_suffix(".sha256")
            if not checksum.exists() or hashlib.sha256(data).hexdigest() != checksum.read_text().strip():
                raise DataError(
                    f"{path}: damaged (its checksum {checksum.name} differs or is missing); delete the file and run "
                    "again to redo its rows"
                )
            for row in pq.read_table(pa.BufferReader(data)).to_pylist():
                yield (row.pop("question_id"), row.pop("index")), row

    def _open_journal(self) -> Iterator[tuple[RowKey, dict[str, Any]]]:
        path = self._folder / "journal.jsonl"
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):
            write_atomic(path, whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                yield (row.pop("question_id"), row.pop("index")), row
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                raise DataError(f"{path} line {number}: damaged ({error}); remove the line and run again") from error


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    return list(value) if isinstance(value, tuple) else value
