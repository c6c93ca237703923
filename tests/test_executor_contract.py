"""What every executor has to do, wherever it takes the work; a second member joins `MEMBERS`.

Work is a function of this module and leaves its traces in files, so that a member may do it in another process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from vpbench.base import Critic
from vpbench.progress import no_bar
from vpbench.records import Candidate, Question, RowKey, Score
from vpbench.run.executor import Executor, Item, LocalExecutor, Result, Work
from vpbench.run.score import ScoreStage

MEMBERS = [LocalExecutor()]


@pytest.fixture(params=MEMBERS, ids=[type(member).__name__ for member in MEMBERS])
def executor(request: pytest.FixtureRequest) -> Executor:
    member: Executor = request.param
    return member


def doubled_backwards(items: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Twice each item, the last first; odd ones have no result."""
    for position in reversed(range(len(items))):
        if items[position] % 2 == 0:
            yield position, 2 * items[position]


def traced(folder: Path, items: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The items themselves, each leaving a file; an item below 0 raises, 0 takes an hour."""
    for position, item in enumerate(items):
        (folder / str(position)).touch()
        if item < 0:
            raise ValueError(f"item {item}")
        if item == 0:
            time.sleep(3600)
        yield position, item


def test_results_come_with_the_position_of_their_item(executor: Executor) -> None:
    assert dict(executor.run(doubled_backwards, [4, 3, 8])) == {0: 8, 2: 16}
    assert list(executor.run(doubled_backwards, [])) == []


def test_nothing_is_begun_before_a_result_is_asked_for(executor: Executor, tmp_path: Path) -> None:
    results = executor.run(partial(traced, tmp_path), [1, 2])
    assert list(tmp_path.iterdir()) == []
    assert sorted(results) == [(0, 1), (1, 2)]


def test_what_work_raises_is_raised_where_its_result_is_asked_for(executor: Executor, tmp_path: Path) -> None:
    results = executor.run(partial(traced, tmp_path), [5, -1, 6])
    assert next(results) == (0, 5)
    with pytest.raises(ValueError, match="item -1"):
        list(results)


def test_who_asks_for_no_more_waits_for_none(executor: Executor, tmp_path: Path) -> None:
    results = executor.run(partial(traced, tmp_path), [7, 0])
    assert next(results) == (0, 7)
    del results


@dataclass(frozen=True)
class Length(Critic):
    """Scores a response by its length."""

    name = "length"
    title = "Length"

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        return [Score(float(len(candidate.response))) for candidate in candidates]


class Backwards:
    """Gives results last first, as an executor may."""

    def run(self, work: Work[Item, Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        yield from reversed(list(work(items)))


def scores(executor: Executor, folder: Path) -> dict[RowKey, Score]:
    questions = {id: Question("task", id, "?") for id in ("a", "b", "c")}
    candidates = {
        id: [Candidate(id, index, id * (index + number)) for index in (1, 2)] for number, id in enumerate("abc")
    }
    stage = ScoreStage(Length(), 0.0, no_bar, executor=executor)
    return stage.scores(folder, {"task": "task"}, questions, candidates)


def test_a_stage_stores_the_same_rows_whatever_the_order(executor: Executor, tmp_path: Path) -> None:
    assert scores(executor, tmp_path / "a") == scores(Backwards(), tmp_path / "b")
    assert {key: score.value for key, score in scores(executor, tmp_path / "b").items()}["c", 2] == 4.0
