"""The last stage of the miniature critics, as for any critic: Monte-Carlo labels, then the critic's own recipe.

The policy's solutions of fresh questions are labelled by the code of `vpbench label`, and the critic is trained by the
code of `vpbench train`; only the sizes are those of tiny models.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpbench.base import Critic
from vpbench.generate import Sampling
from vpbench.labels.label import label_task
from vpbench.labels.labelling import Labelling
from vpbench.nano.conversations import nano_tasks
from vpbench.nano.datasets import draw_questions, write_questions
from vpbench.nano.solutions import MAX_TOKENS
from vpbench.plugins import all_critics
from vpbench.progress import Progress
from vpbench.records import Drawn
from vpbench.run.models import Models
from vpbench.run.policy import Drawing, plan_sample
from vpbench.train.recipe import Recipe
from vpbench.train.run import recipe_of, train_critic
from vpbench.train.settings import TrainingRun

LABEL_SEED, QUESTIONS_PER_KIND, SOLUTIONS_PER_QUESTION = 8101, 210, 4
SIZES: dict[str, Any] = {
    "batch_size": 64,
    "learning_rate": 3e-5,
    "max_tiles": 1,
    "history": "placeholder",
    "packing": False,
    "bf16": True,
}
"""What differs from a full-size recipe. Turns before a step hold the placeholder, as in the pre-training."""


def critic_class(model: str) -> type[Critic]:
    """The critic that is trained into the miniature model of this name, "prm" or "orm"."""
    classes = (plugin.cls for plugin in all_critics().values() if hasattr(plugin.cls, "recipe"))
    return next(cls for cls in classes if cls.nano_settings.get("model") == model)


DrawQuestions = Callable[[str, int, int], list[tuple[int, Drawn]]]
"""From kind, seed and count, as `draw_questions`."""


def write_label_questions(
    folder: Path, seed: int = LABEL_SEED, per_kind: int = QUESTIONS_PER_KIND, draw: DrawQuestions = draw_questions
) -> None:
    """Questions to be labelled, a data folder for each task, all of them or none; nothing if `folder` is there."""
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        written = Path(scratch) / "written"
        for kind, task in nano_tasks().items():
            write_questions(written / task.name, task, draw(kind, seed, per_kind))
        written.rename(folder)


def label(
    questions: Path, policy: Path, labelling: Labelling, output: Path, progress: Progress, echo: Callable[[str], None]
) -> list[Path]:
    """Label solutions (temperature 1) of the questions written into `questions`; one file per task.

    What was drawn before with other `labelling` is used again: `output` keeps solutions and continuations.
    """
    sampling = Sampling(temperature=1.0, top_p=1.0, max_tokens=MAX_TOKENS)
    drawing = Drawing(str(policy), {}, SOLUTIONS_PER_QUESTION, sampling, seed=LABEL_SEED, prompt="question")
    files, models = [], Models()
    for task in nano_tasks().values():
        planned = plan_sample(task, questions / task.name, None, drawing, output, models)
        files.append(label_task(planned, labelling, 0.0, progress, echo))
    return files


def tune(
    critic: type[Critic],
    base: Path,
    files: Sequence[Path],
    output: Path,
    progress: Progress,
    echo: Callable[[str], None],
    **changes: Any,
) -> Path:
    """Train by the critic's recipe in these sizes, with `changes`; the checkpoint folder."""
    recipe: Recipe = replace(recipe_of(critic), **{**SIZES, **changes})
    return train_critic(critic(), TrainingRun(str(base), tuple(files), output), recipe, progress, echo)[0]


def keep(trained: Path, folder: Path) -> None:
    """Copy what ships of a trained checkpoint."""
    for path in trained.iterdir():
        if path.name != "README.md":
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path.name)
