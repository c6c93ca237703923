"""`vpbench reproduce`: a published table in its layout, each figure beside what was measured and why they differ."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.report.filling import fillings
from vpbench.report.frames import load_results
from vpbench.report.published import Published, PublishedTable, load_published
from vpbench.report.reproduce import Cell, Measured, reproduce
from vpbench.report.tables import Table, csv_document, grid, render
from vpbench.terminal import Format, points

DEFAULT_RUNS = Path("runs")
LEGEND = (
    "Figures are percent. measured: by `vpbench run`, with its 95% interval, once for each name of a critic; empty "
    "where nothing was run. difference: measured minus published, in points. [..]: why the two can't be compared."
)


def list_tables(style: Format) -> str:
    """The published tables there are, and for how many of their figures vpbench has the task and the critic."""
    published = load_published()
    rows = []
    for entry in published.tables.values():
        figures = published.rows_of(entry)
        measurable = sum(map(published.is_measurable, figures))
        rows.append((entry.id, entry.paper, entry.table, len(figures), measurable, entry.title))
    headers = ("table", "paper", "where", "figures", "can be measured", "")
    keys = ("table", "paper", "where", "figures", "measurable", "title")
    listed = Table("published tables", headers, tuple(rows), keys=keys)
    return grid(listed) if style == "text" else render([listed], style)


def reproduced(name: str, runs: Path | None, style: Format) -> str:
    """The table called `name` beside the results under `runs`, by default those under `runs/`, if there are any.

    Raises `ConfigError` for an unknown table, and for a folder without results or with one that can't be read.
    """
    published = load_published()
    entry = published.table(name)
    folder = runs or DEFAULT_RUNS
    cells = _cells(published, entry, runs)
    if style in ("json", "csv"):
        records = [_record(cell, measured) for cell in cells for measured in cell.figures or (None,)]
        return json.dumps(records, indent=1, ensure_ascii=False) if style == "json" else _csv(records)
    return _page(published, entry, cells, folder, style)


def write_study(name: str, runs: Path | None, path: Path) -> str:
    """Write the study that would fill the table called `name`, and say how it is run.

    Raises `ConfigError` as `reproduced` does, where no study fills anything, and for a file that is there already.
    """
    from vpbench.report.filling_study import filling_study

    published = load_published()
    entry = published.table(name)
    text = filling_study(published, entry, fillings(published, entry, _cells(published, entry, runs)))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"--study {path}: can't be written anew ({error.strerror})") from error
    return f"written to {path}; to see what it would cost: vpbench run {shlex.quote(str(path))} --dry-run"


def _cells(published: Published, entry: PublishedTable, runs: Path | None) -> list[Cell]:
    nothing = runs is None and not any(DEFAULT_RUNS.glob("results/*/result.json"))
    return reproduce(published, entry, () if nothing else load_results(runs or DEFAULT_RUNS).results)


def _page(published: Published, entry: PublishedTable, cells: Sequence[Cell], runs: Path, style: Format) -> str:
    measured = [cell for cell in cells if cell.figures]
    figures = [figure for cell in measured for figure in cell.figures]
    reasons = list(dict.fromkeys(reason for figure in figures for reason in figure.reasons))
    layout = _grid(cells, reasons)
    drawn = grid(layout) if style == "text" else render([layout], style)
    parts = [f"{entry.paper}, {entry.table}: {entry.title}\n{entry.source}", LEGEND, drawn]
    if measured:
        parts.append(f"{len(measured)} of {len(cells)} figures measured, from {runs}")
    shown = {folder for figure in figures for folder in figure.folders}
    passed_over = {folder for cell in measured for folder in cell.passed_over} - shown
    if passed_over:
        lines = (
            "Measured too, but not shown, as one result of each name is, with the fewest reasons:",
            *sorted(passed_over),
        )
        parts.append("\n  ".join(lines))
    if reasons:
        parts.append("\n".join(f"[{number}] {reason}" for number, reason in enumerate(reasons, 1)))
    caveats = [caveat for cell in cells if cell.row.note for caveat in cell.row.note.split("; ")]
    notes = [*([entry.note] if entry.note else []), *dict.fromkeys(caveats)]
    if notes:
        parts.append("\n".join(f"note: {note}" for note in notes))
    commands = [filling.command(runs) for filling in fillings(published, entry, cells)]
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
        values = {column: cell.row.value for column, cell in line.items()}
        rows.append((*map(str, label), "published", *(_printed(values.get(column)) for column in columns)))
        critics = list(dict.fromkeys(figure.critic for cell in line.values() for figure in cell.figures))
        for critic in critics:
            shown = {column: _lines(cell, critic, reasons) for column, cell in line.items()}
            for name in ("measured", "95% interval", "difference", "not comparable"):
                title = f"{name}: {critic}" if name == "measured" and len(critics) > 1 else name
                rows.append(("", "", "", title, *(shown.get(column, {}).get(name, "") for column in columns)))
        if not critics:
            rows.append(("", "", "", "measured", *("" for _ in columns)))
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


def _lines(cell: Cell, critic: str | None, reasons: Sequence[str]) -> dict[str, str]:
    """What stands below the published figure, by the name of the line, of one name of a critic."""
    measured = next((figure for figure in cell.figures if figure.critic == critic), None)
    difference = None if measured is None else cell.difference_of(measured)
    if measured is None or difference is None:
        return {}
    numbers = sorted(reasons.index(reason) + 1 for reason in measured.reasons)
    lines = {"measured": f"{measured.value:.1f}", "difference": points(difference / 100)}
    if measured.low is not None and measured.high is not None:
        lines["95% interval"] = f"{measured.low:.1f} .. {measured.high:.1f}"
    if numbers:
        lines["not comparable"] = f"[{','.join(map(str, numbers))}]"
    return lines


def _printed(value: float | None) -> str:
    """As many decimals as the paper printed, one at least."""
    if value is None:
        return ""
    return f"{value:.1f}" if round(value, 1) == value else f"{value:g}"


def _record(cell: Cell, measured: Measured | None) -> dict[str, Any]:
    row = cell.row
    return {
        **{
            name: getattr(row, name)
            for name in ("paper", "table", "policy", "critic", "n", "benchmark", "task", "part")
        },
        "published": row.value,
        "measured_critic": measured and measured.critic,
        "measured": measured and measured.value,
        "low": measured and measured.low,
        "high": measured and measured.high,
        "difference": measured and cell.difference_of(measured),
        "reasons": list(measured.reasons) if measured else [],
        "results": list(measured.folders) if measured else [],
        "note": row.note,
    }


def _csv(records: Sequence[dict[str, Any]]) -> str:
    lines = [record | {name: "; ".join(record[name]) for name in ("reasons", "results")} for record in records]
    return csv_document(list(records[0]), [list(line.values()) for line in lines])
