"""The pictures of a result, as SVG and PNG bytes. The same result gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vpbench.report.drawing import image_bytes
from vpbench.report.fonts import drawable, with_fonts
from vpbench.report.names import without_paths
from vpbench.report.result import BestOfNResult, Gain, Point, Result, StepResult
from vpbench.terminal import printable

_STYLE: dict[str, tuple[str, Any, str]] = {
    "oracle": ("#9a9a9a", "--", "oracle (pass@N)"),
    "critic": ("#b3261e", "-", ""),
    "random": ("#444444", ":", "random pick"),
    "first": ("#8a6d1d", "-.", "first candidate"),
    "vote": ("#1f5fa8", (0, (4, 3)), "majority vote"),
}
"""Colour, line and label. The vote is drawn last and broken: a critic that votes lies under it and stays visible."""
LABEL_CHARACTERS = 200
"""Of a name from a file, as much as a picture has room for."""


@with_fonts
def best_of_n_plot(result: BestOfNResult) -> dict[str, bytes]:
    """Accuracy in percent over N, the critic beside its controls, with 95% bands for critic and vote.

    Below it the gain over the vote, or the random pick where there is none, with its paired band, which is narrower
    than the two bands suggest.
    """
    figure, axes, below = _panels()
    label = _label(result.row, result)
    for name, (colour, line, control) in _STYLE.items():
        curve = result.curves[name]
        if not curve:  # the pool has no answers to vote for
            continue
        style = {"color": colour, "linestyle": line, "marker": "o", "markersize": 3}
        axes.plot(_ns(curve), _percent(curve), label=control or label, **style)
        if name in ("critic", "vote"):
            low, high = (_percent(curve, end) for end in ("low", "high"))
            axes.fill_between(_ns(curve), low, high, color=colour, alpha=0.13, linewidth=0)
    _gain_band(below, result, _STYLE["critic"][0])
    _finish(figure, axes, below, result, f"{result.row} on {_name(result)}", result.ns)
    return image_bytes(figure, 130, "svg", "png")


def _gain_band(axes: Any, result: BestOfNResult, colour: str) -> None:
    gains = result.gains[f"over_{_compared_with(result)}"]
    axes.plot(_ns(gains), _percent(gains), color=colour, linewidth=1)
    low, high = (_percent(gains, end) for end in ("low", "high"))
    axes.fill_between(_ns(gains), low, high, color=colour, alpha=0.13, linewidth=0)


def _compared_with(result: BestOfNResult) -> str:
    return "vote" if result.has_vote else "random"


def _ns(curve: Sequence[Point | Gain]) -> list[int]:
    return [point.n for point in curve]


def _percent(curve: Sequence[Point | Gain], name: str = "value") -> list[float]:
    return [100 * getattr(point, name) for point in curve]


def _label(name: str, result: BestOfNResult) -> str:
    unscored = sum(result.unscored.values())
    failed = f" ({unscored} of {result.candidates} rows without a score)" if unscored else ""
    return _plain(f"{name}, {result.selection}{failed}")


def _finish(figure: Any, axes: Any, below: Any, result: BestOfNResult, subject: str, ns: Sequence[int]) -> None:
    """The axes, title and legend of a Best-of-N picture of the `subject`."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.minorticks_off()
    axes.set_ylabel(f"{_plain(result.metric.replace('_', ' '))} (%)")
    control = _compared_with(result)
    below.axhline(0, color=_STYLE[control][0], linewidth=0.8)
    below.set_ylabel(f"over {control} (points)", fontsize=8)
    below.set_xlabel("N (candidates to choose from)")
    grading = "the pool's own verdicts" if result.grading == "given" else f"{result.grading} grading"
    on = f"{result.size} questions, pool {result.policy}, {grading}, estimator {result.estimator}"
    axes.set_title(f"{_plain(subject)}\n{_plain(on)}", fontsize=9)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)


@with_fonts
def step_plot(result: StepResult) -> dict[str, bytes]:
    """Macro-F1 in percent by source and pooled, this with its interval."""
    figure, axes = _figure()
    report = result.step_f1
    parts = {"pooled": report.pooled, **report.by_source}
    positions = range(len(parts))
    for offset, key, colour, label in (
        (-0.25, "f1_correct", "#7aa6d6", "F1 of correct steps"),
        (0.0, "f1_incorrect", "#d68a7a", "F1 of incorrect steps"),
        (0.25, "macro_f1", "#444444", "macro-F1"),
    ):
        values = [100 * getattr(part, key) for part in parts.values()]
        lefts = [position + offset for position in positions]
        axes.bar(lefts, values, 0.23, color=colour, label=label)
    axes.vlines(0.25, 100 * report.pooled.low, 100 * report.pooled.high, color="#d9822b")
    sources = [f"{_plain(name)}\n{part.steps} steps" for name, part in parts.items()]
    axes.set_xticks(list(positions), sources, fontsize=7)
    axes.set_ylim(0, 100)
    axes.set_ylabel("%")
    unscored = sum(result.unscored.values())
    failed = f"\n{unscored} of {result.candidates} solutions without a score" if unscored else ""
    title = f"{_name(result)}: step detection by {result.row}, threshold {report.threshold:g}"
    axes.set_title(_plain(title) + failed, fontsize=9)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return image_bytes(figure, 130, "svg", "png")


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    _plain_axes(axes)
    return figure, axes


def _panels() -> tuple[Any, Any, Any]:
    """A figure with two axes over one another: values, and differences."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    for axes in (above, below):
        _plain_axes(axes)
    return figure, above, below


def _plain_axes(axes: Any) -> None:
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _plain(text: str) -> str:
    """The text in one line as fonts can draw it, without control characters and folders; a dollar sign is itself."""
    line = " ".join(without_paths(text[:LABEL_CHARACTERS]).split())
    return drawable(printable(line)).replace("$", r"\$")


def _name(result: Result) -> str:
    return f"{result.task} (miniature world)" if result.nano else result.task
