"""A step result on the terminal: the critic beside its controls, threshold-free figures, averagings and sources."""

from __future__ import annotations

from vpbench.report.result import StepReport, StepResult
from vpbench.stats.first_error_mean import FirstErrors
from vpbench.stats.step_breakdown import FirstErrorAccuracy
from vpbench.terminal import percent, table


def step_tables(result: StepResult) -> str:
    """The figures of step detection as text."""
    report = result.step_f1
    parts = (
        _placed(report.first_errors),
        _critic_and_controls(result.row, report),
        "\n".join(_figures(report)),
        _averagings(report),
    )
    return "\n\n".join(part for part in parts if part)


def _with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """A fraction in percent, with its interval if it has one."""
    bounds = "" if low is None or high is None else f" ({percent(low)} .. {percent(high)})"
    return percent(value) + bounds


def _placed(first: FirstErrors | None) -> str:
    """How often first errors are placed exactly, of a task whose headline that is."""
    if first is None:
        return ""
    solutions = sum(part.solutions for part in first.by_source.values())
    rows = [["mean of sources", _with_interval(first.mean_f1, first.low, first.high), "", "", solutions]]
    for source, part in first.by_source.items():
        shares = (part.harmonic_mean, part.accuracy_with_error, part.accuracy_without_error)
        rows.append([source, *map(percent, shares), part.solutions])
    return table(rows, ["", "first-error F1 %", "accuracy with an error", "accuracy without", "solutions"])


def _critic_and_controls(critic: str, report: StepReport) -> str:
    pooled, ranking, held_out = report.pooled, report.ranking, report.held_out_threshold
    area = _with_interval(ranking.auroc, ranking.auroc_low, ranking.auroc_high) if ranking else "n/a"
    macro = _with_interval(pooled.macro_f1, pooled.low, pooled.high)
    rows = [[f"{critic}, threshold {report.threshold:g}", macro, area]]
    if held_out is not None:
        fitted = held_out.pooled
        rows.append([f"{critic}, held-out threshold", _with_interval(fitted.macro_f1, fitted.low, fitted.high), area])
    for control in report.controls:
        curve = control.auroc
        area = "-" if curve is None else _with_interval(curve.value, curve.low, curve.high)
        rows.append([f"control: {control.name}", _with_interval(control.macro_f1, control.low, control.high), area])
    return table(rows, ["all steps together", "macro-F1 % (95%)", "AUROC % (95%)"])


def _figures(report: StepReport) -> list[str]:
    lines = []
    ranking, reliability = report.ranking, report.reliability
    if report.held_out_threshold is not None:
        thresholds = report.held_out_threshold.thresholds
        lines.append(f"held-out threshold: {min(thresholds):.3g} to {max(thresholds):.3g}, chosen on other questions")
    if ranking is not None and ranking.average_precision_incorrect is not None:
        lines.append(
            f"average precision %: {percent(ranking.average_precision_incorrect)} of incorrect steps "
            f"(random {percent(ranking.share_incorrect)}), {percent(ranking.average_precision_correct)} of correct ones"
        )
    if reliability is not None:
        lines.append(f"expected calibration error %: {percent(reliability.expected_calibration_error)}")
    if report.first_error is not None:
        lines.append(_first_error(report.first_error))
    if report.unmade:
        lines.append(f"steps without a prediction: {report.unmade}, counted as missed")
    return lines


def _first_error(first: FirstErrorAccuracy) -> str:
    return (
        f"first-error F1 % (harmonic mean): {percent(first.harmonic_mean)}, of solutions with an error "
        f"{percent(first.accuracy_with_error)} right, of those without {percent(first.accuracy_without_error)}"
    )


def _averagings(report: StepReport) -> str:
    parts = {
        "all steps together": report.pooled,
        "step-weighted mean": report.step_weighted_mean,
        "mean of sources": report.mean_of_sources,
        **report.by_source,
    }
    rows = [
        [name, percent(part.macro_f1), percent(part.f1_correct), percent(part.f1_incorrect), part.steps]
        for name, part in parts.items()
    ]
    headers = ["", "macro-F1 %", "F1 of correct steps", "F1 of incorrect steps", "steps"]
    return f"at threshold {report.threshold:g}\n\n{table(rows, headers)}"
