"""A step result on the terminal: the critic beside its controls, threshold-free figures, averagings and sources."""

from __future__ import annotations

from vpbench.report.result import StepReport, StepResult
from vpbench.report.tables import Cell, Figure, Table, grid
from vpbench.stats.first_error_mean import FirstErrors
from vpbench.stats.step_breakdown import FirstErrorAccuracy
from vpbench.terminal import percent


def step_text(result: StepResult) -> str:
    """The figures of step detection as text."""
    tables = step_tables(result)
    *before, averagings = map(grid, tables)
    at_threshold = f"{tables[-1].title}\n\n{averagings}"
    return "\n\n".join([*before, "\n".join(_figures(result.step_f1)), at_threshold])


def step_tables(result: StepResult) -> list[Table]:
    """The figures of step detection: first errors if they are the headline, critic and controls, averagings."""
    report = result.step_f1
    first = [] if report.first_errors is None else [_placed(report.first_errors)]
    return [*first, _critic_and_controls(result.row, report), _averagings(report)]


def _placed(first: FirstErrors) -> Table:
    """How often first errors are placed exactly, of a task whose headline that is."""
    solutions = sum(part.solutions for part in first.by_source.values())
    rows: list[tuple[Cell, ...]] = [
        ("mean of sources", Figure(first.mean_f1, first.low, first.high), "", "", solutions)
    ]
    for source, part in first.by_source.items():
        shares = (part.harmonic_mean, part.accuracy_with_error, part.accuracy_without_error)
        rows.append((source, *map(Figure, shares), part.solutions))
    return Table(
        "first errors",
        ("", "first-error F1 %", "accuracy with an error", "accuracy without", "solutions"),
        tuple(rows),
        keys=("source", "first_error_f1", "accuracy_with_error", "accuracy_without_error", "solutions"),
    )


def _critic_and_controls(critic: str, report: StepReport) -> Table:
    pooled, ranking, held_out = report.pooled, report.ranking, report.held_out_threshold
    area = Figure(ranking.auroc, ranking.auroc_low, ranking.auroc_high) if ranking else Figure(None)
    rows: list[tuple[Cell, ...]] = [
        (f"{critic}, threshold {report.threshold:g}", Figure(pooled.macro_f1, pooled.low, pooled.high), area)
    ]
    if held_out is not None:
        fitted = held_out.pooled
        macro = Figure(fitted.macro_f1, fitted.low, fitted.high)
        rows.append((f"{critic}, held-out threshold", macro, area))
    for control in report.controls:
        curve = control.auroc
        ranked = None if curve is None else Figure(curve.value, curve.low, curve.high)
        rows.append((f"control: {control.name}", Figure(control.macro_f1, control.low, control.high), ranked))
    return Table(
        "all steps together",
        ("all steps together", "macro-F1 % (95%)", "AUROC % (95%)"),
        tuple(rows),
        keys=("predictor", "macro_f1", "auroc"),
        notes=tuple(_figures(report)),
    )


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


def _averagings(report: StepReport) -> Table:
    parts = {
        "all steps together": report.pooled,
        "step-weighted mean": report.step_weighted_mean,
        "mean of sources": report.mean_of_sources,
        **report.by_source,
    }
    rows = tuple(
        (name, Figure(part.macro_f1), Figure(part.f1_correct), Figure(part.f1_incorrect), part.steps)
        for name, part in parts.items()
    )
    headers = ("", "macro-F1 %", "F1 of correct steps", "F1 of incorrect steps", "steps")
    keys = ("steps_of", "macro_f1", "f1_correct", "f1_incorrect", "steps")
    return Table(f"at threshold {report.threshold:g}", headers, rows, keys=keys)
