"""Figures for papers from finished results: Best-of-N curves, gains over the vote by N and by task, steps.

They take groups of results that can be compared: one task, the same candidates and grading. A critic has the same
colour and marker in all figures.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from vpbench.report.captions import Group, conditions, labels_of, size, title
from vpbench.report.drawing import (
    CONTROLS,
    Images,
    Styles,
    canvas,
    count_axis,
    critic_style,
    dodged,
    finish,
    paper_style,
    shortened,
    wrapped,
)
from vpbench.report.kinds import gains_over_vote
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.step_figures import by_position, reliability
from vpbench.store import write_atomic

Curves = Sequence[tuple[str, BestOfNResult]]
PAPER_N = 8
"""The N of the papers' tables; the figure by task is drawn for it and for the largest."""
_BAR = {"linestyle": "-", "linewidth": 0.9, "alpha": 0.8}


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
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:80].strip("-.")
            numbered = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
            figures[next(free for free in numbered if free not in figures)] = images

    styles = _styles(groups)
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
                add(f"reliability-{task}", reliability(steps, styles))
                add(f"step-f1-by-position-{task}", by_position(steps, styles))
        for family_groups in families.values():
            for n in _shared_ns(family_groups):
                add(f"gain-by-task-n{n}", _by_task(family_groups, n, styles))
    return figures


def _styles(groups: Sequence[Group]) -> Styles:
    """A number for each critic and selection, one for the same critic on steps."""
    pairs = [(name, getattr(result, "selection", "")) for group in groups for name, result in group]
    styles: dict[tuple[str, str], int] = {}
    for name, selection in sorted(dict.fromkeys(pairs), key=lambda pair: not pair[1]):
        alike = [number for (other, _), number in styles.items() if other == name and not selection]
        styles[name, selection] = alike[0] if alike else len(set(styles.values()))
    return styles


def _curves(group: Curves, styles: Styles) -> Images:
    """The metric over N, the critics beside the controls, each critic's interval at the largest N."""
    figure, axes = canvas(2.3)
    shared = max((result for _, result in group), key=lambda result: len(result.ns))
    for control, (colour, line, label) in CONTROLS.items():
        curve = shared.curves[control]
        if not curve:  # no answers to vote for
            continue
        # above the critics: one that is as good as the oracle would hide it
        style = {"color": colour, "linestyle": line, "label": label, "linewidth": 0.9, "zorder": 3}
        if len(curve) == 1:
            axes.axhline(100 * curve[0].value, **style)
        else:
            axes.plot(shared.ns, [100 * point.value for point in curve], **style)
    ns, labels = sorted({n for _, result in group for n in result.ns}), labels_of(group)
    for number, (name, result) in enumerate(group):
        style, last = critic_style(styles[name, result.selection]), result.curves["critic"][-1]
        (beside,) = dodged(ns[-1:], number, len(group))
        if len(ns) > 1:
            beside = ns[-1] * 2 ** (0.2 + min(0.16, 1.2 / len(group)) * number)
            # a critic that lies on another stays visible around it
            diameter = 4 + 0.8 * min(len(group) - number - 1, 3)
            axes.plot(result.ns, [100 * point.value for point in result.curves["critic"]], markersize=diameter, **style)
        axes.plot([beside] * 2, [100 * last.low, 100 * last.high], color=style["color"], **_BAR)
        axes.plot([beside], [100 * last.value], markersize=3, **style)
        axes.plot([], [], label=labels[number], **style)
    count_axis(axes, ns)
    same = len({result.ns[-1] for _, result in group}) == 1
    largest = f"N = {ns[-1]}" if same else "a critic's largest N"
    axes.set_ylabel(f"{shared.metric.replace('_', ' ')} (%)")
    return finish(figure, axes, [*title(shared), f"bars: 95% interval at {largest}"])


def _gains(group: Curves, styles: Styles) -> Images | None:
    """What each critic gains over the vote, with the interval of the difference on the same questions."""
    group = [(name, result) for name, result in group if gains_over_vote(result)]
    if not any(n > 1 for _, result in group for n in result.ns):
        return None
    figure, axes = canvas(2.0)
    axes.axhline(0, color=CONTROLS["vote"][0], linewidth=0.8, label="majority vote")
    ns, labels = sorted({n for _, result in group for n in result.ns}), labels_of(group)
    for number, (name, result) in enumerate(group):
        positions = dict(zip(ns, dodged(ns, number, len(group)), strict=True))
        style = critic_style(styles[name, result.selection])
        points = [(positions[gain.n], 100 * gain.value) for gain in result.gains["over_vote"]]
        axes.plot(*zip(*points, strict=True), label=labels[number], **style)
        for gain, (x, _) in zip(result.gains["over_vote"], points, strict=True):
            axes.plot([x, x], [100 * gain.low, 100 * gain.high], color=style["color"], zorder=1, **_BAR)
    count_axis(axes, ns)
    axes.set_ylabel("gain over the vote (points)")
    return finish(figure, axes, [*title(group[0][1]), "bars: 95% interval of the paired difference"])


def _by_task(groups: Sequence[Curves], n: int, styles: Styles) -> Images | None:
    """A row per task: each critic's gain over the vote at N with its paired interval."""
    chosen = [[(name, result) for name, result in group if gains_over_vote(result)] for group in groups]
    chosen = sorted((group for group in chosen if group), key=lambda group: group[0][1].task)
    if not chosen:
        return None
    several = len({result.selection for group in chosen for _, result in group}) > 1

    def called(name: str, result: BestOfNResult) -> str:
        return f"{shortened(name)} ({result.selection})" if several else shortened(name)

    names = list(dict.fromkeys(called(*pair) for group in chosen for pair in group))
    ticks = [f"{wrapped(shortened(group[0][1].task), 80)}\n{size(group[0][1])}" for group in chosen]
    lines = max(tick.count("\n") + 1 for tick in ticks)
    figure, axes = canvas(0.5 + len(chosen) * (0.16 + 0.13 * max(len(names), lines)))
    axes.axvline(0, color=CONTROLS["vote"][0], linewidth=0.8, label="majority vote")
    shown: set[str] = set()
    for row, group in enumerate(chosen):
        for name, result in group:
            label, style = called(name, result), critic_style(styles[name, result.selection])
            gain = next(gain for gain in result.gains["over_vote"] if gain.n == n)
            y = row + 0.7 * ((names.index(label) + 0.5) / len(names) - 0.5)
            axes.plot([100 * gain.low, 100 * gain.high], [y, y], color=style["color"], zorder=1, **_BAR)
            axes.plot([100 * gain.value], [y], label=None if label in shown else label, **style | {"linestyle": ""})
            shown.add(label)
    axes.set_yticks(range(len(chosen)), ticks)
    axes.set_ylim(len(chosen) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    for border in range(1, len(chosen)):
        axes.axhline(border - 0.5, color="#d0d0d0", linewidth=0.5)
    axes.set_xlabel(f"gain over the vote at N = {n} (points)")
    first = chosen[0][0][1]
    about = "Best-of-N in the miniature world" if first.nano else "Best-of-N"
    return finish(figure, axes, [about, conditions(first), "bars: 95% interval of the paired difference"])


def _shared_ns(groups: Sequence[Curves]) -> list[int]:
    """The papers' N and the largest, of those above 1 that all results have."""
    common = set.intersection(*(set(result.ns) for group in groups for _, result in group)) - {1}
    return sorted(n for n in common if n in (PAPER_N, max(common)))
