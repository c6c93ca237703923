"""What the terminal and Markdown pages show: tables and text, with nothing in them that could steer the terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import Any, Literal, get_args

Format = Literal["text", "json", "markdown", "csv", "latex"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""How tables are printed (`vpbench.report.tables`)."""
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text without control characters, direction marks and lone surrogates."""
    return _CONTROL.sub("�", text)


def echo(text: str, err: bool = False) -> None:
    """Print what may hold words of a model or a server, on standard error if `err`."""
    print(printable(text), file=sys.stderr if err else sys.stdout, flush=True)


def table(rows: Sequence[Sequence[Any]], headers: list[str]) -> str:
    """A plain table; numbers are shown as they are given."""
    from tabulate import tabulate

    cells = [[printable(str(cell)) for cell in row] for row in rows]
    return tabulate(cells, headers, tablefmt="simple", disable_numparse=True)


def markdown_table(rows: Sequence[Sequence[Any]], headers: list[str]) -> str:
    """A table for a Markdown page, its cells as short as they are."""
    lines = [[printable(str(cell)).replace("|", "\\|").replace("\n", " ") for cell in row] for row in [headers, *rows]]
    head, *body = [f"| {' | '.join(cells)} |" for cells in lines]
    return "\n".join([head, "|---" * len(headers) + "|", *body])


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction of 1 in percent."""
    return "n/a" if value is None else f"{100 * value:.{digits}f}"


def points(difference: float, digits: int = 1) -> str:
    """A difference of fractions in percentage points, signed; what rounds to zero is +0."""
    return f"{100 * difference:+z.{digits}f}"


def p_value(p: float) -> str:
    """A p-value; no p is 0."""
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def interval(low: float, high: float, digits: int = 1) -> str:
    """The interval of a difference in percentage points."""
    return f"{points(low, digits)} .. {points(high, digits)}"
