"""Rebuild what the miniature world ships from nothing: `vpbench nano build`.

Models by the recipe, then questions and labelled solutions from seeds of their own, then 128 candidates per question,
drawn from the policy by the sample stage as any policy's are. The weights in the package are from these stages, run one
by one while the recipe was being found; a rebuild goes through them in one piece and gives close relatives.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from vpbench.base import StepTask, Task
from vpbench.nano import POOL
from vpbench.nano.datasets import Labelled, write_questions, write_solutions
from vpbench.plugins import all_tasks

QUESTIONS, CANDIDATES, SOLUTIONS = 64, 128, 420
QUESTION_SEED, SOLUTION_SEED, CANDIDATE_SEED = 9001, 9002, 9003


def build(data: Path, models: Path) -> None:
    """Train the models into `models`, and write questions, solutions and candidates into `data`."""
    from vpbench.nano.recipe import Recipe, build_models

    build_models(models, Recipe(), _log(time.perf_counter()))
    write_data(data, models / "policy")


def write_data(data: Path, policy: Path) -> None:
    """Questions, labelled solutions and candidates, from the policy in its checkpoint folder."""
    for found in all_tasks().values():
        task = found.cls()
        if task.nano_kind and isinstance(task, Task):
            write_questions(data / task.name, task, QUESTION_SEED, QUESTIONS)
            write_pool(data / task.name, task, policy)
        elif task.nano_kind and isinstance(task, StepTask):
            write_solutions(data / task.name, task, labelled_solutions(policy), "nano-policy")


def write_pool(folder: Path, task: Task, policy: Path) -> None:
    """Candidates of a task's questions in `folder`, by the sample stage."""
    from vpbench.generate.sampling import Drawing
    from vpbench.progress import bar
    from vpbench.sample import draw, export_pool, plan_sample

    drawing = Drawing(str(policy), samples=CANDIDATES, seed=CANDIDATE_SEED, prompt="question")
    with tempfile.TemporaryDirectory() as scratch:
        plan = plan_sample(task, folder, None, drawing, Path(scratch))
        export_pool(plan, draw(plan, 0.0, bar), folder / POOL)
    told = gzip.decompress((folder / POOL).read_bytes()).replace(json.dumps(str(policy)).encode(), b'"nano"')
    (folder / POOL).write_bytes(gzip.compress(told, mtime=0))


def labelled_solutions(policy: Path) -> list[Labelled]:
    """One sampled solution (temperature 1) to each of fresh questions, with the truth about each step."""
    from vpbench.nano.recipe import open_policy
    from vpbench.nano.solutions import sample
    from vpbench.nano.truth import step_labels

    model, native, talk = open_policy(policy)
    drawn = sample(model, native, talk, SOLUTION_SEED, SOLUTIONS, 1, 1.0)
    return [
        Labelled(own, talk.text(own), talk.tasks[own.kind].name, steps, step_labels(own, steps))
        for own, steps in ((drawn.drawn[place], steps) for place, steps in drawn.steps)
    ]


def _log(started: float) -> Callable[[str], None]:
    return lambda text: print(f"{time.perf_counter() - started:6.0f} s  {text}", flush=True)
