"""The stages between candidates and result: grading and scoring, each over a durable store.

A stage does the rows that are owed and no others. A row that fails is a row with its reason; where the question as a
whole failed (a missing image, say) its rows are tried again when the same command runs again, where the critic refused
a response that is final. When more fail than the run allows, the stage stops with everything done so far kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from vpbench.ahead import Ahead
from vpbench.base import Critic, Dialogue, Task
from vpbench.errors import CriticError, DataError, TooManyFailures
from vpbench.generate import PoolRow
from vpbench.judging import FAILED, UNREADABLE, JudgeStage
from vpbench.records import (
    COMPARISON_FAILED,
    EMPTY_RESPONSE,
    TIMEOUT,
    Candidate,
    GradingMode,
    Question,
    RowKey,
    Score,
    Verdict,
)
from vpbench.store import RowStore, content_hash


class Bar(Protocol):
    """A progress bar."""

    def update(self, n: int) -> Any:
        """Advance by `n` rows."""


Progress = Callable[[str, int], AbstractContextManager[Bar]]
"""Opens a progress bar: (what, number of rows)."""


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

    A row to which the judge gave no reply is wrong, with the reason, and owed again; so is one whose formulas weren't
    compared to the end.
    """
    wanted = {row.candidate.key: row for id in questions for row in rows[id]}
    dialogues: dict[RowKey, Dialogue] = {}
    failed: dict[RowKey, Verdict] = {}
    with RowStore(folder, "verdicts", key) as store, progress(f"grading {task.name}", len(wanted)) as bar:
        for done, (id, row) in enumerate(wanted.items()):
            content = content_hash(row.candidate.response, row.extraction)
            if _ungraded(store.rows.get(id), content):
                question = questions[row.candidate.question_id]
                dialogue = task.judge(question, row.candidate.response, row.extraction) if judge else None
                if dialogue is None:
                    verdict = _grade(task, question, row, mode)
                    store.append(id, {**_verdict_values(verdict), "content": content})
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
                    store.append(id, {**_verdict_values(verdict), "content": content})
                bar.update(1)
        return {id: failed.get(id) or _verdict(store.rows[id]) for id in wanted}


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
    make_ready: Callable[[], None] | None = None,
) -> dict[RowKey, Score]:
    """A score for every candidate, question by question. Raises `TooManyFailures`; what is done is kept.

    `make_ready` is called once if anything is owed (None: the critic's own `prepare`).
    """
    total = sum(len(candidates[id]) for id in questions)
    failures: list[str] = []
    ready = False
    with (
        RowStore(folder, "scores", key) as store,
        progress(f"scoring {key['task']} ({critic.name})", total) as bar,
        Ahead(critic) as ahead,
    ):
        ids = list(questions)
        for start in range(0, len(ids), critic.questions_at_once):
            chunk = ids[start : start + critic.questions_at_once]
            owed = {id: [each for each in candidates[id] if _owed(each, store.rows.get(each.key))] for id in chunk}
            work = [(questions[id], rows) for id, rows in owed.items() if rows]
            if work and not ready:
                (make_ready or critic.prepare)()
                ready = True
            ahead.wait()
            following = ids[start + 1 : start + 2]
            if work and any(_owed(each, store.rows.get(each.key)) for id in following for each in candidates[id]):
                ahead.start(questions[following[0]])
            for position, scores in _scored(critic, work):
                for each, score in zip(work[position][1], scores, strict=True):
                    store.append(each.key, {**asdict(score), "content": content_hash(each.response, each.steps)})
                store.flush()
            for each in (each for id in chunk for each in candidates[id]):
                bar.update(1)
                row = store.rows[each.key]
                if row["value"] is None and row["reason"] != EMPTY_RESPONSE:
                    failures.append(f"question {each.question_id!r} candidate {each.index}: {row['reason']}")
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


def _by_rule(verdict: Verdict) -> Verdict:
    """The rule's verdict on a row whose judge's reply can't be read."""
    return replace(verdict, reason=f"{UNREADABLE}: {verdict.reason}")


def _scored(critic: Critic, work: Sequence[tuple[Question, Sequence[Candidate]]]) -> Iterator[tuple[int, list[Score]]]:
    """The scores of every question, each with its position in `work`, as they are done."""
    done: Iterable[tuple[int, list[Score]]]
    if critic.questions_at_once == 1:
        done = enumerate(_scores(critic, question, candidates) for question, candidates in work)
    else:
        done = critic.score_questions(work)
    for position, scores in done:
        expected = len(work[position][1])
        if len(scores) != expected:
            raise CriticError(f"critic {critic.name!r} gave {len(scores)} scores for {expected} candidates")
        yield position, [_without_nan(score) for score in scores]


def _scores(critic: Critic, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
    """The scores; where the question as a whole failed, failures that another run may be spared."""
    try:
        return critic.score(question, candidates)
    except (DataError, CriticError) as error:
        return [Score(None, None, str(error), retry=True)] * len(candidates)


def _without_nan(score: Score) -> Score:
    nan = any(value is not None and math.isnan(value) for value in (score.value, *(score.steps or ())))
    return Score(None, None, "the score is NaN") if nan else score


def _owed(candidate: Candidate, row: Mapping[str, Any] | None) -> bool:
    """Whether there is no score of this very response, or one that failed for a reason that may be gone."""
    return row is None or row["retry"] or row.get("content") != content_hash(candidate.response, candidate.steps)


def _ungraded(row: Mapping[str, Any] | None, content: str) -> bool:
    """Whether there is no verdict on this very content, or one for a reason that may be gone."""
    if row is None or row.get("content") != content:
        return True
    # The rule's reason stands after the judge's where the judge's reply can't be read.
    return row["reason"].rpartition(": ")[2] in {TIMEOUT, COMPARISON_FAILED}


def _verdict(row: Mapping[str, Any]) -> Verdict:
    return Verdict(row["extracted"], row["answer_class"], row["correct"], row["reason"])


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
