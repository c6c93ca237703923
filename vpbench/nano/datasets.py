"""Data sets of drawn questions, in the form in which each benchmark's own files come.

Questions go through `Task.nano_row` into Parquet files named by split, pictures inline; labelled solutions go through
`StepTask.nano_solution_row` into JSONL with the pictures beside it. The readers of `vpbench.data` read them as they
read a benchmark's files.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.base import StepTask, Task
from vpbench.errors import Boundary
from vpbench.nano.conversations import as_question, nano_tasks, row_of
from vpbench.nano.families import KINDS, draw_mixed
from vpbench.records import CORRECT, INCORRECT, Drawn

Content = tuple[object, ...]


@dataclass(frozen=True)
class Labelled:
    """A solution with the truth about each step; `text` is the question as its task asks it."""

    drawn: Drawn
    text: str
    source: str
    steps: Sequence[str]
    labels: Sequence[bool]


def content(drawn: Drawn) -> Content:
    """All of a question but fonts, tints and other details of its picture: twins have the same."""
    return drawn.kind, drawn.text, drawn.options, tuple(drawn.picture.content), tuple(drawn.picture.key)


def draw_questions(kind: str, seed: int, count: int, taken: set[Content] | None = None) -> list[tuple[int, Drawn]]:
    """At least `count` questions of one kind in whole groups, each with its group's number, which starts at 1.

    With `taken`, a group with a question of a content in it is drawn anew; contents of the others are added to it.
    """
    rng = random.Random(f"{kind} {seed}")
    drawn: list[tuple[int, Drawn]] = []
    number = 0
    while len(drawn) < count:
        group = KINDS[kind](rng)
        if taken is not None:
            contents = {content(member) for member in group}
            if contents & taken:
                continue
            taken |= contents
        number += 1
        drawn += [(number, member) for member in group]
    return drawn


def draw_untaken(seed: int, count: int, taken: set[Content]) -> list[Drawn]:
    """`draw_mixed`, but what has a content in `taken` is drawn anew, as often as it takes; contents are added to it."""
    drawn, anew = draw_mixed(random.Random(seed), count), random.Random(f"anew {seed}")
    for number, question in enumerate(drawn):
        while content(drawn[number]) in taken:
            (drawn[number],) = draw_mixed(anew, 1, {question.kind: 1})
        taken.add(content(drawn[number]))
    return drawn


def questions_by_id(seed: int, count: int) -> dict[tuple[str, str], Drawn]:
    """`draw_questions` of every kind, by task and question id."""
    return {
        (task.name, as_question(task, drawn, number).id): drawn
        for kind, task in nano_tasks().items()
        for number, drawn in draw_questions(kind, seed, count)
    }


def write_questions(folder: Path, task: Task, questions: Sequence[tuple[int, Drawn]]) -> None:
    """Write questions of the task's kind, each with its group's number, one file per split."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from vpbench.data.table import SPLIT

    splits: dict[str, list[dict[str, Any]]] = {}
    for number, drawn in questions:
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
