"""Figures of step detection for papers: whether scores are probabilities, and F1 by the position of a step."""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.report.captions import labels_of, title
from vpbench.report.drawing import Images, Styles, canvas, critic_style, finish, shortened
from vpbench.report.result import StepResult

Steps = Sequence[tuple[str, StepResult]]


def reliability(group: Steps, styles: Styles) -> Images | None:
    """The share of steps that are correct over the score, for critics whose scores are probabilities."""
    without = [shortened(name) for name, result in group if result.step_f1.reliability is None]
    drawn = [(name, result) for name, result in group if result.step_f1.reliability is not None]
    if not drawn:
        return None
    figure, axes = canvas(2.6)
    axes.plot([0, 1], [0, 1], color="#808080", linestyle=(0, (1, 1.5)), label="calibrated")
    reports = [result.step_f1.reliability for _, result in drawn if result.step_f1.reliability is not None]
    errors = [f"calibration error {report.expected_calibration_error:.1%}" for report in reports]
    for (name, _), report, label in zip(drawn, reports, labels_of(drawn, errors), strict=True):
        style = critic_style(styles[name, ""])
        scores = [part.mean_score for part in report.bins]
        shares = [part.share_correct for part in report.bins]
        areas = [6 + 60 * part.steps / report.steps for part in report.bins]
        axes.plot(scores, shares, color=style["color"], linestyle=style["linestyle"], linewidth=0.8)
        marks = {"edgecolors": style["color"], "facecolors": "white", "marker": style["marker"], "linewidths": 1}
        axes.scatter(scores, shares, areas, label=label, zorder=3, **marks)
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_aspect("equal")
    axes.set_xlabel("score of a step (mean of a bin)")
    axes.set_ylabel("share of steps that are correct")
    lines = [*title(group[0][1]), "area of a mark: its share of the steps"]
    return finish(figure, axes, [*lines, *([f"no probabilities: {', '.join(without)}"] if without else [])])


def by_position(group: Steps, styles: Styles) -> Images | None:
    """Macro-F1 of the steps at each position in their solution."""
    bins = list(dict.fromkeys((part.low, part.high) for _, result in group for part in result.step_f1.by_position))
    if not bins:
        return None
    bins.sort()
    figure, axes = canvas(2.0)
    labels = labels_of(group, [f"threshold {result.step_f1.threshold:.3g}" for _, result in group])
    for number, (name, result) in enumerate(group):
        aside = min(0.08, 0.5 / len(group)) * (number - (len(group) - 1) / 2)
        rows = [bins.index((part.low, part.high)) + aside for part in result.step_f1.by_position]
        values = [100 * part.figures.macro_f1 for part in result.step_f1.by_position]
        axes.plot(rows, values, label=labels[number], **critic_style(styles[name, ""]))
    counts = {(part.low, part.high): part.figures.steps for _, result in group for part in result.step_f1.by_position}
    spans = [f"{low:g}" if low == high else f"{low:g}–{high:g}" for low, high in bins]
    ticks = [f"{span}\n({counts[ends]})" for span, ends in zip(spans, bins, strict=True)]
    axes.set_xticks(range(len(bins)), ticks)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("position of the step in its solution (number of steps)")
    axes.set_ylabel("macro-F1 (%)")
    return finish(figure, axes, title(group[0][1]))
