"""Tables as data, and how they leave the terminal: as text, JSON, Markdown, CSV or LaTeX.

Cells hold values, not their spelling, so that every format can have its own: a `Figure` is "53.2 (50.1 .. 56.0)" to a
reader and three numbers to a program. Names come from models, files and servers; no name steers a terminal, opens
HTML, becomes a spreadsheet's formula or a TeX command, or tells a folder of this machine.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.report.names import without_paths
from vpbench.terminal import Format, interval, markdown_table, p_value, percent, points, printable, table

INTERVAL = "95% interval"
_FORMULA = tuple("=+-@＝＋－＠")
"""How a formula begins for spreadsheets."""
_MARKDOWN = re.compile(r"([\\`*\[\]])")
_MINUS = re.compile(r"(?<![\w-])-(?=\d)")
_TEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    # a row that begins with [ or * would be taken for the options of the line break before it
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "[": "{[}", "*": "{*}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}"}
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A fraction of 1 with its 95% interval, shown in percent with so many `digits`; None is "n/a".

    With `points` it is a signed difference, in percentage points. `mark` stands behind the value. With `apart` the
    interval has a column of its own where people read.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    digits: int = 1
    points: bool = False
    mark: str = ""
    apart: bool = False

    @property
    def shown(self) -> str:
        """The value with its mark."""
        if self.value is None:
            return f"n/a{self.mark}"
        value = points(self.value, self.digits) if self.points else percent(self.value, self.digits)
        return value + self.mark

    @property
    def interval(self) -> str:
        """The interval, empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        if self.points:
            return interval(self.low, self.high, self.digits)
        return f"{percent(self.low, self.digits)} .. {percent(self.high, self.digits)}"


@dataclass(frozen=True, slots=True)
class PValue:
    """A p-value, which people see as `vpbench.terminal.p_value` spells it."""

    value: float


Cell = str | int | float | bool | Figure | PValue | None


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a header per column, rows of as many cells, and notes, a line each.

    The first cell of a row says what it is of. `keys` are what programs call the columns, by default as the headers:
    they stay as they are when a header says the name of a critic.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        widths = {len(self.headers), *map(len, self.rows), *([len(self.keys)] if self.keys else [])}
        if len(widths) > 1:
            raise ValueError(f"{self.title}: rows, headers and keys differ in length")


def render(tables: Sequence[Table], style: Format) -> str:
    """The tables as one document, without a line break at its end."""
    if style == "json":
        return json.dumps({"tables": list(map(_record, tables))}, indent=1, ensure_ascii=False, allow_nan=False)
    if style == "csv":
        return _csv(tables)
    draw = {"text": _text, "markdown": _markdown, "latex": _latex}[style]
    return "\n\n".join(map(draw, tables))


def grid(shown: Table) -> str:
    """The table as text, without title and notes."""
    headers, rows = _readable(shown)
    return table(rows, headers)


def _text(shown: Table) -> str:
    parts = [shown.title, grid(shown), "\n".join(f"note: {note}" for note in shown.notes)]
    return printable("\n\n".join(part for part in parts if part))


def _markdown(shown: Table) -> str:
    headers, rows = _readable(shown)
    drawn = markdown_table([list(map(_markdown_text, row)) for row in rows], list(map(_markdown_text, headers)))
    notes = "\n".join(f"- {_markdown_text(note)}" for note in shown.notes)
    title = f"**{_markdown_text(shown.title)}**" if shown.title else ""
    return "\n\n".join(part for part in (title, drawn, notes) if part)


def _markdown_text(text: str) -> str:
    """The text in one line, with nothing in it that is HTML, a link or code; bars are the table's business."""
    return _MARKDOWN.sub(r"\\\1", html.escape(_line(text), quote=False))


def _latex(shown: Table) -> str:
    """A `tabular` with the rules of booktabs; title and notes are comments, as the caption is the author's."""
    headers, rows = _readable(shown)
    numeric = [all(not isinstance(row[k], str) for row in shown.rows) for k in range(len(shown.headers))]
    aligned = [numeric[k] for k, split in enumerate(_split(shown)) for _ in range(1 + split)]
    lines = [" & ".join(map(_latex_text, row)) + r" \\" for row in (headers, *rows)]
    body = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
    columns = "".join("r" if right else "l" for right in aligned)
    comments = [f"% {_line(line)}" for line in (shown.title, *shown.notes) if line]
    return "\n".join([*comments, rf"\begin{{tabular}}{{{columns}}}", *body, r"\end{tabular}"])


def _latex_text(text: str) -> str:
    return _MINUS.sub("$-$", _line(text).translate(_TEX))


def _readable(shown: Table) -> tuple[list[str], list[list[str]]]:
    """Headers and rows as people read them, intervals in columns of their own where a figure asks for that."""
    split = _split(shown)
    headers = [
        text for header, apart in zip(shown.headers, split, strict=True) for text in (header, INTERVAL)[: 1 + apart]
    ]
    rows = [[text for cell, apart in zip(row, split, strict=True) for text in _cell(cell, apart)] for row in shown.rows]
    return headers, rows


def _split(shown: Table) -> list[bool]:
    columns = ([row[k] for row in shown.rows] for k in range(len(shown.headers)))
    return [any(isinstance(cell, Figure) and cell.apart for cell in column) for column in columns]


def _cell(cell: Cell, apart: bool) -> list[str]:
    if isinstance(cell, Figure):
        if apart:
            return [cell.shown, cell.interval or "n/a"]
        return [f"{cell.shown} ({cell.interval})" if cell.interval else cell.shown]
    if isinstance(cell, PValue):
        text = p_value(cell.value)
    elif cell is None or (isinstance(cell, float) and not math.isfinite(cell)):
        text = "-"
    elif isinstance(cell, bool):
        text = "yes" if cell else "no"
    else:
        text = f"{cell:.4f}" if isinstance(cell, float) else str(cell)
    return [text, ""] if apart else [text]


def _columns(shown: Table) -> list[str]:
    """What programs call the columns: no two alike, none empty."""
    names: list[str] = []
    for name in map(_line, shown.keys or shown.headers):
        name, count = name or "name", 1
        while (numbered := name if count == 1 else f"{name} ({count})") in names:
            count += 1
        names.append(numbered)
    return names


def _record(shown: Table) -> dict[str, Any]:
    columns = _columns(shown)
    rows = [dict(zip(columns, map(_plain, row), strict=True)) for row in shown.rows]
    return {"title": _line(shown.title), "columns": columns, "rows": rows, "notes": list(map(_line, shown.notes))}


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Figure):
        ends = {"value": cell.value, "low": cell.low, "high": cell.high}
        return {**{name: _plain(value) for name, value in ends.items()}, "mark": _line(cell.mark)}
    if isinstance(cell, PValue):
        return cell.value
    if isinstance(cell, float) and not math.isfinite(cell):
        return None
    return _line(cell) if isinstance(cell, str) else cell


def _csv(tables: Sequence[Table]) -> str:
    """A line per cell but the first, which names the row."""
    lines: list[Sequence[Any]] = []
    for shown in tables:
        columns = _columns(shown)
        for number, row in enumerate(shown.rows, 1):
            for column, cell in zip(columns[1:], row[1:], strict=True):
                figure = _plain(cell) if isinstance(cell, Figure) else {"value": _plain(cell)}
                values = [figure.get(name) for name in ("value", "low", "high", "mark")]
                first = _plain(row[0])
                lines.append((_line(shown.title), number, first, column, *values))
    return csv_document(("table", "row", "name", "column", "value", "low", "high", "mark"), lines)


def csv_document(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Lines of texts, numbers and None as CSV; an apostrophe stands before a text that would be a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(map(_spelled, line) for line in lines)
    return text.getvalue().rstrip("\n")


def _spelled(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _line(text: str) -> str:
    """The text in one line, without control characters and folders."""
    return printable(" ".join(without_paths(text).split()))
