"""The mean of tasks as a ranking: critics x tasks at every N, step detection and cost beside it."""

from __future__ import annotations

from collections.abc import Mapping

from vpbench.report.overview_record import Cell, Mean, Row
from vpbench.report.result import StepResult
from vpbench.report.tables import Figure
from vpbench.site.cost import COST_COLUMNS, cost_items
from vpbench.site.groups import Entry
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
    headline_item,
    value_item,
)


def standing_ranking(standing: Standings, id: str, entries: Mapping[str, Entry]) -> Ranking:
    """The ranking of a standing; `entries` are all results by the name of their folder."""
    whole = standing.overview
    steps = _step_results(standing, entries)
    columns = [
        Column("mean", "mean", strip=True),
        *([Column("alike", "alike")] if whole.pairs else []),
        Column("over_random", "over random", p=True, strip=True),
        Column("over_vote", "over vote", p=True, strip=True),
    ]
    for k, task in enumerate(whole.tasks):
        metric = "" if task.metric == "accuracy" else f" {task.metric.replace('_', ' ')}"
        columns.append(Column(f"task_{k}", task.task, f"{task.size}{metric}", task.task))
    for k, (task_name, by_row) in enumerate(steps.items()):
        first = next(iter(by_row.values()))[0].result
        note = f"{first.size} solutions, {first.metric.replace('_', ' ')}"
        columns.append(Column(f"steps_{k}", task_name, note, task_name))
    panels = tuple(_panel(standing, n, steps, entries) for n in whole.ns)
    title = f"mean of {len(whole.tasks)} tasks, answers of {standing.first.policy}"
    return Ranking(id, title, (*columns, *COST_COLUMNS), panels, standing.chosen)


Steps = Mapping[str, Mapping[str, list[Entry]]]
"""By step task, and by row, the results there."""


def _step_results(standing: Standings, entries: Mapping[str, Entry]) -> Steps:
    """Step results of critics that are in the overview, of the same world, and on all of a task as it is."""
    rows = {row.name for row in standing.overview.rows}
    steps: dict[str, dict[str, list[Entry]]] = {}
    for entry in entries.values():
        result, first = entry.result, standing.first
        same = (result.nano, result.complete) == (first.nano, first.complete)
        if isinstance(result, StepResult) and same and result.row in rows:
            steps.setdefault(result.task, {}).setdefault(result.row, []).append(entry)
    return steps


def _panel(standing: Standings, n: int, steps: Steps, entries: Mapping[str, Entry]) -> Panel:
    whole = standing.overview
    lines = []
    for row, mean in standing.ranked(n):
        results = [entries[name].result for cell in row.cells if (name := _folder(cell)) in entries]
        failed = sum(cell.unscored for cell in row.cells)
        items = [*_mean_items(mean, bool(whole.pairs)), *(_cell_item(cell, n, entries) for cell in row.cells)]
        items += [_step_item(by_row.get(row.name, [])) for by_row in steps.values()]
        marks = (f"{failed} rows without a score",) if failed else ()
        lines.append(
            Line(row.name, (*items, *cost_items(results)), _only_href(row, entries), marks, bool(mean and mean.best))
        )
    return Panel(
        n, tuple(lines), tuple(_control(standing, n, name, len(steps)) for name in CONTROLS if name != "first")
    )


def _mean_items(mean: Mean | None, letters: bool) -> list[Item]:
    if mean is None:
        return [Item("no mean"), *([Item()] if letters else []), Item(), Item()]
    over_vote = mean.over_vote
    return [
        Item(Figure(mean.value, mean.low, mean.high)),
        *([Item(mean.letters)] if letters else []),
        gain_item(mean.over_random, mean.over_random.low == mean.over_random.high),
        gain_item(over_vote, over_vote is not None and over_vote.low == over_vote.high),
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


def _step_item(results: list[Entry]) -> Item:
    """The only step result of a row; which of several to show is nothing that a table may choose."""
    if not results:
        return Item("missing")
    (first, *others) = results
    if others or not isinstance(first.result, StepResult):
        return Item(f"{len(results)} results")
    return headline_item(first.result, first.href)


def _only_href(row: Row, entries: Mapping[str, Entry]) -> str:
    """Where the row's name leads: nowhere, as a row has a result on every task."""
    folders = [_folder(cell) for cell in row.cells if _folder(cell) in entries]
    return entries[folders[0]].href if len(folders) == 1 else ""


def _control(standing: Standings, n: int, name: str, steps: int) -> Line:
    whole = standing.overview
    items = [control_items(whole.controls.get(name, ()), n), *([Item()] if whole.pairs else []), Item(), Item()]
    items += [control_items(task.controls[name], n) for task in whole.tasks]
    return Line(CONTROLS[name], (*items, *[Item()] * (steps + len(COST_COLUMNS))))
