"""Rebuild what the miniature world ships from nothing: `vpbench nano build`.

Models by the recipe, then questions and labelled solutions from seeds of their own, none a twin of one that the models
learned from, then 128 candidates per question, drawn from the policy by the sample stage as any policy's are. One
thread, as sums in another order are other sums.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vpbench.base import StepTask, Task
from vpbench.data.miniature import POOL
from vpbench.errors import ConfigError
from vpbench.nano.conversations import Conversations, nano_tasks
from vpbench.nano.datasets import (
    Content,
    Labelled,
    content,
    draw_questions,
    draw_untaken,
    write_questions,
    write_solutions,
)
from vpbench.nano.families import KINDS
from vpbench.nano.language import Words, read_ids
from vpbench.plugins import all_tasks
from vpbench.pools.write import export_pool
from vpbench.records import Drawn

QUESTIONS, CANDIDATES, SOLUTIONS = 64, 128, 420
QUESTION_SEED, SOLUTION_SEED, CANDIDATE_SEED = 9101, 9102, 9103


@dataclass(frozen=True)
class ShippedQuestions:
    """Questions by kind, each with its group's number, and those of the labelled solutions."""

    asked: Mapping[str, Sequence[tuple[int, Drawn]]]
    solved: Sequence[Drawn]


def draw_shipped(learned: Iterable[Content]) -> ShippedQuestions:
    """The questions that ship: none has a content in `learned`, no two have the same."""
    taken = set(learned)
    asked = {kind: draw_questions(kind, QUESTION_SEED, QUESTIONS, taken) for kind in KINDS}
    return ShippedQuestions(asked, draw_untaken(SOLUTION_SEED, SOLUTIONS, taken))


def build(folder: Path, echo: Callable[[str], None]) -> None:
    """Train the models into `folder`/models, and write questions, solutions and candidates into `folder`/data.

    Raises `ConfigError` where `folder` holds anything.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(
            f"{folder} isn't an empty folder, and a build doesn't go on from an earlier one; choose another by --into"
        )
    import torch

    from vpbench.nano.learned import learned_from
    from vpbench.nano.recipe import WorldRecipe, build_models

    torch.set_num_threads(1)
    started = time.perf_counter()

    def log(text: str) -> None:
        echo(f"{time.perf_counter() - started:6.0f} s  {text}")

    recipe = WorldRecipe()
    build_models(folder / "models", folder / "scratch", recipe, log)
    write_data(folder / "data", folder / "models" / "policy", draw_shipped(map(content, learned_from(recipe))))
    log(f"written to {folder}")


def write_data(data: Path, policy: Path, questions: ShippedQuestions) -> None:
    """Questions, labelled solutions and candidates, from the policy in its checkpoint folder."""
    for plugin in all_tasks().values():
        task = plugin.cls()
        if task.nano_kind and isinstance(task, Task):
            write_questions(data / task.name, task, questions.asked[task.nano_kind])
            write_pool(data / task.name, task, policy)
        elif task.nano_kind and isinstance(task, StepTask):
            write_solutions(data / task.name, task, labelled_solutions(policy, questions.solved), "nano-policy")


def write_pool(folder: Path, task: Task, policy: Path) -> None:
    """Candidates of a task's questions in `folder`, by the sample stage."""
    from vpbench.progress import bar
    from vpbench.run.draw import draw
    from vpbench.run.models import Models
    from vpbench.run.policy import Drawing, plan_sample

    drawing = Drawing(str(policy), samples=CANDIDATES, seed=CANDIDATE_SEED, prompt="question")
    with tempfile.TemporaryDirectory() as scratch:
        plan = plan_sample(task, folder, None, drawing, Path(scratch), Models())
        candidates = [replace(candidate, policy="nano") for candidate in draw(plan, 0.0, bar)]
    export_pool(folder / POOL, plan.task.name, plan.prompts, candidates)


def labelled_solutions(policy: Path, questions: Sequence[Drawn]) -> list[Labelled]:
    """One sampled solution (temperature 1) to each question, with the truth about each step."""
    from vpbench.nano.solutions import sample
    from vpbench.nano.truth import step_labels

    talk = Conversations(Words(read_ids(policy)), nano_tasks())
    sampled = sample(policy, talk, questions, SOLUTION_SEED, 1, 1.0)
    return [
        Labelled(question, talk.text(question), talk.tasks[question.kind].name, steps, step_labels(question, steps))
        for question, steps in ((sampled.drawn[number], steps) for number, steps in sampled.steps)
    ]
