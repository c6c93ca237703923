"""Which results are the cells of an overview: a row per critic, a column per task, only what is comparable in either.

What most results of a task were measured on is what its column stands for; a result on anything else is no cell of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from vpbench.errors import ConfigError
from vpbench.report.differing import measured_differently
from vpbench.report.kinds import measured_on
from vpbench.report.names import names
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult

DEFAULT_N = 8
"""The N at which papers compare critics."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The comparable results by row and task, and why there is none elsewhere.

    `tasks` and `step_tasks` hold a result of each column, which says what its cells have in common.
    """

    tasks: Mapping[str, StoredResult]
    step_tasks: Mapping[str, StoredResult]
    cells: Mapping[str, Mapping[str, StoredResult]]
    missing: Mapping[tuple[str, str], str]
    notes: tuple[str, ...]


def grid_of(results: Sequence[StoredResult]) -> Grid:
    """Sort results into rows and columns, in the order in which their names first occur.

    Raises `ConfigError` for none.
    """
    if not results:
        raise ConfigError("an overview needs results; `vpbench run` makes them")
    best_of_n = [stored for stored in results if isinstance(stored.result, BestOfNResult)]
    steps = [stored for stored in results if isinstance(stored.result, StepResult)]
    tasks, step_tasks = _columns(best_of_n), _columns(steps)
    cells: dict[str, dict[str, StoredResult]] = {}
    missing: dict[tuple[str, str], str] = {}
    notes = []
    for name, stored in zip(row_names(results), results, strict=True):
        row, task = cells.setdefault(name, {}), stored.result.task
        column = tasks.get(task) or step_tasks.get(task)
        if column is None:
            notes.append(f"{name} on {task} is left out: measured in another way than most ({_way(stored.result)})")
        elif measured_on(stored.result) != measured_on(column.result):
            reasons = measured_differently(column.result, stored.result) or ["the verdicts on its candidates"]
            missing[name, task] = f"not comparable with {column.result.row} there: {'; '.join(reasons)}"
        elif task in row:
            notes.append(f"{name} on {task}: of two results alike, {row[task].folder.name} is left out")
            row[task] = stored
        else:
            row[task] = stored
    for name, task in [(name, task) for name, task in missing if task in cells[name]]:
        notes.append(f"{name} on {task}: another result is left out, {missing.pop((name, task))}")
    for name, row in cells.items():
        missing |= {(name, task): "no result" for task in tasks if task not in row and (name, task) not in missing}
    return Grid(tasks, step_tasks, cells, missing, tuple(notes))


def row_names(results: Sequence[StoredResult]) -> list[str]:
    """What the study calls each result's critic; with the settings that differ where two of a task are called alike."""
    rows = [stored.result.row for stored in results]
    cells = Counter((stored.result.task, row) for stored, row in zip(results, rows, strict=True))
    if max(cells.values()) == 1:
        return rows
    twice = {row for (_, row), count in cells.items() if count > 1}
    called = names([stored.result for stored in results])
    return [name if row in twice else row for name, row in zip(called, rows, strict=True)]


def shown_ns(grid: Grid, ns: Sequence[int] | None) -> tuple[int, ...]:
    """The N to show: those given, or 8 (the next lower power of two) and the largest that most cells have.

    Raises `ConfigError` for an N that no cell has.
    """
    results = [stored.result for row in grid.cells.values() for stored in row.values()]
    curves = [result.ns for result in results if isinstance(result, BestOfNResult)]
    if ns is None or not curves:
        return usual_ns(curves)
    there = sorted({n for curve in curves for n in curve})
    for n in ns:
        if n not in there:
            raise ConfigError(f"N = {n}: no result has it; there are {', '.join(map(str, there))}")
    return tuple(sorted(set(ns)))


def usual_ns(curves: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """8, or the next lower power of two, and the largest of the N that most curves have; nothing without a curve."""
    if not curves:
        return ()
    counts = Counter(n for curve in curves for n in curve)
    common = sorted(n for n, count in counts.items() if count == max(counts.values()))
    small = [n for n in common if n <= DEFAULT_N and n & (n - 1) == 0]
    return tuple(dict.fromkeys([*small[-1:], common[-1]]))


def _columns(results: Sequence[StoredResult]) -> dict[str, StoredResult]:
    """A result that stands for most of its task, of every task that is measured as most results are."""
    most = _most(results, lambda stored: _way(stored.result))
    by_task: dict[str, list[StoredResult]] = {}
    for stored in results:
        if _way(stored.result) == most:
            by_task.setdefault(stored.result.task, []).append(stored)
    columns = {}
    for task, members in by_task.items():
        kind = _most(members, lambda stored: measured_on(stored.result))
        columns[task] = next(stored for stored in members if measured_on(stored.result) == kind)
    return columns


def _most(results: Sequence[StoredResult], key: Callable[[StoredResult], Hashable]) -> Hashable:
    return Counter(map(key, results)).most_common(1)[0][0] if results else None


def _way(result: BestOfNResult | StepResult) -> str:
    """What has to be equal in all tasks of a mean."""
    world = "miniature world" if result.nano else "the benchmark's data"
    return f"{world}, grading {result.grading}, {result.estimator}" if isinstance(result, BestOfNResult) else world
