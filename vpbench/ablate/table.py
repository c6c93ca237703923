"""A table with its verdicts, as Markdown and as data.

Columns name their unit; a number has one decimal where that is percent or points, three elsewhere. A difference is
given in points with its 95% interval and its p-value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.stats import Difference
from vpbench.terminal import markdown_table, p_value

Cell = str | int | float | Difference | None


@dataclass(frozen=True)
class AblationTable:
    """Rows of cells under `columns`; `lines` are computed from them, `notes` say how to read them."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Heading, notes, the columns that hold anything, and computed lines."""
        shown = [number for number in range(len(self.columns)) if any(row[number] is not None for row in self.rows)]
        rows = [[_text(self.columns[number], row[number]) for number in shown] for row in self.rows]
        table = markdown_table(rows, [self.columns[number] for number in shown])
        return "\n\n".join([f"## {self.title}", *self.notes, table, *(f"**{line}**" for line in self.lines)])

    def data(self) -> dict[str, Any]:
        """The same as JSON values, numbers in full."""
        rows = [{name: _value(cell) for name, cell in zip(self.columns, row, strict=True)} for row in self.rows]
        return {
            "name": self.name,
            "title": self.title,
            "rows": rows,
            "lines": list(self.lines),
            "notes": list(self.notes),
        }


def points(difference: Difference) -> str:
    """A difference in points, with interval and p-value."""
    value, low, high = (100 * share for share in (difference.value, difference.low, difference.high))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}] p {p_value(difference.p_value)}"


def _text(column: str, cell: Cell) -> str:
    if isinstance(cell, Difference):
        return points(cell)
    if not isinstance(cell, float):
        return "" if cell is None else str(cell)
    if "points" in column:
        return f"{cell:+.1f}"
    return f"{cell:.1f}" if "%" in column else f"{cell:.3f}"


def _value(cell: Cell) -> Any:
    if not isinstance(cell, Difference):
        return cell
    return {"value": 100 * cell.value, "low": 100 * cell.low, "high": 100 * cell.high, "p_value": cell.p_value}
