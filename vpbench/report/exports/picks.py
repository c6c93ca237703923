"""Question by question, what exports say of a result: its texts, its responses, and the one that the critic picked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from vpbench.errors import ConfigError
from vpbench.records import Score, Selection
from vpbench.report.result import BestOfNResult
from vpbench.report.stored import StoredResult
from vpbench.report.texts import read_texts, stored_texts
from vpbench.run.prepared import candidate_value
from vpbench.stats import prefix_picks
from vpbench.stats.weighted_vote import vote_pool, vote_weights, winners

_COLUMNS = ("question_id", "index", "steps")


@dataclass(frozen=True, slots=True)
class Texts:
    """A question's texts, and its responses by candidate index."""

    question: str
    choices: tuple[str, ...] | None
    gold: str
    responses: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Pick:
    """The candidate that the critic picks: its index, what it was picked by, and its verdict.

    `score` is the critic's value for it, aggregated over steps as the result's is; None where it has none.
    """

    index: int
    score: float | None
    extracted: str | None
    correct: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A question of a Best-of-N result.

    `values` are its values by curve at every N, as fractions of 1; empty where the metric counts groups of questions.
    """

    question_id: str
    texts: Texts
    pick: Pick
    values: Mapping[str, tuple[float, ...]]


def texts_of(stored: StoredResult) -> dict[str, Texts]:
    """The texts by question. Raises `ConfigError` if there are none or if they are damaged."""
    folder = stored_texts(stored)
    if folder is None:
        raise ConfigError(f"{stored.folder}: its texts aren't there; the same `vpbench run` again writes them")
    questions, candidates = (frame.to_dict("records") for frame in read_texts(folder))
    responses: dict[str, dict[int, str]] = {}
    for row in sorted(candidates, key=lambda row: row["index"]):
        responses.setdefault(row["question_id"], {})[row["index"]] = row["response"]
    return {
        row["question_id"]: Texts(
            question=row["question"],
            choices=None if row["choices"] is None else tuple(row["choices"]),
            gold=row["gold"],
            responses=responses.get(row["question_id"], {}),
        )
        for row in questions
    }


def rows_of(stored: StoredResult) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The rows of every question, by candidate index. Raises `ConfigError` for a missing or damaged file."""
    rows = stored.table("rows", _COLUMNS).to_pylist()
    for question_id, group in groupby(rows, key=lambda row: row["question_id"]):
        yield question_id, sorted(group, key=lambda row: row["index"])


def samples_of(stored: StoredResult, result: BestOfNResult) -> Iterator[Sample]:
    """Every question with what the critic picks at the largest N. Raises `ConfigError` for a damaged file."""
    texts = texts_of(stored)
    units = stored.units
    position = {name: number for number, name in enumerate(units.names)}
    for question_id, rows in rows_of(stored):
        number = position.get(question_id)
        values = {} if number is None else {name: tuple(rows[number].tolist()) for name, rows in units.values.items()}
        yield Sample(question_id, texts[question_id], _pick(rows, result), values)


def _pick(rows: Sequence[Mapping[str, Any]], result: BestOfNResult) -> Pick:
    """What is picked out of the whole pool, or of its first N where N is estimated by prefixes."""
    rows = rows[: result.ns[-1]] if result.estimator == "prefix" else rows
    values = [candidate_value(Score(row["value"], _steps(row)), result.aggregate) for row in rows]
    answers = [row["answer_class"] for row in rows]
    chosen = picked(values, answers, result.selection, result.link)
    row = rows[chosen]
    return Pick(row["index"], values[chosen], row["extracted"], row["correct"], row["reason"])


def picked(
    values: Sequence[float | None],
    classes: Sequence[str | None],
    selection: Selection,
    link: Literal["sigmoid"] | None = None,
) -> int:
    """The position of the candidate with the highest score; of a vote the first with the winning answer.

    Ties go to the earliest, and so does a choice among candidates none of which has a score, or an answer.
    """
    import numpy as np

    scores = np.array([np.nan if value is None else value for value in values])
    if selection == "best":
        return int(prefix_picks(scores)[-1])
    weights = np.ones(len(scores)) if selection == "vote" else vote_weights([scores], link)[0]
    # what the answers are worth has no part in which of them wins
    pool = vote_pool(weights, classes, [False] * len(classes))
    if not len(pool.worths):
        return 0
    voting = pool.class_of >= 0
    sums = np.bincount(pool.class_of[voting], weights=pool.weights[voting]).astype(np.float64)
    # classes are numbered as they appear, so the first of equal sums is the earliest answer
    winner = int(np.argmax(winners(sums, pool.tolerance)))
    return int(np.argmax(pool.class_of == winner))


def _steps(row: Mapping[str, Any]) -> tuple[float, ...] | None:
    return None if row["steps"] is None else tuple(row["steps"])
