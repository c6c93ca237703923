"""The overview as tables: means and gains at every N, the pairs of critics, every task's figures, step detection."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.overview_record import Cell, Mean, OverviewRecord, Row, TaskColumn
from vpbench.report.result import Gain, Point
from vpbench.report.tables import Cell as Shown
from vpbench.report.tables import Figure, PValue, Table

CRITICS_ABREAST = 4
"""Critics whose figures with intervals fit beside each other on 120 columns."""
_CONTROLS = {"random": "(random pick)", "vote": "(majority vote)", "oracle": "(oracle)"}


def tables_of(overview: OverviewRecord) -> list[Table]:
    """What a reader asks first stands first; the notes stand below the table that they explain."""
    tables = []
    if overview.tasks:
        tables += [_means(overview, n) for n in overview.ns] + ([_pairs(overview)] if overview.pairs else [])
        tables += [table for n in overview.ns for table in _by_task(overview, n)]
    if overview.step_tasks:
        tables.append(_steps(overview))
    *others, last = tables
    return [*others, Table(last.title, last.headers, last.rows, (*last.notes, *notes_of(overview)), last.keys)]


def _means(overview: OverviewRecord, n: int) -> Table:
    rows: list[tuple[Shown, ...]] = []
    with_means = [(row, mean) for row in overview.rows for mean in row.means if mean.n == n]
    for row, mean in sorted(with_means, key=lambda pair: -pair[1].value):
        vote = (Figure(0.0, points=True), None) if row.votes else _gain(mean.over_vote)
        best = "yes" if mean.best else ""
        rows.append((row.name, _figure(mean), *_gain(mean.over_random), *vote, mean.letters, best))
    for name, title in _CONTROLS.items():
        if name in overview.controls:
            figure = next((_figure(point) for point in overview.controls[name] if point.n == n), Figure(None))
            rows.append((title, figure, None, None, None, None, "", ""))
    without = [row for row in overview.rows if row.no_mean and any(not cell.missing for cell in row.cells)]
    rows += [(row.name, None, None, None, None, None, "", "") for row in without]
    value = "mean %" if len(overview.tasks) > 1 else "right %"
    headers = ("critic", value, "over random", "p", "over vote", "p", "alike", "best")
    keys = ("critic", "mean", "over_random", "over_random_p_holm", "over_vote", "over_vote_p_holm", "alike", "best")
    notes = [f"{row.name} has no mean: {row.no_mean}" for row in without]
    if n == overview.ns[-1]:
        notes += _how_to_read(overview)
    return Table(f"N = {n}: {_of_tasks(overview)}", headers, tuple(rows), tuple(notes), keys)


def _of_tasks(overview: OverviewRecord) -> str:
    tasks = overview.tasks
    policies = {task.policy for task in tasks}
    pool = f", answers of {tasks[0].policy}" if len(policies) == 1 else ""
    return tasks[0].task + pool if len(tasks) == 1 else f"mean of {len(tasks)} tasks, each task one vote{pool}"


def _how_to_read(overview: OverviewRecord) -> list[str]:
    tested = [n for n in overview.ns if n > 1]
    ns = f"N = {' and '.join(map(str, tested))}"
    notes = [
        "brackets hold 95% intervals, gains and differences are percentage points; "
        f"p is corrected (Holm) over the critics and {ns}"
    ]
    if overview.pairs:
        best = (
            "; best is told apart from every other" if any(m.best for row in overview.rows for m in row.means) else ""
        )
        notes.append(
            "critics that share a letter under 'alike' are not told apart at 5%; p of differences is corrected (Holm) "
            f"over all {overview.tests} of them (pairs of critics at {ns}){best}"
        )
    return notes


def _pairs(overview: OverviewRecord) -> Table:
    sides = list(dict.fromkeys((pair.first, pair.second) for pair in overview.pairs))
    rows: list[tuple[Shown, ...]] = []
    for first, second in sides:
        pairs = [pair for pair in overview.pairs if (pair.first, pair.second) == (first, second)]
        cells = [_gain(Gain(p.n, p.value, p.low, p.high, p.p, p.p_holm)) for p in pairs]
        rows.append((f"{first} - {second}", *(cell for pair in cells for cell in pair)))
    headers = [text for n in overview.ns for text in (f"N = {n}", "p")]
    keys = [text for n in overview.ns for text in (f"n_{n}", f"n_{n}_p_holm")]
    return Table(f"differences: {_of_tasks(overview)}", ("", *headers), tuple(rows), (), ("pair", *keys))


def _by_task(overview: OverviewRecord, n: int) -> list[Table]:
    """Tasks as rows, since names of tasks are many and intervals wide; a table for every few critics."""
    shown = [row for row in overview.rows if any(not cell.missing for cell in row.cells)]
    tables = []
    for start in range(0, len(shown), CRITICS_ABREAST):
        critics = shown[start : start + CRITICS_ABREAST]
        rows = [_task_row(task, [row.cells[k] for row in critics], n) for k, task in enumerate(overview.tasks)]
        if len(overview.tasks) > 1:
            rows.append(_mean_row(overview, critics, n))
        headers = ("task", "questions", "random", "vote", *(row.name for row in critics))
        tables.append(Table(f"N = {n}, by task: percent right", headers, tuple(rows)))
    return tables


def _task_row(task: TaskColumn, cells: Sequence[Cell], n: int) -> tuple[Shown, ...]:
    controls = [
        next((point.value for point in task.controls[name] if point.n == n), None) for name in ("random", "vote")
    ]
    return (task.task, task.size, *map(Figure, controls), *(_cell(cell, n) for cell in cells))


def _mean_row(overview: OverviewRecord, critics: Sequence[Row], n: int) -> tuple[Shown, ...]:
    controls = [
        next((Figure(point.value) for point in overview.controls.get(name, ()) if point.n == n), Figure(None))
        for name in ("random", "vote")
    ]
    means = [next((_figure(mean) for mean in row.means if mean.n == n), None) for row in critics]
    return ("mean", sum(task.questions for task in overview.tasks), *controls, *means)


def _steps(overview: OverviewRecord) -> Table:
    shown = [row for row in overview.rows if any(not cell.missing for cell in row.steps)]
    rows = tuple((row.name, *(_cell(cell, 1) for cell in row.steps)) for row in shown)
    headers = [f"{task.task}: {task.metric.replace('_', ' ')} % ({task.size})" for task in overview.step_tasks]
    notes = ("step detection is no part of any mean above; in brackets behind a task its solutions",)
    keys = ("critic", *(task.task for task in overview.step_tasks))
    return Table("step detection", ("critic", *headers), rows, notes, keys)


def _cell(cell: Cell, n: int) -> Shown:
    point = next((point for point in cell.points if point.n == n), None)
    if point is None:
        return "missing" if cell.folder is None or cell.missing is None else cell.missing
    return Figure(point.value, point.low, point.high, mark="!" if cell.unscored else "")


def _figure(point: Point | Mean) -> Figure:
    return Figure(point.value, point.low, point.high)


def _gain(gain: Gain | None) -> tuple[Shown, Shown]:
    """The gain and its p; at N = 1 there is none, as whoever picks picks that one, and neither where is no vote."""
    if gain is None:
        return Figure(None), None
    alike = gain.low == gain.high
    return Figure(gain.value, gain.low, gain.high, points=True), None if alike else PValue(gain.p_holm)


def notes_of(overview: OverviewRecord) -> list[str]:
    """What a reader has to know of its tasks, of results left out, and of rows that failed."""
    notes = list(overview.notes)
    cells = [(row.name, cell) for row in overview.rows for cell in (*row.cells, *row.steps)]
    unread = {cell.task: f"{cell.task} {cell.unanswered} of {cell.candidates}" for _, cell in cells if cell.unanswered}
    if unread:
        notes.append(f"responses without an answer that could be read: {', '.join(unread.values())}")
    notes += [
        f"! {name} on {cell.task}: {cell.unscored} of {cell.candidates} responses have no score"
        for name, cell in cells
        if cell.unscored
    ]
    voteless = [task.task for task in overview.tasks if task.controls and not task.controls["vote"]]
    if voteless:
        notes.append(f"no vote, as the pool gives no answers: {', '.join(voteless)}")
    if any(task.nano for task in (*overview.tasks, *overview.step_tasks)):
        notes.append("miniature world: the figures say nothing of any real model")
    return notes
