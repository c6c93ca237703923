"""Grade every gold answer of a task: rows that a grader itself rejects can never be counted right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vpbench.base import StepTask, Task
from vpbench.data import load_questions, load_solutions, task_folders
from vpbench.errors import Boundary
from vpbench.plugins import all_tasks, find_task, make_task
from vpbench.records import GradingMode
from vpbench.report.measures import unheard_names
from vpbench.terminal import printable


def validate_tasks(wanted: str, data: Path | None, mode: GradingMode, echo: Callable[[str], None]) -> bool:
    """Validate the task called `wanted`, or all; whether all gold answers are accepted, and all `breakdowns` are
    categories. Raises `ConfigError`."""
    folders = task_folders(data, sorted(all_tasks()), True, echo) if wanted == "all" else {wanted: data}
    accepted = [_validate(name, folder, mode, echo) for name, folder in folders.items()]
    return all(accepted)


def _validate(name: str, data: Path | None, mode: GradingMode, echo: Callable[[str], None]) -> bool:
    task = make_task(find_task(name))
    if isinstance(task, StepTask):
        solutions = load_solutions(task, data).solutions
        steps = sum(len(solution.labels) for solution in solutions)
        echo(f"{task.name}: {len(solutions)} solutions, {steps} labelled steps, all well-formed")
        return True
    assert isinstance(task, Task)
    loaded = load_questions(task, data)
    rejected = 0
    for id, question in loaded.questions.items():
        with Boundary(f"task {task.name!r}, question {id!r}: grade"):
            verdict = task.grade(question, task.gold_response(question), mode)
        if not verdict.correct:
            rejected += 1
            echo(
                f"{task.name} question {id} ({loaded.where[id]}): gold {printable(question.answer)!r} is rejected: "
                f"{verdict.reason}, read as {printable(str(verdict.extracted))!r}"
            )
    echo(f"{task.name}: {len(loaded.questions) - rejected} of {len(loaded.questions)} gold answers accepted ({mode})")
    unheard = unheard_names(task, loaded.questions.values())
    for note in unheard:
        echo(f"{task.name}: {printable(note)}")
    return not rejected and not unheard
