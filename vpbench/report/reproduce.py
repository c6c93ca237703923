"""A published table beside stored results: which result stands for which figure, and why the two can't be compared.

A result is matched by task, critic and N. Everything else in which it differs from what was published is a reason. One
whose policy or model is that of another row of the table is left to that row.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vpbench.report.comparability import differences, is_called, model_of
from vpbench.report.published import AVERAGES, Published, PublishedCritic, PublishedRow, PublishedTable
from vpbench.report.result import BestOfNResult, PooledF1, StepResult
from vpbench.report.stored import StoredResult

_Value = tuple[float, float | None, float | None]
"""A figure and the ends of its interval, as fractions of 1."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measured figure with its interval, in percent, why it can't be compared, and the results' folders."""

    value: float
    low: float | None
    high: float | None
    reasons: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A published figure, and what stands for it among the results; None where nothing was run."""

    row: PublishedRow
    measured: Measured | None

    @property
    def difference(self) -> float | None:
        """Measured minus published, in points."""
        if self.measured is None or self.row.value is None:
            return None
        return self.measured.value - self.row.value


def reproduce(published: Published, table: PublishedTable, results: Sequence[StoredResult]) -> list[Cell]:
    """A cell per row of the table. Of several results that could stand for a figure, the most alike does."""
    rows = published.rows_of(table)
    search = _Search(published, table, rows, results)
    return [Cell(row, search.best(row)) for row in rows]


@dataclass(frozen=True)
class _Search:
    published: Published
    table: PublishedTable
    rows: Sequence[PublishedRow]
    results: Sequence[StoredResult]

    def best(self, row: PublishedRow) -> Measured | None:
        """The figure most alike, None if there is none."""
        if row.metric == "mean" and self.table.mean_of:
            return self._mean(row)
        entry = self.published.critics.get(row.critic)
        if entry is None or row.task is None or row.value is None:
            return None
        candidates = [self._figure(row, entry, stored) for stored in self.results if stored.result.task == row.task]
        measured = [candidate for candidate in candidates if candidate is not None]
        return min(measured, key=lambda candidate: (len(candidate.reasons), candidate.folders), default=None)

    def _mean(self, row: PublishedRow) -> Measured | None:
        """The mean over tasks, if all were measured.

        Its interval is that of a sum of independent estimates from their own intervals (MOVER: Zou & Donner,
        Statistics in Medicine 27, 2008): the distances to the lower ends are added in quadrature, and the upper ones.
        """
        line = (row.policy, row.critic, row.n)
        columns = {other.task: other for other in self.rows if (other.policy, other.critic, other.n) == line}
        parts = []
        for task in self.table.mean_of:
            column = columns.get(task) or self._column(row, task)
            part = self.best(column) if column else None
            if part is None or part.low is None or part.high is None:
                return None
            parts.append((part, part.value - part.low, part.high - part.value))
        count = len(parts)
        value = sum(part.value for part, _, _ in parts) / count
        return Measured(
            value,
            value - math.hypot(*(below for _, below, _ in parts)) / count,
            value + math.hypot(*(above for _, _, above in parts)) / count,
            tuple(dict.fromkeys(reason for part, _, _ in parts for reason in part.reasons)),
            tuple(folder for part, _, _ in parts for folder in part.folders),
        )

    def _column(self, row: PublishedRow, task: str) -> PublishedRow | None:
        """The row that a table of means alone doesn't print: that of `task`, as other tables of the paper have it."""
        paper = (other for other in self.published.rows if other.task == task and other.paper == row.paper)
        printed = next((other for other in paper if other.n == row.n and other.part is None), None)
        return None if printed is None else replace(printed, policy=row.policy, critic=row.critic)

    def _figure(self, row: PublishedRow, entry: PublishedCritic, stored: StoredResult) -> Measured | None:
        """What a result says about the row, None if it is about something else."""
        result = stored.result
        if entry.critic is not None and (result.critic != entry.critic or self._is_of_another_model(entry, result)):
            return None
        if isinstance(result, StepResult):
            value = _step_value(row, entry, result)
        else:
            value = self._best_of_n_value(row, entry, result)
        if value is None:
            return None
        reasons = differences(row, entry, self.table.protocol, result, self._names_of(row.policy))
        figure, low, high = value
        return Measured(100 * figure, _percent(low), _percent(high), tuple(reasons), (stored.folder.name,))

    def _best_of_n_value(self, row: PublishedRow, entry: PublishedCritic, result: BestOfNResult) -> _Value | None:
        drawing = result.provenance.drawing or {}
        if entry.aggregate not in (None, result.aggregate):
            return None
        if entry.temperature not in (None, drawing.get("temperature")):
            return None
        if self._is_of_another_policy(row, result):
            return None
        points = result.curves[entry.curve or "critic"]
        return next(((point.value, point.low, point.high) for point in points if point.n == row.n), None)

    def _names_of(self, policy: str | None) -> list[str]:
        return [name for name in (policy, self.published.policies.get(policy or "")) if name]

    def _is_of_another_policy(self, row: PublishedRow, result: BestOfNResult) -> bool:
        others = {other.policy for other in self.rows} - {row.policy}
        names = [name for other in others for name in self._names_of(other)]
        return not is_called(result.policy, self._names_of(row.policy)) and is_called(result.policy, names)

    def _is_of_another_model(self, entry: PublishedCritic, result: BestOfNResult | StepResult) -> bool:
        critics = [self.published.critics.get(row.critic) for row in self.rows]
        others = [other.model for other in critics if other and other.model and other.critic == entry.critic]
        model = model_of(result)
        return not is_called(model, [entry.model or ""]) and is_called(model, others)


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _step_value(row: PublishedRow, entry: PublishedCritic, result: StepResult) -> _Value | None:
    report = result.step_f1
    figures = getattr(report, row.part) if row.part in AVERAGES else report.by_source.get(row.part or "")
    value = getattr(figures, row.metric, None)
    if value is None or entry.critic is None:
        return None
    if isinstance(figures, PooledF1) and row.metric == result.metric:
        return value, figures.low, figures.high
    return value, None, None
