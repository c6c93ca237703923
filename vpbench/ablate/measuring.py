"""Critics' scores of the miniature world's questions, through the pipeline that real runs use.

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
from vpbench.run.pipeline import prepare, prepare_steps, score
from vpbench.run.prepared import Prepared
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
        return [[row.candidate.response for row in rows] for prepared in self.tasks for rows in prepared.rows.values()]

    @property
    def clusters(self) -> list[str]:
        """The name of each question's group, or of the question where it has none."""
        return [
            f"{prepared.task.name}/{question.group or question.id}"
            for prepared in self.tasks
            for question in prepared.questions.values()
        ]

    def scores(self, critic: Critic) -> list[Mapping[RowKey, Score]]:
        """The critic's scores, task by task; equal responses to a question are scored once."""
        return [_scores(prepared, critic) for prepared in self.tasks]

    def pools(self, scores: Sequence[Mapping[RowKey, Score]], aggregate: str = "mean") -> list[QuestionPool]:
        """Every question with its verdicts and scores; `aggregate` makes one score of those of the steps."""
        return [
            pool
            for prepared, scored in zip(self.tasks, scores, strict=True)
            for pool in prepared.pools(scored, aggregate)
        ]


def graded_candidates(request: Request) -> Candidates:
    """The candidates that `request` asks for of every task of the miniature world, graded."""
    names = [name for name, plugin in all_tasks().items() if plugin.cls.nano_kind and issubclass(plugin.cls, Task)]
    return Candidates([prepare(plugin, task_request, bar) for plugin, task_request in requests(names, request, echo)])


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
    """True labels of every solution's steps, and a critic's scores of them."""

    labels: Sequence[Sequence[int]]
    scores: Sequence[Sequence[float]]


def judged_steps(critic: Critic, request: Request) -> JudgedSteps:
    """The labelled steps of the step task, scored."""
    name = next(
        name for name, plugin in all_tasks().items() if plugin.cls.nano_kind and issubclass(plugin.cls, StepTask)
    )
    ((plugin, task_request),) = requests([name], request, echo)
    prepared = prepare_steps(plugin, task_request)
    scored = score(prepared, critic, bar).scores
    return JudgedSteps(
        [solution.labels for solution in prepared.solutions],
        [scored[solution.candidate.key].steps or () for solution in prepared.solutions],
    )
