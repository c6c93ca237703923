"""A table with its verdicts, as Markdown and as data.

Columns name their unit; a number has one decimal where that is percent or points, three elsewhere. A difference is
given in points with its 95% interval and its p-value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.stats import Difference

Cell = str | int | float | Difference | None


@dataclass(frozen=True)
class Table:
    """Rows of cells under `columns`; `lines` are what was computed from them, `notes` how to read them."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    lines: Sequence[str] = ()
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Heading, notes, the columns that hold anything, and computed lines."""
        shown = [place for place in range(len(self.columns)) if any(row[place] is not None for row in self.rows)]
        head = [f"| {' | '.join(self.columns[place] for place in shown)} |", "|---" * len(shown) + "|"]
        body = [f"| {' | '.join(_told(self.columns[at], row[at]) for at in shown)} |" for row in self.rows]
        parts = [f"## {self.title}", *self.notes, "\n".join([*head, *body]), *(f"**{line}**" for line in self.lines)]
        return "\n\n".join(parts)

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


def points(each: Difference) -> str:
    """A difference in points, with interval and p-value."""
    return f"{100 * each.value:+.1f} [{100 * each.low:+.1f}, {100 * each.high:+.1f}] p {each.p_value:.4f}"


def _told(column: str, cell: Cell) -> str:
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
