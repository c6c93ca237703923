"""The score stage: a critic's score for every candidate over a durable store, question by question.

Rows that are owed are scored, no others. A row that fails is a row with its reason. Where the question as a whole
failed (a missing image, say, or an exception of the critic's code) its rows are owed again; where the critic refused a
response that is final.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vpbench.base import Critic
from vpbench.errors import Boundary, CriticError, DataError, PluginError, VpbenchError
from vpbench.progress import Progress
from vpbench.records import EMPTY_RESPONSE, Candidate, Question, RowKey, Score
from vpbench.run.allowance import Allowance
from vpbench.run.checks import checked_scores
from vpbench.run.executor import Executor, LocalExecutor
from vpbench.run.kept_notes import KeptNotes
from vpbench.run.prefetch import Prefetch
from vpbench.store import SCORES, RowStore, content_hash

Item = tuple[Question, Sequence[Candidate]]


@dataclass(frozen=True)
class ScoreStage:
    """Scoring with one critic. `make_ready` is called once if anything is owed (None: the critic's own `prepare`).

    `tell` hears how many questions' scores were there already.
    """

    critic: Critic
    max_error_rate: float
    progress: Progress
    make_ready: Callable[[], None] | None = None
    tell: Callable[[str], None] = lambda text: None
    executor: Executor = LocalExecutor()

    def scores(
        self,
        folder: Path,
        key: Mapping[str, Any],
        questions: Mapping[str, Question],
        candidates: Mapping[str, Sequence[Candidate]],
    ) -> dict[RowKey, Score]:
        """A score for every candidate of the questions, kept in `folder` under `key`.

        Raises `TooManyFailures`, and `CriticError` for what concerns the critic as a whole; what is done is kept.
        """
        keys = [candidate.key for id in questions for candidate in candidates[id]]
        allowance = Allowance(f"scoring with {self.critic.name}", "rows", len(keys), self.max_error_rate)
        title = f"scoring {key['task']} ({self.critic.name})"
        with RowStore(folder, "scores", key) as store:
            items = [
                (question, [row for row in candidates[id] if is_owed(row, store.rows.get(row.key))])
                for id, question in questions.items()
            ]
            owed = {candidate.key for _, rows in items for candidate in rows}
            self._tell_reused(items, folder)
            _count([row_key for row_key in keys if row_key not in owed], store, allowance)
            if owed:
                with Boundary(f"critic {self.critic.name!r}: prepare"):
                    (self.make_ready or self.critic.prepare)()
                self._score(items, store, KeptNotes(folder), allowance, title)
            return {row_key: SCORES.from_row(store.rows[row_key]) for row_key in keys}

    def _score(
        self, items: Sequence[Item], store: RowStore, notes: KeptNotes, allowance: Allowance, title: str
    ) -> None:
        """Score the owed rows and keep them."""
        with self.progress(title, sum(len(rows) for _, rows in items)) as bar:
            uncounted: list[RowKey] = []
            results = self.executor.run(partial(score_items, self.critic), items)
            for number, (position, scores) in enumerate(results, 1):
                rows = items[position][1]
                with Boundary(f"critic {self.critic.name!r}: notes"):
                    notes.add(self.critic.notes())
                for candidate, score in zip(rows, scores, strict=True):
                    content = content_hash(candidate.response, candidate.steps)
                    store.append(candidate.key, {**SCORES.to_row(score), "content": content})
                store.flush()
                bar.update(len(rows))
                uncounted += [candidate.key for candidate in rows]
                # What a critic has in hand at a time is paid for, so all of it is kept before failures stop the stage.
                if number % self.critic.questions_at_once == 0:
                    _count(uncounted, store, allowance)
                    uncounted.clear()
            _count(uncounted, store, allowance)

    def _tell_reused(self, items: Sequence[Item], folder: Path) -> None:
        done = sum(not rows for _, rows in items)
        if done:
            self.tell(f"scores of {done} of {len(items)} questions taken from {folder}")


def score_items(critic: Critic, items: Sequence[Item]) -> Iterator[tuple[int, list[Score]]]:
    """The scores of every item that has candidates, with its position, as they are done."""
    if critic.questions_at_once == 1:
        yield from _one_by_one(critic, items)
        return
    positions = [position for position, (_, candidates) in enumerate(items) if candidates]
    for start in range(0, len(positions), critic.questions_at_once):
        chunk = positions[start : start + critic.questions_at_once]
        yield from _together(critic, items, chunk)


def _one_by_one(critic: Critic, items: Sequence[Item]) -> Iterator[tuple[int, list[Score]]]:
    with Prefetch(critic) as prefetch:
        for position, (question, candidates) in enumerate(items):
            failure = prefetch.failure()
            if not candidates:
                continue
            following, rows = items[position + 1] if position + 1 < len(items) else (question, ())
            if rows:
                prefetch.start(following)
            if failure is not None:
                yield position, _failed(failure, candidates)
                continue
            try:
                with Boundary(f"critic {critic.name!r}, question {question.id!r}: score"):
                    scores = critic.score(question, candidates)
            except (DataError, CriticError, PluginError) as error:
                yield position, _failed(error, candidates)
            else:
                yield position, checked_scores(critic, question, candidates, scores)


def _together(critic: Critic, items: Sequence[Item], chunk: Sequence[int]) -> Iterator[tuple[int, list[Score]]]:
    """Several questions by one call; where it raises, those of its questions that have no scores yet failed."""
    work = [items[position] for position in chunk]
    where = f"critic {critic.name!r}, question {work[0][0].id!r} and {len(work) - 1} more: score_questions"
    owed = dict(enumerate(chunk))
    try:
        with Boundary(where):
            results = iter(critic.score_questions(work))
        while owed:
            with Boundary(where):
                result = next(results, None)
            if result is None:
                raise PluginError(f"{where} gave no scores for question {work[next(iter(owed))][0].id!r}")
            number, scores = result
            yield owed.pop(number), checked_scores(critic, *work[number], scores)
    except PluginError as error:
        for number, position in owed.items():
            yield position, _failed(error, work[number][1])


def _failed(error: VpbenchError, candidates: Sequence[Candidate]) -> list[Score]:
    """Rows of a question that failed as a whole, which another run may be spared."""
    return [Score(None, None, str(error), retry=True)] * len(candidates)


def _count(row_keys: Sequence[RowKey], store: RowStore, allowance: Allowance) -> None:
    for row_key in row_keys:
        row = store.rows[row_key]
        if row["value"] is None and row["reason"] != EMPTY_RESPONSE:
            allowance.count(f"question {row_key[0]!r} candidate {row_key[1]}: {row['reason']}")


def is_owed(candidate: Candidate, row: Mapping[str, Any] | None) -> bool:
    """Whether there is no score of this very response, or one that failed for a reason that may be gone."""
    return row is None or row["retry"] or row.get("content") != content_hash(candidate.response, candidate.steps)
