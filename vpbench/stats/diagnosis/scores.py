"""What the scores say beside their worth: constant, always positive, following length, ruled by the first step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vpbench.errors import DataError
from vpbench.records import Selection
from vpbench.stats.pool_curves import QuestionPool
from vpbench.stats.rank_correlation import Correlation, within_question_correlation

StepScores = Sequence[Sequence[Sequence[float]]]

ALWAYS_POSITIVE = 0.95
"""Share of what is wrong that is called correct."""
LEAST_WRONG = 50
"""So many wrong candidates (or steps) before their share is spoken of."""
LEAST_CORRELATION = 0.3
CONSTANT_QUESTIONS = 0.5
FIRST_STEP_HIGHEST = 0.5
LEAST_OPENINGS = 50
"""So many solutions of three or more steps before their openings are spoken of."""


def constant(pools: Sequence[QuestionPool], selection: Selection, distinct: Sequence[int] | None) -> list[str]:
    """The same score for all candidates, in most of the questions that have different responses to score."""
    differing = [number > 1 for number in distinct] if distinct is not None else [True] * len(pools)
    scored = [
        pool.scores[~np.isnan(pool.scores)]
        for pool, differs in zip(pools, differing, strict=True)
        if differs and pool.scores is not None
    ]
    several = [values for values in scored if len(values) > 1]
    same = sum(bool((values == values[0]).all()) for values in several)
    if not several or same < CONSTANT_QUESTIONS * len(several):
        return []
    return [
        f"scores constant: in {same} of {len(several)} questions with different responses all candidates have the "
        f"same score, where {'the critic picks at random' if selection == 'best' else 'the weighted vote is plain'}"
    ]


def always_positive(
    pools: Sequence[QuestionPool], step_scores: StepScores | None, threshold: float | None
) -> list[str]:
    """Wrong candidates in which the critic calls every single step correct."""
    # Step scores, because the threshold is one for steps: a product or a sum of log-odds lies on another scale.
    if threshold is None or step_scores is None:
        return []
    _check_fit(pools, step_scores)
    lowest = [
        min(steps)
        for pool, solutions in zip(pools, step_scores, strict=True)
        for correct, steps in zip(pool.correct, solutions, strict=True)
        if not correct and len(steps)
    ]
    share = float((np.array(lowest) > threshold).mean()) if lowest else 0.0
    if len(lowest) < LEAST_WRONG or share < ALWAYS_POSITIVE:
        return []
    return [
        f"always-positive critic: in {share:.1%} of the {len(lowest)} wrong candidates every step scores above "
        f"{threshold:g}; its scores can still rank, but don't read them as verdicts"
    ]


def _check_fit(pools: Sequence[QuestionPool], step_scores: StepScores) -> None:
    if len(step_scores) != len(pools):
        raise DataError(f"step scores for {len(step_scores)} questions but {len(pools)} pools; give one list for each")
    for pool, solutions in zip(pools, step_scores, strict=True):
        if len(solutions) != pool.size:
            raise DataError(
                f"question {pool.question_id}: step scores of {len(solutions)} candidates, there are {pool.size}"
            )


def _clear(correlation: Correlation) -> bool:
    return abs(correlation.value) >= LEAST_CORRELATION and not correlation.low <= 0 <= correlation.high


def follows(
    pools: Sequence[QuestionPool],
    sizes: Sequence[Sequence[float]] | None,
    size_name: str,
    step_scores: StepScores | None,
    aggregation: str | None,
) -> list[str]:
    """Scores that go with a size of the response among equally correct candidates, by the critic or the aggregation."""
    if sizes is None or not any(pool.scores is not None for pool in pools):
        return []
    correlation = within_question_correlation(pools, sizes)
    if correlation is None or not _clear(correlation):
        return []
    cause = ""
    if aggregation not in (None, "mean") and step_scores is not None:
        # A product has one more factor below 1 for every step. Whether the critic has a part in it, the mean tells.
        mean = within_question_correlation(_by_mean_step(pools, step_scores), sizes)
        if mean is None or not _clear(mean) or mean.value * correlation.value < 0:
            cause = f"; the cause is `{aggregation}`, not the critic: the mean of the step scores doesn't do so"
    direction = "longer" if correlation.value > 0 else "shorter"
    return [
        f"score follows {size_name}: {direction} is scored higher; mean rank correlation {correlation.value:+.2f} "
        f"({correlation.low:+.2f} to {correlation.high:+.2f}) among equally correct candidates of one question, "
        f"over {correlation.questions} questions{cause}"
    ]


def _by_mean_step(pools: Sequence[QuestionPool], step_scores: StepScores) -> list[QuestionPool]:
    _check_fit(pools, step_scores)
    return [
        replace(pool, scores=np.array([np.mean(steps) if len(steps) else np.nan for steps in solutions]))
        for pool, solutions in zip(pools, step_scores, strict=True)
    ]


def openings(step_scores: StepScores | None, aggregation: str | None) -> list[str]:
    """First steps that are mostly the highest, which aggregation `max` then takes for the solution."""
    if aggregation != "max" or step_scores is None:
        return []
    solutions = [np.asarray(steps) for question in step_scores for steps in question if len(steps) >= 3]
    if len(solutions) < LEAST_OPENINGS:
        return []
    # Of k steps that tie for the highest, the first has 1/k of the lead.
    share = float(np.mean([(steps[0] == steps.max()) / (steps == steps.max()).sum() for steps in solutions]))
    chance = float(np.mean([1 / len(steps) for steps in solutions]))
    if share < max(FIRST_STEP_HIGHEST, 1.5 * chance):
        return []
    return [
        f"early steps inflate `max`: in {share:.0%} of {len(solutions)} solutions the first step scores highest "
        f"({chance:.0%} by chance), so `max` ranks openings; try `mean` or `min`"
    ]
