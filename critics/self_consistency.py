"""Self-consistency (Wang et al., 2023): the answer most candidates give.

Every candidate counts the same, so the critic gives 1 to all and selects by `vote`; answers count as equal when the
task's grader puts them in one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from vpbench import Candidate, Critic, Question, Score, Selection


@dataclass(frozen=True)
class SelfConsistency(Critic):
    """Majority vote over answer classes; has no settings and needs no images."""

    name: ClassVar[str] = "self-consistency"
    title: ClassVar[str] = "Self-consistency (majority vote)"
    selection: ClassVar[Selection] = "vote"
    needs_images: ClassVar[bool] = False

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """1 for every candidate."""
        return [Score(1.0) for _ in candidates]
