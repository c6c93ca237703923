"""Where rows are kept, as four verbs: read, append, replace, lease; and the one member there is, a local folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from vpbench.store.files import write_atomic, writing
from vpbench.terminal import echo


class Store(Protocol):
    """Bytes under flat names, of many readers and one writer at a time. Every verb may raise `OSError`."""

    def names(self) -> list[str]:
        """The names that were written, sorted."""

    def read(self, name: str) -> bytes:
        """All bytes under a name. Raises `FileNotFoundError` if there are none."""

    def append(self, name: str, data: bytes) -> None:
        """Add at the end, beginning the name if need be. A kill or a failure may leave the first part of `data`."""

    def replace(self, name: str, data: bytes) -> None:
        """Put `data` under the name, durably: after a kill or a power cut there is the old or the new, never a mix."""

    def lease(self, name: str) -> AbstractContextManager[None]:
        """The sole right to write, for as long as the context lasts; waits for whoever has it, and says so once.

        It ends with its process, however that ends.
        """


class LocalStore:
    """A folder, made where it is absent. See `Store`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """See `Store`."""
        return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))

    def read(self, name: str) -> bytes:
        """See `Store`."""
        return (self._folder / name).read_bytes()

    def append(self, name: str, data: bytes) -> None:
        """See `Store`."""
        path = self._folder / name
        with writing(path), path.open("ab") as file:
            file.write(data)

    def replace(self, name: str, data: bytes) -> None:
        """See `Store`."""
        write_atomic(self._folder / name, data)

    @contextmanager
    def lease(self, name: str) -> Iterator[None]:
        """See `Store`."""
        from filelock import FileLock, Timeout

        # Not bound to a thread: a generator that holds a store may be closed by another one.
        lock = FileLock(self._folder / name, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            echo(f"waiting for another run that writes {self._folder}", err=True)
            lock.acquire()
        try:
            for left_by_a_kill in self._folder.glob(".*.tmp"):
                left_by_a_kill.unlink(missing_ok=True)
            yield
        finally:
            lock.release()
