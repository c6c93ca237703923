"""A result as a person reads it on the terminal: percentages with intervals, gains, counts, diagnosis."""

from __future__ import annotations

from vpbench.report.result import BestOfNResult, Gain, PooledF1, Provenance, Result, StepReport, StepResult
from vpbench.terminal import interval, percent, points, printable, table

_CONTROLS = ("vote", "random", "first", "oracle")


def summary(result: BestOfNResult | StepResult) -> str:
    """The result as text. Values are percentages; intervals are 95%."""
    size = str(result.questions) if result.complete else f"{result.questions} of {result.questions_in_task}"
    head = [f"{result.task} | critic {result.critic}"]
    if isinstance(result, BestOfNResult):
        groups = "" if result.units == result.questions else f" in {result.units} groups"
        judge = "" if result.judge is None else f" by rule and judge {result.judge}"
        head.append(
            f"{size} questions{groups}, pool {result.policy} ({result.pool_size} candidates per question), "
            f"grading {result.grading}{judge}, selection {result.selection}, estimator {result.estimator}"
        )
        body = "\n\n".join(part for part in (_curves(result), _measures(result)) if part)
    else:
        head.append(f"{size} solutions")
        body = "\n\n".join(part for part in (_first_errors(result), _steps(result.step_f1)) if part)
    tail = _tail(result)
    return "\n".join(["", *map(printable, head), "", body, *([""] if tail else []), *tail])


def _tail(result: Result) -> list[str]:
    lines = [
        f"without answer or score: {count} ({printable(reason)})" for reason, count in sorted(result.errors.items())
    ]
    steps = result.steps_per_response
    if steps is not None:
        lines.append(
            f"steps per response: {steps.mean:.1f} on average, at most {steps.max}, one alone in "
            f"{percent(steps.one_step_share)}% of responses"
        )
    lines += [f"note: {printable(note)}" for note in result.notes]
    return [*lines, *_used(result.provenance), *(f"diagnosis: {line}" for line in result.diagnosis)]


def _used(provenance: Provenance) -> list[str]:
    """Requests, tokens and cost of policy, judge and critic in this run, where something was asked."""
    usage_of = {
        "policy": (provenance.drawing or {}).get("used_in_this_run"),
        "judge": (provenance.judge or {}).get("used_in_this_run"),
        "critic": provenance.critic_used_in_this_run,
    }
    lines = []
    for model, usage in usage_of.items():
        if usage:
            amounts = [f"{usage[name]:,.0f} {name.replace('_', ' ')}" for name in usage if name != "cost"]
            amounts += [f"${usage['cost']:.4f}"] if "cost" in usage else []
            lines.append(f"used by the {model} in this run: {', '.join(amounts)}")
    return lines


def _curves(result: BestOfNResult) -> str:
    headers = ["N", f"{result.critic} %", "95% interval", *_CONTROLS, "over random", "over vote", "p (Holm)"]
    rows = []
    for k, point in enumerate(result.curves["critic"]):
        over_vote = result.gains["over_vote"][k]
        rows.append(
            [
                point.n,
                percent(point.value),
                f"{percent(point.low)} .. {percent(point.high)}",
                *(percent(result.curves[name][k].value) for name in _CONTROLS),
                _gain(result.gains["over_random"][k]),
                _gain(over_vote),
                f"{over_vote.p_holm:.4f}",
            ]
        )
    return table(rows, headers)


def _measures(result: BestOfNResult) -> str:
    """What the benchmark's own leaderboard shows beside the headline, at the largest N."""
    rows = []
    for measure in result.measures:
        last = measure.points[-1]
        if measure.shown:
            rows.append(
                [
                    measure.title,
                    measure.count,
                    percent(last.critic),
                    "n/a" if last.low is None else f"{percent(last.low)} .. {percent(last.high)}",
                    *(percent(getattr(last, name)) for name in _CONTROLS),
                ]
            )
    headers = ["", "count", f"{result.critic} %", "95% interval", *_CONTROLS]
    return f"at N = {result.ns[-1]}\n\n{table(rows, headers)}" if rows else ""


def _steps(report: StepReport) -> str:
    parts = {
        "pooled": report.pooled,
        "step-weighted mean": report.step_weighted_mean,
        "mean of sources": report.mean_of_sources,
    }
    rows = []
    for name, part in [*parts.items(), *report.by_source.items()]:
        bounds = f" ({percent(part.low)} .. {percent(part.high)})" if isinstance(part, PooledF1) else ""
        figures = (percent(part.macro_f1) + bounds, percent(part.f1_correct), percent(part.f1_incorrect))
        rows.append([name, *figures, part.steps])
    headers = ["", "macro-F1 %", "F1 correct", "F1 incorrect", "steps"]
    return f"threshold {report.threshold}\n\n{table(rows, headers)}"


def _first_errors(result: StepResult) -> str:
    """How often the first error is placed exactly, of a task whose headline that is."""
    first = result.step_f1.first_errors
    if first is None:
        return ""
    bounds = "" if first.low is None or first.high is None else f" ({percent(first.low)} .. {percent(first.high)})"
    rows = [["mean of sources", _share(first.mean_f1) + bounds, "", "", result.questions]]
    for source, part in first.by_source.items():
        shares = (part.harmonic_mean, part.accuracy_with_error, part.accuracy_without_error)
        rows.append([source, *map(_share, shares), part.solutions])
    headers = ["", "first-error F1 %", "accuracy with an error", "accuracy without", "solutions"]
    return table(rows, headers)


def _share(value: float | None) -> str:
    return "n/a" if value is None else percent(value)


def _gain(gain: Gain) -> str:
    return f"{points(gain.value)} ({interval(gain.low, gain.high)})"
