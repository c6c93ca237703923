"""Figures for papers from finished results: curves, gains over the vote, reliability, step F1 by position.

They take groups of results that can be compared: one task, the same candidates and grading. A critic has the same
colour and marker in all figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vpbench.report.drawing import (
    CONTROLS,
    canvas,
    count_axis,
    critic_style,
    dodged,
    finish,
    paper_style,
    wrapped,
)
from vpbench.report.result import BestOfNResult, Result, StepResult
from vpbench.store import write_atomic

Group = Sequence[tuple[str, Result]]
"""Comparable results, each with what its critic is called."""
Curves = Sequence[tuple[str, BestOfNResult]]
Steps = Sequence[tuple[str, StepResult]]
Images = dict[str, bytes]
PAPER_N = 8
"""The N of the papers' tables; the figure by task is drawn for it and for the largest."""
_BAR = {"linewidth": 0.9, "alpha": 0.8}


def write_figures(groups: Sequence[Group], folder: Path) -> list[Path]:
    """Draw every figure that the results allow and write it as SVG, PDF and PNG; the files."""
    files = []
    for name, images in paper_figures(groups).items():
        for suffix, data in images.items():
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / f"{name}.{suffix}", data)
            files.append(folder / f"{name}.{suffix}")
    return files


def paper_figures(groups: Sequence[Group]) -> dict[str, Images]:
    """The figures by name, each in every format by suffix."""
    figures: dict[str, Images] = {}

    def add(name: str, images: Images | None) -> None:
        if images is not None:
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
            alike = sum(re.fullmatch(rf"{re.escape(name)}(-\d+)?", other) is not None for other in figures)
            figures[f"{name}-{alike + 1}" if alike else name] = images

    styles = {name: number for number, name in enumerate(dict.fromkeys(name for group in groups for name, _ in group))}
    families: dict[tuple[object, ...], list[Curves]] = {}
    with paper_style():
        for group in groups:
            curves = [(name, result) for name, result in group if isinstance(result, BestOfNResult)]
            steps = [(name, result) for name, result in group if isinstance(result, StepResult)]
            task = group[0][1].task
            if curves:
                first = curves[0][1]
                family = (first.nano, first.policy, first.grading, first.judge, first.estimator)
                families.setdefault(family, []).append(curves)
                add(f"best-of-n-{task}", _curves(curves, styles))
                add(f"gain-over-vote-{task}", _gains(curves, styles))
            if steps:
                add(f"reliability-{task}", _reliability(steps, styles))
                add(f"step-f1-by-position-{task}", _by_position(steps, styles))
        for family_groups in families.values():
            for n in _shared_ns(family_groups):
                add(f"gain-by-task-n{n}", _by_task(family_groups, n, styles))
    return figures


def _curves(group: Curves, styles: dict[str, int]) -> Images:
    """The metric over N, the critics beside the controls, each critic's interval at the largest N."""
    figure, axes = canvas(2.3)
    shared = max((result for _, result in group), key=lambda result: len(result.ns))
    for control, (colour, line, label) in CONTROLS.items():
        curve = shared.curves[control]
        style = {"marker": "."} if len(curve) == 1 else {}
        values = [100 * point.value for point in curve]
        # above the critics: one that is as good as the oracle would hide it
        axes.plot(shared.ns, values, color=colour, linestyle=line, label=label, linewidth=0.9, zorder=3, **style)
    ns = sorted({n for _, result in group for n in result.ns})
    for number, (name, result) in enumerate(group):
        curve, style = result.curves["critic"], critic_style(styles[name])
        # a critic that lies on another stays visible around it
        size = 4 + 0.8 * (len(group) - number - 1)
        values = [100 * point.value for point in curve]
        axes.plot(result.ns, values, label=_labels(group)[number], markersize=size, **style)
        last = curve[-1]
        beyond = last.n * 2 ** (0.2 + 0.16 * number)
        axes.plot([beyond] * 2, [100 * last.low, 100 * last.high], color=style["color"], linestyle="-", **_BAR)
        axes.plot([beyond], [100 * last.value], markersize=3, **style)
    count_axis(axes, ns)
    axes.set_ylabel(f"{shared.metric.replace('_', ' ')} (%)")
    return finish(figure, axes, [*_title(shared), f"bars: 95% interval at N = {ns[-1]}"])


def _gains(group: Curves, styles: dict[str, int]) -> Images | None:
    """What each critic gains over the vote, with the interval of the difference on the same questions."""
    group = [(name, result) for name, result in group if result.selection != "vote"]
    if not group:
        return None
    figure, axes = canvas(2.0)
    axes.axhline(0, color=CONTROLS["vote"][0], linewidth=0.8, label="majority vote")
    ns = sorted({n for _, result in group for n in result.ns})
    for number, (name, result) in enumerate(group):
        positions = dict(zip(ns, dodged(ns, number, len(group)), strict=True))
        style = critic_style(styles[name])
        points = [(positions[gain.n], 100 * gain.value) for gain in result.gains["over_vote"]]
        axes.plot(*zip(*points, strict=True), label=_labels(group)[number], **style)
        for gain, (x, _) in zip(result.gains["over_vote"], points, strict=True):
            axes.plot([x, x], [100 * gain.low, 100 * gain.high], color=style["color"], linestyle="-", zorder=1, **_BAR)
    count_axis(axes, ns)
    axes.set_ylabel("gain over the vote (points)")
    return finish(figure, axes, [*_title(group[0][1]), "bars: 95% interval of the paired difference"])


def _by_task(groups: Sequence[Curves], n: int, styles: dict[str, int]) -> Images | None:
    """A row per task: each critic's gain over the vote at N with its paired interval."""
    chosen = [[(name, result) for name, result in group if result.selection != "vote"] for group in groups]
    chosen = sorted((group for group in chosen if group), key=lambda group: group[0][1].task)
    if not chosen:
        return None
    several = len({result.selection for group in chosen for _, result in group}) > 1
    labels = {
        id(result): f"{name}, {result.selection}" if several else name for group in chosen for name, result in group
    }
    names = list(dict.fromkeys(labels.values()))
    figure, axes = canvas(0.5 + sum(0.16 + 0.13 * len(names) for _ in chosen))
    axes.axvline(0, color=CONTROLS["vote"][0], linewidth=0.8, label="majority vote")
    shown: set[str] = set()
    for row, group in enumerate(chosen):
        for name, result in group:
            label, style = labels[id(result)], critic_style(styles[name])
            gain = next(gain for gain in result.gains["over_vote"] if gain.n == n)
            y = row + 0.7 * ((names.index(label) + 0.5) / len(names) - 0.5)
            axes.plot([100 * gain.low, 100 * gain.high], [y, y], color=style["color"], linestyle="-", zorder=1, **_BAR)
            axes.plot([100 * gain.value], [y], label=None if label in shown else label, **style | {"linestyle": ""})
            shown.add(label)
    axes.set_yticks(range(len(chosen)), [f"{wrapped(group[0][1].task, 20)}\n{_size(group[0][1])}" for group in chosen])
    axes.set_ylim(len(chosen) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for border in range(1, len(chosen)):
        axes.axhline(border - 0.5, color="#d0d0d0", linewidth=0.5)
    axes.set_xlabel(f"gain over the vote at N = {n} (points)")
    first = chosen[0][0][1]
    about = "Best-of-N in the miniature world" if first.nano else "Best-of-N"
    return finish(figure, axes, [about, _measured(first), "bars: 95% interval of the paired difference"])


def _shared_ns(groups: Sequence[Curves]) -> list[int]:
    """The papers' N and the largest, of those above 1 that all results have."""
    common = set.intersection(*(set(result.ns) for group in groups for _, result in group)) - {1}
    return sorted(n for n in common if n in (PAPER_N, max(common)))


def _reliability(group: Steps, styles: dict[str, int]) -> Images | None:
    """The share of steps that are correct over the score, for critics whose scores are probabilities."""
    if not any(result.step_f1.reliability for _, result in group):
        return None
    without = [name for name, result in group if result.step_f1.reliability is None]
    figure, axes = canvas(2.6)
    axes.plot([0, 1], [0, 1], color="#808080", linestyle=(0, (1, 1.5)), label="calibrated")
    for (name, result), label in zip(group, _labels(group), strict=True):
        reliability, style = result.step_f1.reliability, critic_style(styles[name])
        if reliability is None:
            continue
        scores = [part.mean_score for part in reliability.bins]
        shares = [part.share_correct for part in reliability.bins]
        areas = [6 + 60 * part.steps / reliability.steps for part in reliability.bins]
        error = 100 * reliability.expected_calibration_error
        axes.plot(scores, shares, color=style["color"], linestyle=style["linestyle"], linewidth=0.8)
        marks = {"edgecolors": style["color"], "facecolors": "white", "marker": style["marker"], "linewidths": 1}
        axes.scatter(scores, shares, areas, label=f"{label} (calibration error {error:.1f}%)", zorder=3, **marks)
    axes.set_xlim(-0.04, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_aspect("equal")
    axes.set_xlabel("score of a step (mean of a bin)")
    axes.set_ylabel("share of steps that are correct")
    lines = [*_title(group[0][1]), "area of a mark: its share of the steps"]
    return finish(figure, axes, [*lines, *([f"no probabilities: {', '.join(without)}"] if without else [])])


def _by_position(group: Steps, styles: dict[str, int]) -> Images | None:
    """Macro-F1 of the steps at each position in their solution."""
    bins = list(dict.fromkeys((part.low, part.high) for _, result in group for part in result.step_f1.by_position))
    if not bins:
        return None
    bins.sort()
    figure, axes = canvas(2.0)
    for number, ((name, result), label) in enumerate(zip(group, _labels(group), strict=True)):
        report = result.step_f1
        rows = [bins.index((part.low, part.high)) + 0.06 * number for part in report.by_position]
        values = [100 * part.figures.macro_f1 for part in report.by_position]
        axes.plot(rows, values, label=f"{label} (threshold {report.threshold:.3g})", **critic_style(styles[name]))
    counts = {(part.low, part.high): part.figures.steps for _, result in group for part in result.step_f1.by_position}
    spans = [f"{low:g}" if low == high else f"{low:g}–{high:g}" for low, high in bins]
    ticks = [f"{span}\n{counts[ends]}" for span, ends in zip(spans, bins, strict=True)]
    axes.set_xticks(range(len(bins)), ticks)
    axes.set_ylim(-3, 103)
    axes.set_xlabel("position of the step in its solution, and number of steps")
    axes.set_ylabel("macro-F1 (%)")
    return finish(figure, axes, _title(group[0][1]))


def _labels(group: Group) -> list[str]:
    """What the legend calls the critics: with the selection where one has several, and with rows that lack a score."""
    selections = [getattr(result, "selection", "") for _, result in group]
    several = len({*selections} - {"vote"}) > 1
    labels = []
    for (name, result), selection in zip(group, selections, strict=True):
        unscored = sum(result.unscored.values())
        failed = f" ({unscored} of {result.candidates} rows without a score)" if unscored else ""
        if isinstance(result, StepResult) and result.step_f1.unmade:
            failed = f" ({result.step_f1.unmade} of {result.step_f1.pooled.steps} steps without a score)"
        labels.append(f"{name}, {selection}{failed}" if several else f"{name}{failed}")
    repeated = Counter(labels)
    return [f"{label} [{k + 1}]" if repeated[label] > 1 else label for k, label in enumerate(labels)]


def _title(result: Result) -> list[str]:
    """Task, number of questions, candidates and grading."""
    world = " (miniature world)" if result.nano else ""
    lines = [f"{result.task}{world}, {_size(result)}"]
    return [*lines, _measured(result)] if isinstance(result, BestOfNResult) else lines


def _size(result: Result) -> str:
    share = "" if result.complete else f" of {result.questions_in_task}"
    return f"{result.questions}{share} {'solutions' if isinstance(result, StepResult) else 'questions'}"


def _measured(result: BestOfNResult) -> str:
    grading = "the pool's own verdicts" if result.grading == "given" else f"{result.grading} grading"
    judge = f", judge {result.judge}" if result.judge else ""
    return f"pool {result.policy}, {grading}{judge}, estimator {result.estimator}"
