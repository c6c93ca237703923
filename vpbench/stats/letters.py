"""Letters for a table in which some rows are told apart and others aren't: rows that share one aren't told apart."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_letters


def shared_letters(rows: int, apart: Iterable[tuple[int, int]]) -> list[str]:
    """The letters of each of so many rows, of which the pairs `apart` are told apart.

    Two rows share a letter if and only if they aren't. Source: insert and absorb, Piepho 2004.
    """
    groups = [frozenset(range(rows))]
    for a, b in apart:
        split = [part for group in groups for part in ((group - {a}, group - {b}) if {a, b} <= group else (group,))]
        groups = [group for group in dict.fromkeys(split) if not any(group < other for other in split)]
    groups.sort(key=sorted)
    return ["".join(_letter(k) for k, group in enumerate(groups) if row in group) for row in range(rows)]


def _letter(number: int) -> str:
    return ascii_letters[number] if number < len(ascii_letters) else f"[{number}]"
