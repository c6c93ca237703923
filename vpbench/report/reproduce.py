"""A published table beside stored results: which result stands for which figure, and why the two can't be compared.

A result is matched by task, critic and N; one of another split of the same benchmark stands in. Everything else in
which it differs from what was published is a reason. One whose policy or model is that of another row of the table is
left to that row. Scores from a file stand for the published critic that they are called after.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vpbench.report.comparability import differences, is_called, is_from_file, model_of, policy_of
from vpbench.report.published import (
    AVERAGES,
    FIRST_ERROR_F1,
    Published,
    PublishedCritic,
    PublishedRow,
    PublishedTable,
)
from vpbench.report.result import BestOfNResult, PooledF1, StepResult
from vpbench.report.stored import StoredResult
from vpbench.stats.first_error_mean import FirstErrors

UNKNOWN = PublishedCritic(None, None, None, None, None)
"""A published critic for which vpbench has none: only a file's scores can stand for it."""
_Value = tuple[float, float | None, float | None]
"""A figure and the ends of its interval, as fractions of 1."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A measured figure with its interval, in percent, why it can't be compared, and the results' folders.

    `critic` is what the run called the critic; None of a control, which every critic of a run has.
    """

    critic: str | None
    value: float
    low: float | None
    high: float | None
    reasons: tuple[str, ...]
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A published figure, and what stands for it among the results, one for each name of a critic, most alike first.

    `passed_over` are the folders of results that could stand for it too, with another value.
    """

    row: PublishedRow
    figures: tuple[Measured, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def measured(self) -> Measured | None:
        """The figure most alike; None where nothing was run."""
        return self.figures[0] if self.figures else None

    @property
    def difference(self) -> float | None:
        """Measured minus published, in points."""
        return None if self.measured is None else self.difference_of(self.measured)

    def difference_of(self, measured: Measured) -> float | None:
        """One of `figures` minus the published one, in points."""
        return None if self.row.value is None else measured.value - self.row.value


def reproduce(published: Published, table: PublishedTable, results: Sequence[StoredResult]) -> list[Cell]:
    """A cell per row of the table. Of several results of one critic, that with the fewest reasons stands in it."""
    rows = published.rows_of(table)
    search = _Search(published, table, rows, results)
    return [search.cell(row) for row in rows]


@dataclass(frozen=True)
class _Search:
    published: Published
    table: PublishedTable
    rows: Sequence[PublishedRow]
    results: Sequence[StoredResult]

    def cell(self, row: PublishedRow) -> Cell:
        """The row with all that stands for it."""
        if row.metric == "mean" and self.table.mean_of:
            return Cell(row, self._means(row))
        if row.task is None or row.value is None:
            return Cell(row, ())
        entry = self.published.critics.get(row.critic, UNKNOWN)
        tasks = self.published.tasks_of(row.benchmark)
        candidates = [
            (figure, stored.result.task != row.task)
            for stored in self.results
            if stored.result.task in tasks and (figure := self._figure(row, entry, stored)) is not None
        ]
        candidates.sort(key=lambda candidate: (len(candidate[0].reasons), candidate[1], candidate[0].folders))
        best: dict[str | None, Measured] = {}
        for figure, _ in candidates:
            best.setdefault(figure.critic, figure)
        # controls on one pool are the same in the results of all its critics
        others = (figure for figure, _ in candidates if figure.value != best[figure.critic].value)
        return Cell(row, tuple(best.values()), tuple(folder for figure in others for folder in figure.folders))

    def _means(self, row: PublishedRow) -> tuple[Measured, ...]:
        """The means over benchmarks, one for each name of a critic that was measured on all."""
        cells = [self.cell(column).figures for column in self.published.columns(self.table, row)]
        names = dict.fromkeys(figure.critic for figures in cells for figure in figures)
        lines = [[figure for figures in cells for figure in figures if figure.critic == name] for name in names]
        return tuple(_mean(parts) for parts in lines if len(parts) == len(cells))

    def _figure(self, row: PublishedRow, entry: PublishedCritic, stored: StoredResult) -> Measured | None:
        """What a result says about the row, None if it is about something else."""
        result = stored.result
        if entry.curve is None and not self._is_its_critic(row, entry, result):
            return None
        if isinstance(result, StepResult):
            value = _step_value(row, entry, result)
        else:
            value = self._best_of_n_value(row, entry, result)
        if value is None:
            return None
        protocol = self.table.protocol.of(row.benchmark)
        reasons = differences(row, entry, protocol, result, self._names_of(row.policy))
        name = result.row if entry.curve is None else None
        figure, low, high = value
        return Measured(name, 100 * figure, _percent(low), _percent(high), tuple(reasons), (stored.folder.name,))

    def _is_its_critic(self, row: PublishedRow, entry: PublishedCritic, result: BestOfNResult | StepResult) -> bool:
        if result.critic == entry.critic:
            return not self._is_of_another_model(entry, result)
        return is_from_file(result) and is_called(result.row, [row.critic, entry.model or ""])

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
        policy = policy_of(result)
        return not is_called(policy, self._names_of(row.policy)) and is_called(policy, names)

    def _is_of_another_model(self, entry: PublishedCritic, result: BestOfNResult | StepResult) -> bool:
        critics = [self.published.critics.get(row.critic) for row in self.rows]
        others = [other.model for other in critics if other and other.model and other.critic == entry.critic]
        model = model_of(result)
        return not is_called(model, [entry.model or ""]) and is_called(model, others)


def _mean(parts: Sequence[Measured]) -> Measured:
    """The mean of one critic's figures on all benchmarks.

    Its interval is that of a sum of independent estimates from their own intervals (MOVER: Zou & Donner, Statistics in
    Medicine 27, 2008): the distances to the lower ends are added in quadrature, and the upper ones.
    """
    count = len(parts)
    value = sum(part.value for part in parts) / count
    low = high = None
    if all(part.low is not None and part.high is not None for part in parts):
        low = value - math.hypot(*(part.value - part.low for part in parts if part.low is not None)) / count
        high = value + math.hypot(*(part.high - part.value for part in parts if part.high is not None)) / count
    reasons = tuple(dict.fromkeys(reason for part in parts for reason in part.reasons))
    return Measured(parts[0].critic, value, low, high, reasons, tuple(f for part in parts for f in part.folders))


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _step_value(row: PublishedRow, entry: PublishedCritic, result: StepResult) -> _Value | None:
    report = result.step_f1
    if entry.curve is not None:
        return None
    if row.metric == FIRST_ERROR_F1:
        return None if report.first_errors is None else _first_error_value(row.part, report.first_errors)
    figures = getattr(report, row.part, None) if row.part in AVERAGES else report.by_source.get(row.part or "")
    value = getattr(figures, row.metric, None)
    if value is None:
        return None
    if isinstance(figures, PooledF1) and row.metric == "macro_f1":
        return value, figures.low, figures.high
    return value, None, None


def _first_error_value(part: str | None, errors: FirstErrors) -> _Value | None:
    if part == "mean_of_sources":
        return None if errors.mean_f1 is None else (errors.mean_f1, errors.low, errors.high)
    sources = errors.by_source if part == "solution_weighted_mean" else {part: errors.by_source.get(part or "")}
    weights = [(source.harmonic_mean, source.solutions) for source in sources.values() if source is not None]
    if not weights or any(value is None for value, _ in weights):
        return None
    total = sum(solutions for _, solutions in weights)
    return sum(value * solutions for value, solutions in weights if value is not None) / total, None, None
