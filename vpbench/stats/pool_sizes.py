"""Questions with fewer candidates than others: one of them would take every larger N from the whole benchmark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Literal

from vpbench.errors import ConfigError

ShortPools = Literal["refuse", "leave-out"]


def full_questions(sizes: Mapping[str, int], short_pools: ShortPools = "refuse", n: int | None = None) -> list[str]:
    """The questions with enough candidates, in order; `sizes` holds the number of candidates by question id.

    Enough is the largest N asked for (`n`), or without one the size that most questions have, the larger if two are as
    common. Raises `ConfigError` for a question with fewer, unless such are to be left out, and where none has enough.
    """
    _, common = max(((count, size) for size, count in Counter(sizes.values()).items()), default=(0, 0))
    enough = n or max(common, 1)
    short = [question for question, size in sizes.items() if size < enough]
    if short and short_pools == "refuse":
        raise ConfigError(
            f"{len(short)} of {len(sizes)} questions have fewer than {enough} candidates; the first is "
            f"{short[0]} with {sizes[short[0]]}. Complete the pool, lower --n, or give --short-pools leave-out"
        )
    if len(short) == len(sizes):
        raise ConfigError(f"no question has {enough} candidates; lower --n or complete the pool")
    left_out = set(short)
    return [question for question in sizes if question not in left_out]
