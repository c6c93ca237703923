"""From scored steps to a result: F1 under every averaging, threshold-free figures, breakdowns."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict

from vpbench.report.provenance import run_provenance
from vpbench.report.result import (
    MEAN_FIRST_ERROR_F1,
    HeldOutF1,
    HeldOutThreshold,
    PooledF1,
    StepRanking,
    StepReport,
    StepResult,
)
from vpbench.report.scored_rows import remarks, score_errors, steps_per_response
from vpbench.run.analysis import Analysis
from vpbench.run.prepared import PreparedSteps, Scored

FOLDS = 5


def step_result(prepared: PreparedSteps, scored: Scored, analysis: Analysis) -> StepResult:
    """The result of one critic on one step-detection task."""
    from vpbench.stats import diagnose_steps, few_units_note

    started = time.perf_counter()
    solutions = prepared.solutions
    labels = [solution.labels for solution in solutions]
    values = [step_scores(scored.scores[solution.candidate.key].steps, len(solution.labels)) for solution in solutions]
    groups = [solution.question.group or solution.question.id for solution in solutions]
    threshold = scored.step_threshold if analysis.threshold is None else analysis.threshold
    few = few_units_note(len(set(groups)))
    return StepResult(
        task=prepared.task.name,
        critic=scored.critic,
        label=scored.label,
        policy="the data set's own solutions",
        questions=len(labels),
        questions_in_task=prepared.total,
        complete=len(labels) == prepared.total,
        candidates=len(labels),
        pool_size=1,
        metric=prepared.task.metric,
        nano=prepared.request.nano,
        step_f1=_step_report(prepared, labels, values, threshold, groups, analysis),
        errors=score_errors(scored.scores.values()),
        notes=(*prepared.notes, *scored.notes, *remarks(scored.scores.values()), *([few] if few else [])),
        steps_per_response=steps_per_response(scored.scores.values()),
        diagnosis=tuple(diagnose_steps(labels, values, threshold, groups)),
        provenance=run_provenance(prepared, scored, analysis, started),
    )


def step_scores(given: Sequence[float] | None, steps: int) -> list[float | None]:
    """The scores of a solution's steps; None for each where the critic gave none or another number of them."""
    return list(given) if given is not None and len(given) == steps else [None] * steps


def _step_report(
    prepared: PreparedSteps,
    labels: list[tuple[int, ...]],
    values: list[list[float | None]],
    threshold: float,
    groups: Sequence[str],
    analysis: Analysis,
) -> StepReport:
    from vpbench import stats

    solutions = prepared.solutions
    sources = [solution.source for solution in solutions]
    lengths = [len(solution.candidate.response) for solution in solutions]
    detection = stats.step_f1(labels, values, threshold, sources)
    low, high = stats.macro_f1_interval(
        labels, values, threshold, groups, resamples=analysis.resamples, seed=analysis.seed
    )
    first_errors = held_out = None
    if prepared.task.metric == MEAN_FIRST_ERROR_F1:
        first_errors = stats.first_errors(
            labels, values, threshold, sources, groups, resamples=analysis.resamples, seed=analysis.seed
        )
    scored = {group for group, row in zip(groups, values, strict=True) if any(value is not None for value in row)}
    # So that, whichever questions a fold holds, others have scored steps to choose its threshold on.
    if len(set(groups)) >= FOLDS and len(scored) > -(-len(set(groups)) // FOLDS):
        fitted = stats.cross_fitted_threshold(labels, values, sources, groups, folds=FOLDS, seed=analysis.seed)
        ends = stats.macro_f1_interval(
            labels, values, fitted.by_solution, groups, resamples=analysis.resamples, seed=analysis.seed
        )
        held_out = HeldOutThreshold(
            FOLDS, fitted.thresholds, HeldOutF1(**asdict(fitted.detection.pooled), low=ends[0], high=ends[1])
        )
    area = stats.step_auroc(labels, values, groups)
    ranking = asdict(stats.step_ranking(labels, values))
    texts = [solution.candidate.steps or () for solution in solutions]
    split = all(len(steps) == len(row) for steps, row in zip(texts, labels, strict=True))
    controls = stats.measure_step_controls(labels, texts if split else None, groups, analysis.resamples, analysis.seed)
    return StepReport(
        threshold=threshold,
        pooled=PooledF1(**asdict(detection.pooled), low=low, high=high),
        step_weighted_mean=detection.step_weighted_mean,
        mean_of_sources=detection.mean_of_sources,
        by_source=detection.by_source,
        neutral=detection.neutral,
        unmade=detection.unmade,
        ranking=StepRanking(**ranking, auroc_low=area.low if area else None, auroc_high=area.high if area else None),
        reliability=stats.step_reliability(labels, values),
        first_error=stats.first_error_accuracy(labels, values, threshold),
        first_errors=first_errors,
        by_position=tuple(stats.f1_by_position(labels, values, threshold)),
        by_response_length=tuple(stats.f1_by_length(labels, values, threshold, lengths)),
        held_out_threshold=held_out,
        controls=tuple(controls),
    )
