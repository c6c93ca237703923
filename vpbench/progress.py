"""How a long run is watched: progress bars (none when the output isn't a terminal), and lines of text."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Bar(Protocol):
    """A progress bar."""

    def update(self, n: int) -> Any:
        """Advance by `n` rows."""


Progress = Callable[[str, int], AbstractContextManager[Bar]]
"""Opens a progress bar: (what, number of rows)."""

Echo = Callable[[str], None]
"""Shows a text."""


def bar(what: str, total: int) -> AbstractContextManager[Bar]:
    """A progress bar over `total` rows on standard error."""
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit="row", disable=None, leave=False)


class _NoBar:
    def update(self, n: int) -> None:
        """Show nothing."""


def no_bar(what: str, total: int) -> AbstractContextManager[Bar]:
    """No progress bar."""
    return nullcontext(_NoBar())


def silent(text: str) -> None:
    """Shows nothing."""
