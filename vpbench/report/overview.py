"""The overview of a study: critics x tasks at chosen N, the mean of tasks, and which critics are told apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from vpbench.report.names import without_paths
from vpbench.report.overview_cells import Grid, grid_of, shown_ns
from vpbench.report.overview_means import CONTROLS, Means, means_of
from vpbench.report.overview_record import Cell, Mean, OverviewRecord, Row, TaskColumn
from vpbench.report.overview_tables import tables_of
from vpbench.report.result import BestOfNResult, Gain, Point, StepResult
from vpbench.report.stored import StoredResult
from vpbench.report.tables import Table, render
from vpbench.stats.few_units import T_TEST_BELOW

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Overview(OverviewRecord):
    """The record with the forms in which it is shown."""

    def tables(self) -> list[Table]:
        """The means, which pairs are told apart, the cells; step detection beside them."""
        return tables_of(self)

    def text(self) -> str:
        """The tables as text, at most 120 columns wide for names of usual length."""
        return render(self.tables(), "text")

    def frame(self) -> pd.DataFrame:
        """A row per critic, task and N; `task` is "mean" for the mean of tasks, N is missing for step detection.

        `value` with `low` and `high`, the gains `over_random` and `over_vote`, each with `_low`, `_high`, `_p` and
        `_p_holm`, and of the mean whether it is the `best` and its `letters`. All values are fractions of 1.
        """
        import pandas as pd

        rows = [line for row in self.rows for line in _lines(row)]
        return pd.DataFrame(rows).astype({"n": "Int64", "best": "boolean"})

    def as_json(self) -> dict[str, Any]:
        """The content of `study.json`, without folders of this machine."""
        content: dict[str, Any] = _shared(asdict(self))
        return content


def overview(
    results: Sequence[StoredResult],
    ns: Sequence[int] | None = None,
    resamples: int | None = None,
    seed: int | None = None,
) -> Overview:
    """The overview of results; `ns` as in `shown_ns`, `resamples` and `seed` by default as of the first result.

    A critic has a mean if it has a comparable result with every N shown on every Best-of-N task. Raises `ConfigError`
    for no results, for an N that none has, and for a damaged file.
    """
    grid = grid_of(results)
    ns = shown_ns(grid, ns)
    first = results[0].result.provenance
    resamples = first.resamples if resamples is None else resamples
    seed = first.seed if seed is None else seed
    lacking = {name: _lacking(name, grid, ns) for name in grid.cells}
    whole = {
        name: [row[task] for task in grid.tasks] for name, row in grid.cells.items() if grid.tasks and not lacking[name]
    }
    means = means_of(whole, ns, resamples, seed) if whole else Means({}, {}, (), 0)
    rows = [_row(name, grid, ns, means, lacking[name]) for name in grid.cells]
    tasks = tuple(_column(stored, ns) for stored in grid.tasks.values())
    return Overview(
        ns=ns,
        tasks=tasks,
        step_tasks=tuple(_column(stored, ()) for stored in grid.step_tasks.values()),
        rows=tuple(rows),
        controls=means.controls,
        pairs=means.pairs,
        tests=means.tests,
        resamples=resamples,
        seed=seed,
        notes=(*grid.notes, *_few(tasks)),
    )


def overviews(results: Sequence[StoredResult]) -> list[Overview]:
    """The overview of results, or one for each policy where a critic has results on several policies' answers."""
    keys = [(stored.result.row, stored.result.task, stored.result.policy) for stored in results]
    policies = dict.fromkeys(policy for *_, policy in keys)
    if len({key[:2] for key in keys}) == len(set(keys)):
        return [overview(results)]
    return [overview([stored for stored in results if stored.result.policy == policy]) for policy in policies]


def _shared(value: Any) -> Any:
    """The value without folders of this machine in any text."""
    if isinstance(value, dict):
        return {name: _shared(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_shared(part) for part in value]
    return without_paths(value) if isinstance(value, str) else value


def _lacking(name: str, grid: Grid, ns: Sequence[int]) -> str | None:
    """Why a row has no mean; None where it has one."""
    reasons = []
    for task in grid.tasks:
        stored = grid.cells[name].get(task)
        if stored is None:
            reasons.append(f"{task}: {grid.missing[name, task]}")
        elif isinstance(stored.result, BestOfNResult):
            absent = [str(n) for n in ns if n not in stored.result.ns]
            reasons += [f"{task}: no N = {', '.join(absent)}"] if absent else []
    return "; ".join(reasons) or None


def _row(name: str, grid: Grid, ns: Sequence[int], means: Means, lacking: str | None) -> Row:
    results = [stored.result for stored in grid.cells[name].values()]
    first = results[0] if results else None
    return Row(
        name=name,
        critic=first.critic if first else name,
        votes=bool(results) and all(isinstance(r, BestOfNResult) and r.selection == "vote" for r in results),
        cells=tuple(_cell(name, task, grid, ns) for task in grid.tasks),
        steps=tuple(_cell(name, task, grid, ns) for task in grid.step_tasks),
        means=means.rows.get(name, ()),
        no_mean=lacking,
    )


def _cell(name: str, task: str, grid: Grid, ns: Sequence[int]) -> Cell:
    stored = grid.cells[name].get(task)
    if stored is None:
        return Cell(task=task, missing=grid.missing.get((name, task), "no result"))
    result = stored.result
    about: dict[str, Any] = {
        "task": task,
        "folder": f"results/{stored.folder.name}",
        "candidates": result.candidates,
        "unanswered": sum(result.unanswered.values()),
        "unscored": sum(result.unscored.values()),
    }
    if isinstance(result, StepResult):
        value, low, high = result.headline
        if value is None or low is None or high is None:
            return Cell(**about, missing=f"no {result.metric}")
        return Cell(**about, points=(Point(1, value, low, high),))
    at = [result.ns.index(n) for n in ns if n in result.ns]
    return Cell(
        **about,
        missing=None if at else f"no N = {', '.join(map(str, ns))}",
        points=tuple(result.curves["critic"][k] for k in at),
        over_random=tuple(result.gains["over_random"][k] for k in at),
        over_vote=tuple(result.gains["over_vote"][k] for k in at if result.has_vote),
    )


def _column(stored: StoredResult, ns: Sequence[int]) -> TaskColumn:
    result = stored.result
    curves = result.curves if isinstance(result, BestOfNResult) else {}
    return TaskColumn(
        task=result.task,
        metric=result.metric,
        policy=result.policy,
        nano=result.nano,
        questions=result.questions,
        questions_in_task=result.questions_in_task,
        clusters=len(set(stored.units.clusters)) if curves else None,
        controls={name: tuple(point for point in curves[name] if point.n in ns) for name in CONTROLS if curves},
    )


def _few(tasks: Sequence[TaskColumn]) -> list[str]:
    few = [f"{task.task} {task.clusters}" for task in tasks if task.clusters and task.clusters < T_TEST_BELOW]
    if not few:
        return []
    return [
        f"tasks with few questions, or groups of them ({', '.join(few)}): p is Welch's t-test's, intervals are rough"
    ]


def gain_columns(control: str, gain: Gain | None = None) -> dict[str, float | None]:
    """The columns of a gain over the random pick or the vote in frames; None where there is none."""
    fields = {"": "value", "_low": "low", "_high": "high", "_p": "p", "_p_holm": "p_holm"}
    return {f"over_{control}{end}": None if gain is None else getattr(gain, name) for end, name in fields.items()}


def _lines(row: Row) -> Iterator[dict[str, Any]]:
    about = {"critic": row.name}
    for cell in (*row.cells, *row.steps):
        curve = bool(cell.over_random)
        for k, point in enumerate(cell.points):
            gains = _gains(cell.over_random[k] if curve else None, cell.over_vote[k] if cell.over_vote else None)
            n = point.n if curve else None
            yield {**about, "task": cell.task, "n": n, **_ends(point), **gains, "best": None, "letters": None}
    for mean in row.means:
        gains, told = _gains(mean.over_random, mean.over_vote), {"best": mean.best, "letters": mean.letters}
        yield {**about, "task": "mean", "n": mean.n, **_ends(mean), **gains, **told}


def _ends(point: Point | Mean) -> dict[str, float]:
    return {"value": point.value, "low": point.low, "high": point.high}


def _gains(over_random: Gain | None, over_vote: Gain | None) -> dict[str, float | None]:
    return {**gain_columns("random", over_random), **gain_columns("vote", over_vote)}
