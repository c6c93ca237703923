"""What the scores themselves tell beside their values: steps per response, remarks on scored rows, rows without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from vpbench.records import Reason, Score
from vpbench.report.result import NOT_SCORED, StepsPerResponse


def steps_per_response(scores: Collection[Score]) -> StepsPerResponse | None:
    """How many steps were scored; None without step scores."""
    counts = [len(score.steps) for score in scores if score.steps]
    if not counts:
        return None
    return StepsPerResponse(sum(counts) / len(counts), max(counts), counts.count(1) / len(counts), len(counts))


def remarks(scores: Collection[Score]) -> list[str]:
    """One line for each remark that scored rows carry, with the number of rows."""
    counts = Counter(score.reason for score in scores if score.reason is not None and score.value is not None)
    return [f"{count} row{'s' * (count != 1)} {remark}" for remark, count in sorted(counts.items())]


def score_errors(scores: Collection[Score]) -> dict[str, int]:
    """Rows without a score, counted by the kind of their reason."""
    unscored = [score for score in scores if score.value is None and not score.steps]
    return dict(Counter(f"{NOT_SCORED}{Reason(score.reason or '').kind}" for score in unscored))
