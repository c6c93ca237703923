"""The pictures of a result, as SVG and PNG bytes. The same result gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

_STYLE = {
    "oracle": ("#9a9a9a", "--", "oracle (pass@N)"),
    "critic": ("#b3261e", "-", ""),
    "vote": ("#1f5fa8", "-", "majority vote"),
    "random": ("#444444", ":", "random pick"),
    "first": ("#8a6d1d", "-.", "first candidate"),
}


def best_of_n_plot(result: Mapping[str, Any]) -> dict[str, bytes]:
    """Accuracy in percent over N, the critic beside its controls, with 95% bands for critic and vote."""
    figure, axes = _figure()
    curves = result["curves"]
    for name, (colour, line, label) in _STYLE.items():
        if name == "vote" and result["selection"] == "vote":
            continue
        ns = [point["n"] for point in curves[name]]
        values = [100 * point["value"] for point in curves[name]]
        axes.plot(ns, values, line, color=colour, label=label or result["critic"], marker="o", markersize=3)
        if name in ("critic", "vote"):
            low = [100 * point["low"] for point in curves[name]]
            high = [100 * point["high"] for point in curves[name]]
            axes.fill_between(ns, low, high, color=colour, alpha=0.13, linewidth=0)
    axes.set_xscale("log", base=2)
    ns = [point["n"] for point in curves["critic"]]
    axes.set_xticks(ns, [str(n) for n in ns])
    axes.minorticks_off()
    axes.set_xlabel("N (candidates to choose from)")
    axes.set_ylabel(f"{result['metric']} (%)")
    share = "" if result["complete"] else f" of {result['questions_in_task']}"
    axes.set_title(f"{_name(result)}: {result['questions']}{share} questions, pool {result['policy']}", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return _bytes(figure)


def step_plot(result: Mapping[str, Any]) -> dict[str, bytes]:
    """Macro-F1 in percent by source and pooled."""
    figure, axes = _figure()
    report = result["step_f1"]
    named = {"pooled": report["pooled"], **report["by_source"]}
    places = range(len(named))
    for offset, field, colour in ((-0.25, "f1_correct", "#7aa6d6"), (0.0, "f1_incorrect", "#d68a7a"),
                                  (0.25, "macro_f1", "#444444")):  # fmt: skip
        values = [100 * (part[field] or 0) for part in named.values()]
        axes.bar([place + offset for place in places], values, 0.23, color=colour, label=field.replace("_", " "))
    axes.set_xticks(list(places), [f"{name}\n{part['steps']} steps" for name, part in named.items()], fontsize=7)
    axes.set_ylim(0, 100)
    axes.set_ylabel("%")
    axes.set_title(
        f"{_name(result)}: step detection by {result['critic']}, threshold {report['threshold']}", fontsize=9
    )
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


def _name(result: Mapping[str, Any]) -> str:
    return f"{result['task']} (miniature world)" if result["nano"] else str(result["task"])
