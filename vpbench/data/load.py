"""Questions and labelled solutions of a task, wherever its rows come from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from vpbench.base import Source, StepTask, Task
from vpbench.data.checks import checked_question
from vpbench.data.folder import read_folder
from vpbench.data.hub import read_hub
from vpbench.data.table import ROW, Row, Table, image_refs
from vpbench.errors import Boundary, DataError, PluginError
from vpbench.records import ImageRef, LabelledSolution, Question

Made = TypeVar("Made")

MOST_OPTIONS, MOST_DECIMALS = 100, 100
"""What a pool's own question fields may ask for; benchmarks have up to 26 options and 4 decimals."""


@dataclasses.dataclass(frozen=True, slots=True)
class QuestionSet:
    """A task's questions, in the data's order, by id; `where` names each one's row."""

    questions: dict[str, Question]
    where: dict[str, str]
    fingerprint: str
    origin: str
    revision: str | None


@dataclasses.dataclass(frozen=True, slots=True)
class SolutionSet:
    """A step task's labelled solutions, in the data's order."""

    solutions: list[LabelledSolution]
    fingerprint: str
    origin: str
    revision: str | None


def load_questions(task: Task, data: Path | None) -> QuestionSet:
    """The questions of `task` from the folder `data`, or from the hub. Raises `DataError`."""
    table = _table(task.source, data)
    questions: dict[str, Question] = {}
    where: dict[str, str] = {}
    for number, row in enumerate(table.rows):
        question = _read(task.source, row, task.question, {**row.values, ROW: number}, row.images)
        if question is None:
            continue
        checked_question(question, row.where)
        if question.id in questions:
            raise DataError(f"{row.where}: question id {question.id!r} is already at {where[question.id]}")
        questions[question.id] = question
        where[question.id] = row.where
    return QuestionSet(questions, where, _fingerprint(table, task), table.origin, table.revision)


def load_solutions(task: StepTask, data: Path | None) -> SolutionSet:
    """The labelled solutions of `task` from the folder `data`, or from the hub. Raises `DataError`."""
    table = _table(task.source, data)
    solutions = [
        _read(task.source, row, task.solution, row.values, row.images, number) for number, row in enumerate(table.rows)
    ]
    seen: dict[str, str] = {}
    for solution, row in zip(solutions, table.rows, strict=True):
        id = checked_question(solution.question, row.where).id
        if id in seen:
            raise DataError(f"{row.where}: question id {id!r} is already that of {seen[id]}; give every row its own")
        seen[id] = row.where
    return SolutionSet(solutions, _fingerprint(table, task), table.origin, table.revision)


def pool_questions(task: Task, fields: Mapping[str, tuple[Mapping[str, Any], str]], root: Path) -> QuestionSet:
    """The questions that a pool's lines carry: id to (fields, where the line is); image paths are relative to `root`.

    Raises `DataError` for a line that lacks what the task needs.
    """
    questions = {id: question_from_fields(task, row, where, root) for id, (row, where) in fields.items()}
    content = json.dumps([list(row.items()) for row, _ in fields.values()], sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()
    lines = {id: where for id, (_, where) in fields.items()}
    return QuestionSet(questions, lines, digest, "the pool's own question fields", None)


def question_from_fields(task: Task, fields: Mapping[str, Any], where: str, root: Path) -> Question:
    """A question out of the fields that a pool line carries (`question`, `answer`, `choices`, `precision`, ...)."""
    needed = ["question", "answer"]
    if type(task).group_value is not Task.group_value:
        needed.append("group")
    missing = [name for name in needed if fields.get(name) is None]
    if missing:
        raise DataError(f"{where}: no {missing[0]!r}, so the question can't be built from the pool; give --data DIR")
    choices = option_texts(fields.get("choices"))
    if len(choices) > MOST_OPTIONS:
        raise DataError(f"{where}: {len(choices)} choices; expected at most {MOST_OPTIONS}, correct `choices`")
    lines = [str(fields["question"]), *(f"({chr(ord('A') + index)}) {text}" for index, text in enumerate(choices))]
    images: tuple[ImageRef, ...] = ()
    if task.source.image_columns or fields.get("images"):
        images = image_refs(fields.get("images"), f"{where}, images", root)
    unit, group = fields.get("unit"), fields.get("group")
    question = Question(
        task=task.name,
        id=str(fields["question_id"]),
        text="\n".join(lines),
        images=images,
        choices=choices or None,
        answer=str(fields["answer"]),
        answer_type=str(fields.get("answer_type") or "text"),
        precision=_precision(fields.get("precision"), where),
        unit=None if unit is None else str(unit),
        group=None if group is None else str(group),
        categories=fields.get("categories") or {},
    )
    return checked_question(question, where)


def option_texts(given: Any) -> tuple[str, ...]:
    """Option texts, whether given as a list, as `{text: [...]}` or as one string that lists them; else none."""
    if isinstance(given, Mapping):
        given = given.get("text")
    if isinstance(given, str):
        from vpbench.grade import listed_options

        return listed_options(given) or ()
    return tuple(map(str, given)) if isinstance(given, list | tuple) else ()


def _precision(value: Any, where: str) -> int | None:
    if value is None:
        return None
    try:
        precision = int(value)
        if precision == float(value) and 0 <= precision <= MOST_DECIMALS:
            return precision
    except (ValueError, TypeError, OverflowError):
        pass  # refused below, as a value out of range is
    raise DataError(
        f"{where}: `precision` is {repr(value)[:40]}, expected a number of decimals from 0 to {MOST_DECIMALS}; correct "
        "it or leave it out"
    )


def _table(source: Source, data: Path | None) -> Table:
    return read_hub(source) if data is None else read_folder(source, data)


def _fingerprint(table: Table, task: Task | StepTask) -> str:
    return hashlib.sha256(f"{task.name} {task.version} {table.fingerprint}".encode()).hexdigest()


def _read(source: Source, row: Row, make: Callable[..., Made], *arguments: Any) -> Made:
    try:
        with Boundary(f"{row.where}: not a row of {source.hub_id}: {make.__name__}"):
            made = make(*arguments)
        if made is not None and not isinstance(made, Question | LabelledSolution):
            raise DataError(f"{make.__name__} gave a {type(made).__name__}, expected a record of vpbench")
        return made
    except DataError as error:
        raise DataError(f"{row.where}: {error}") from error
    except PluginError as error:
        raise DataError(f"{error}; the row has {', '.join(row.values)}") from error
