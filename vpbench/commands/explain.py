"""`vpbench explain`: how one response was read, by which rules, and what it was compared with, in both gradings.

The layers of reading are those that grading itself hands over (`Verdict.trace`); nothing is read a second time here.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from vpbench.base import Task
from vpbench.data import load_questions
from vpbench.data.miniature import nano_folder
from vpbench.errors import Boundary, ConfigError
from vpbench.plugins import find_task, make_task
from vpbench.records import GradingMode, Question
from vpbench.report.stored import StoredResult, read_result
from vpbench.report.texts import read_texts, stored_texts
from vpbench.terminal import table

Style = Literal["text", "json"]
SHOWN_CHARACTERS = 200
OWN_RULE = "the benchmark's own rule"


def explain(
    result: Path | None,
    task: str | None,
    id: str,
    response: Path | None,
    index: int | None,
    data: Path | None,
    nano: bool,
    style: Style,
) -> str:
    """How a response to the question `id` is graded: one of a stored `result`, or the file `response` ("-": input).

    Raises `ConfigError` for a task, question, candidate or file that isn't there, and where two responses are meant.
    """
    if result is not None:
        if task is not None or response is not None:
            raise ConfigError("RESULT brings task and response; leave --task and --response out")
        stored = read_result(result)
        task, nano = stored.result.task, nano or stored.result.nano
        text = _stored_response(stored, id, 0 if index is None else index)
    elif task is None or response is None:
        raise ConfigError("give --task and --response FILE (or -), or the folder of a RESULT")
    elif index is not None:
        raise ConfigError("--index is a candidate's of a RESULT; leave it out with --response")
    else:
        text = _response(response)
    return _shown(_question(task, id, data, nano), text, style)


def _shown(asked: tuple[Task, Question], response: str, style: Style) -> str:
    task, question = asked
    layers = {"robust": _layers(task, question, response, "robust"), "official": {"final answer": OWN_RULE}}
    layers["official"] |= _layers(task, question, response, "official")
    facts: dict[str, Any] = {"question": question.text, "choices": question.choices, "gold answer": question.answer}
    facts["response"] = response
    if style == "json":
        whole = {
            "task": task.name,
            "id": question.id,
            **_keyed(facts),
            **{mode: _keyed(layers[mode]) for mode in layers},
        }
        return json.dumps(whole, indent=1, ensure_ascii=False)
    facts["choices"] = "; ".join(f"({chr(ord('A') + at)}) {text}" for at, text in enumerate(question.choices or ()))
    names = dict.fromkeys([*layers["robust"], *layers["official"]])
    rows = [(name, *(_cell(layers[mode].get(name, "")) for mode in layers)) for name in names]
    heading = [(name, _cell(value)) for name, value in facts.items() if value]
    return "\n\n".join([f"{task.name}, question {question.id}", table(heading, ["", ""]), table(rows, ["", *layers])])


def _layers(task: Task, question: Question, response: str, mode: GradingMode) -> dict[str, Any]:
    """The layers of reading, in order, and the verdict."""
    with Boundary(f"task {task.name!r}, question {question.id!r}: grade"):
        verdict = task.grade(question, response, mode)
    outcome = {field.name: getattr(verdict, field.name) for field in fields(verdict) if field.name != "trace"}
    return dict(verdict.trace or (("compared with", question.answer),)) | outcome


def _keyed(layers: dict[str, Any]) -> dict[str, Any]:
    return {name.replace(" ", "_"): value for name, value in layers.items()}


def _cell(value: str | bool | None) -> str:
    """A value on one line, with its middle left out if it is long."""
    words = {None: "none", True: "yes", False: "no"}[value] if not isinstance(value, str) else " ".join(value.split())
    half = SHOWN_CHARACTERS // 2
    return words if len(words) <= SHOWN_CHARACTERS else f"{words[:half]} [...] {words[-half:]}"


def _question(name: str, id: str, data: Path | None, nano: bool) -> tuple[Task, Question]:
    task = make_task(find_task(name))
    if not isinstance(task, Task):
        raise ConfigError(f"task {task.name!r} has steps to be found, not answers to be graded; explain reads answers")
    if nano and data is not None:
        raise ConfigError(f"--nano brings its own data; leave --data {data} out")
    questions = load_questions(task, nano_folder(task.name) if nano else data).questions
    if id not in questions:
        raise ConfigError(f"{task.name} has no question {id!r}; {_near(id, questions)}")
    return task, questions[id]


def _near(id: str, ids: Collection[str]) -> str:
    close = difflib.get_close_matches(id, ids, n=3, cutoff=0.5) or list(ids)[:3]
    return f"there are {len(ids)}, such as {', '.join(close)}"


def _response(path: Path) -> str:
    if str(path) == "-":
        return sys.stdin.read()
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--response {path}: can't be read as UTF-8 text ({error})") from error


def _stored_response(stored: StoredResult, id: str, index: int) -> str:
    folder = stored_texts(stored)
    if folder is None:
        raise ConfigError(f"{stored.folder}: its texts aren't beside it; give --task, --id and --response FILE")
    candidates = read_texts(folder)[1]
    rows = candidates[candidates["question_id"] == id]
    if rows.empty:
        raise ConfigError(f"{stored.folder} has no question {id!r}; {_near(id, set(candidates['question_id']))}")
    chosen = rows[rows["index"] == index]
    if chosen.empty:
        have = ", ".join(map(str, sorted(rows["index"])[:10]))
        raise ConfigError(f"{stored.folder}, question {id!r}: no candidate {index}; there are {have}")
    response = chosen["response"].iloc[0]
    if response is None:
        raise ConfigError(f"{stored.folder}, question {id!r}: the response of candidate {index} is withheld")
    return str(response)
