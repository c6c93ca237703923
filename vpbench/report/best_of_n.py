"""From scored candidates to a result: curves, gains over the controls on the same pool, diagnosis."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vpbench.records import Reason, Selection
from vpbench.report.provenance import run_provenance
from vpbench.report.result import GAINS, BestOfNResult, Gain, Point
from vpbench.report.scored_rows import remarks, score_errors, steps_per_response
from vpbench.report.units import CURVES, WORST, Units, fraction, units_of
from vpbench.run.analysis import Analysis
from vpbench.run.prepared import Prepared, Scored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.stats import Curves, Headline, QuestionPool


NO_VOTE = "no vote: the pool gives verdicts without answers (`prediction`)"


def default_ns(pool_size: int) -> tuple[int, ...]:
    """Powers of two up to the pool's size, and the size itself."""
    return tuple(sorted({2**k for k in range(pool_size.bit_length()) if 2**k <= pool_size} | {pool_size}))


def best_of_n_result(prepared: Prepared, scored: Scored, analysis: Analysis) -> tuple[BestOfNResult, Units]:
    """The result of one critic on one Best-of-N task, and the units behind it.

    Raises `ConfigError` if an n exceeds the pool.
    """
    from vpbench import stats
    from vpbench.report.measures import named_measures, unheard_names

    started = time.perf_counter()
    aggregate = analysis.aggregate or scored.aggregation
    pools = prepared.pools(scored.scores, aggregate)
    pool_size = min(pool.size for pool in pools)
    selection = analysis.selection or scored.selection
    ns = analysis.ns or default_ns(pool_size)
    curves = stats.curves(pools, selection, analysis.estimator, ns, analysis.seed, analysis.link)
    assert curves.critic is not None
    questions = list(prepared.questions.values())
    units = units_of(prepared.task, questions, curves)
    measures = named_measures(prepared.task, questions, curves, analysis.resamples, analysis.seed)
    notes = [*prepared.notes, *scored.notes, *remarks(scored.scores.values())]
    notes += unheard_names(prepared.task, questions, measures)
    notes += [] if curves.vote is not None else [NO_VOTE]
    few = stats.few_units_note(len(set(units.clusters)))
    # The value of a group isn't linear in its questions' scores; there the paired test stands alone.
    by_chance = selection == "best" and analysis.estimator == "expected" and len(units.names) == len(pools)
    dealt = {"over_random": _dealt(pools, curves.ns) if by_chance else None}
    result = BestOfNResult(
        task=prepared.task.name,
        critic=scored.critic,
        label=scored.label,
        policy=prepared.policy,
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
        aggregate=aggregate,
        link=analysis.link,
        units=len(units.names),
        curves=_curves(units, analysis),
        gains={name: _gains(units, name.removeprefix("over_"), selection, analysis, dealt.get(name)) for name in GAINS},
        measures=measures,
        distinct_answers=stats.distinct_answers(pools),
        drawing_standard_error=tuple(float(error) for error in curves.drawing_standard_error),
        errors={**_unanswered(prepared, curves), **score_errors(scored.scores.values())},
        notes=(*notes, *([few] if few else [])),
        steps_per_response=steps_per_response(scored.scores.values()),
        diagnosis=tuple(_diagnosis(prepared, scored, pools, _headline(units, analysis), selection, analysis)),
        provenance=run_provenance(prepared, scored, analysis, started),
    )
    return result, units


def _diagnosis(
    prepared: Prepared,
    scored: Scored,
    pools: Sequence[QuestionPool],
    headline: Headline,
    selection: Selection,
    analysis: Analysis,
) -> list[str]:
    from vpbench.stats import diagnose

    withheld = any(row.candidate.withheld for rows in prepared.rows.values() for row in rows)
    responses = [[row.candidate.response for row in rows] for rows in prepared.rows.values()]
    steps = [[scored.scores[row.candidate.key].steps or () for row in rows] for rows in prepared.rows.values()]
    return diagnose(
        pools,
        headline,
        selection,
        threshold=scored.step_threshold,
        aggregation=analysis.aggregate or scored.aggregation,
        lengths=None if withheld else [list(map(len, texts)) for texts in responses],
        step_counts=[list(map(len, question)) for question in steps],
        step_scores=steps,
        distinct=None if withheld else [len(set(texts)) for texts in responses],
    )


def _headline(units: Units, analysis: Analysis) -> Headline:
    from vpbench.stats import Headline

    compared = {name: units.values[name] for name in ("critic", "random", "oracle", WORST)}
    return Headline(
        units.ns,
        **compared,
        vote=units.values.get("vote"),
        clusters=units.clusters,
        resamples=analysis.resamples,
        seed=analysis.seed,
    )


def _curves(units: Units, analysis: Analysis) -> dict[str, tuple[Point, ...]]:
    """Every curve with its intervals; empty where the pool has none."""
    import numpy as np

    from vpbench.stats import bootstrap_intervals

    names = [name for name in CURVES if name in units.values]
    matrix = np.concatenate([units.values[name] for name in names], axis=1)
    low, high = bootstrap_intervals(matrix, units.clusters, analysis.resamples, analysis.seed)
    columns = zip(units.ns * len(names), matrix.mean(axis=0), low, high, strict=True)
    points = [Point(n, *map(fraction, values)) for n, *values in columns]
    starts = range(0, len(points), len(units.ns))
    by_name = {name: tuple(points[k : k + len(units.ns)]) for name, k in zip(names, starts, strict=True)}
    return {name: by_name.get(name, ()) for name in CURVES}


def _dealt(pools: Sequence[QuestionPool], ns: Sequence[int]) -> NDArray[np.float64]:
    """[Q, len(ns)]: variance of each question's value if its scores were dealt to its candidates at random."""
    import numpy as np

    from vpbench.stats import variance_of_dealt_scores

    rows = [variance_of_dealt_scores(pool.scores, pool.correct) for pool in pools if pool.scores is not None]
    return np.array(rows)[:, np.array(ns) - 1]


def _gains(
    units: Units, control: str, selection: str, analysis: Analysis, dealt: NDArray[np.float64] | None = None
) -> tuple[Gain, ...]:
    from vpbench.stats import alike_by_construction, holm, paired_differences, random_scores_p

    if control not in units.values:
        return ()
    critic, other = units.values["critic"], units.values[control]
    alike = alike_by_construction(units.ns, critic, other, same=selection == control)
    # whatever the critic is, a random pick is worth the same; a vote is one more way to choose
    ends = (units.values["oracle"], units.values[WORST]) if control == "random" else None
    rows = paired_differences(critic, other, units.clusters, analysis.resamples, analysis.seed, alike=alike, ends=ends)
    if dealt is not None:
        by_chance = random_scores_p((critic - other).mean(axis=0), dealt)
        rows = [replace(row, p_value=max(row.p_value, p)) for row, p in zip(rows, by_chance.tolist(), strict=True)]
    adjusted = holm([row.p_value for row in rows], alike)
    return tuple(
        Gain(n, row.value, row.low, row.high, row.p_value, p)
        for n, row, p in zip(units.ns, rows, adjusted, strict=True)
    )


def _unanswered(prepared: Prepared, curves: Curves) -> dict[str, int]:
    """Rows without an answer by reason; none where the pool gives no answers at all."""
    verdicts = prepared.verdicts.values() if curves.vote is not None else ()
    return Counter(Reason(verdict.reason).kind for verdict in verdicts if verdict.answer_class is None)
