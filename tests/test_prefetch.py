"""The next question's images are prepared while the present one is scored."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from PIL import Image

from vpbench import Candidate, Critic, DataError, ImageRef, Question, Score
from vpbench.run.score import ScoreStage
from vpbench.scoring import StepCritic

QUESTIONS = {id: Question("task", id, "text") for id in ("a", "b", "c")}
CANDIDATES = {id: [Candidate(id, 0, "text")] for id in QUESTIONS}


@contextmanager
def no_bar(what: str, total: int) -> Iterator[Any]:
    yield SimpleNamespace(update=lambda n: None)


def stage(folder: Path, critic: Critic, ids: Sequence[str] = ("a", "b", "c"), **settings: Any) -> dict[str, Score]:
    questions = {id: QUESTIONS[id] for id in ids}
    scoring = ScoreStage(critic, settings.get("max_error_rate", 1.0), no_bar)
    rows = scoring.scores(folder, {"task": "t"}, questions, CANDIDATES)
    return {id: score for (id, _), score in rows.items()}


@dataclass(frozen=True)
class Watched(Critic):
    """Notes what is called, and fails where it is told to."""

    name: ClassVar[str] = "watched"
    failing: dict[str, Exception] = field(default_factory=dict)
    prefetched: list[str] = field(default_factory=list)
    scored: list[str] = field(default_factory=list)

    def prefetch(self, question: Question) -> None:
        assert threading.current_thread() is not threading.main_thread()
        self.prefetched.append(question.id)
        if question.id in self.failing:
            raise self.failing[question.id]

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        self.scored.append(question.id)
        if question.id in self.failing:
            raise self.failing[question.id]
        return [Score(1.0) for _ in candidates]


def test_every_question_but_the_first_is_prefetched(tmp_path: Path) -> None:
    critic = Watched()
    assert stage(tmp_path, critic) == {id: Score(1.0) for id in "abc"}
    assert (critic.prefetched, critic.scored) == (["b", "c"], ["a", "b", "c"])


def test_questions_that_are_done_are_not_prefetched(tmp_path: Path) -> None:
    stage(tmp_path, Watched(), ["b"])
    critic = Watched()
    stage(tmp_path, critic)
    assert (critic.prefetched, critic.scored) == ([], ["a", "c"])


def test_prefetching_runs_beside_scoring(tmp_path: Path) -> None:
    begun = threading.Event()

    class Beside(Watched):
        def prefetch(self, question: Question) -> None:
            begun.set()

        def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
            assert begun.wait(timeout=30)
            return [Score(1.0)]

    assert stage(tmp_path, Beside(), ["a", "b"])["b"] == Score(1.0)


def test_a_missing_image_fails_its_own_question(tmp_path: Path) -> None:
    critic = Watched({"b": DataError("missing image: b.png")})
    scores = stage(tmp_path, critic)
    assert {id: score.reason for id, score in scores.items()} == {"a": None, "b": "missing image: b.png", "c": None}
    assert critic.prefetched == ["b", "c"]


def test_an_exception_while_prefetching_fails_its_own_question(tmp_path: Path) -> None:
    class Broken(Watched):
        def prefetch(self, question: Question) -> None:
            raise ZeroDivisionError("a mistake")

    critic = Broken()
    found = stage(tmp_path, critic)
    assert critic.scored == ["a"]
    assert found["a"] == Score(1.0)
    assert str(found["b"].reason).startswith("critic 'watched', question 'b': prefetch raised ZeroDivisionError: a mis")
    again = Watched()
    stage(tmp_path, again)
    assert again.scored == ["b", "c"]


def test_a_step_critic_reads_each_image_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def png(name: str) -> bytes:
        opened.append(f"{name} by {'main' if threading.current_thread() is threading.main_thread() else 'other'}")
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "PNG")
        return buffer.getvalue()

    def tiles(images: Sequence[Any], max_tiles: int) -> tuple[Any, list[int]]:
        return f"{len(images)} images", [1] * len(images)

    seen = []

    def score(text: str, solutions: Sequence[Any], pixels: Any, counts: Sequence[int]) -> list[Any]:
        seen.append((text, pixels))
        prompt = SimpleNamespace(neutralised=False)
        return [SimpleNamespace(mean=0.5, scores=(0.5,), prompt=prompt) for _ in solutions]

    questions = {
        id: Question("task", id, id, (ImageRef(id, load=lambda name=id: png(name)),)) for id in ("a", "b", "c")
    }
    scorer = SimpleNamespace(tiles=tiles, score=score)
    monkeypatch.setattr(StepCritic, "_scorer", scorer)
    monkeypatch.setattr(StepCritic, "name", "step", raising=False)
    ScoreStage(StepCritic(), 0.0, no_bar).scores(tmp_path, {"task": "t"}, questions, CANDIDATES)
    assert sorted(opened) == ["a by main", "b by other", "c by other"]
    assert seen == [(id, "1 images") for id in ("a", "b", "c")]
