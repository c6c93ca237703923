"""From scored candidates to `result.json`: curves, gains over the controls on the same pool, diagnosis.

The format is `result.schema.json` beside this file. All values are fractions of 1, all intervals 95% from a paired
bootstrap over questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vpbench.pipeline import Common, Prepared, Scored
from vpbench.records import Score, Selection
from vpbench.report.provenance import provenance

if TYPE_CHECKING:
    from vpbench.stats import QuestionPool

SCHEMA_VERSION = 1
CONTROLS = ("vote", "random", "oracle", "first")


@dataclass(frozen=True)
class Analysis:
    """How scores are turned into a result; field names are the command line's."""

    selection: Selection | None = None
    estimator: Literal["expected", "prefix"] = "expected"
    aggregate: str = "mean"
    ns: tuple[int, ...] | None = None
    threshold: float | None = None
    seed: int = 0
    resamples: int = 10_000


def candidate_value(score: Score, how: str) -> float | None:
    """One number for a candidate: its aggregated step scores, or its own score where it has no steps."""
    from vpbench.stats import aggregate

    return aggregate(score.steps, how) if score.steps else score.value


def default_ns(pool_size: int) -> tuple[int, ...]:
    """Powers of two up to the pool's size, and the size itself."""
    return tuple(sorted({2**k for k in range(pool_size.bit_length()) if 2**k <= pool_size} | {pool_size}))


def best_of_n_result(prepared: Prepared, scored: Scored, analysis: Analysis) -> dict[str, Any]:
    """The result of one critic on one Best-of-N task. Raises `ConfigError` if an n exceeds the pool."""
    from vpbench import stats

    pools = [_pool(prepared, scored, analysis, id) for id in prepared.questions]
    pool_size = min(pool.size for pool in pools)
    selection = analysis.selection or scored.selection
    curves = stats.curves(pools, selection, analysis.estimator, analysis.ns or default_ns(pool_size), analysis.seed)
    assert curves.critic is not None
    groups = [question.group or question.id for question in prepared.questions.values()]
    scores = [[scored.scores[row.candidate.key] for row in rows] for rows in prepared.rows.values()]
    return {
        "schema_version": SCHEMA_VERSION,
        "task": prepared.task.name,
        "critic": scored.critic,
        "policy": prepared.pool.name,
        "questions": len(pools),
        "questions_in_task": prepared.total,
        "complete": len(pools) == prepared.total,
        "candidates": sum(pool.size for pool in pools),
        "pool_size": pool_size,
        "metric": prepared.task.metric,
        "nano": prepared.request.nano,
        "grading": "given" if prepared.request.trust_verdicts else prepared.request.grading,
        "selection": selection,
        "estimator": analysis.estimator,
        "aggregate": analysis.aggregate,
        "curves": {name: _curve(getattr(curves, name), curves.ns, groups, analysis) for name in ("critic", *CONTROLS)},
        "gains": {
            "over_random": _gains(curves.critic, curves.random, curves.ns, groups, analysis),
            "over_vote": _gains(curves.critic, curves.vote, curves.ns, groups, analysis),
        },
        "drawing_standard_error": [float(error) for error in curves.drawing_standard_error],
        "errors": _errors(prepared, scored),
        "notes": prepared.notes,
        "diagnosis": stats.diagnose(
            pools,
            selection,
            threshold=scored.step_threshold if any(score.steps for score in scored.scores.values()) else None,
            aggregation=analysis.aggregate,
            lengths=[[len(row.candidate.response) for row in rows] for rows in prepared.rows.values()],
            step_counts=[[len(score.steps or ()) for score in question] for question in scores],
            step_scores=[[score.steps or () for score in question] for question in scores],
            seed=analysis.seed,
        ),
        "provenance": run_provenance(prepared, scored, analysis),
    }


def _pool(prepared: Prepared, scored: Scored, analysis: Analysis, id: str) -> QuestionPool:
    keys = [row.candidate.key for row in prepared.rows[id]]
    verdicts = [prepared.verdicts[key] for key in keys]
    return question_pool(
        id,
        [verdict.correct for verdict in verdicts],
        [verdict.answer_class for verdict in verdicts],
        [candidate_value(scored.scores[key], analysis.aggregate) for key in keys],
        prepared.questions[id].group,
    )


def question_pool(
    id: str, correct: Sequence[bool], classes: Sequence[str | None], values: Sequence[float | None], group: str | None
) -> QuestionPool:
    """One question's pool as statistics take it; None stands for an unscored candidate."""
    import numpy as np

    from vpbench.stats import QuestionPool

    scores = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return QuestionPool(id, np.array(correct, dtype=np.bool_), tuple(classes), scores, group)


def _curve(matrix: Any, ns: Sequence[int], groups: Sequence[str], analysis: Analysis) -> list[dict[str, Any]]:
    from vpbench.stats import bootstrap_intervals

    low, high = bootstrap_intervals(matrix, groups, analysis.resamples, analysis.seed)
    columns = zip(ns, matrix.mean(axis=0), low, high, strict=True)
    return [{"n": n, "value": _fraction(v), "low": _fraction(a), "high": _fraction(b)} for n, v, a, b in columns]


def _fraction(value: float) -> float:
    """The value without what rounding left outside 0..1."""
    return min(max(float(value), 0.0), 1.0)


def _gains(
    critic: Any, control: Any, ns: Sequence[int], groups: Sequence[str], analysis: Analysis
) -> list[dict[str, Any]]:
    from vpbench.stats import holm, paired_differences

    rows = paired_differences(critic, control, groups, analysis.resamples, analysis.seed)
    adjusted = holm([row.p_value for row in rows])
    return [
        {"n": n, "value": row.value, "low": row.low, "high": row.high, "p": row.p_value, "p_holm": p}
        for n, row, p in zip(ns, rows, adjusted, strict=True)
    ]


def _errors(prepared: Prepared, scored: Scored) -> dict[str, int]:
    reasons = Counter(each.reason for each in prepared.verdicts.values() if each.answer_class is None)
    return {**reasons, **score_errors(scored)}


def score_errors(scored: Scored) -> dict[str, int]:
    """Rows without a score, counted by the head of their reason (what follows its colon varies by row)."""
    unscored = [each.reason or "" for each in scored.scores.values() if each.value is None and not each.steps]
    return dict(Counter(f"not scored: {reason.split(':')[0]}" for reason in unscored))


def run_provenance(prepared: Common, scored: Scored, analysis: Analysis) -> dict[str, Any]:
    """Everything the result rests on."""
    return {
        **provenance(),
        "task_version": prepared.key["task_version"],
        "data": {
            "origin": prepared.data_origin,
            "revision": prepared.data_revision,
            "fingerprint": prepared.key["data"],
        },
        "pool_sha256": prepared.key.get("pool"),
        "critic_settings": scored.settings,
        "critic_revision": scored.revision,
        "seed": analysis.seed,
        "resamples": analysis.resamples,
        "seconds": {**prepared.seconds, "score": scored.seconds},
    }
