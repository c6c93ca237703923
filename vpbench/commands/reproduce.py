"""`vpbench reproduce`: a published table in its layout, each figure beside what was measured and why they differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpbench.report.filling import filling_commands
from vpbench.report.frames import load_results
from vpbench.report.published import Published, PublishedTable, load_published
from vpbench.report.reproduce import Cell, reproduce
from vpbench.report.tables import Table, csv_document, grid, render
from vpbench.terminal import Format, points

DEFAULT_RUNS = Path("runs")
LEGEND = (
    "Figures are percent. measured: by `vpbench run`, with its 95% interval; empty where nothing was run. difference: "
    "measured minus published, in points. [..]: why the two can't be compared."
)


def list_tables(style: Format) -> str:
    """The published tables there are, and for how many of their figures vpbench has the task and the critic."""
    published = load_published()
    rows = []
    for entry in published.tables.values():
        figures = published.rows_of(entry)
        fillable = [row for row in figures if row.critic in published.critics and (row.task or row.metric == "mean")]
        rows.append((entry.id, entry.paper, entry.table, len(figures), len(fillable), entry.title))
    headers = ("table", "paper", "where", "figures", "can be measured", "")
    keys = ("table", "paper", "where", "figures", "measurable", "title")
    shown = Table("published tables", headers, tuple(rows), keys=keys)
    return grid(shown) if style == "text" else render([shown], style)


def reproduced(name: str, runs: Path | None, style: Format) -> str:
    """The table called `name` beside the results under `runs`, by default those under `runs/`, if there are any.

    Raises `ConfigError` for an unknown table, and for a folder without results or with one that can't be read.
    """
    published = load_published()
    entry = published.table(name)
    folder = runs or DEFAULT_RUNS
    nothing = runs is None and not any(folder.glob("results/*/result.json"))
    cells = reproduce(published, entry, () if nothing else load_results(folder).results)
    if style in ("json", "csv"):
        records = [_record(cell) for cell in cells]
        return json.dumps(records, indent=1, ensure_ascii=False) if style == "json" else _csv(records)
    return _page(published, entry, cells, folder, style)


def _page(published: Published, entry: PublishedTable, cells: Sequence[Cell], runs: Path, style: Format) -> str:
    measured = [cell.measured for cell in cells if cell.measured is not None]
    reasons = list(dict.fromkeys(reason for figure in measured for reason in figure.reasons))
    shown = _grid(cells, reasons)
    drawn = grid(shown) if style == "text" else render([shown], style)
    parts = [f"{entry.paper}, {entry.table}: {entry.title}\n{entry.source}", LEGEND, drawn]
    if measured:
        parts.append(f"{len(measured)} of {len(cells)} figures measured, from {runs}")
    if reasons:
        parts.append("\n".join(f"[{number}] {reason}" for number, reason in enumerate(reasons, 1)))
    caveats = [caveat for cell in cells if cell.row.note for caveat in cell.row.note.split("; ")]
    notes = [*([entry.note] if entry.note else []), *dict.fromkeys(caveats)]
    if notes:
        parts.append("\n".join(f"note: {note}" for note in notes))
    commands = filling_commands(published, entry, cells, runs)
    if commands:
        parts.append("\n".join(["To fill it:", *(f"  {command}" for command in commands)]))
    if style == "latex":
        parts = [part if part is drawn else "\n".join(f"% {line}" for line in part.splitlines()) for part in parts]
    return "\n\n".join(parts)


def _grid(cells: Sequence[Cell], reasons: Sequence[str]) -> Table:
    """Rows are policy, critic and N, as in the papers; columns their benchmarks."""
    columns = list(dict.fromkeys((cell.row.benchmark, cell.row.metric) for cell in cells))
    lines: dict[tuple[Any, ...], dict[tuple[str, str], Cell]] = {}
    for cell in cells:
        row = cell.row
        lines.setdefault((row.policy or "", row.critic, row.n or ""), {})[row.benchmark, row.metric] = cell
    rows: list[tuple[str, ...]] = []
    for label, line in lines.items():
        shown = {column: _lines(cell, reasons) for column, cell in line.items()}
        names = ["published", "measured"]
        if any(cell.measured for cell in line.values()):
            names += ["95% interval", "difference", "not comparable"]
        for name in names:
            first = label if name == "published" else ("", "", "")
            rows.append((*map(str, first), name, *(shown.get(column, {}).get(name, "") for column in columns)))
    return Table("", ("policy", "critic", "N", "", *_titles(columns)), tuple(rows))


def _titles(columns: Sequence[tuple[str, str]]) -> list[str]:
    """What the columns are called: by benchmark, without what all begin with, and by metric where that tells apart."""
    benchmarks = [benchmark for benchmark, _ in columns]
    if len({benchmark.partition("/")[0] for benchmark in benchmarks}) == 1:
        benchmarks = [benchmark.partition("/")[2] or benchmark for benchmark in benchmarks]
    return [
        f"{name}, {metric}" if benchmarks.count(name) > 1 else name
        for name, (_, metric) in zip(benchmarks, columns, strict=True)
    ]


def _lines(cell: Cell, reasons: Sequence[str]) -> dict[str, str]:
    value, measured = cell.row.value, cell.measured
    lines = {"published": "" if value is None else _printed(value)}
    if measured is None or cell.difference is None:
        return lines
    numbers = sorted(reasons.index(reason) + 1 for reason in measured.reasons)
    lines |= {"measured": f"{measured.value:.1f}", "difference": points(cell.difference / 100)}
    if measured.low is not None and measured.high is not None:
        lines["95% interval"] = f"{measured.low:.1f} .. {measured.high:.1f}"
    if numbers:
        lines["not comparable"] = f"[{','.join(map(str, numbers))}]"
    return lines


def _printed(value: float) -> str:
    """As many decimals as the paper printed, one at least."""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def _record(cell: Cell) -> dict[str, Any]:
    row, measured = cell.row, cell.measured
    return {
        **{
            name: getattr(row, name)
            for name in ("paper", "table", "policy", "critic", "n", "benchmark", "task", "part")
        },
        "published": row.value,
        "measured": measured and measured.value,
        "low": measured and measured.low,
        "high": measured and measured.high,
        "difference": cell.difference,
        "reasons": list(measured.reasons) if measured else [],
        "results": list(measured.folders) if measured else [],
        "note": row.note,
    }


def _csv(records: Sequence[dict[str, Any]]) -> str:
    lines = [record | {name: "; ".join(record[name]) for name in ("reasons", "results")} for record in records]
    return csv_document(list(records[0]), [list(line.values()) for line in lines])
