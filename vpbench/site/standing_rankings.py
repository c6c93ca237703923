"""The mean of tasks as a ranking: critics x tasks at every N, step detection and cost beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vpbench.report.overview_record import Cell, Mean
from vpbench.report.result import StepResult
from vpbench.report.tables import Figure
from vpbench.site.cost import COST_COLUMNS, cost_items
from vpbench.site.groups import Entry, Group
from vpbench.site.overviews import Standings
from vpbench.site.rankings import (
    CONTROLS,
    Column,
    Item,
    Line,
    Panel,
    Ranking,
    control_items,
    gain_item,
    value_item,
)


def standing_ranking(standing: Standings, id: str, groups: Sequence[Group]) -> Ranking:
    """The ranking of a standing; `groups` hold all results that there are."""
    whole = standing.overview
    entries = {entry.folder: entry for group in groups for entry in group.entries}
    steps = [group for group in groups if _belongs(group, standing)]
    columns = [
        Column("mean", "mean", strip=True),
        *([Column("alike", "alike")] if whole.pairs else []),
        Column("over_random", "over random", p=True, strip=True),
        Column("over_vote", "over vote", p=True, strip=True),
    ]
    for k, task in enumerate(whole.tasks):
        metric = "" if task.metric == "accuracy" else f" {task.metric.replace('_', ' ')}"
        columns.append(Column(f"task_{k}", task.task, f"{task.size}{metric}", task.task))
    for k, group in enumerate(steps):
        note = f"{group.first.size} solutions, {group.first.metric.replace('_', ' ')}"
        columns.append(Column(f"steps_{k}", group.first.task, note, group.first.task))
    panels = tuple(_panel(standing, n, steps, entries) for n in standing.every.ns)
    title = f"mean of {len(whole.tasks)} tasks, answers of {standing.first.policy}"
    return Ranking(id, title, (*columns, *COST_COLUMNS), panels, standing.chosen).filled()


def _belongs(group: Group, standing: Standings) -> bool:
    """Whether the group is of step detection by critics of the standing, in the same world, on as much of its task."""
    first, rows = standing.first, {row.name for row in standing.overview.rows}
    same = (group.first.nano, group.first.complete) == (first.nano, first.complete)
    return same and not group.ns and any(entry.result.row in rows for entry in group.entries)


def _panel(standing: Standings, n: int, steps: Sequence[Group], entries: Mapping[str, Entry]) -> Panel:
    tested, letters = n in standing.overview.ns, bool(standing.overview.pairs)
    lines = []
    for row, mean in standing.ranked(n):
        results = [entries[name].result for cell in row.cells if (name := _folder(cell)) in entries]
        failed = sum(cell.unscored for cell in row.cells)
        items = [*_mean_items(mean, letters, tested), *(_cell_item(cell, n, entries) for cell in row.cells)]
        items += [_step_item(row.name, group) for group in steps]
        marks = (f"{failed} rows without a score",) if failed else ()
        lines.append(
            Line(row.name, (*items, *cost_items(results)), marks=marks, best=bool(mean and mean.best and tested))
        )
    return Panel(
        n, tuple(lines), tuple(_control(standing, n, name, len(steps)) for name in CONTROLS if name != "first")
    )


def _mean_items(mean: Mean | None, letters: bool, tested: bool) -> list[Item]:
    """The mean, and where N is one of the tested ones letters and p."""
    if mean is None:
        return [Item("no mean"), *([Item()] if letters else []), Item(), Item()]
    gains = [gain_item(gain, gain is not None and gain.low == gain.high) for gain in (mean.over_random, mean.over_vote)]
    return [
        Item(Figure(mean.value, mean.low, mean.high)),
        *([Item(mean.letters if tested else None)] if letters else []),
        *(gain if tested else replace(gain, p=None) for gain in gains),
    ]


def _folder(cell: Cell) -> str:
    return (cell.folder or "").removeprefix("results/")


def _cell_item(cell: Cell, n: int, entries: Mapping[str, Entry]) -> Item:
    folder = _folder(cell)
    href = entries[folder].href if folder in entries else ""
    point = next((point for point in cell.points if point.n == n), None)
    if point is None:
        return Item("missing", href=href)
    return value_item(point, href, ("!",) if cell.unscored else ())


def _step_item(name: str, group: Group) -> Item:
    """The only step result of a row; which of several to show is nothing that a table may choose."""
    entries = [entry for entry in group.entries if entry.result.row == name]
    if len(entries) == 1 and isinstance(entries[0].result, StepResult):
        return Item(Figure(*entries[0].result.headline), href=entries[0].href)
    return Item(f"{len(entries)} results" if entries else "missing")


def _control(standing: Standings, n: int, name: str, steps: int) -> Line:
    whole = standing.at(n)
    items = [
        control_items(whole.controls.get(name, ()), n),
        *([Item()] if standing.overview.pairs else []),
        Item(),
        Item(),
    ]
    items += [control_items(task.controls[name], n) for task in whole.tasks]
    return Line(CONTROLS[name], (*items, *[Item()] * (steps + len(COST_COLUMNS))))
