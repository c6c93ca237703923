"""What a task and a critic are.

A task is a class in one file, written against `Task` (Best-of-N) or `StepTask` (step detection); a critic is a frozen
dataclass in one file, written against `Critic`, whose fields are its settings. Nothing registers itself, so a file can
be read without side effects; `vpbench.plugins` finds the classes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from vpbench.measures import Measure
from vpbench.prompts import chain_of_thought
from vpbench.records import (
    Candidate,
    Drawn,
    GradingMode,
    ImageRef,
    LabelledSolution,
    Question,
    Score,
    Selection,
    Verdict,
)
from vpbench.settings import identity_settings

if TYPE_CHECKING:
    from vpbench.measures import Array

Dialogue = Generator[str, str, Verdict | None]
"""A conversation with a judge model: yields prompts, is sent their replies; returns None if it can't read a reply."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a task's data comes from.

    `split` may name several, joined by "+" ("a+b"), and so may `config`; a folder may hold the files of each
    configuration in a folder of its name. `revision` is the pinned commit on the hub (None: not known here, the commit
    found at load is recorded instead). `rows` is the number of the split's rows that are the task's, checked at load;
    `columns` are those the task reads. `shown_publicly` is what the licence is known to allow on a public page, with
    the source named: questions ("texts"), and their pictures.
    """

    hub_id: str
    split: str
    rows: int
    licence: str
    columns: tuple[str, ...]
    config: str = "default"
    revision: str | None = None
    image_columns: tuple[str, ...] = ()
    shown_publicly: tuple[Literal["texts", "pictures"], ...] = ()

    @property
    def configs(self) -> tuple[str, ...]:
        """The names that `config` joins."""
        return tuple(self.config.split("+"))


@dataclass(frozen=True, slots=True)
class Reference:
    """A published figure, in percent, with what is needed not to misread it. `n` is None where there is none."""

    policy: str
    critic: str
    n: int | None
    value: float
    where: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReleasedModel:
    """A checkpoint on the hub, and what it takes to run it.

    `download_bytes` is the size of its weights, as they are stored and loaded; `token_bytes` that of one token's keys
    and values.
    """

    hub_id: str
    download_bytes: int
    token_bytes: int


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """The policy that a critic's authors select from: `samples` candidates per question, drawn at `temperature`.

    `where` is where they say so, `unsaid` what they don't say of it, so that ours can't pass for theirs.
    """

    model: ReleasedModel
    samples: int
    temperature: float
    where: str
    unsaid: str


class BaseTask(ABC):
    """What every task has. `version` rises whenever a change may alter results."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    source: ClassVar[Source]
    references: ClassVar[tuple[Reference, ...]] = ()
    nano_kind: ClassVar[str | None] = None
    """Which kind of the miniature world's questions stands for the task's own (`vpbench.nano.families.KINDS`)."""


class Task(BaseTask):
    """A Best-of-N benchmark: questions, and a grader for free-form responses."""

    metric: ClassVar[str] = "accuracy"
    suite: ClassVar[str | None] = "all"
    """The name by which `--task` asks for this task together with others; None for one asked for by its own only."""
    answer_line: ClassVar[str] = "Answer: X"
    """The form of the last line that the default prompt asks for, X being the answer."""
    breakdowns: ClassVar[tuple[str, ...]] = ()
    """The keys of `Question.categories` by which accuracy is reported."""
    shown: ClassVar[tuple[str, ...]] = ()
    """Names of measures and categories that the benchmark's own leaderboard shows; the summary shows these."""

    @abstractmethod
    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question | None:
        """The question of one data set row and the images of its image columns, None for a row that isn't the task's.

        `row` also has its number, counted from 0, under `__row__`, and its split under `__split__` where the source
        has several. Raises KeyError for a missing column.
        """

    def prompt(self, question: Question) -> str:
        """What a policy is asked, its images aside; by default to reason in steps and to end with an answer line."""
        return chain_of_thought(question, self.answer_line)

    @abstractmethod
    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Read the final answer of `response` and compare it. Never raises for anything a response may hold."""

    def grade_extraction(self, question: Question, extraction: str | None) -> Verdict | None:
        """Official verdict on an answer that a model extracted; None where the official rule extracts by itself."""
        return None

    def judge(self, question: Question, response: str, extraction: str | None) -> Dialogue | None:
        """How the official rule asks a language model about this row; None where it decides by itself (the default).

        `extraction` is the answer that a model has extracted already. Without a judge, or when a reply can't be read,
        `grade_extraction` and `grade` decide.
        """
        return None

    def group_value(self, questions: Sequence[Question], correctness: Array) -> Array | None:
        """The metric's value of one group: the questions that share `Question.group`, in the data's order.

        `correctness` [len(questions), K] holds each question's expected correctness at K values of N. Candidates of
        different questions are drawn independently, so the expectation of a product is the product of expectations;
        the value [K] has to be linear in every row. None (the default): every question counts on its own.
        """
        return None

    def measures(self, questions: Sequence[Question], correctness: Array) -> Sequence[Measure]:
        """Named figures beside accuracy and its breakdowns, of all questions; `correctness` as in `group_value`."""
        return ()

    def other_rules(self) -> Mapping[str, Task]:
        """Graders for conformance rows that go by another benchmark's name and are graded by rules of this task."""
        return {}

    def gold_response(self, question: Question) -> str:
        """A response that gives the gold answer, for `vpbench validate`."""
        return question.answer

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A drawn question as a row of the data set, without its images.

        All questions of a group are given the same `number`. Where the source has several splits, the row names its
        split under `__split__`.
        """
        raise NotImplementedError(f"task {self.name!r} has a nano_kind but no nano_row")


class StepTask(BaseTask):
    """A step-detection benchmark: solutions whose steps carry labels."""

    metric: ClassVar[str] = "macro_f1"
    """The headline: "macro_f1" over the labelled steps of all sources, or "mean_first_error_f1", the plain mean over
    the sources of `FirstErrorAccuracy.harmonic_mean`."""

    @abstractmethod
    def solution(self, row: Mapping[str, Any], images: tuple[ImageRef, ...], index: int) -> LabelledSolution:
        """The labelled solution of row number `index`. Raises KeyError for a missing column."""

    def nano_solution_row(
        self, image: str, text: str, answer: str, steps: Sequence[str], labels: Sequence[int], source: str, policy: str
    ) -> dict[str, Any]:
        """A solution of the miniature world as a row of the data set; `image` is a relative path, `source` a task."""
        raise NotImplementedError(f"task {self.name!r} has a nano_kind but no nano_solution_row")


class Critic(ABC):
    """Scores the candidates of one question. Subclasses are frozen dataclasses; their fields are their settings."""

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int] = 1
    selection: ClassVar[Selection] = "best"
    needs_images: ClassVar[bool] = True
    questions_at_once: ClassVar[int] = 1
    """How many questions `score_questions` is given at a time."""
    step_threshold: ClassVar[float] = 0.5
    nano_settings: ClassVar[Mapping[str, str]] = {}
    """Settings for the miniature world; `model` is one of its checkpoints, "prm" say."""
    released: ClassVar[ReleasedModel | None] = None
    """The checkpoint that its authors released, which is the `model` of a run that names none."""
    published_policy: ClassVar[PublishedPolicy | None] = None
    """What its authors select from, which a run without candidates draws from."""

    @abstractmethod
    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        """One score per candidate, in order.

        A candidate that can't be scored gets a `Score` with value None and a reason. What concerns the whole question
        (a missing image, say) may be raised as `DataError` or `CriticError`.
        """

    def score_questions(
        self, work: Sequence[tuple[Question, Sequence[Candidate]]]
    ) -> Iterator[tuple[int, list[Score]]]:
        """As `score` for several questions, each with its position in `work` as it is done; raises nothing for a row.

        Used where `questions_at_once` is more than 1: by a critic that gains from having many requests in hand.
        """
        for position, (question, candidates) in enumerate(work):
            yield position, self.score(question, candidates)

    def prepare(self) -> None:  # noqa: B027
        """Make ready to score: load what is needed. Called once before the first `score`; raises `CriticError`."""

    def prefetch(self, question: Question) -> None:  # noqa: B027
        """Do early what `score` needs of a question and no model: decode and cut its images, say.

        Called in another thread after `prepare`, for the question scored next, while the present one is scored. What
        can't be done is left to `score`.
        """

    def notes(self) -> Sequence[str]:
        """What a reader of the scores so far has to know of how they came about, where it isn't as asked for."""
        return ()

    def usage(self) -> Mapping[str, float]:
        """What scoring used so far (requests, tokens, cost in US dollars), where something is paid or counted."""
        return {}

    def revision(self) -> str:
        """What identifies the critic beyond its settings: a checkpoint's fingerprint, say."""
        return str(self.version)

    def identity(self) -> dict[str, Any]:
        """What determines the scores: name, version, revision and settings. Scores are kept under it."""
        return {
            "critic": self.name,
            "critic_version": self.version,
            "critic_revision": self.revision(),
            "settings": identity_settings(self),
        }
