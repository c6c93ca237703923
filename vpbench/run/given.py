"""Scores from a file, put together with the rows that a run is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from vpbench.base import BaseTask, Task
from vpbench.errors import DataError
from vpbench.plugins import all_tasks
from vpbench.pools.formats import Statement
from vpbench.pools.match import mismatches
from vpbench.pools.scores import GivenScores
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, RowKey, Score
from vpbench.run.allowance import Allowance
from vpbench.run.request import Request


def task_names(statements: Iterable[Sequence[Statement]]) -> tuple[str, ...]:
    """The names of all tasks, where a statement names a benchmark that could be one."""
    named = any(statement.benchmark is not None for stated in statements for statement in stated)
    return tuple(all_tasks()) if named else ()


def rows_given(
    given: GivenScores, candidates: Mapping[str, Sequence[Candidate]], max_error_rate: float
) -> dict[RowKey, Score]:
    """A score for every candidate; one that the file has none for is a row that failed.

    Raises `TooManyFailures` if these are more than `max_error_rate` allows, `DataError` where the file has no row of
    the run's at all.
    """
    rows = [candidate for listed in candidates.values() for candidate in listed]
    if rows and not any(candidate.key in given.scores for candidate in rows):
        raise DataError(
            f"--scores {given.name}: no score for any of {len(rows)} rows, the first is question "
            f"{rows[0].question_id!r} candidate {rows[0].index}; scores are matched by `question_id` and `index` (or "
            "the place in `candidates`)"
        )
    allowance = Allowance(f"scoring with {given.name}", "rows", len(rows), max_error_rate)
    scores = {}
    for candidate in rows:
        score = given.scores.get(candidate.key) or Score(None, None, "no score in the file")
        if score.value is None and not score.steps:
            if not candidate.response.strip() and not candidate.withheld:
                score = Score(None, None, EMPTY_RESPONSE)
            else:
                where = given.lines.get(candidate.key, f"--scores {given.name}")
                row = f"question {candidate.question_id!r} candidate {candidate.index}"
                allowance.count(f"{row} ({where}): {score.reason}")
        scores[candidate.key] = score
    return scores


def notes_on_given(
    given: GivenScores,
    task: BaseTask,
    questions: Mapping[str, Question],
    origin: str,
    candidates: Mapping[str, Sequence[Candidate]],
    request: Request,
) -> list[str]:
    """What a reader has to know of a score file; raises `DataError` for one of another task.

    `candidates` are all that the file may have scores of, `origin` is what messages call the data.
    """
    names = task_names(given.statements.values())
    notes = mismatches(task, questions, given.statements, origin, names, request.allow_mismatch)
    rows = {candidate.key for listed in candidates.values() for candidate in listed}
    extra = [key for key in given.scores if key not in rows]
    # Of a step task that is limited only the rows asked for are at hand.
    if extra and (request.limit is None or isinstance(task, Task)):
        first = extra[0]
        notes.append(
            f"{len(extra)} of the {len(given.scores)} scores are of rows that aren't there, the first at "
            f"{given.lines[first]}: question {first[0]!r} candidate {first[1]}; left out"
        )
    return notes
