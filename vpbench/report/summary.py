"""A result as a person reads it on the terminal: percentages with intervals, gains, counts, diagnosis."""

from __future__ import annotations

from collections.abc import Mapping

from vpbench.report.result import BestOfNResult, Gain, Provenance, Result, StepResult
from vpbench.report.step_summary import step_tables
from vpbench.terminal import interval, percent, points, printable, table

_CONTROLS = ("vote", "random", "first", "oracle")


def summary(result: BestOfNResult | StepResult) -> str:
    """The result as text. Values are percentages; intervals are 95%."""
    size = str(result.questions) if result.complete else f"{result.questions} of {result.questions_in_task}"
    head = [f"{result.task} | critic {result.row}"]
    if isinstance(result, BestOfNResult):
        groups = "" if result.units == result.questions else f" in {result.units} groups"
        judge = "" if result.judge is None else f" by rule and judge {result.judge}"
        head.append(
            f"{size} questions{groups}, pool {result.policy} ({result.pool_size} candidates per question), "
            f"grading {result.grading}{judge}, {_choice(result)}"
        )
        body = "\n\n".join(part for part in (_curves(result), _measures(result)) if part)
    else:
        head.append(f"{size} solutions")
        body = step_tables(result)
    tail = _tail(result)
    return "\n".join(["", *map(printable, head), "", body, *([""] if tail else []), *tail])


def _choice(result: BestOfNResult) -> str:
    """How a candidate is chosen and N is estimated, in words."""
    parts = [f"selection {result.selection}", f"estimator {result.estimator}"]
    if result.steps_per_response is not None:
        parts.append(f"aggregation {result.aggregate}")
    if result.link is not None:
        parts.append(f"link {result.link}")
    return ", ".join(parts)


def failed_rows(result: Result) -> list[str]:
    """What rows lack, with counts by reason: one line for answers, one for scores."""
    lacking = {"an answer": result.unanswered, "a score": result.unscored}
    return [
        f"rows without {what}: {sum(counts.values())} of {result.candidates} ({_counts(counts)})"
        for what, counts in lacking.items()
        if counts
    ]


def _counts(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))


def _tail(result: Result) -> list[str]:
    lines = failed_rows(result)
    steps = result.steps_per_response
    if steps is not None:
        lines.append(
            f"steps per response: {steps.mean:.1f} on average, at most {steps.max}, one alone in "
            f"{percent(steps.one_step_share)}% of responses"
        )
    lines += [f"note: {note}" for note in result.notes]
    lines += [*_used(result.provenance), *(f"diagnosis: {line}" for line in result.diagnosis)]
    return list(map(printable, lines))


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
    gains = ["over random", "p (Holm)", "over vote", "p (Holm)"]
    headers = ["N", f"{result.row} %", "95% interval", *_CONTROLS, *gains]
    rows = []
    for k, point in enumerate(result.curves["critic"]):
        over = [result.gains[name][k] for name in ("over_random", "over_vote")]
        rows.append(
            [
                point.n,
                percent(point.value),
                f"{percent(point.low)} .. {percent(point.high)}",
                *(percent(result.curves[name][k].value) for name in _CONTROLS),
                *(cell for gain in over for cell in (_gain(gain), holm_p(gain))),
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
    headers = ["", "count", f"{result.row} %", "95% interval", *_CONTROLS]
    return f"at N = {result.ns[-1]}\n\n{table(rows, headers)}" if rows else ""


def _gain(gain: Gain) -> str:
    return f"{points(gain.value)} ({interval(gain.low, gain.high)})"


def holm_p(gain: Gain) -> str:
    """The p-value corrected over N; of one candidate there is none, as whoever picks picks that one."""
    return "-" if gain.n == 1 else f"{gain.p_holm:.4f}"
