"""How a long run is watched: a progress bar on a terminal, elsewhere a line a minute; and lines of text.

What is shown goes by the level of the logger `vpbench`: the command line sets it to INFO, `-q` to WARNING.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

LINE_SECONDS = 60.0
"""How often a stage says how far it is where there is no terminal, as in a batch job's log."""

_LOG = logging.getLogger("vpbench.progress")


class Bar(Protocol):
    """A progress bar."""

    def update(self, n: int) -> Any:
        """Advance by `n` rows."""


Progress = Callable[[str, int], AbstractContextManager[Bar]]
"""Opens a progress bar: (what, number of rows)."""

Echo = Callable[[str], None]
"""Shows a text."""


def shown() -> bool:
    """Whether progress is shown: not with `-q`, and not from Python."""
    return _LOG.isEnabledFor(logging.INFO)


def bar(what: str, total: int) -> AbstractContextManager[Bar]:
    """A progress bar over `total` rows on standard error, or lines there; nothing with `-q`."""
    if not shown():
        return no_bar(what, total)
    if not sys.stderr.isatty():
        return nullcontext(_Lines(what, total))
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit="row", leave=False)


class _Lines:
    """Says every minute what is done, how fast, and how long the rest will take at the last minute's rate."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total = what, total
        self._done = self._done_before = 0
        self._line_at = time.monotonic()

    def update(self, n: int) -> None:
        """Advance by `n` rows."""
        self._done += n
        seconds = time.monotonic() - self._line_at
        if seconds < LINE_SECONDS:
            return
        rate = (self._done - self._done_before) / seconds
        left = f", {_duration((self._total - self._done) / rate)} left" if rate else ""
        _LOG.info(f"{self._what}: {self._done:,} of {self._total:,} rows, {rate:.3g}/s{left}")
        self._done_before, self._line_at = self._done, time.monotonic()


def say(text: str) -> None:
    """A line of its own on standard error, where progress is shown."""
    _LOG.info(text)


def _duration(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


class _NoBar:
    def update(self, n: int) -> None:
        """Show nothing."""


def no_bar(what: str, total: int) -> AbstractContextManager[Bar]:
    """No progress bar."""
    return nullcontext(_NoBar())


def silent(text: str) -> None:
    """Shows nothing."""
