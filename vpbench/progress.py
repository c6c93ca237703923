"""Progress bars for long stages; none when the output isn't a terminal."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Bar(Protocol):
    """A progress bar."""

    def update(self, n: int) -> Any:
        """Advance by `n` rows."""


Progress = Callable[[str, int], AbstractContextManager[Bar]]
"""Opens a progress bar: (what, number of rows)."""


def bar(what: str, total: int) -> AbstractContextManager[Bar]:
    """A progress bar over `total` rows on standard error."""
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit="row", disable=None, leave=False)
