"""The charts of the pages: curves over N with their gains beneath, the mean of tasks, and those of step detection."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.overview_record import Mean
from vpbench.report.result import BestOfNResult, Gain, Point, StepResult
from vpbench.report.step_comparison import step_rows
from vpbench.report.step_result import step_scores
from vpbench.report.stored import StoredResult
from vpbench.site.charts import DRAWN_AT_MOST, Chart, Trace, line_chart, nice
from vpbench.site.groups import Group
from vpbench.site.overviews import Standings
from vpbench.site.rankings import CONTROLS
from vpbench.terminal import percent, points

Curve = Sequence[Point | Gain]
_N_TITLE = "N, candidates to choose from"
THRESHOLDS = 60
"""At most so many thresholds are drawn, at quantiles of the scores."""


def result_charts(result: BestOfNResult) -> list[Chart]:
    """The critic beside its controls, then its gain over each of them with the paired interval."""
    curves = [("critic", result.row, result.curves["critic"])]
    curves += [(name, label, result.curves[name]) for name, label in CONTROLS.items() if result.curves[name]]
    traces = [_trace(style, label, curve, band=style == "critic") for style, label, curve in curves]
    metric = result.metric.replace("_", " ")
    charts = [_over_n("curves", f"{metric[:1].upper()}{metric[1:]} by N", f"{metric}, %", traces, result.ns)]
    for name, control in (("over_vote", "majority vote"), ("over_random", "random pick")):
        if result.gains[name]:
            gains = [_trace("critic", result.row, result.gains[name], band=True)]
            charts.append(_over_n(name, f"Gain over the {control}", "points", gains, result.ns, zero=True))
    return charts


def group_charts(group: Group, id: str) -> list[Chart]:
    """The best critics of a group beside the controls, and their gains over the vote, or else the random pick."""
    results = [(entry.name, entry.result) for entry in group.entries if isinstance(entry.result, BestOfNResult)]
    results = results[:DRAWN_AT_MOST]
    if not results or all(result.ns == (1,) for _, result in results):
        return []
    first = max((result for _, result in results), key=lambda result: len(result.ns))
    ns = sorted({n for _, result in results for n in result.ns})
    lines = [_trace(f"s{k}", name, result.curves["critic"]) for k, (name, result) in enumerate(results)]
    lines += [
        _trace(name, CONTROLS[name], first.curves[name]) for name in ("vote", "random", "oracle") if first.curves[name]
    ]
    control = "over_vote" if all(result.has_vote for _, result in results) else "over_random"
    gains = [_trace(f"s{k}", name, result.gains[control], band=True) for k, (name, result) in enumerate(results)]
    metric, over = first.metric.replace("_", " "), control.replace("_", " the ").replace("random", "random pick")
    return [
        _over_n(f"{id}-curves", f"{metric[:1].upper()}{metric[1:]} by N", f"{metric}, %", lines, ns),
        _over_n(f"{id}-gains", f"Gain {over}", "points", gains, ns, zero=True),
    ]


def standing_charts(standing: Standings, id: str) -> list[Chart]:
    """The mean of tasks over N, critics that lead at the N shown first, and their gains over the vote."""
    whole = standing.every
    by_name = {row.name: row for row in whole.rows}
    best = [row.name for row, mean in standing.ranked(standing.chosen) if mean is not None]
    rows = [by_name[name] for name in best[:DRAWN_AT_MOST]]
    if not rows or len(whole.ns) < 2:
        return []
    lines = [_trace(f"s{k}", row.name, _points(row.means)) for k, row in enumerate(rows)]
    lines += [
        _trace(name, CONTROLS[name], whole.controls[name])
        for name in ("vote", "random", "oracle")
        if whole.controls.get(name)
    ]
    voted = all(mean.over_vote is not None for row in rows for mean in row.means)
    gains = [
        [gain for mean in row.means if (gain := mean.over_vote if voted else mean.over_random) is not None]
        for row in rows
    ]
    over = "the vote" if voted else "the random pick"
    traces = [_trace(f"s{k}", row.name, of, band=True) for k, (row, of) in enumerate(zip(rows, gains, strict=True))]
    return [
        _over_n(f"{id}-curves", "Mean of tasks by N", "mean, %", lines, whole.ns),
        _over_n(f"{id}-gains", f"Gain of the mean over {over}", "points", traces, whole.ns, zero=True),
    ]


def step_charts(stored: StoredResult) -> list[Chart]:
    """Whether scores are probabilities, F1 at every threshold, F1 by position, where there is something to draw.

    Raises `ConfigError` for a damaged file of rows.
    """
    result = stored.result
    assert isinstance(result, StepResult)
    return [*_reliability(result), *_thresholds(stored, result), *_positions(result)]


def _reliability(result: StepResult) -> list[Chart]:
    report = result.step_f1.reliability
    if report is None:
        return []
    marks = tuple((100 * part.mean_score, 100 * part.share_correct) for part in report.bins)
    notes = tuple(
        f"{part.share_correct:.0%} correct at a mean score of {part.mean_score:.2f}, {part.steps} steps"
        for part in report.bins
    )
    title = f"Reliability: calibration error {report.expected_calibration_error:.1%}"
    labels = [(tick, f"{tick / 100:g}") for tick in (0, 20, 40, 60, 80, 100)]
    trace = Trace("critic", result.row, marks, notes=notes)
    return [
        line_chart(
            "reliability", title, ("score of a step, mean of a bin", "correct steps, %"), [trace], labels, square=True
        )
    ]


def _thresholds(stored: StoredResult, result: StepResult) -> list[Chart]:
    import numpy as np

    from vpbench.stats.steps import confusion, f1_scores, step_calls, step_table

    rows = step_rows(stored).values()
    table = step_table([row["labels"] for row in rows], [step_scores(row["steps"], len(row["labels"])) for row in rows])
    scores = table.score[np.isfinite(table.score)]
    if len(np.unique(scores)) < 3:
        return []
    tried = np.unique(np.quantile(scores, np.linspace(0, 1, THRESHOLDS)))
    unit = np.zeros(len(table.correct), dtype=np.intp)
    f1 = np.array([f1_scores(confusion(table.correct, step_calls(table, t), unit, 1)[0]) for t in tried])
    parts = {
        "critic": ("macro-F1", f1.mean(axis=1)),
        "s1": ("correct steps", f1[:, 0]),
        "s2": ("incorrect steps", f1[:, 1]),
    }
    traces = [
        Trace(
            style,
            label,
            tuple(zip(tried.tolist(), (100 * values).tolist(), strict=True)),
            notes=tuple(f"{100 * value:.1f} at {t:.3g}" for t, value in zip(tried, values, strict=True)),
        )
        for style, (label, values) in parts.items()
    ]
    low, high, step = nice(float(tried[0]), float(tried[-1]), least=0.01)
    ticks = [low + k * step for k in range(round((high - low) / step) + 1)]
    threshold = result.step_f1.threshold
    titles = ("threshold, above which a step is called correct", "F1, %")
    at = (threshold, f"fixed: {threshold:g}") if low <= threshold <= high else None
    labels = [(tick, f"{tick:.3g}") for tick in ticks]
    return [line_chart("thresholds", "F1 by threshold", titles, traces, labels, at=at)]


def _positions(result: StepResult) -> list[Chart]:
    bins = result.step_f1.by_position
    if len(bins) < 2:
        return []
    figures = {
        "critic": ("macro-F1", "macro_f1"),
        "s1": ("correct steps", "f1_correct"),
        "s2": ("incorrect steps", "f1_incorrect"),
    }
    traces = [
        Trace(style, label, tuple((k, 100 * getattr(part.figures, name)) for k, part in enumerate(bins)))
        for style, (label, name) in figures.items()
    ]
    spans = [f"{part.low:g}" if part.low == part.high else f"{part.low:g}–{part.high:g}" for part in bins]
    return [
        line_chart(
            "positions",
            "F1 by position of the step",
            ("position in the solution", "F1, %"),
            traces,
            list(enumerate(spans)),
        )
    ]


def _points(means: Sequence[Mean]) -> list[Point]:
    return [Point(mean.n, mean.value, mean.low, mean.high) for mean in means]


def _trace(style: str, label: str, curve: Curve, band: bool = False) -> Trace:
    spelled = points if curve and isinstance(curve[0], Gain) else percent
    notes = tuple(f"{spelled(p.value)} ({spelled(p.low)} to {spelled(p.high)}) at N = {p.n}" for p in curve)
    ends = tuple((p.n, 100 * p.low, 100 * p.high) for p in curve) if band else ()
    return Trace(style, label, tuple((p.n, 100 * p.value) for p in curve), ends, notes)


def _over_n(
    id: str, title: str, y_title: str, traces: Sequence[Trace], ns: Sequence[int], *, zero: bool = False
) -> Chart:
    return line_chart(id, title, (_N_TITLE, y_title), traces, [(n, str(n)) for n in ns], log=True, zero=zero)
