"""Data sets of drawn questions, in the form in which each benchmark's own files come.

Questions go through `Task.nano_row` into Parquet files named by split, pictures inline; labelled solutions go through
`StepTask.nano_solution_row` into JSONL with the pictures beside it. The readers of `vpbench.data` read them as they
read a benchmark's files.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from vpbench.base import StepTask, Task
from vpbench.errors import Boundary
from vpbench.nano.conversations import as_question, nano_tasks, row_of
from vpbench.nano.families import KINDS
from vpbench.records import CORRECT, INCORRECT, Drawn


@dataclass(frozen=True)
class Labelled:
    """A solution with the truth about each step; `text` is the question as its task asks it."""

    drawn: Drawn
    text: str
    source: str
    steps: Sequence[str]
    labels: Sequence[bool]


Member = TypeVar("Member")
Kinds = Mapping[str, Callable[[random.Random], list[Drawn]]]
"""How questions of each kind are drawn, a group at once."""


def draw_questions(kind: str, seed: int, count: int, kinds: Kinds = KINDS) -> list[tuple[int, Drawn]]:
    """At least `count` questions of one kind in whole groups, each with its group's number, which starts at 1."""
    return draw_groups(kinds[kind], f"{kind} {seed}", count)


def draw_groups(draw: Callable[[random.Random], list[Member]], seed: str, count: int) -> list[tuple[int, Member]]:
    """At least `count` members of whole groups, each with its group's number, which starts at 1."""
    rng = random.Random(seed)
    members: list[tuple[int, Member]] = []
    number = 0
    while len(members) < count:
        number += 1
        members += [(number, member) for member in draw(rng)]
    return members


def questions_by_id(seed: int, count: int) -> dict[tuple[str, str], Drawn]:
    """What `write_questions` writes for every task, by task and question id."""
    return {
        (task.name, as_question(task, drawn, number).id): drawn
        for kind, task in nano_tasks().items()
        for number, drawn in draw_questions(kind, seed, count)
    }


def write_questions(folder: Path, task: Task, seed: int, count: int, kinds: Kinds = KINDS) -> None:
    """Write `count` (or a few more, to complete a group) questions of the task's kind, one file per split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from vpbench.data.table import SPLIT

    splits: dict[str, list[dict[str, Any]]] = {}
    for number, drawn in draw_questions(str(task.nano_kind), seed, count, kinds):
        row = row_of(task, drawn, number)
        split = row.pop(SPLIT, task.source.split)
        image = {"bytes": drawn.picture.png(), "path": f"{number}{drawn.part}.png"}
        splits.setdefault(split, []).append({**row, task.source.image_columns[0]: image})
    folder.mkdir(parents=True, exist_ok=True)
    for split, rows in splits.items():
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet", compression="zstd")


def write_solutions(folder: Path, task: StepTask, solutions: Sequence[Labelled], policy: str) -> None:
    """Write labelled solutions and their pictures."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, solution in enumerate(solutions):
        image, drawn = f"images/{number:03d}.png", solution.drawn
        (folder / image).write_bytes(drawn.picture.png())
        labels = [CORRECT if right else INCORRECT for right in solution.labels]
        with Boundary(f"task {task.name!r}: nano_solution_row"):
            row = task.nano_solution_row(
                image, solution.text, drawn.answer, solution.steps, labels, solution.source, policy
            )
        lines.append(json.dumps(row) + "\n")
    (folder / f"{task.source.split}.jsonl").write_text("".join(lines), encoding="utf-8")
