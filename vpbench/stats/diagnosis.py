"""What a person who looked at the numbers would say, in words, each with its figure; nothing where there is no reason.

The limits below are set so that a statement is worth reading: they say "look at this", not "this is significant",
except for the interval, which says what can't be concluded, and the correlations, which have to be clear of noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vpbench.records import Selection
from vpbench.stats.best_of_n import expected_oracle
from vpbench.stats.bootstrap import paired_difference
from vpbench.stats.pool_curves import QuestionPool, curves
from vpbench.stats.rank_correlation import within_question_correlation
from vpbench.stats.steps import Labels, Scores, step_table

Array = NDArray[np.float64]
StepScores = Sequence[Sequence[Sequence[float]]]

LEAST_HEADROOM = 0.02
"""Oracle less random pick; below it no critic can show much."""
ALWAYS_POSITIVE = 0.95
"""Share of what is wrong that is called correct."""
MOSTLY_NEGATIVE = 0.5
"""Share of negative scores from which a weighted vote is spoken of."""
LEAST_WRONG = 50
"""So many wrong candidates (or steps) before their share is spoken of."""
LEAST_CORRELATION = 0.3
CONSTANT_QUESTIONS = 0.5
FIRST_STEP_HIGHEST = 0.5
LEAST_OPENINGS = 50
"""So many solutions of three or more steps before their openings are spoken of."""
WIDE_HALF_INTERVAL = 0.01


def _points(fraction: float) -> str:
    return f"{100 * fraction:+.1f}"


def _completeness(pools: Sequence[QuestionPool]) -> list[str]:
    statements = []
    full = max(pool.size for pool in pools)
    short = [pool for pool in pools if pool.size < full]
    if short:
        smallest = min(pool.size for pool in short)
        statements.append(
            f"pool incomplete: {len(short)} of {len(pools)} questions have fewer than {full} candidates "
            f"(the fewest: {smallest}), so no n above {smallest} can be computed"
        )
    scores = [pool.scores for pool in pools if pool.scores is not None]
    missing = sum(int(np.isnan(values).sum()) for values in scores)
    if missing:
        total = sum(len(values) for values in scores)
        statements.append(
            f"scores incomplete: {missing} of {total} candidates ({missing / total:.1%}) have none and rank last"
        )
    return statements


def _headroom(pools: Sequence[QuestionPool], n: int) -> list[str]:
    oracle = float(np.mean([expected_oracle(pool.correct)[n - 1] for pool in pools]))
    headroom = oracle - float(np.mean([pool.correct.mean() for pool in pools]))
    if n < 2 or headroom >= LEAST_HEADROOM:
        return []
    mixed = sum(bool(pool.correct.any() and not pool.correct.all()) for pool in pools)
    return [
        f"candidates too alike to choose from: only {mixed} of {len(pools)} questions have both right and wrong "
        f"candidates; at n = {n} a perfect critic would gain {_points(headroom)} points over a random pick"
    ]


def _constant(pools: Sequence[QuestionPool], selection: Selection) -> list[str]:
    scored = [pool.scores[~np.isnan(pool.scores)] for pool in pools if pool.scores is not None]
    several = [values for values in scored if len(values) > 1]
    same = sum(bool((values == values[0]).all()) for values in several)
    if not several or same < CONSTANT_QUESTIONS * len(several):
        return []
    return [
        f"scores constant: in {same} of {len(several)} questions all candidates have the same score, where "
        + ("the critic picks at random" if selection == "best" else "the weighted vote is the plain one")
    ]


def _negative_weights(pools: Sequence[QuestionPool], selection: Selection) -> list[str]:
    # A class's sum of negative scores falls with every candidate more, so that the vote prefers rare answers.
    scored = [pool.scores[~np.isnan(pool.scores)] for pool in pools if pool.scores is not None]
    values = np.concatenate([np.empty(0), *scored])
    share = float((values < 0).mean()) if len(values) else 0.0
    if selection != "weighted-vote" or share < MOSTLY_NEGATIVE:
        return []
    return [
        f"weighted vote against the answer: {share:.0%} of the scores are below 0, so every candidate more counts "
        "against its answer; use scores of 0 and more, or selection `best`"
    ]


def _always_positive(pools: Sequence[QuestionPool], threshold: float | None) -> list[str]:
    if threshold is None:
        return []
    parts = [pool.scores[~pool.correct] for pool in pools if pool.scores is not None]
    wrong = np.concatenate([np.empty(0), *parts])
    wrong = wrong[~np.isnan(wrong)]
    share = float((wrong > threshold).mean()) if len(wrong) else 0.0
    if len(wrong) < LEAST_WRONG or share < ALWAYS_POSITIVE:
        return []
    return [
        f"always-positive critic: {share:.1%} of the {len(wrong)} wrong candidates score above {threshold:g}; "
        f"its scores can still rank, but don't read them as verdicts"
    ]


def _follows(pools: Sequence[QuestionPool], sizes: Sequence[Sequence[float]] | None, size_name: str) -> list[str]:
    scored = sizes is not None and any(pool.scores is not None for pool in pools)
    correlation = within_question_correlation(pools, sizes) if scored and sizes is not None else None
    if correlation is None or abs(correlation.value) < LEAST_CORRELATION or correlation.low <= 0 <= correlation.high:
        return []
    direction = "longer" if correlation.value > 0 else "shorter"
    return [
        f"score follows {size_name}: {direction} is scored higher; mean rank correlation {correlation.value:+.2f} "
        f"({correlation.low:+.2f} to {correlation.high:+.2f}) among equally correct candidates of one question, "
        f"over {correlation.questions} questions"
    ]


def _openings(step_scores: StepScores | None, aggregation: str | None) -> list[str]:
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


def _interval(pools: Sequence[QuestionPool], selection: Selection, n: int, seed: int) -> list[str]:
    curve = curves(pools, selection, ns=[n], seed=seed)
    if curve.critic is None or n < 2:
        return []
    groups = [pool.question_id if pool.group is None else ("group", pool.group) for pool in pools]
    gain = paired_difference(curve.critic[:, 0], curve.random[:, 0], groups, seed=seed)
    if not gain.low <= 0 <= gain.high or (gain.high - gain.low) / 2 <= WIDE_HALF_INTERVAL:
        return []
    return [
        f"interval too wide to conclude: at n = {n} the gain over a random pick is {_points(gain.value)} points "
        f"({_points(gain.low)} to {_points(gain.high)}) over {len(pools)} questions, noise or not can't be told"
    ]


def diagnose(
    pools: Sequence[QuestionPool],
    selection: Selection = "best",
    *,
    threshold: float | None = None,
    aggregation: str | None = None,
    lengths: Sequence[Sequence[float]] | None = None,
    step_counts: Sequence[Sequence[float]] | None = None,
    step_scores: StepScores | None = None,
    seed: int = 0,
) -> list[str]:
    """Statements on one critic's Best-of-N run, at the largest n all questions have.

    `threshold`: what the critic itself calls correct above (None: it doesn't say). `lengths`, `step_counts` (one value
    per candidate) and `step_scores` (one list per candidate) follow the order of the pools. `step_scores` are looked
    at where `aggregation` is `max`. With selection `vote` the scores play no part and aren't spoken of. Raises
    `DataError` where lengths or counts don't fit the pools.
    """
    if not pools:
        return []
    if selection == "vote":
        pools = [replace(pool, scores=None) for pool in pools]
    n = min(pool.size for pool in pools)
    if n < 1:
        empty = sum(pool.size == 0 for pool in pools)
        return [f"pool incomplete: {empty} of {len(pools)} questions have no candidate at all"]
    alike = _headroom(pools, n)
    return [
        *_completeness(pools),
        *alike,
        *_constant(pools, selection),
        *_negative_weights(pools, selection),
        *_always_positive(pools, threshold),
        *_follows(pools, lengths, "response length"),
        *_follows(pools, step_counts, "step count"),
        *_openings(step_scores, aggregation),
        *([] if alike else _interval(pools, selection, n, seed)),
    ]


def diagnose_steps(labels: Labels, scores: Scores, threshold: float) -> list[str]:
    """Statements on one critic's step detection at `threshold`; labels and scores hold one list per solution.

    Raises `DataError` where they don't match.
    """
    table = step_table(labels, scores)
    statements = []
    missing = int(np.isnan(table.score).sum())
    if missing:
        statements.append(f"scores incomplete: {missing} of {len(table.score)} labelled steps have none")
    made = ~np.isnan(table.score)
    wrong = table.score[made & ~table.correct] > threshold
    if len(wrong) >= LEAST_WRONG and wrong.mean() >= ALWAYS_POSITIVE:
        statements.append(
            f"always-positive critic: {wrong.mean():.1%} of the {len(wrong)} incorrect steps score above {threshold:g}"
        )
    values = table.score[made]
    if len(values) > 1 and (values == values[0]).all():
        statements.append(f"scores constant: all {len(values)} labelled steps score {values[0]:g}")
    return statements
