"""How far both grading modes agree with verdicts that benchmarks' own procedures gave to real responses.

A conformance file is JSONL (optionally .gz), one response per line: `benchmark` (a task's name, or one that a task
lists in `other_rules`), `system`, `question_id`, `question` (null where the source has none), `choices`, `answer`, ...,
`response`, and the verdict `rerun_correct` (by the benchmark's code), else `official_correct`; optionally
`official_extraction`, what the official procedure took out of the response. Where `verdict_source` says that
`official_correct` is a judge's own reading, robust grading is compared with that.

A row that says of itself that its extraction isn't one of this response, or that no model wrote it, counts for official
grading of that extraction only. Rows without a verdict, and those whose question can't be built, are counted by reason.
Rows of other benchmarks are passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vpbench.base import Task
from vpbench.data.files import json_lines, read_bytes
from vpbench.data.load import question_from_fields
from vpbench.errors import Boundary, ConfigError, DataError, PluginError, VpbenchError
from vpbench.plugins import all_tasks, make_task
from vpbench.progress import bar
from vpbench.records import Question, Verdict
from vpbench.report.agreement import ALL_SYSTEMS, ComparedRow, FileTally, Tally
from vpbench.report.conformance_tables import conformance_section

JUDGED = "third_party_judge"


def measure_conformance(folder: Path, echo: Callable[[str], None]) -> None:
    """Grade every row of the conformance files in `folder`; Markdown for a file goes to `echo` when it is done.

    Raises `ConfigError` if the folder has no row to grade, `DataError` for a file that can't be read.
    """
    tasks = [task for plugin in all_tasks().values() if isinstance(task := make_task(plugin), Task)]
    graders: dict[str, Task] = {}
    for task in tasks:
        with Boundary(f"task {task.name!r}: other_rules"):
            graders |= {task.name: task, **task.other_rules()}
    graded = False
    for path in sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]):
        tally = _tally(path, graders)
        if tally.graded or tally.left_out or tally.not_usable:
            echo(conformance_section(tally) + "\n")
        graded = graded or bool(tally.graded)
    if not graded:
        raise ConfigError(
            f"{folder}: no row to grade; needed are .jsonl or .jsonl.gz files whose lines have a `benchmark` that is a "
            "task's name, a `response`, and `official_correct` true or false"
        )


def _tally(path: Path, graders: Mapping[str, Task]) -> FileTally:
    data = read_bytes(path)
    tally = FileTally(path.name, data.count(b"\n"), hashlib.sha256(data).hexdigest())
    with bar(path.name, tally.rows) as progress:
        for where, row in json_lines(path, data):
            progress.update(1)
            task = graders.get(str(row.get("benchmark")))
            if task is not None:
                _add(tally, task, row, where)
    return tally


def _add(tally: FileTally, task: Task, row: Mapping[str, Any], where: str) -> None:
    verdict = _their_verdict(row)
    if isinstance(verdict, str):
        tally.left_out[verdict] += 1
        return
    unread = _no_response_to_read(row)
    official = robust = None
    try:
        question = _question(task, row, where)
        with Boundary(f"task {task.name!r}: grade"):
            official = _official(task, question, row, from_response=unread is None)
            robust = task.grade(question, row["response"], "robust") if unread is None else None
    except (DataError, KeyError, TypeError, ValueError, PluginError) as error:
        reason = str(error) if isinstance(error, VpbenchError) else f"{type(error).__name__} {error}"
        unread = reason.removeprefix(f"{where}: ").removeprefix(f"question {row.get('question_id')}: ")
    if official is None:
        tally.not_usable[str(unread)] += 1
        return
    if unread is not None:
        tally.official_only[unread] += 1
    system = str(row.get("system"))
    if official.correct != verdict:
        tally.official_differs.append((system, str(row["question_id"]), verdict, official))
    judged = row.get("verdict_source") == JUDGED and isinstance(row.get("official_correct"), bool)
    compared = ComparedRow(official, verdict, robust, row["official_correct"] if judged else verdict)
    for name in (system, ALL_SYSTEMS):
        for in_response in (False, True) if robust and row.get("extraction_in_response") else (False,):
            tally.graded.setdefault((str(row["benchmark"]), name, in_response), Tally()).add(compared)


def _their_verdict(row: Mapping[str, Any]) -> bool | str:
    """The row's own verdict of its response, or why it has none."""
    if not isinstance(row.get("response"), str):
        return "no response"
    if row.get("random_fallback"):
        return "the official answer was drawn at random"
    verdicts = (row.get(name) for name in ("rerun_correct", "official_correct"))
    verdict = next((verdict for verdict in verdicts if isinstance(verdict, bool)), None)
    if verdict is not None:
        return verdict
    if row.get("needs_judge_model"):
        return "the official rule asks a judge model"
    return f"the official rule raises {row['raises']}" if row.get("raises") else "no verdict"


def _no_response_to_read(row: Mapping[str, Any]) -> str | None:
    if row.get("guesser"):
        return "a guesser, not a model"
    return "the extraction isn't of this response" if row.get("extraction_follows_response") is False else None


def _official(task: Task, question: Question, row: Mapping[str, Any], from_response: bool) -> Verdict | None:
    """The official verdict on the stored extraction if the task's rule takes one, else on the response."""
    verdict = None
    if "official_extraction" in row:
        given = row["official_extraction"]
        text = ", ".join(map(str, given)) if isinstance(given, list) else str(given)
        verdict = task.grade_extraction(question, None if given is None else text)
    if verdict is None and from_response:
        verdict = task.grade(question, row["response"], "official")
    return verdict


def _question(task: Task, row: Mapping[str, Any], where: str) -> Question:
    """The row's question. Grading reads no group, and a question text only where there is one."""
    fields = {**row, "question": row.get("question") or "", "group": row.get("group_id", row.get("question_id"))}
    question = question_from_fields(task, fields, where, Path())
    if not question.answer:
        raise DataError(f"{where}: no gold answer")
    return question
