"""What a task and a critic are.

A task is a class in one file, written against `Task` (Best-of-N) or `StepTask` (step detection); a critic is a frozen
dataclass in one file, written against `Critic`, whose fields are its settings. Nothing registers itself, so a file can
be read without side effects; `vpbench.plugins` finds the classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from vpbench.records import Candidate, GradingMode, LabelledSolution, Question, Score, Selection, Verdict


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task's data comes from.

    `split` may name several, joined by "+" ("a+b"), and so may `config`; a folder may hold the files of each
    configuration in a folder of its name. `revision` is the pinned commit on the hub (None: not known here, the commit
    found at load is recorded instead). `rows` is the number of the split's rows that are the task's, checked at load;
    `columns` are those the task reads.
    """

    hub_id: str
    split: str
    rows: int
    licence: str
    columns: tuple[str, ...]
    config: str = "default"
    revision: str | None = None
    image_columns: tuple[str, ...] = ()

    @property
    def configs(self) -> tuple[str, ...]:
        """The names that `config` joins."""
        return tuple(self.config.split("+"))


@dataclass(frozen=True, slots=True)
class Reference:
    """A published figure, in percent, with what is needed not to misread it."""

    policy: str
    critic: str
    n: int
    value: float
    where: str
    note: str = ""


class BaseTask(ABC):
    """What every task has. `version` rises whenever a change may alter results."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    source: ClassVar[Source]
    references: ClassVar[tuple[Reference, ...]] = ()


class Task(BaseTask):
    """A Best-of-N benchmark: questions, and a grader for free-form responses."""

    metric: ClassVar[str] = "accuracy"

    @abstractmethod
    def question(self, row: Mapping[str, Any], images: tuple[Any, ...]) -> Question | None:
        """The question of one data set row, None for a row that isn't the task's; `images` are its `ImageRef`s.

        Raises KeyError for a missing column.
        """

    @abstractmethod
    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Read the final answer of `response` and compare it. Never raises for anything a response may hold."""

    def grade_extraction(self, question: Question, extraction: str | None) -> Verdict | None:
        """Official verdict on an answer that a model extracted; None where the official rule extracts by itself."""
        return None

    def group_value(self, questions: Sequence[Question], correctness: Any) -> Any:
        """The metric's value of one group: the questions that share `Question.group`, in the data's order.

        `correctness` [len(questions), K] holds each question's expected correctness at K values of N. Candidates of
        different questions are drawn independently, so the expectation of a product is the product of expectations;
        the value [K] has to be linear in every row. None (the default): every question counts on its own.
        """
        return None

    def gold_response(self, question: Question) -> str:
        """A response that gives the gold answer, for `vpbench validate`."""
        return question.answer


class StepTask(BaseTask):
    """A step-detection benchmark: solutions whose steps carry labels."""

    metric: ClassVar[str] = "macro_f1"

    @abstractmethod
    def solution(self, row: Mapping[str, Any], images: tuple[Any, ...], index: int) -> LabelledSolution:
        """The labelled solution of row number `index`. Raises KeyError for a missing column."""


class Critic(ABC):
    """Scores the candidates of one question. Subclasses are frozen dataclasses; their fields are their settings."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    selection: ClassVar[Selection] = "best"
    needs_images: ClassVar[bool] = True
    step_threshold: ClassVar[float] = 0.5

    @abstractmethod
    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """One score per candidate, in order.

        A candidate that can't be scored gets a `Score` with value None and a reason. What concerns the whole question
        (a missing image, say) may be raised as `DataError` or `CriticError`.
        """

    def prepare(self) -> None:  # noqa: B027
        """Make ready to score: load what is needed. Called once before the first `score`; raises `CriticError`."""

    def revision(self) -> str:
        """What identifies the critic beyond its settings: a checkpoint's fingerprint, say."""
        return str(self.version)
