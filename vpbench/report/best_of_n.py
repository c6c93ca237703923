"""From scored candidates to a result: curves, gains over the controls on the same pool, diagnosis."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vpbench.records import Reason
from vpbench.report.provenance import run_provenance
from vpbench.report.result import GAINS, BestOfNResult, Gain, Point
from vpbench.report.scored_rows import remarks, score_errors, steps_per_response
from vpbench.report.units import CURVES, Units, fraction, units_of
from vpbench.run.analysis import Analysis
from vpbench.run.prepared import Prepared, Scored

if TYPE_CHECKING:
    from vpbench.stats import Headline


def default_ns(pool_size: int) -> tuple[int, ...]:
    """Powers of two up to the pool's size, and the size itself."""
    return tuple(sorted({2**k for k in range(pool_size.bit_length()) if 2**k <= pool_size} | {pool_size}))


def best_of_n_result(prepared: Prepared, scored: Scored, analysis: Analysis) -> tuple[BestOfNResult, Units]:
    """The result of one critic on one Best-of-N task, and the units behind it.

    Raises `ConfigError` if an n exceeds the pool.
    """
    from vpbench import stats
    from vpbench.report.measures import named_measures

    pools = prepared.pools(scored.scores, analysis.aggregate)
    pool_size = min(pool.size for pool in pools)
    selection = analysis.selection or scored.selection
    ns = analysis.ns or default_ns(pool_size)
    curves = stats.curves(pools, selection, analysis.estimator, ns, analysis.seed, analysis.link)
    assert curves.critic is not None
    questions = list(prepared.questions.values())
    units = units_of(prepared.task, questions, curves)
    scores = [[scored.scores[row.candidate.key] for row in rows] for rows in prepared.rows.values()]
    result = BestOfNResult(
        task=prepared.task.name,
        critic=scored.critic,
        policy=prepared.origin,
        questions=len(pools),
        questions_in_task=prepared.total,
        complete=len(pools) == prepared.total,
        candidates=sum(pool.size for pool in pools),
        pool_size=pool_size,
        metric=prepared.task.metric,
        nano=prepared.request.nano,
        grading="given" if prepared.request.trust_verdicts else prepared.request.grading,
        judge=prepared.judge["judge"] if prepared.judge else None,
        selection=selection,
        estimator=analysis.estimator,
        aggregate=analysis.aggregate,
        link=analysis.link,
        units=len(units.names),
        curves={name: _curve(units, name, analysis) for name in CURVES},
        gains={name: _gains(units, name.removeprefix("over_"), analysis) for name in GAINS},
        measures=named_measures(prepared.task, questions, curves, analysis.resamples, analysis.seed),
        drawing_standard_error=tuple(float(error) for error in curves.drawing_standard_error),
        errors=_errors(prepared, scored),
        notes=(*prepared.notes, *scored.notes, *remarks(scored.scores.values())),
        steps_per_response=steps_per_response(scored.scores.values()),
        diagnosis=tuple(
            stats.diagnose(
                pools,
                _headline(units, analysis),
                selection,
                threshold=scored.step_threshold,
                aggregation=analysis.aggregate,
                lengths=[[len(row.candidate.response) for row in rows] for rows in prepared.rows.values()],
                step_counts=[[len(score.steps or ()) for score in question] for question in scores],
                step_scores=[[score.steps or () for score in question] for question in scores],
                distinct=[len({row.candidate.response for row in rows}) for rows in prepared.rows.values()],
            )
        ),
        provenance=run_provenance(prepared, scored, analysis),
    )
    return result, units


def _headline(units: Units, analysis: Analysis) -> Headline:
    from vpbench.stats import Headline

    compared = {name: units.values[name] for name in ("critic", "random", "vote", "oracle")}
    return Headline(units.ns, **compared, clusters=units.clusters, resamples=analysis.resamples, seed=analysis.seed)


def _curve(units: Units, name: str, analysis: Analysis) -> tuple[Point, ...]:
    from vpbench.stats import bootstrap_intervals

    matrix = units.values[name]
    low, high = bootstrap_intervals(matrix, units.clusters, analysis.resamples, analysis.seed)
    columns = zip(units.ns, matrix.mean(axis=0), low, high, strict=True)
    return tuple(Point(n, *map(fraction, values)) for n, *values in columns)


def _gains(units: Units, control: str, analysis: Analysis) -> tuple[Gain, ...]:
    from vpbench.stats import holm, paired_differences

    critic, other = units.values["critic"], units.values[control]
    rows = paired_differences(critic, other, units.clusters, analysis.resamples, analysis.seed)
    adjusted = holm([row.p_value for row in rows])
    return tuple(
        Gain(n, row.value, row.low, row.high, row.p_value, p)
        for n, row, p in zip(units.ns, rows, adjusted, strict=True)
    )


def _errors(prepared: Prepared, scored: Scored) -> dict[str, int]:
    verdicts = prepared.verdicts.values()
    reasons = Counter(Reason(verdict.reason).kind for verdict in verdicts if verdict.answer_class is None)
    return {**reasons, **score_errors(scored.scores.values())}
