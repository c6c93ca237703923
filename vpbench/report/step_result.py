"""From scored steps to `result.json`: F1 under every averaging, threshold-free figures, breakdowns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vpbench.report.result import SCHEMA_VERSION, run_provenance, score_errors
from vpbench.report.scored_rows import remarks, steps_per_response
from vpbench.run.analysis import Analysis
from vpbench.run.pipeline import PreparedSteps, Scored

FOLDS = 5


def step_result(prepared: PreparedSteps, scored: Scored, analysis: Analysis) -> dict[str, Any]:
    """The result of one critic on one step-detection task."""
    from vpbench.stats import diagnose_steps

    labels = [each.labels for each in prepared.solutions]
    values = [step_scores(scored.scores[each.candidate.key].steps, len(each.labels)) for each in prepared.solutions]
    threshold = scored.step_threshold if analysis.threshold is None else analysis.threshold
    counts = steps_per_response(scored.scores.values())
    return {
        "schema_version": SCHEMA_VERSION,
        "task": prepared.task.name,
        "critic": scored.critic,
        "policy": "the data set's own solutions",
        "questions": len(labels),
        "questions_in_task": prepared.total,
        "complete": len(labels) == prepared.total,
        "candidates": len(labels),
        "pool_size": 1,
        "metric": prepared.task.metric,
        "nano": prepared.request.nano,
        "step_f1": _step_f1(prepared, labels, values, threshold, analysis),
        "errors": score_errors(scored),
        "notes": [*prepared.notes, *scored.notes, *remarks(scored.scores.values())],
        **({} if counts is None else {"steps_per_response": counts}),
        "diagnosis": diagnose_steps(labels, values, threshold),
        "provenance": run_provenance(prepared, scored, analysis),
    }


def step_scores(given: Sequence[float] | None, steps: int) -> list[float | None]:
    """The scores of a solution's steps; None for each where the critic gave none or another number of them."""
    return list(given) if given is not None and len(given) == steps else [None] * steps


def _step_f1(
    prepared: PreparedSteps,
    labels: list[tuple[int, ...]],
    values: list[list[float | None]],
    threshold: float,
    analysis: Analysis,
) -> dict[str, Any]:
    from vpbench import stats

    sources = [each.source for each in prepared.solutions]
    groups = [each.question.group or each.question.id for each in prepared.solutions]
    lengths = [len(each.candidate.response) for each in prepared.solutions]
    found = stats.step_f1(labels, values, threshold, sources)
    low, high = stats.macro_f1_interval(
        labels, values, threshold, groups, resamples=analysis.resamples, seed=analysis.seed
    )
    report = asdict(found)
    report["pooled"] |= {"low": low, "high": high}
    report["ranking"] = asdict(stats.step_ranking(labels, values))
    reliability = stats.step_reliability(labels, values)
    report["reliability"] = None if reliability is None else asdict(reliability)
    report["first_error"] = asdict(stats.first_error_accuracy(labels, values, threshold))
    report["by_position"] = [asdict(each) for each in stats.f1_by_position(labels, values, threshold)]
    report["by_response_length"] = [asdict(each) for each in stats.f1_by_length(labels, values, threshold, lengths)]
    if len(set(groups)) >= FOLDS:
        fitted = stats.cross_fitted_threshold(labels, values, sources, groups, folds=FOLDS, seed=analysis.seed)
        report["held_out_threshold"] = {
            "folds": FOLDS,
            "thresholds": list(fitted.thresholds),
            "pooled": asdict(fitted.detection.pooled),
        }
    return report
