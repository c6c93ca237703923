"""A result as a person reads it on the terminal: percentages with intervals, gains, counts, diagnosis.

`result_tables` has the same figures as data, for what isn't a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vpbench.report.result import GAINS, BestOfNResult, Gain, Provenance, Result, StepResult
from vpbench.report.step_summary import step_tables, step_text
from vpbench.report.tables import Cell, Figure, PValue, Table, grid
from vpbench.terminal import percent, printable

_CONTROLS = ("vote", "random", "first", "oracle")


def summary(result: BestOfNResult | StepResult) -> str:
    """The result as text. Values are percentages; intervals are 95%."""
    if isinstance(result, BestOfNResult):
        body = grid(_curves(result))
        measures = _measures(result)
        if measures.rows:
            body += f"\n\nat N = {result.ns[-1]}\n\n{grid(measures)}"
    else:
        body = step_text(result)
    tail = _tail(result)
    head = [f"{result.task} | critic {result.row}", _setting(result)]
    return "\n".join(["", *map(printable, head), "", body, *([""] if tail else []), *tail])


def in_a_line(result: BestOfNResult | StepResult) -> str:
    """Task, critic and headline, that at the largest N."""
    if isinstance(result, BestOfNResult):
        headline = f"{percent(result.curves['critic'][-1].value)}% at N = {result.ns[-1]}"
    else:
        headline = f"{percent(result.headline[0])}% {result.metric.replace('_', ' ')}"
    return printable(f"{result.task}, critic {result.row}: {headline}")


def result_tables(result: BestOfNResult | StepResult, name: str) -> list[Table]:
    """The tables of the result that is called `name`; the notes of the first say what is said of the result."""
    tables = [_curves(result), _measures(result)] if isinstance(result, BestOfNResult) else step_tables(result)
    first, *others = (replace(shown, title=f"{result.task}, {name}: {shown.title}") for shown in tables if shown.rows)
    return [replace(first, notes=(_setting(result), *first.notes, *_tail(result))), *others]


def _setting(result: BestOfNResult | StepResult) -> str:
    """How many questions, which candidates, and what was done with them."""
    if isinstance(result, StepResult):
        return f"{result.size} solutions"
    groups = "" if result.units == result.questions else f" in {result.units} groups"
    judge = "" if result.judge is None else f" by rule and judge {result.judge}"
    return (
        f"{result.size} questions{groups}, pool {result.policy} ({result.pool_size} candidates per question), "
        f"grading {result.grading}{judge}, {_choice(result)}"
    )


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


def distinct_line(result: Result) -> list[str]:
    """How many different answers there are to choose from; no line for step results and those of earlier versions."""
    of = result.distinct_answers if isinstance(result, BestOfNResult) else None
    if of is None:
        return []
    answers = "not known" if of.median is None else f"median {of.median:g}, one at most in {of.one_at_most}"
    mixed = f"right and wrong candidates in {of.mixed} of {result.questions} questions"
    return [f"distinct answers per question: {answers}; {mixed}"]


def _counts(counts: Mapping[str, int]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))


def _tail(result: Result) -> list[str]:
    lines = [*distinct_line(result), *failed_rows(result)]
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


def _curves(result: BestOfNResult) -> Table:
    gains = ["over random", "p (Holm)", "over vote", "p (Holm)"]
    rows = []
    for k, point in enumerate(result.curves["critic"]):
        over = [result.gains[name][k] if result.gains[name] else None for name in GAINS]
        rows.append(
            (
                point.n,
                Figure(point.value, point.low, point.high, apart=True),
                *(Figure(result.curves[name][k].value if result.curves[name] else None) for name in _CONTROLS),
                *(cell for gain in over for cell in _gain(gain)),
            )
        )
    return Table(
        f"{result.metric.replace('_', ' ')} by N",
        ("N", f"{result.row} %", *_CONTROLS, *gains),
        tuple(rows),
        keys=("n", "critic", *_CONTROLS, *(key for name in GAINS for key in (name, f"{name}_p_holm"))),
    )


def _measures(result: BestOfNResult) -> Table:
    """What the benchmark's own leaderboard shows beside the headline, at the largest N."""
    rows: list[tuple[Cell, ...]] = []
    for measure in result.measures:
        last = measure.points[-1]
        if measure.shown:
            critic = Figure(last.critic, last.low, last.high, apart=True)
            controls = (Figure(getattr(last, name)) for name in _CONTROLS)
            rows.append((measure.title, measure.count, critic, *controls))
    headers = ("", "count", f"{result.row} %", *_CONTROLS)
    keys = ("measure", "count", "critic", *_CONTROLS)
    return Table(f"measures at N = {result.ns[-1]}", headers, tuple(rows), keys=keys)


def _gain(gain: Gain | None) -> tuple[Figure, PValue | None]:
    """The gain and its p; no p at N = 1, where whoever picks picks that one, and neither where there is no vote."""
    if gain is None:
        return Figure(None), None
    return Figure(gain.value, gain.low, gain.high, points=True), None if gain.n == 1 else PValue(gain.p_holm)
