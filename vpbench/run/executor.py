"""Where a stage's work is done: in this process, or wherever another executor takes it.

A stage hands over work items and what makes results of them, and gets (position, result) back in any order. Critics and
generators already speak so, which is why an executor needs to know neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

Work = Callable[[Sequence[Item]], Iterator[tuple[int, Result]]]
"""Makes results of items, each with its item's position in the sequence given."""


class Executor(Protocol):
    """Runs work over items. The caller alone writes the store."""

    def run(self, work: Work[Item, Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """Each item's result as it is done, with the item's position in `items`; what `work` raises is raised here.

        Nothing is begun before the first result is asked for, and whoever asks for no more waits for none.
        """


class LocalExecutor:
    """In this process, one item after another."""

    def run(self, work: Work[Item, Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """See `Executor`."""
        return work(items)
