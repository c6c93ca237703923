"""From scored candidates to `result.json`: curves, gains over the controls on the same pool, step F1, diagnosis.

The format is `result.schema.json` beside this file. All values are fractions of 1, all intervals 95% from a paired
bootstrap over questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from vpbench.pipeline import Prepared, PreparedSteps, Scored
from vpbench.records import Score, Selection
from vpbench.report.provenance import provenance

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

    pools = [_question_pool(prepared, scored, analysis, id) for id in prepared.questions]
    pool_size = min(len(pool.correct) for pool in pools)
    ns = analysis.ns or default_ns(pool_size)
    selection = analysis.selection or scored.selection
    curves = stats.curves(pools, selection, analysis.estimator, ns, analysis.seed)
    shown = {}
    for name in ("critic", *CONTROLS):
        matrix = getattr(curves, name)
        low, high = stats.bootstrap_intervals(matrix, None, analysis.resamples, analysis.seed)
        shown[name] = [
            {"n": n, "value": float(v), "low": float(a), "high": float(b)}
            for n, v, a, b in zip(ns, matrix.mean(axis=0), low, high, strict=True)
        ]
    candidates = [row.candidate for rows in prepared.rows.values() for row in rows]
    return {
        "schema_version": SCHEMA_VERSION,
        "task": prepared.task.name,
        "critic": scored.critic,
        "policy": prepared.pool.name,
        "questions": len(pools),
        "questions_in_task": prepared.total,
        "complete": len(pools) == prepared.total,
        "candidates": len(candidates),
        "pool_size": pool_size,
        "metric": prepared.task.metric,
        "nano": prepared.request.nano,
        "grading": "given" if prepared.request.trust_verdicts else prepared.request.grading,
        "selection": selection,
        "estimator": analysis.estimator,
        "aggregate": analysis.aggregate,
        "curves": shown,
        "gains": {f"over_{name}": _gains(curves, name, ns, analysis) for name in ("random", "vote")},
        "drawing_standard_error": getattr(curves, "drawing_standard_error", None),
        "errors": _errors(prepared, scored),
        "notes": prepared.notes,
        "diagnosis": stats.diagnose(
            pools,
            lengths=[[len(row.candidate.response) for row in rows] for rows in prepared.rows.values()],
            step_counts=[
                [len(scored.scores[row.candidate.key].steps or ()) for row in rows] for rows in prepared.rows.values()
            ],
        ),
        "provenance": _provenance(prepared, scored, analysis),
    }


def step_result(prepared: PreparedSteps, scored: Scored, analysis: Analysis) -> dict[str, Any]:
    """The result of one critic on one step-detection task."""
    from vpbench import stats

    labels = [each.labels for each in prepared.solutions]
    values = [_step_scores(scored, each.candidate.key, len(each.labels)) for each in prepared.solutions]
    sources = [each.source for each in prepared.solutions]
    threshold = scored.step_threshold if analysis.threshold is None else analysis.threshold
    report = stats.step_report(labels, values, sources, threshold, analysis.resamples, analysis.seed)
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
        "step_f1": report,
        "errors": _score_errors([scored.scores[each.candidate.key] for each in prepared.solutions]),
        "notes": prepared.notes,
        "diagnosis": [],
        "provenance": _provenance(prepared, scored, analysis),
    }


def _question_pool(prepared: Prepared, scored: Scored, analysis: Analysis, id: str) -> Any:
    from vpbench import stats

    keys = [row.candidate.key for row in prepared.rows[id]]
    verdicts = [prepared.verdicts[key] for key in keys]
    values = [candidate_value(scored.scores[key], analysis.aggregate) for key in keys]
    return stats.QuestionPool(
        question_id=id,
        correct=[verdict.correct for verdict in verdicts],
        classes=[verdict.answer_class for verdict in verdicts],
        scores=[float("nan") if value is None else value for value in values],
        group=prepared.questions[id].group,
    )


def _gains(curves: Any, control: str, ns: Sequence[int], analysis: Analysis) -> list[dict[str, Any]]:
    from vpbench import stats

    critic, other = curves.critic, getattr(curves, control)
    rows = [
        stats.paired_difference(critic[:, k], other[:, k], None, analysis.resamples, analysis.seed)
        for k in range(len(ns))
    ]
    adjusted = stats.holm([row.p_value for row in rows])
    return [
        {"n": n, "value": row.value, "low": row.low, "high": row.high, "p": row.p_value, "p_holm": float(p)}
        for n, row, p in zip(ns, rows, adjusted, strict=True)
    ]


def _step_scores(scored: Scored, key: tuple[str, int], steps: int) -> list[float | None]:
    given = scored.scores[key].steps
    return list(given) if given is not None and len(given) == steps else [None] * steps


def _errors(prepared: Prepared, scored: Scored) -> dict[str, int]:
    counts = Counter(
        verdict.reason for verdict in prepared.verdicts.values() if verdict.answer_class is None and not verdict.correct
    )
    return {**counts, **_score_errors(list(scored.scores.values()))}


def _score_errors(scores: Sequence[Score]) -> dict[str, int]:
    return dict(Counter(f"not scored: {each.reason}" for each in scores if each.value is None and not each.steps))


def _provenance(prepared: Prepared | PreparedSteps, scored: Scored, analysis: Analysis) -> dict[str, Any]:
    return {
        **provenance(),
        "task_version": prepared.task.version,
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
