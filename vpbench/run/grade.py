"""The grade stage: a verdict for every candidate over a durable store, by rule or with a judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vpbench.base import Dialogue, Task
from vpbench.errors import DataError
from vpbench.pools.pool import PoolRow
from vpbench.progress import Progress
from vpbench.records import GradingMode, Question, RowKey, Verdict
from vpbench.run.judge import FAILED, UNREADABLE, JudgeStage
from vpbench.store import VERDICTS, RowStore, content_hash


def grade_stage(
    folder: Path,
    key: Mapping[str, Any],
    task: Task,
    questions: Mapping[str, Question],
    rows: Mapping[str, Sequence[PoolRow]],
    mode: GradingMode,
    progress: Progress,
    judge: JudgeStage | None = None,
) -> dict[RowKey, Verdict]:
    """A verdict for every row; where the rule asks a language model, from the judge if there is one.

    A row to which the judge gave no reply is wrong, with the reason, and owed again.
    """
    wanted = {row.candidate.key: row for id in questions for row in rows[id]}
    dialogues: dict[RowKey, Dialogue] = {}
    failed: dict[RowKey, Verdict] = {}
    with RowStore(folder, "verdicts", key) as store, progress(f"grading {task.name}", len(wanted)) as bar:
        for done, (id, row) in enumerate(wanted.items()):
            content = content_hash(row.candidate.response, row.extraction)
            if store.rows.get(id, {}).get("content") != content:
                question = questions[row.candidate.question_id]
                dialogue = task.judge(question, row.candidate.response, row.extraction) if judge else None
                if dialogue is None:
                    verdict = _grade(task, question, row, mode)
                    store.append(id, {**VERDICTS.to_row(verdict), "content": content})
                else:
                    dialogues[id] = dialogue
            if done % 64 == 63:
                store.flush()
                bar.update(64)
        with progress(f"judging {task.name}", len(dialogues)) as bar:
            for id, end in judge.hold(dialogues) if judge and dialogues else ():
                row = wanted[id]
                if isinstance(end, str):
                    failed[id] = Verdict(None, None, False, f"{FAILED}: {end}")
                else:
                    verdict = end or _by_rule(_grade(task, questions[row.candidate.question_id], row, mode))
                    content = content_hash(row.candidate.response, row.extraction)
                    store.append(id, {**VERDICTS.to_row(verdict), "content": content})
                bar.update(1)
        return {id: failed.get(id) or VERDICTS.from_row(store.rows[id]) for id in wanted}


def given_verdicts(rows: Mapping[str, Sequence[PoolRow]], ids: Sequence[str]) -> dict[RowKey, Verdict]:
    """The pool's own verdicts. Raises `DataError` naming the line that has none."""
    verdicts = {}
    for id in ids:
        for row in rows[id]:
            if row.verdict is None:
                raise DataError(f"{row.where}: no `correct`; --trust-verdicts needs it on every candidate")
            verdicts[row.candidate.key] = row.verdict
    return verdicts


def _grade(task: Task, question: Question, row: PoolRow, mode: GradingMode) -> Verdict:
    verdict = None
    if mode == "official" and row.extraction is not None:
        verdict = task.grade_extraction(question, row.extraction)
    return verdict or task.grade(question, row.candidate.response, mode)


def _by_rule(verdict: Verdict) -> Verdict:
    """The rule's verdict on a row whose judge's reply can't be read."""
    return replace(verdict, reason=f"{UNREADABLE}: {verdict.reason}")
