"""How far both grading modes agree with verdicts that benchmarks' own procedures gave to real responses.

A conformance file is JSONL (optionally .gz), one response per line: `benchmark` (a task's name), `system`,
`question_id`, `question` (null where the source has none), `choices`, `answer`, ..., `response`, and the verdict
`rerun_correct`, else `official_correct`; optionally `official_extraction`, what the official procedure took out of the
response. Rows that say of themselves that they hold no verdict on a model's response are left out and counted, and so
are those whose question can't be built. Rows that name no task are passed over.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vpbench.base import Task
from vpbench.data.load import question_from_fields
from vpbench.errors import ConfigError, DataError
from vpbench.generate.formats import json_lines, read_bytes
from vpbench.plugins import all_tasks
from vpbench.progress import bar
from vpbench.records import Question, Verdict
from vpbench.report.text import printable, table

HEADERS = ["benchmark", "system", "rows", "official\n(from the extraction\nwhere given)", "kappa", "robust", "kappa"]
ALL_SYSTEMS = "all systems"


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """Counts of rows: (our verdict, theirs) of each mode, and (reason, theirs) where robust grading disagrees."""

    official: Counter[tuple[bool, bool]] = dataclasses.field(default_factory=Counter)
    robust: Counter[tuple[bool, bool]] = dataclasses.field(default_factory=Counter)
    disagreements: Counter[tuple[str, bool]] = dataclasses.field(default_factory=Counter)

    def add(self, official: Verdict, robust: Verdict, theirs: bool) -> None:
        """Count one row."""
        self.official[official.correct, theirs] += 1
        self.robust[robust.correct, theirs] += 1
        if robust.correct != theirs:
            self.disagreements[robust.reason, theirs] += 1


@dataclasses.dataclass(frozen=True, slots=True)
class FileTally:
    """One file: tallies by (benchmark, system, only rows whose extraction stands in the response); rows not graded."""

    graded: dict[tuple[str, str, bool], Tally] = dataclasses.field(default_factory=dict)
    left_out: Counter[str] = dataclasses.field(default_factory=Counter)
    not_usable: Counter[str] = dataclasses.field(default_factory=Counter)


def agreement_and_kappa(pairs: Mapping[tuple[bool, bool], int]) -> tuple[float, float | None]:
    """Share of equal verdicts, and Cohen's kappa (observed - chance) / (1 - chance), chance from the two margins.

    `pairs` counts (our verdict, theirs); kappa is None where all verdicts of both are the same.
    """
    rows = sum(pairs.values())
    observed = sum(count for (mine, theirs), count in pairs.items() if mine == theirs) / rows
    mine, theirs = (sum(count for pair, count in pairs.items() if pair[side]) / rows for side in (0, 1))
    chance = mine * theirs + (1 - mine) * (1 - theirs)
    return observed, (observed - chance) / (1 - chance) if chance < 1 else None


def measure_conformance(folder: Path, echo: Callable[[str], None]) -> None:
    """Grade every row of the conformance files in `folder`; a table per file goes to `echo` when the file is done.

    Raises `ConfigError` if the folder has no row to grade, `DataError` for a file that can't be read.
    """
    graders = {name: found.cls() for name, found in all_tasks().items() if issubclass(found.cls, Task)}
    graded = False
    for path in sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")]):
        tally = _tally(path, graders)
        if tally.graded or tally.left_out or tally.not_usable:
            echo("\n\n".join([printable(path.name), *_report(tally)]) + "\n")
        graded = graded or bool(tally.graded)
    if not graded:
        raise ConfigError(
            f"{folder}: no row to grade; needed are .jsonl or .jsonl.gz files whose lines have a `benchmark` that is a "
            "task's name, a `response`, and `official_correct` true or false"
        )


def _tally(path: Path, tasks: Mapping[str, Task]) -> FileTally:
    tally, data = FileTally(), read_bytes(path)
    with bar(path.name, data.count(b"\n")) as progress:
        for where, row in json_lines(path, data):
            progress.update(1)
            benchmark = str(row.get("benchmark"))
            if benchmark not in tasks:
                continue
            theirs = _their_verdict(row)
            if isinstance(theirs, str):
                tally.left_out[theirs] += 1
                continue
            try:
                official, robust = _grade(tasks[benchmark], row, where)
            except (DataError, KeyError, TypeError, ValueError) as error:
                reason = str(error) if isinstance(error, DataError) else f"{type(error).__name__} {error}"
                reason = reason.removeprefix(f"{where}: ").removeprefix(f"question {row.get('question_id')}: ")
                tally.not_usable[reason] += 1
                continue
            for system in (str(row.get("system")), ALL_SYSTEMS):
                for in_response in (False, True) if row.get("extraction_in_response") else (False,):
                    tally.graded.setdefault((benchmark, system, in_response), Tally()).add(official, robust, theirs)
    return tally


def _their_verdict(row: Mapping[str, Any]) -> bool | str:
    """The row's own verdict of its response, or why it has none."""
    if not isinstance(row.get("response"), str):
        return "no response"
    if row.get("guesser"):
        return "a guesser, not a model"
    if row.get("extraction_follows_response") is False:
        return "the extraction isn't of this response"
    if row.get("random_fallback"):
        return "the official answer was drawn at random"
    verdicts = (row.get(name) for name in ("rerun_correct", "official_correct"))
    return next((verdict for verdict in verdicts if isinstance(verdict, bool)), "no verdict")


def _grade(task: Task, row: Mapping[str, Any], where: str) -> tuple[Verdict, Verdict]:
    """Official and robust verdict, the official one on the stored extraction if the task's rule takes one."""
    question = _question(task, row, where)
    official = None
    if "official_extraction" in row:
        given = row["official_extraction"]
        text = ", ".join(map(str, given)) if isinstance(given, list) else str(given)
        official = task.grade_extraction(question, None if given is None else text)
    response = row["response"]
    return official or task.grade(question, response, "official"), task.grade(question, response, "robust")


def _question(task: Task, row: Mapping[str, Any], where: str) -> Question:
    """The row's question. Grading reads no group, and a question text only where there is one."""
    fields = {**row, "question": row.get("question") or "", "group": row.get("group_id", row.get("question_id"))}
    question = question_from_fields(task, fields, where, Path())
    if not question.answer:
        raise DataError(f"{where}: no gold answer")
    return question


def _report(tally: FileTally) -> Iterator[str]:
    lines, classes = [], []
    for benchmark, system, in_response in sorted(tally.graded, key=lambda key: (key[0], key[1] == ALL_SYSTEMS, *key)):
        one = tally.graded[benchmark, system, in_response]
        lines.append([benchmark, f"{system}, extraction in response" if in_response else system, *_figures(one)])
        if system == ALL_SYSTEMS and not in_response:
            counts = one.disagreements.most_common()
            classes += [[benchmark, reason, "right" if theirs else "wrong", rows] for (reason, theirs), rows in counts]
    if lines:
        yield table(lines, HEADERS)
    if classes:
        yield table(classes, ["benchmark", "robust grading disagrees: its reason", "official verdict", "rows"])
    without = [["left out", *item] for item in tally.left_out.most_common()]
    without += [["not usable", *item] for item in tally.not_usable.most_common()]
    if without:
        yield table(without, ["not graded", "because", "rows"])


def _figures(tally: Tally) -> list[str]:
    cells = [str(sum(tally.robust.values()))]
    for pairs in (tally.official, tally.robust):
        agreement, kappa = agreement_and_kappa(pairs)
        cells += [f"{agreement:.2%}", "-" if kappa is None else f"{kappa:z.3f}"]
    return cells
