"""What the scores themselves tell beside their values: how many steps were scored, and remarks on scored rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from vpbench.records import Score


def steps_per_response(scores: Collection[Score]) -> dict[str, Any] | None:
    """Mean and largest number of scored steps, and the share of responses with one; None without step scores."""
    counts = [len(score.steps) for score in scores if score.steps]
    if not counts:
        return None
    one = counts.count(1) / len(counts)
    return {"mean": sum(counts) / len(counts), "max": max(counts), "one_step_share": one, "responses": len(counts)}


def remarks(scores: Collection[Score]) -> list[str]:
    """One line for each remark that scored rows carry, with the number of rows."""
    found = Counter(score.reason for score in scores if score.reason is not None and score.value is not None)
    return [f"{count} row{'s' * (count != 1)} {remark}" for remark, count in sorted(found.items())]
