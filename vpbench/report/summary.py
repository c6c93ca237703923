"""A result as a person reads it on the terminal: percentages with intervals, gains, counts, diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vpbench.terminal import printable, table


def summary(result: Mapping[str, Any]) -> str:
    """The result as text. Values are percentages; intervals are 95%."""
    size = f"{result['questions']} of {result['questions_in_task']}" if not result["complete"] else result["questions"]
    head = [f"{result['task']} | critic {result['critic']}"]
    if "curves" in result:
        groups = "" if result["units"] == result["questions"] else f" in {result['units']} groups"
        head.append(
            f"{size} questions{groups}, pool {result['policy']} ({result['pool_size']} candidates per question), "
            f"grading {result['grading']}{_by_judge(result)}, selection {result['selection']}, "
            f"estimator {result['estimator']}"
        )
        body = "\n\n".join(part for part in (_curves(result), _measures(result)) if part)
    else:
        head.append(f"{size} solutions")
        body = _steps(result["step_f1"])
    tail = [f"without answer or score: {count} ({printable(why)})" for why, count in sorted(result["errors"].items())]
    if "steps_per_response" in result:
        tail.append(_step_counts(result["steps_per_response"]))
    tail += [f"note: {printable(note)}" for note in result["notes"]]
    tail += _used(result["provenance"])
    tail += [f"diagnosis: {line}" for line in result["diagnosis"]]
    return "\n".join(["", *map(printable, head), "", body, *([""] if tail else []), *tail])


def _by_judge(result: Mapping[str, Any]) -> str:
    return f" by rule and judge {result['judge']}" if "judge" in result else ""


def _used(provenance: Mapping[str, Any]) -> list[str]:
    """Requests, tokens and cost of policy, judge and critic in this run, where something was asked."""
    policy, judge = (provenance.get(name) or {} for name in ("drawing", "judge"))
    everybody = {
        "policy": policy.get("used_in_this_run"),
        "judge": judge.get("used_in_this_run"),
        "critic": provenance.get("critic_used_in_this_run"),
    }
    lines = []
    for who, used in everybody.items():
        if used:
            known = [f"{used[name]:,.0f} {name.replace('_', ' ')}" for name in used if name != "cost"]
            known += [f"${used['cost']:.4f}"] if "cost" in used else []
            lines.append(f"used by the {who} in this run: {', '.join(known)}")
    return lines


def _curves(result: Mapping[str, Any]) -> str:
    curves, gains = result["curves"], result["gains"]
    headers = [
        "N",
        f"{result['critic']} %",
        "95% interval",
        "vote",
        "random",
        "first",
        "oracle",
        "over random",
        "over vote",
        "p (Holm)",
    ]
    rows = []
    for k, point in enumerate(curves["critic"]):
        over_vote = gains["over_vote"][k]
        rows.append(
            [
                point["n"],
                _percent(point["value"]),
                f"{_percent(point['low'])} .. {_percent(point['high'])}",
                *(_percent(curves[name][k]["value"]) for name in ("vote", "random", "first", "oracle")),
                _gain(gains["over_random"][k]),
                _gain(over_vote),
                f"{over_vote['p_holm']:.4f}",
            ]
        )
    return table(rows, headers)


def _measures(result: Mapping[str, Any]) -> str:
    """What the benchmark's own leaderboard shows beside the headline, at the largest N."""
    headers = ["", "count", f"{result['critic']} %", "95% interval", "vote", "random", "first", "oracle"]
    rows = []
    for measure in result["measures"]:
        last = measure["points"][-1]
        if measure["shown"]:
            rows.append(
                [
                    measure_name(measure),
                    measure["count"],
                    _percent(last["critic"]),
                    "n/a" if last["low"] is None else f"{_percent(last['low'])} .. {_percent(last['high'])}",
                    *(_percent(last[name]) for name in ("vote", "random", "first", "oracle")),
                ]
            )
    return f"at N = {result['curves']['critic'][-1]['n']}\n\n{table(rows, headers)}" if rows else ""


def measure_name(measure: Mapping[str, Any]) -> str:
    """A measure in words: "accuracy", "task: geometry", "worst case accuracy, subject: algebra"."""
    name = measure["measure"].replace("_", " ")
    if measure["category"] is None:
        return str(name)
    part = f"{measure['category'].replace('_', ' ')}: {measure['label']}"
    return part if name == "accuracy" else f"{name}, {part}"


def _steps(report: Mapping[str, Any]) -> str:
    headers = ["", "macro-F1 %", "F1 correct", "F1 incorrect", "steps"]
    named = [
        ("pooled", report["pooled"]),
        ("step-weighted mean", report["step_weighted_mean"]),
        ("mean of sources", report["mean_of_sources"]),
        *report["by_source"].items(),
    ]
    rows = []
    for name, part in named:
        interval = f" ({_percent(part['low'])} .. {_percent(part['high'])})" if "low" in part else ""
        rows.append(
            [
                name,
                _percent(part["macro_f1"]) + interval,
                _percent(part["f1_correct"]),
                _percent(part["f1_incorrect"]),
                part["steps"],
            ]
        )
    return f"threshold {report['threshold']}\n\n{table(rows, headers)}"


def _step_counts(counts: Mapping[str, Any]) -> str:
    return (
        f"steps per response: {counts['mean']:.1f} on average, at most {counts['max']}, one alone in "
        f"{_percent(counts['one_step_share'])}% of responses"
    )


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.1f}"


def _gain(gain: Mapping[str, float]) -> str:
    value, low, high = (f"{100 * gain[name]:+z.1f}" for name in ("value", "low", "high"))
    return f"{value} ({low} .. {high})"
