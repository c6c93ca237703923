"""A result's figures by category or source, those of the critics it can be compared with beside them."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.overview_cells import usual_ns
from vpbench.report.result import BestOfNResult, MeasurePoint, NamedMeasure, StepResult
from vpbench.report.tables import Figure
from vpbench.site.groups import Entry
from vpbench.site.rankings import CONTROLS, Column, Item, Line, Panel, Ranking
from vpbench.stats.steps import StepF1

AVERAGES = {
    "pooled": "all steps together",
    "step_weighted_mean": "step-weighted mean",
    "mean_of_sources": "mean of sources",
}


def by_category(entry: Entry, others: Sequence[Entry]) -> Ranking | None:
    """The named measures at the N that papers use and the largest; None where the result has only the headline."""
    result = entry.result
    if not isinstance(result, BestOfNResult) or len(result.measures) < 2:
        return None
    entries = [entry, *(other for other in others if other is not entry)]
    shown = [one for one in entries if isinstance(one.result, BestOfNResult) and one.result.measures]
    columns = [
        Column("count", "count"),
        *(Column(f"critic_{k}", one.name, named=one.name) for k, one in enumerate(shown)),
    ]
    columns += [Column(name, CONTROLS[name]) for name in ("vote", "random", "oracle")]
    ns = usual_ns([result.ns])
    measures = sorted(result.measures, key=lambda measure: not measure.shown)
    panels = [Panel(n, tuple(_measure_line(measure, n, shown) for measure in measures)) for n in ns]
    return Ranking("categories", f"{result.task}, by category", tuple(columns), tuple(panels), ns[0], "measure")


def _measure_line(measure: NamedMeasure, n: int, entries: Sequence[Entry]) -> Line:
    name = (measure.measure, measure.category, measure.label)
    items = [Item(measure.count)]
    for entry in entries:
        assert isinstance(entry.result, BestOfNResult)
        same = [one for one in entry.result.measures if (one.measure, one.category, one.label) == name]
        point = next((point for one in same for point in one.points if point.n == n), None)
        items.append(Item() if point is None else Item(Figure(point.critic, point.low, point.high)))
    point = next(point for point in measure.points if point.n == n)
    return Line(measure.title, (*items, *_controls(point)))


def _controls(point: MeasurePoint) -> list[Item]:
    return [Item(Figure(getattr(point, name))) for name in ("vote", "random", "oracle")]


def by_source(entry: Entry, others: Sequence[Entry]) -> Ranking | None:
    """Step detection by source of the solutions; None where there is only one."""
    result = entry.result
    if not isinstance(result, StepResult) or len(result.step_f1.by_source) < 2:
        return None
    entries = [other for other in others if other is not entry]
    columns = [
        Column("steps", "steps"),
        Column("macro_f1", "macro-F1"),
        Column("f1_correct", "F1", "correct steps"),
        Column("f1_incorrect", "F1", "incorrect steps"),
        *([Column("first_error_f1", "first-error F1")] if result.step_f1.first_errors else []),
        *(Column(f"critic_{k}", other.name, "macro-F1", other.name) for k, other in enumerate(entries)),
    ]
    lines = tuple(_source_line(source, result, entries) for source in result.step_f1.by_source)
    averages = tuple(_average_line(title, name, result, entries, len(columns)) for name, title in AVERAGES.items())
    panel = Panel(None, lines, averages)
    return Ranking("sources", f"{result.task}, by source", tuple(columns), (panel,), None, "source")


def _average_line(title: str, name: str, result: StepResult, others: Sequence[Entry], count: int) -> Line:
    figures: StepF1 = getattr(result.step_f1, name)
    items = [Item(figures.steps), *_f1_items(figures)]
    items += [Item()] * (count - len(items) - len(others))
    values = [getattr(other.result.step_f1, name) for other in others if isinstance(other.result, StepResult)]
    return Line(title, (*items, *(Item(Figure(value.macro_f1)) for value in values)))


def _f1_items(figures: StepF1) -> list[Item]:
    return [Item(Figure(value)) for value in (figures.macro_f1, figures.f1_correct, figures.f1_incorrect)]


def _source_line(source: str, result: StepResult, others: Sequence[Entry]) -> Line:
    report = result.step_f1
    figures = report.by_source[source]
    items = [Item(figures.steps), *_f1_items(figures)]
    if report.first_errors:
        items.append(Item(Figure(report.first_errors.by_source[source].harmonic_mean)))
    for other in others:
        assert isinstance(other.result, StepResult)
        same = other.result.step_f1.by_source.get(source)
        items.append(Item() if same is None else Item(Figure(same.macro_f1)))
    return Line(source, tuple(items))
