"""The grade stage: a verdict for every candidate over a durable store, by rule or with a judge.

Rows that are owed are graded, no others. A row whose grader raises, or to which the judge gave no reply, is wrong, with
the reason; like one whose formulas weren't compared to the end it is owed again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vpbench.base import Dialogue, Task
from vpbench.errors import Boundary, DataError, PluginError
from vpbench.pools.pool import PoolRow
from vpbench.progress import Progress
from vpbench.records import COMPARISON_FAILED, TIMEOUT, GradingMode, Question, Reason, RowKey, Verdict
from vpbench.run.allowance import Allowance
from vpbench.run.checks import checked_verdict
from vpbench.run.judge import FAILED, UNREADABLE, End, JudgeStage
from vpbench.store import VERDICTS, RowStore, content_hash

GRADER_FAILED = "grader failed"
"""The kind of reason of a row whose grader raised."""

FLUSHED_ROWS = 64
"""Verdicts are handed to the operating system so many at a time."""


@dataclass(frozen=True)
class GradeStage:
    """Grading for one task: by rule, or with `judge` where the official rule asks a language model."""

    task: Task
    mode: GradingMode
    progress: Progress
    max_error_rate: float
    judge: JudgeStage | None = None

    def verdicts(
        self,
        folder: Path,
        key: Mapping[str, Any],
        questions: Mapping[str, Question],
        rows: Mapping[str, Sequence[PoolRow]],
    ) -> dict[RowKey, Verdict]:
        """A verdict for every row of the questions, kept in `folder` under `key`.

        Raises `TooManyFailures` once the graders of more rows than allowed raise; what is done is kept.
        """
        wanted = {row.candidate.key: row for id in questions for row in rows[id]}
        allowance = Allowance(f"grading {self.task.name}", "rows", len(wanted), self.max_error_rate)
        failed: dict[RowKey, Verdict] = {}
        dialogues: dict[RowKey, Dialogue] = {}
        with RowStore(folder, "verdicts", key) as store, self.progress(f"grading {self.task.name}", len(wanted)) as bar:
            for number, (row_key, row) in enumerate(wanted.items(), 1):
                if _owed(store.rows.get(row_key), row):
                    try:
                        outcome = self._by_rule_or_dialogue(questions[row_key[0]], row)
                    except PluginError as error:
                        failed[row_key] = Verdict(None, None, False, f"{GRADER_FAILED}: {error}")
                        allowance.count(f"question {row_key[0]!r} candidate {row_key[1]}: {error}")
                    else:
                        if isinstance(outcome, Verdict):
                            _keep(store, row, outcome)
                        else:
                            dialogues[row_key] = outcome
                if number % FLUSHED_ROWS == 0:
                    store.flush()
                bar.update(1)
            for row_key, verdict in self._judged(dialogues, questions, wanted):
                if isinstance(verdict, Verdict):
                    _keep(store, wanted[row_key], verdict)
                else:
                    failed[row_key] = Verdict(None, None, False, verdict)
                    if Reason(verdict).kind == GRADER_FAILED:
                        allowance.count(f"question {row_key[0]!r} candidate {row_key[1]}: {verdict}")
            return {row_key: failed.get(row_key) or VERDICTS.from_row(store.rows[row_key]) for row_key in wanted}

    def _by_rule_or_dialogue(self, question: Question, row: PoolRow) -> Verdict | Dialogue:
        dialogue = None
        if self.judge is not None:
            with Boundary(f"{_plugin(self.task, row)} judge"):
                dialogue = self.task.judge(question, row.candidate.response, row.extraction)
        return self._by_rule(question, row) if dialogue is None else dialogue

    def _by_rule(self, question: Question, row: PoolRow) -> Verdict:
        where = _plugin(self.task, row)
        verdict = None
        if self.mode == "official" and row.extraction is not None:
            with Boundary(f"{where} grade_extraction"):
                verdict = self.task.grade_extraction(question, row.extraction)
        if verdict is None:
            with Boundary(f"{where} grade"):
                verdict = self.task.grade(question, row.candidate.response, self.mode)
        return checked_verdict(verdict, where)

    def _judged(
        self, dialogues: Mapping[RowKey, Dialogue], questions: Mapping[str, Question], rows: Mapping[RowKey, PoolRow]
    ) -> Iterator[tuple[RowKey, Verdict | str]]:
        """The verdict of each conversation with the judge, or why there is none."""
        if self.judge is None or not dialogues:
            return
        with self.progress(f"judging {self.task.name}", len(dialogues)) as bar:
            for row_key, end in self.judge.hold(dialogues):
                try:
                    yield row_key, self._after_dialogue(end, questions[row_key[0]], rows[row_key])
                except PluginError as error:
                    yield row_key, f"{GRADER_FAILED}: {error}"
                bar.update(1)

    def _after_dialogue(self, end: End, question: Question, row: PoolRow) -> Verdict | str:
        if isinstance(end, PluginError):
            raise end
        if isinstance(end, str):
            return f"{FAILED}: {end}"
        if end is not None:
            return checked_verdict(end, _plugin(self.task, row))
        verdict = self._by_rule(question, row)
        return replace(verdict, reason=f"{UNREADABLE}: {verdict.reason}")


def grade_notes(verdicts: Mapping[RowKey, Verdict]) -> list[str]:
    """What a reader of the result has to know of rows that were not graded to the end."""
    unfinished = [row_key for row_key, verdict in verdicts.items() if _unfinished(verdict.reason)]
    if not unfinished:
        return []
    id, index = unfinished[0]
    return [
        f"{len(unfinished)} of {len(verdicts)} rows were not graded to the end and count as wrong; the same command "
        f"tries them again; the first: question {id!r} candidate {index}: {verdicts[unfinished[0]].reason}"
    ]


def given_verdicts(rows: Mapping[str, Sequence[PoolRow]], ids: Sequence[str]) -> dict[RowKey, Verdict]:
    """The pool's own verdicts. Raises `DataError` naming the line that has none."""
    verdicts = {}
    for id in ids:
        for row in rows[id]:
            if row.verdict is None:
                raise DataError(f"{row.where}: no `correct`; --trust-verdicts needs it on every candidate")
            verdicts[row.candidate.key] = row.verdict
    return verdicts


def _plugin(task: Task, row: PoolRow) -> str:
    return f"task {task.name!r}, question {row.candidate.question_id!r} candidate {row.candidate.index}:"


def _content(row: PoolRow) -> str:
    return content_hash(row.candidate.response, row.extraction)


def _keep(store: RowStore, row: PoolRow, verdict: Verdict) -> None:
    store.append(row.candidate.key, {**VERDICTS.to_row(verdict), "content": _content(row)})


def _owed(stored: Mapping[str, Any] | None, row: PoolRow) -> bool:
    """Whether there is no verdict on this very content, or one for a reason that may be gone."""
    if stored is None or stored.get("content") != _content(row):
        return True
    return _not_compared(stored["reason"])


def _unfinished(reason: str) -> bool:
    return _not_compared(reason) or Reason(reason).kind == GRADER_FAILED


def _not_compared(reason: str) -> bool:
    # Where the judge's reply can't be read the rule's reason stands after the judge's.
    return reason.rpartition(": ")[2] in {TIMEOUT, COMPARISON_FAILED}
