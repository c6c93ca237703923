"""A task's comparable results as a ranking: Best-of-N at every N that all have, or step detection; cost beside it."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.tables import Figure
from vpbench.site.cost import COST_COLUMNS, cost_items
from vpbench.site.groups import Group
from vpbench.site.rankings import (
    CONTROLS,
    Column,
    Item,
    Line,
    Panel,
    Ranking,
    control_items,
    gain_items,
    value_item,
)


def group_ranking(group: Group, id: str) -> Ranking:
    """The ranking of comparable results."""
    first = group.first
    if isinstance(first, StepResult):
        return _steps(group, first, id)
    metric = first.metric.replace("_", " ")
    columns = (
        Column("selection", "selection"),
        Column("value", metric, strip=True),
        Column("over_random", "over random", p=True, strip=True),
        Column("over_vote", "over vote", p=True, strip=True),
        *COST_COLUMNS,
    )
    common = sorted(set.intersection(*(set(entry.ns) for entry in group.entries)))
    title = f"{first.task}: {first.size} questions, pool {first.policy}, {first.graded}, {first.estimator}"
    return Ranking(id, title, columns, tuple(_panel(group, first, n) for n in common), group.ns[0]).filled()


def _panel(group: Group, first: BestOfNResult, n: int) -> Panel:
    # at the N of the rank the order is the group's own
    entries = group.entries if n in (1, group.ns[0]) else sorted(group.entries, key=lambda entry: -entry.accuracy(n))
    lines = []
    for entry in entries:
        result = entry.result
        assert isinstance(result, BestOfNResult)
        point = result.curves["critic"][result.ns.index(n)]
        link = f"link {result.link}" if result.link else ""
        items = (Item(result.selection, note=link), value_item(point), *gain_items(result, n), *cost_items([result]))
        lines.append(Line(entry.name, items, entry.href, tuple(entry.marks)))
    blank = [Item()] * (2 + len(COST_COLUMNS))
    controls = [
        Line(label, (Item("control"), control_items(first.curves[name], n), *blank)) for name, label in CONTROLS.items()
    ]
    return Panel(n, tuple(lines), tuple(controls))


def _steps(group: Group, first: StepResult, id: str) -> Ranking:
    columns = (
        Column("macro_f1_held_out", "macro-F1", "held-out threshold", strip=True),
        Column("macro_f1_fixed", "macro-F1", "fixed threshold", strip=True),
        Column("auroc", "AUROC", strip=True),
        Column("first_error_f1", "first-error F1"),
        Column("step_weighted_mean", "step-weighted mean", shown=False),
        Column("average_precision", "average precision", "incorrect steps", shown=False),
        Column("calibration_error", "calibration error", shown=False),
        *COST_COLUMNS,
    )
    lines = [
        Line(entry.name, (*_step_items(entry.result), *cost_items([entry.result])), entry.href, tuple(entry.marks))
        for entry in group.entries
        if isinstance(entry.result, StepResult)
    ]
    panel = Panel(None, tuple(lines), tuple(_step_controls(first)))
    return Ranking(id, f"{first.task}: step detection, {first.size} solutions", columns, (panel,)).filled()


def _step_items(result: StepResult) -> tuple[Item, ...]:
    report = result.step_f1
    fitted, ranking, placed = report.held_out_threshold, report.ranking, report.first_errors
    harmonic = Item() if report.first_error is None else Item(Figure(report.first_error.harmonic_mean))
    pooled = report.pooled
    share = "" if ranking is None or ranking.share_incorrect is None else f"random {100 * ranking.share_incorrect:.1f}"
    return (
        Item() if fitted is None else Item(Figure(fitted.pooled.macro_f1, fitted.pooled.low, fitted.pooled.high)),
        Item(Figure(pooled.macro_f1, pooled.low, pooled.high), note=f"at {report.threshold:g}"),
        Item() if ranking is None else Item(Figure(ranking.auroc, ranking.auroc_low, ranking.auroc_high)),
        harmonic if placed is None else Item(Figure(placed.mean_f1, placed.low, placed.high), note="mean of sources"),
        Item(Figure(report.step_weighted_mean.macro_f1)),
        Item() if ranking is None else Item(Figure(ranking.average_precision_incorrect), note=share),
        Item() if report.reliability is None else Item(Figure(report.reliability.expected_calibration_error)),
    )


def _step_controls(first: StepResult) -> Sequence[Line]:
    lines = []
    for control in first.step_f1.controls:
        area = (
            Item()
            if control.auroc is None
            else Item(Figure(control.auroc.value, control.auroc.low, control.auroc.high))
        )
        figure = Item(Figure(control.macro_f1, control.low, control.high))
        lines.append(Line(control.name, (figure, Item(), area, *[Item()] * (4 + len(COST_COLUMNS)))))
    return lines
