"""What a person who looked at the numbers would say, in words, each with its figure; nothing where there is no reason.

What is said of gains is said of the reported figures themselves (`Headline`), and only where they are clear of noise.
The other limits are set so that a statement is worth reading: they say "look at this", not "this is significant".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vpbench.records import Selection
from vpbench.stats.diagnosis.gains import falls, inconclusive, worse_than
from vpbench.stats.diagnosis.headline import Headline
from vpbench.stats.diagnosis.pool import headroom, identical_responses, incomplete
from vpbench.stats.diagnosis.scores import StepScores, always_positive, constant, follows, openings
from vpbench.stats.pool_curves import QuestionPool


def diagnose(
    pools: Sequence[QuestionPool],
    headline: Headline,
    selection: Selection = "best",
    *,
    threshold: float | None = None,
    aggregation: str | None = None,
    lengths: Sequence[Sequence[float]] | None = None,
    step_counts: Sequence[Sequence[float]] | None = None,
    step_scores: StepScores | None = None,
    distinct: Sequence[int] | None = None,
) -> list[str]:
    """Statements on one critic's Best-of-N run whose reported figures are `headline`.

    `threshold`: what the critic itself calls a correct step above (None: it doesn't say). `lengths`, `step_counts` (one
    value per candidate) and `step_scores` (one list per candidate, empty where it has none) follow the order of the
    pools; `distinct` is the number of different responses of each question (None: taken to be all of them). With
    selection `vote` the scores play no part and aren't spoken of. Raises `DataError` where any of these doesn't fit the
    pools.
    """
    if selection == "vote":
        pools, step_scores = [replace(pool, scores=None) for pool in pools], None
    alike = headroom(pools, headline)
    return [
        *incomplete(pools),
        *identical_responses(pools, distinct),
        *alike,
        *constant(pools, selection, distinct),
        *always_positive(pools, step_scores, threshold),
        *follows(pools, lengths, "response length", step_scores, aggregation),
        *follows(pools, step_counts, "step count", step_scores, aggregation),
        *openings(step_scores, aggregation),
        *worse_than(headline, "random"),
        *worse_than(headline, "vote"),
        *([] if selection == "vote" else falls(headline)),
        *([] if alike else inconclusive(headline)),
    ]
