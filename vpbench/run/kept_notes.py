"""What a reader has to know of the rows in a store's folder, kept beside them: later runs only read the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from vpbench.errors import DataError
from vpbench.store.files import write_atomic


class KeptNotes:
    """The notes in a folder. Raises `DataError` if they can't be read."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "notes.json"
        self.texts: list[str] = []
        if self._path.exists():
            try:
                self.texts = [str(text) for text in json.loads(self._path.read_bytes())]
            except (ValueError, TypeError) as error:
                raise DataError(f"{self._path}: damaged ({error}); delete the folder to redo its rows") from error

    def add(self, texts: Iterable[str]) -> None:
        """Keep those that aren't there yet; before the rows they are about."""
        new = [text for text in texts if text not in self.texts]
        if not all(isinstance(text, str) for text in new):
            raise TypeError(f"{new} instead of texts")
        if new:
            self.texts += new
            write_atomic(self._path, json.dumps(self.texts, indent=1).encode())
