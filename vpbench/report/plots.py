"""The pictures of a result, as SVG and PNG bytes. The same result gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from vpbench.report.result import BestOfNResult, Point, Result, StepResult
from vpbench.terminal import printable

_STYLE = {
    "oracle": ("#9a9a9a", "--", "oracle (pass@N)"),
    "critic": ("#b3261e", "-", ""),
    "vote": ("#1f5fa8", "-", "majority vote"),
    "random": ("#444444", ":", "random pick"),
    "first": ("#8a6d1d", "-.", "first candidate"),
}
_COLOURS = ("#b3261e", "#2e7d32", "#7b3fa0", "#d9822b", "#00838f", "#ad1457", "#5d4037", "#827717")


def best_of_n_plot(result: BestOfNResult) -> dict[str, bytes]:
    """Accuracy in percent over N, the critic beside its controls, with 95% bands for critic and vote."""
    figure, axes = _figure()
    for name, (colour, line, label) in _STYLE.items():
        if name == "vote" and result.selection == "vote":
            continue
        curve = result.curves[name]
        style = {"color": colour, "marker": "o", "markersize": 3}
        axes.plot(_ns(curve), _percent(curve), line, label=label or _plain(result.critic), **style)
        if name in ("critic", "vote"):
            low, high = (_percent(curve, end) for end in ("low", "high"))
            axes.fill_between(_ns(curve), low, high, color=colour, alpha=0.13, linewidth=0)
    _finish(axes, result)
    return _bytes(figure)


def critics_plot(results: Sequence[tuple[str, BestOfNResult]]) -> dict[str, bytes]:
    """Several critics on the same candidates and grading: a line each, its 95% interval at the largest N, controls.

    Each result comes with its name for the legend.
    """
    figure, axes = _figure()
    shared = results[0][1]
    for control in ("oracle", "vote", "random"):
        colour, line, label = _STYLE[control]
        curve = shared.curves[control]
        axes.plot(_ns(curve), _percent(curve), line, color=colour, label=label, linewidth=1)
    for number, (name, result) in enumerate(results):
        curve = result.curves["critic"]
        colour = _COLOURS[number % len(_COLOURS)]
        label = _plain(f"{name}, {result.selection}")
        axes.plot(_ns(curve), _percent(curve), color=colour, label=label, marker="o", markersize=3)
        ends = [_percent(curve, end)[-1] for end in ("low", "high")]
        axes.plot([_ns(curve)[-1] * 1.03 ** (number + 1)] * 2, ends, color=colour, alpha=0.6, linewidth=2)
    _finish(axes, shared)
    return _bytes(figure)


def _ns(curve: Sequence[Point]) -> list[int]:
    return [point.n for point in curve]


def _percent(curve: Sequence[Point], name: str = "value") -> list[float]:
    return [100 * getattr(point, name) for point in curve]


def _finish(axes: Any, result: BestOfNResult) -> None:
    """The axes, title and legend of a Best-of-N picture."""
    axes.set_xscale("log", base=2)
    axes.set_xticks(result.ns, [str(n) for n in result.ns])
    axes.minorticks_off()
    axes.set_xlabel("N (candidates to choose from)")
    axes.set_ylabel(f"{result.metric.replace('_', ' ')} (%)")
    share = "" if result.complete else f" of {result.questions_in_task}"
    grading = "the pool's own verdicts" if result.grading == "given" else f"{result.grading} grading"
    title = f"{_name(result)}: {result.questions}{share} questions, pool {result.policy}, {grading}"
    axes.set_title(_plain(title), fontsize=9)
    axes.legend(fontsize=8, frameon=False)


def step_plot(result: StepResult) -> dict[str, bytes]:
    """Macro-F1 in percent by source and pooled."""
    figure, axes = _figure()
    report = result.step_f1
    parts = {"pooled": report.pooled, **report.by_source}
    positions = range(len(parts))
    for offset, figure_name, colour in (
        (-0.25, "f1_correct", "#7aa6d6"),
        (0.0, "f1_incorrect", "#d68a7a"),
        (0.25, "macro_f1", "#444444"),
    ):
        values = [100 * getattr(part, figure_name) for part in parts.values()]
        lefts = [position + offset for position in positions]
        axes.bar(lefts, values, 0.23, color=colour, label=figure_name.replace("_", " "))
    axes.set_xticks(list(positions), [f"{name}\n{part.steps} steps" for name, part in parts.items()], fontsize=7)
    axes.set_ylim(0, 100)
    axes.set_ylabel("%")
    title = f"{_name(result)}: step detection by {result.critic}, threshold {report.threshold}"
    axes.set_title(_plain(title), fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return _bytes(figure)


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _bytes(figure: Any) -> dict[str, bytes]:
    import matplotlib

    images = {}
    with matplotlib.rc_context({"svg.hashsalt": "vpbench"}):
        for suffix, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
            buffer = BytesIO()
            figure.savefig(buffer, format=suffix, dpi=130, metadata=metadata)
            images[suffix] = buffer.getvalue()
    return images


def _plain(text: str) -> str:
    """The text as it is, without control characters: a dollar sign doesn't begin a formula."""
    return printable(text).replace("$", r"\$")


def _name(result: Result) -> str:
    return f"{result.task} (miniature world)" if result.nano else result.task
