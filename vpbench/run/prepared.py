"""A task made ready for critics: questions and candidates, with verdicts or labels; and what a critic said of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vpbench.base import BaseTask, StepTask, Task
from vpbench.pools.pool import PoolRow
from vpbench.records import Candidate, LabelledSolution, Question, RowKey, Score, Selection, Verdict
from vpbench.run.request import Request

if TYPE_CHECKING:
    from vpbench.stats import QuestionPool


@dataclass(frozen=True, kw_only=True)
class Common(ABC):
    """What both kinds of prepared tasks have.

    `total` is the number of rows the task has, `seconds` are by stage. `origin` says where the candidates come from: a
    pool's name, or "steps" for the task's own solutions. `pool_sha256` is of all that the pool holds, `drawing` says
    how its candidates were drawn and `judge` by whom they were judged, each None where that isn't so.
    """

    request: Request
    key: dict[str, Any]
    data_origin: str
    data_revision: str | None
    total: int
    notes: list[str]
    seconds: dict[str, float]
    task: BaseTask
    questions: dict[str, Question]
    origin: str
    pool_sha256: str | None = None
    drawing: dict[str, Any] | None = None
    judge: dict[str, Any] | None = None

    @property
    def policy(self) -> str:
        """What results call whoever answered: the policy's label or name, the pool's name.

        A pool that is called as its task, one of a folder of them, has the folder's name.
        """
        drawing, pool = self.request.drawing, self.request.pool
        if drawing is not None and drawing.label is not None:
            return drawing.label
        in_a_folder = pool is not None and self.origin == self.task.name
        return pool.resolve().parent.name or self.origin if pool is not None and in_a_folder else self.origin

    @property
    @abstractmethod
    def candidates(self) -> dict[str, list[Candidate]]:
        """By question id."""


@dataclass(frozen=True, kw_only=True)
class Prepared(Common):
    """A Best-of-N task's candidates, by question id, with what their pool says of them, and their verdicts."""

    task: Task
    rows: dict[str, list[PoolRow]]
    verdicts: dict[RowKey, Verdict]

    @property
    def candidates(self) -> dict[str, list[Candidate]]:
        """See `Common`."""
        return {id: [row.candidate for row in rows] for id, rows in self.rows.items()}

    def pools(self, scores: Mapping[RowKey, Score], aggregate: str) -> list[QuestionPool]:
        """Every question's candidates as statistics take them; `aggregate` makes one score of those of the steps."""
        return [self._pool(question, scores, aggregate) for question in self.questions.values()]

    def _pool(self, question: Question, scores: Mapping[RowKey, Score], aggregate: str) -> QuestionPool:
        import numpy as np

        from vpbench.stats import QuestionPool

        keys = [row.candidate.key for row in self.rows[question.id]]
        verdicts = [self.verdicts[key] for key in keys]
        values = [candidate_value(scores[key], aggregate) for key in keys]
        return QuestionPool(
            question_id=question.id,
            correct=np.array([verdict.correct for verdict in verdicts], dtype=np.bool_),
            classes=tuple(verdict.answer_class for verdict in verdicts),
            scores=np.array([np.nan if value is None else value for value in values], dtype=np.float64),
            group=question.group,
        )


@dataclass(frozen=True, kw_only=True)
class PreparedSteps(Common):
    """A step task's labelled solutions, each with a question of its own."""

    task: StepTask
    solutions: list[LabelledSolution]

    @property
    def candidates(self) -> dict[str, list[Candidate]]:
        """See `Common`."""
        return {solution.question.id: [solution.candidate] for solution in self.solutions}


@dataclass(frozen=True)
class Scored:
    """What one critic said of the prepared rows; `label` is what the study calls it, None for its own name."""

    critic: str
    selection: Selection
    step_threshold: float
    aggregation: str
    settings: dict[str, Any]
    revision: str
    scores: dict[RowKey, Score]
    key: dict[str, Any]
    seconds: float
    usage: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    label: str | None = None


def candidate_value(score: Score, how: str) -> float | None:
    """One number for a candidate: its aggregated step scores, or its own score where it has no steps.

    Raises `ConfigError` for step scores that the aggregation means nothing for.
    """
    from vpbench.stats import aggregate, check_meaning

    if not score.steps:
        return score.value
    check_meaning(score.steps, how)
    return aggregate(score.steps, how)
