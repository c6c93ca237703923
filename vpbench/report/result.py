"""From scored candidates to `result.json`: curves, gains over the controls on the same pool, diagnosis.

The format is `result.schema.json` beside this file. All values are fractions of 1, all intervals 95% from a paired
bootstrap over questions.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from vpbench.records import Reason
from vpbench.report.provenance import provenance
from vpbench.report.scored_rows import remarks, steps_per_response
from vpbench.report.units import CURVES, Units, fraction, units_of
from vpbench.run.analysis import Analysis
from vpbench.run.pipeline import Common, Prepared, Scored

SCHEMA_VERSION = 2
READABLE_VERSIONS = (1, 2)
"""Version 1 has no `measures`."""


def default_ns(pool_size: int) -> tuple[int, ...]:
    """Powers of two up to the pool's size, and the size itself."""
    return tuple(sorted({2**k for k in range(pool_size.bit_length()) if 2**k <= pool_size} | {pool_size}))


def best_of_n_result(prepared: Prepared, scored: Scored, analysis: Analysis) -> tuple[dict[str, Any], Units]:
    """The result of one critic on one Best-of-N task, and the units behind it.

    Raises `ConfigError` if an n exceeds the pool.
    """
    from vpbench import stats
    from vpbench.report.measures import measure_rows

    pools = prepared.pools(scored.scores, analysis.aggregate)
    pool_size = min(pool.size for pool in pools)
    selection = analysis.selection or scored.selection
    curves = stats.curves(pools, selection, analysis.estimator, analysis.ns or default_ns(pool_size), analysis.seed)
    assert curves.critic is not None
    questions = list(prepared.questions.values())
    units = units_of(prepared.task, questions, curves)
    scores = [[scored.scores[row.candidate.key] for row in rows] for rows in prepared.rows.values()]
    counts = steps_per_response(scored.scores.values())
    result = {
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
        **({"judge": prepared.judge["judge"]} if prepared.judge else {}),
        "selection": selection,
        "estimator": analysis.estimator,
        "aggregate": analysis.aggregate,
        "units": len(units.names),
        "curves": {name: _curve(units, name, analysis) for name in CURVES},
        "gains": {f"over_{control}": _gains(units, control, analysis) for control in ("random", "vote")},
        "measures": measure_rows(prepared.task, questions, curves, analysis.resamples, analysis.seed),
        "drawing_standard_error": [float(error) for error in curves.drawing_standard_error],
        "errors": _errors(prepared, scored),
        "notes": [*prepared.notes, *scored.notes, *remarks(scored.scores.values())],
        **({} if counts is None else {"steps_per_response": counts}),
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
    return result, units


def _curve(units: Units, name: str, analysis: Analysis) -> list[dict[str, Any]]:
    from vpbench.stats import bootstrap_intervals

    matrix = units.values[name]
    low, high = bootstrap_intervals(matrix, units.clusters, analysis.resamples, analysis.seed)
    columns = zip(units.ns, matrix.mean(axis=0), low, high, strict=True)
    return [{"n": n, "value": fraction(v), "low": fraction(a), "high": fraction(b)} for n, v, a, b in columns]


def _gains(units: Units, control: str, analysis: Analysis) -> list[dict[str, Any]]:
    from vpbench.stats import holm, paired_differences

    critic, other = units.values["critic"], units.values[control]
    rows = paired_differences(critic, other, units.clusters, analysis.resamples, analysis.seed)
    adjusted = holm([row.p_value for row in rows])
    return [
        {"n": n, "value": row.value, "low": row.low, "high": row.high, "p": row.p_value, "p_holm": p}
        for n, row, p in zip(units.ns, rows, adjusted, strict=True)
    ]


def _errors(prepared: Prepared, scored: Scored) -> dict[str, int]:
    verdicts = prepared.verdicts.values()
    reasons = Counter(Reason(each.reason).kind for each in verdicts if each.answer_class is None)
    return {**reasons, **score_errors(scored)}


def score_errors(scored: Scored) -> dict[str, int]:
    """Rows without a score, counted by the head of their reason (what follows its colon varies by row)."""
    unscored = [score for score in scored.scores.values() if score.value is None and not score.steps]
    return dict(Counter(f"not scored: {Reason(score.reason or '').kind}" for score in unscored))


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
        "pool": prepared.key.get("pool"),
        "pool_sha256": prepared.pool.sha256 if isinstance(prepared, Prepared) else None,
        "drawing": prepared.drawing if isinstance(prepared, Prepared) else None,
        "judge": prepared.judge if isinstance(prepared, Prepared) else None,
        "critic_settings": scored.settings,
        "critic_used_in_this_run": dict(scored.usage),
        "critic_revision": scored.revision,
        "seed": analysis.seed,
        "resamples": analysis.resamples,
        "seconds": {**prepared.seconds, "score": scored.seconds},
    }
