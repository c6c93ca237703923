"""Progress bars for long stages; none when the output isn't a terminal."""

from __future__ import annotations

from contextlib import AbstractContextManager

from vpbench.stages import Bar


def bar(what: str, total: int) -> AbstractContextManager[Bar]:
    """A progress bar over `total` rows on standard error."""
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit="row", disable=None, leave=False)
