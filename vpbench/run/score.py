"""The stages between candidates and result: grading and scoring, each over a durable store.

A stage does the rows that are owed and no others. A row that fails is a row with its reason; where the question as a
whole failed (a missing image, say) its rows are tried again when the same command runs again, where the critic refused
a response that is final. When more fail than the run allows, the stage stops with everything done so far kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.base import Critic
from vpbench.errors import CriticError, DataError
from vpbench.progress import Progress
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, RowKey, Score
from vpbench.run.allowance import Allowance
from vpbench.run.prefetch import Ahead
from vpbench.store import SCORES, RowStore, content_hash


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
    allowance = Allowance(f"scoring with {critic.name}", "rows", total, max_error_rate)
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
                    store.append(each.key, {**SCORES.to_row(score), "content": content_hash(each.response, each.steps)})
                store.flush()
            done = {each.key: store.rows[each.key] for id in chunk for each in candidates[id]}
            bar.update(len(done))
            allowance.count(
                *(
                    f"question {id!r} candidate {index}: {row['reason']}"
                    for (id, index), row in done.items()
                    if row["value"] is None and row["reason"] != EMPTY_RESPONSE
                )
            )
        keys = [each.key for id in questions for each in candidates[id]]
        return {key: SCORES.from_row(store.rows[key]) for key in keys}


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
