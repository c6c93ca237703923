"""The stages between candidates and result: grading and scoring, each over a durable store.

A stage does the rows that are owed and no others. A row that fails is a row with its reason; where the question as a
whole failed (a missing image, say) its rows are tried again when the same command runs again, where the critic refused
a response that is final. When more fail than the run allows, the stage stops with everything done so far kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from vpbench.base import Critic, Task
from vpbench.errors import CriticError, DataError, TooManyFailures
from vpbench.generate import PoolRow
from vpbench.records import Candidate, GradingMode, Question, RowKey, Score, Verdict
from vpbench.store import RowStore


class Bar(Protocol):
    """A progress bar."""

    def update(self, n: int) -> Any:
        """Advance by `n` rows."""


Progress = Callable[[str, int], AbstractContextManager[Bar]]
"""Opens a progress bar: (what, number of rows)."""

EMPTY = "empty response"


def grade_stage(
    folder: Path,
    key: Mapping[str, Any],
    task: Task,
    questions: Mapping[str, Question],
    rows: Mapping[str, Sequence[PoolRow]],
    mode: GradingMode,
    progress: Progress,
) -> dict[RowKey, Verdict]:
    """A verdict for every row."""
    wanted = [row for id in questions for row in rows[id]]
    with RowStore(folder, "verdicts", key) as store, progress("grading", len(wanted)) as bar:
        for done, row in enumerate(wanted):
            if row.candidate.key not in store.rows:
                verdict = _grade(task, questions[row.candidate.question_id], row, mode)
                store.append(row.candidate.key, _verdict_values(verdict))
            if done % 64 == 63:
                store.flush()
                bar.update(64)
        return {row.candidate.key: Verdict(**store.rows[row.candidate.key]) for row in wanted}


def given_verdicts(rows: Mapping[str, Sequence[PoolRow]], ids: Sequence[str]) -> dict[RowKey, Verdict]:
    """The pool's own verdicts. Raises `DataError` naming the line that has none."""
    verdicts = {}
    for id in ids:
        for row in rows[id]:
            if row.verdict is None:
                raise DataError(f"{row.where}: no `correct`; --trust-verdicts needs it on every candidate")
            verdicts[row.candidate.key] = row.verdict
    return verdicts


def score_stage(
    folder: Path,
    key: Mapping[str, Any],
    critic: Critic,
    questions: Mapping[str, Question],
    candidates: Mapping[str, Sequence[Candidate]],
    max_error_rate: float,
    progress: Progress,
) -> dict[RowKey, Score]:
    """A score for every candidate, question by question. Raises `TooManyFailures`; what is done is kept."""
    total = sum(len(candidates[id]) for id in questions)
    failures: list[str] = []
    ready = False
    with RowStore(folder, "scores", key) as store, progress(f"scoring ({critic.name})", total) as bar:
        for id, question in questions.items():
            owed = [each for each in candidates[id] if each.key not in store.rows or store.rows[each.key]["retry"]]
            if owed and not ready:
                critic.prepare()
                ready = True
            scores, retry = _scores(critic, question, owed)
            for candidate, score in zip(owed, scores, strict=True):
                values = {"value": score.value, "steps": score.steps, "reason": score.reason, "retry": retry}
                store.append(candidate.key, values)
            store.flush()
            bar.update(len(candidates[id]))
            for each in candidates[id]:
                row = store.rows[each.key]
                if row["value"] is None and row["reason"] != EMPTY:
                    failures.append(f"question {id!r} candidate {each.index}: {row['reason']}")
            if len(failures) > max_error_rate * total:
                raise TooManyFailures(
                    f"scoring with {critic.name} stopped: {len(failures)} of {total} rows failed, more than "
                    f"--max-error-rate {max_error_rate:g} allows; what is done is kept. The first: {failures[0]}"
                )
        keys = [each.key for id in questions for each in candidates[id]]
        return {key: _score(store.rows[key]) for key in keys}


def _grade(task: Task, question: Question, row: PoolRow, mode: GradingMode) -> Verdict:
    verdict = None
    if mode == "official" and row.extraction is not None:
        verdict = task.grade_extraction(question, row.extraction)
    return verdict or task.grade(question, row.candidate.response, mode)


def _scores(critic: Critic, question: Question, candidates: Sequence[Candidate]) -> tuple[list[Score], bool]:
    """The scores, and whether they are failures that another run may be spared (a missing image, say)."""
    if not candidates:
        return [], False
    try:
        scores = critic.score(question, candidates)
    except (DataError, CriticError) as error:
        return [Score(None, None, str(error))] * len(candidates), True
    if len(scores) != len(candidates):
        raise CriticError(f"critic {critic.name!r} gave {len(scores)} scores for {len(candidates)} candidates")
    return [
        score if score.value is None or score.value == score.value else Score(None, score.steps, "the score is NaN")
        for score in scores
    ], False


def _verdict_values(verdict: Verdict) -> dict[str, Any]:
    return {
        "extracted": verdict.extracted,
        "answer_class": verdict.answer_class,
        "correct": verdict.correct,
        "reason": verdict.reason,
    }


def _score(row: Mapping[str, Any]) -> Score:
    steps = row["steps"]
    return Score(row["value"], None if steps is None else tuple(steps), row["reason"])
