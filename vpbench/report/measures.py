"""The named measures of a result: for every N the critic's value with its interval, and the controls' beside it.

What there is: accuracy, the task's own `measures`, and accuracy by each category that it names in `breakdowns`. A
measure on a single question or group has no interval.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from vpbench.base import Task
from vpbench.errors import Boundary, PluginError
from vpbench.measures import Measure
from vpbench.records import Question
from vpbench.report.result import MeasurePoint, NamedMeasure
from vpbench.report.units import CURVES, fraction
from vpbench.stats import Curves, resampled_weighted_means
from vpbench.stats.bootstrap import LEVEL

MEANS_AT_ONCE = 2**23
"""Resampled means held at a time: 64 MiB."""


def named_measures(
    task: Task, questions: Sequence[Question], curves: Curves, resamples: int, seed: int
) -> tuple[NamedMeasure, ...]:
    """One entry per measure and category label; `curves` has a row per question."""
    correctness = {name: getattr(curves, name) for name in CURVES}
    by_curve = {
        name: measures_of(task, questions, values) for name, values in correctness.items() if values is not None
    }
    figures = {name: [measure.figure() for measure in measures] for name, measures in by_curve.items()}
    clusters = np.array([question.group or question.id for question in questions])
    bounds = _intervals(by_curve["critic"], clusters.tolist(), resamples, seed)
    entries = []
    for number, measure in enumerate(by_curve["critic"]):
        several = len(set(clusters[measure.weights > 0])) > 1
        points = tuple(
            MeasurePoint(
                n=n,
                low=fraction(bounds["low"][number, k]) if several else None,
                high=fraction(bounds["high"][number, k]) if several else None,
                **{name: fraction(figures[name][number][k]) for name in CURVES if name != "vote"},
                vote=fraction(figures["vote"][number][k]) if "vote" in figures else None,
            )
            for k, n in enumerate(curves.ns)
        )
        shown = (measure.name if measure.category is None else measure.category) in task.shown
        entries.append(NamedMeasure(measure.name, measure.category, measure.label, measure.count, shown, points))
    return tuple(entries)


def unheard_names(task: Task, questions: Collection[Question], measures: Iterable[NamedMeasure] = ()) -> list[str]:
    """A note for every name in `breakdowns`, and with `measures` in `shown`, that is nothing of these questions'."""
    categories = {name for question in questions for name in question.categories}
    notes = [
        f"breakdowns names {name!r}, a category that no question has"
        for name in task.breakdowns
        if categories and name not in categories  # a pool that carries its questions may carry no categories
    ]
    shown = {name for measure in measures for name in (measure.measure, measure.category)}
    if shown:
        unheard = [name for name in task.shown if name not in shown | categories | {*task.breakdowns}]
        notes += [f"shown names {name!r}, which is neither a measure nor a category" for name in unheard]
    return notes


def measures_of(task: Task, questions: Sequence[Question], correctness: Any) -> list[Measure]:
    """The measures of `questions` given their `correctness` [Q, K]."""
    accuracy = Measure.accuracy(correctness)
    parts = [part for category in task.breakdowns for part in accuracy.by_category(questions, category)]
    with Boundary(f"task {task.name!r}: measures"):
        figures = list(task.measures(questions, correctness))
    for figure in figures:
        if not _fits(figure, correctness.shape):
            raise PluginError(
                f"task {task.name!r}: measures gave {figure!r}, expected a vpbench.Measure with numbers as `values` "
                f"{list(correctness.shape)} and `weights` [{len(correctness)}]"
            )
    return [accuracy, *figures, *parts]


def _fits(figure: Any, shape: tuple[int, ...]) -> bool:
    if not isinstance(figure, Measure):
        return False
    finite = np.shape(figure.values) == shape and np.shape(figure.weights) == shape[:1]
    finite = finite and bool(np.isfinite(figure.values).all() and np.isfinite(figure.weights).all())
    return finite and (figure.by is None or _fits(figure.by, shape))


def _intervals(measures: Sequence[Measure], clusters: Sequence[str], resamples: int, seed: int) -> dict[str, Any]:
    """Ends "low" and "high" [M, K] of every measure's interval; as in `Measure.figure`, divided by 0 is 0."""
    ratios = [number for number, measure in enumerate(measures) if measure.by is not None]
    both = [*measures, *(measure.by for measure in measures if measure.by is not None)]
    divisors = {number: len(measures) + position for position, number in enumerate(ratios)}
    values = np.stack([measure.values for measure in both], axis=1)
    weights = np.stack([measure.weights for measure in both], axis=1)
    columns = max(1, MEANS_AT_ONCE // (resamples * len(both)))
    bounds = []
    for start in range(0, values.shape[2], columns):
        part = values[:, :, start : start + columns]
        means = resampled_weighted_means(part, weights, clusters, resamples, seed, divisors)
        drawn = means[:, : len(measures)]
        for number, divisor in divisors.items():
            above, below = drawn[:, number], means[:, divisor]
            drawn[:, number] = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        bounds.append(np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0))
    low, high = np.concatenate(bounds, axis=2)
    return {"low": low, "high": high}
