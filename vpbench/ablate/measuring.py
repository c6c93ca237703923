"""What critics say of the miniature world's questions, through the pipeline that real runs use.

The graded candidates of all tasks count together as one benchmark, each question once; a benchmark's groups of
questions are named, so that they can be resampled whole. Labelled steps are those of the step task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vpbench.base import Critic, StepTask, Task
from vpbench.plugins import all_tasks
from vpbench.progress import bar
from vpbench.records import RowKey, Score
from vpbench.run.pipeline import Prepared, prepare, prepare_steps, score
from vpbench.run.request import Request, requests
from vpbench.stats import QuestionPool
from vpbench.terminal import echo


@dataclass(frozen=True)
class Candidates:
    """Graded candidates, task by task."""

    tasks: Sequence[Prepared]

    @property
    def texts(self) -> list[list[str]]:
        """The responses to each question."""
        return [[row.candidate.response for row in rows] for each in self.tasks for rows in each.rows.values()]

    @property
    def names(self) -> list[tuple[str, str]]:
        """Task and id of each question."""
        return [(each.task.name, id) for each in self.tasks for id in each.rows]

    @property
    def clusters(self) -> list[str]:
        """The name of each question's group, its own where it has none."""
        return [f"{each.task.name}/{one.group or one.id}" for each in self.tasks for one in each.questions.values()]

    def scores(self, critic: Critic) -> list[Mapping[RowKey, Score]]:
        """What the critic says of them, task by task; equal responses to a question are scored once."""
        return [_scores(each, critic) for each in self.tasks]

    def pools(self, scores: Sequence[Mapping[RowKey, Score]], aggregate: str = "mean") -> list[QuestionPool]:
        """Every question with its verdicts and scores; `aggregate` makes one score of those of the steps."""
        return [pool for task, scored in zip(self.tasks, scores, strict=True) for pool in task.pools(scored, aggregate)]


def graded_candidates(request: Request) -> Candidates:
    """The candidates that `request` asks for of every task of the miniature world, graded."""
    names = [name for name, each in all_tasks().items() if each.cls.nano_kind and issubclass(each.cls, Task)]
    return Candidates([prepare(found, here, bar) for found, here in requests(names, request, echo)])


def _scores(prepared: Prepared, critic: Critic) -> dict[RowKey, Score]:
    first = {id: {row.candidate.response: row for row in reversed(rows)} for id, rows in prepared.rows.items()}
    distinct = replace(prepared, rows={id: list(rows.values()) for id, rows in first.items()})
    scored = score(distinct, critic, bar).scores
    return {
        row.candidate.key: scored[first[id][row.candidate.response].candidate.key]
        for id, rows in prepared.rows.items()
        for row in rows
    }


@dataclass(frozen=True)
class JudgedSteps:
    """True labels of every solution's steps, and what a critic says of them."""

    labels: Sequence[Sequence[int]]
    scores: Sequence[Sequence[float]]


def judged_steps(critic: Critic, request: Request) -> JudgedSteps:
    """The labelled steps of the step task, scored."""
    name = next(name for name, each in all_tasks().items() if each.cls.nano_kind and issubclass(each.cls, StepTask))
    ((found, here),) = requests([name], request, echo)
    prepared = prepare_steps(found, here)
    scored = score(prepared, critic, bar).scores
    return JudgedSteps(
        [each.labels for each in prepared.solutions],
        [scored[each.candidate.key].steps or () for each in prepared.solutions],
    )
