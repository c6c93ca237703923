"""Token sequences: a question for the policy, and a solution as critics are shown it.

The policy's conversation is what its chat template makes of one user message with a picture; the critics' is made by
`vpbench.nano.verification`. Question texts come from the tasks, so the models are trained on exactly what a run asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vpbench.base import Task
from vpbench.errors import Boundary
from vpbench.models.conversation import ASSISTANT_ROLE, IMAGE_MARKER, SEPARATOR, USER_ROLE, place_images
from vpbench.nano.architecture import VISUAL_TOKENS
from vpbench.nano.language import Words
from vpbench.plugins import all_tasks
from vpbench.records import Drawn, Question


def nano_tasks() -> dict[str, Task]:
    """The tasks that have a counterpart in the miniature world, by the kind of question they take."""
    tasks = (plugin.cls() for plugin in all_tasks().values() if plugin.cls.nano_kind)
    return {str(task.nano_kind): task for task in tasks if isinstance(task, Task)}


def row_of(task: Task, drawn: Drawn, number: int) -> dict[str, Any]:
    """A drawn question as a row of its task's data set; `number` is its group's. Raises `PluginError`."""
    with Boundary(f"task {task.name!r}: nano_row"):
        return task.nano_row(drawn, number)


def as_question(task: Task, drawn: Drawn, number: int = 0) -> Question:
    """A drawn question as its task reads it from a row, without the picture; `number` is its group's."""
    row = row_of(task, drawn, number)
    with Boundary(f"task {task.name!r}: question"):
        question = task.question(row, ())
    assert question is not None
    return question


@dataclass(frozen=True)
class Conversations:
    """Writes token sequences with one tokenizer, for the questions of `tasks` (by kind)."""

    words: Words
    tasks: Mapping[str, Task]

    def text(self, drawn: Drawn) -> str:
        """The question as its task asks it."""
        return as_question(self.tasks[drawn.kind], drawn).text

    def shown(self) -> list[int]:
        """A prompt that is a picture and nothing else."""
        user = place_images(f"{IMAGE_MARKER}\n", [1], VISUAL_TOKENS)
        return self.words.encode(USER_ROLE + user + SEPARATOR + ASSISTANT_ROLE)

    def asked(self, drawn: Drawn) -> list[int]:
        """The policy's prompt, up to where its answer starts."""
        user = place_images(f"{IMAGE_MARKER}\n{self.text(drawn)}", [1], VISUAL_TOKENS)
        return self.words.encode(USER_ROLE + user + SEPARATOR + ASSISTANT_ROLE)

    def answered(self, steps: Sequence[str]) -> list[int]:
        """The policy's response with its end."""
        return self.words.encode("\n\n".join(steps) + "<|im_end|>")
