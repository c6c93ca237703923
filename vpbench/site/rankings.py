"""Rankings as the pages show them: columns, and for every N a panel of lines, best first, the controls beneath.

A ranking holds values, not their spelling, so that the page's table, the interval drawn in a cell and the text that a
reader copies (`vpbench.report.tables`) are of the same figures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from vpbench.report.kinds import gains_over_vote
from vpbench.report.result import BestOfNResult, Gain, Point
from vpbench.report.tables import Cell, Figure, PValue, Table, render
from vpbench.stats.bootstrap import LEVEL
from vpbench.terminal import Format

COPIED: tuple[tuple[Format, str], ...] = (("markdown", "Markdown"), ("csv", "CSV"), ("latex", "LaTeX"))
DIGITS = 6
"""Of the figures that are copied: all of them would make up half of the page."""
CONTROLS = {"vote": "majority vote", "random": "random pick", "first": "first candidate", "oracle": "oracle (pass@N)"}
"""What the pages call the curves of a pool itself."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `note` stands in small type beneath the title.

    `key` tells it from the others of its ranking, in letters; programs that read a copy call it that, or `named`.
    A column with a `p` is two columns where it is copied. A column that isn't `shown` is one that readers may add.
    `strip` says that intervals are drawn.
    """

    key: str
    title: str
    note: str = ""
    named: str = ""
    p: bool = False
    shown: bool = True
    strip: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """A cell: the value, p where it is a difference, and where it leads. `constructed` is what is 0 whatever happens.

    `marks` are what a reader has to see beside the value.
    """

    cell: Cell = None
    p: float | None = None
    constructed: bool = False
    href: str = ""
    note: str = ""
    marks: tuple[str, ...] = ()

    @property
    def figure(self) -> Figure | None:
        """The value where it is a figure."""
        return self.cell if isinstance(self.cell, Figure) else None

    @property
    def order(self) -> str | float | None:
        """By what the column is sorted; None stands last."""
        value = self.cell.value if isinstance(self.cell, Figure | PValue) else self.cell
        return None if self.constructed else value

    @property
    def clear(self) -> bool:
        """Whether a difference is clear of noise, by p after correction and by its interval."""
        figure = self.figure
        if figure is None or not figure.points or self.p is None or figure.low is None or figure.high is None:
            return False
        return self.p < 1 - LEVEL and not figure.low <= 0 <= figure.high


@dataclass(frozen=True, slots=True)
class Line:
    """A row: what it is of, where that leads, what has to be seen beside the name, and a cell per column."""

    name: str
    items: tuple[Item, ...]
    href: str = ""
    marks: tuple[str, ...] = ()
    best: bool = False

    @property
    def flags(self) -> str:
        """By what readers may filter: gains that are clear of noise, and rows that failed."""
        better = any(item.clear and item.figure and (item.figure.value or 0) > 0 for item in self.items)
        return " ".join([*(["better"] if better else []), *(["failed"] if self.marks else [])])


@dataclass(frozen=True, slots=True)
class Panel:
    """The lines at one N, best first, and those of the controls; `n` is None where there is no N."""

    n: int | None
    lines: tuple[Line, ...]
    controls: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Copy:
    """A panel's table as a text to copy: its lines from `start` are those of the rows, `per` lines of each."""

    style: str
    label: str
    text: str
    start: int
    per: int


@dataclass(frozen=True, slots=True)
class Ranking:
    """A table at several N. `id` is unique on its page, `chosen` the N shown first, `title` what a copy is called."""

    id: str
    title: str
    columns: tuple[Column, ...]
    panels: tuple[Panel, ...]
    chosen: int | None = None
    first_header: str = "critic"

    def filled(self) -> Ranking:
        """The ranking without the columns that say nothing of any line."""
        lines = [line for panel in self.panels for line in panel.lines]
        kept = [k for k in range(len(self.columns)) if any(line.items[k].cell is not None for line in lines)]

        def cut(rows: Sequence[Line]) -> tuple[Line, ...]:
            return tuple(replace(line, items=tuple(line.items[k] for k in kept)) for line in rows)

        panels = tuple(Panel(panel.n, cut(panel.lines), cut(panel.controls)) for panel in self.panels)
        return replace(self, columns=tuple(self.columns[k] for k in kept), panels=panels)

    @property
    def scales(self) -> tuple[tuple[float, float] | None, ...]:
        """By column from where to where its lines' intervals reach, the same at every N; None where none is drawn."""
        return tuple(self._scale(k) if column.strip else None for k, column in enumerate(self.columns))

    def _scale(self, k: int) -> tuple[float, float] | None:
        ends = [
            end
            for panel in self.panels
            for line in panel.lines
            if (figure := line.items[k].figure) is not None
            for end in (figure.low, figure.high, figure.value, 0.0 if figure.points else None)
            if end is not None
        ]
        return (min(ends), max(ends)) if ends and min(ends) < max(ends) else None

    def copies(self, panel: Panel) -> Iterator[Copy]:
        """The panel's table in every format that readers may copy."""
        table = self.table(panel)
        for style, label in COPIED:
            text = render([table], style)
            lines = text.split("\n")
            if style == "csv":
                yield Copy(style, label, text, 1, len(table.headers) - 1)
            else:
                rule = r"\midrule" if style == "latex" else "|---"
                yield Copy(style, label, text, next(k for k, line in enumerate(lines) if line.startswith(rule)) + 1, 1)

    def table(self, panel: Panel) -> Table:
        """The panel as a table, p in columns of their own."""
        headers, keys = [self.first_header], [self.first_header]
        for column in self.columns:
            headers += [column.title, *(["p (Holm)"] if column.p else [])]
            keys += [column.named or column.key, *([f"{column.key}_p_holm"] if column.p else [])]
        rows = [
            (line.name, *(cell for cells in zip(self.columns, line.items, strict=True) for cell in _copied(*cells)))
            for line in (*panel.lines, *panel.controls)
        ]
        at = "" if panel.n is None else f", N = {panel.n}"
        return Table(f"{self.title}{at}", tuple(headers), tuple(rows), keys=tuple(keys))


def _copied(column: Column, item: Item) -> list[Cell]:
    figure = item.figure
    cell = item.cell
    if figure is not None:
        value, low, high = map(_rounded, (figure.value, figure.low, figure.high))
        cell = Figure(value, low, high, points=figure.points)
    if not column.p:
        return [cell]
    return [None if item.constructed else cell, None if item.p is None else PValue(item.p)]


def _rounded(end: float | None) -> float | None:
    return None if end is None else round(end, DIGITS)


def gain_item(gain: Gain | None, constructed: bool = False) -> Item:
    """A gain over a control; None is one that can't be told, which isn't the same as 0 by construction."""
    if gain is None:
        return Item(Figure(None))
    figure = Figure(gain.value, gain.low, gain.high, points=True)
    return Item(figure, constructed=True) if constructed else Item(figure, gain.p_holm)


def value_item(point: Point, href: str = "", marks: Sequence[str] = ()) -> Item:
    """A value of a curve."""
    return Item(Figure(point.value, point.low, point.high), href=href, marks=tuple(marks))


def gain_items(result: BestOfNResult, n: int) -> tuple[Item, Item]:
    """What a critic gains over the random pick and over the vote at N."""
    k = result.ns.index(n)
    random, vote = (result.gains[name][k] if result.gains[name] else None for name in ("over_random", "over_vote"))
    return gain_item(random, n == 1), gain_item(vote, n == 1 or (result.has_vote and not gains_over_vote(result)))


def control_items(points: Sequence[Point], n: int) -> Item:
    """The value of a control's curve at N, which has none where there is no vote."""
    return next((value_item(point) for point in points if point.n == n), Item(Figure(None)))
