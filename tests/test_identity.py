"""What determines scores and samples, as their keys hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fake_policy import FakePolicy

from vpbench import Candidate, Critic, Question, Score
from vpbench.plugins import find_critic


@dataclass(frozen=True)
class Rule:
    words: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True)
class Ruled(Critic):
    name: ClassVar[str] = "ruled"
    title: ClassVar[str] = "Ruled"
    version: ClassVar[int] = 3

    rule: Rule = Rule()
    threads: int = field(default=1, compare=False)

    def score(self, question: Question, candidates: Sequence[Candidate]) -> list[Score]:
        return [Score(0.5) for _ in candidates]

    def revision(self) -> str:
        return "r"


def test_a_critic_is_name_version_revision_and_the_settings_that_count() -> None:
    wanted = {
        "critic": "ruled",
        "critic_version": 3,
        "critic_revision": "r",
        "settings": {"rule": {"words": ("a", "b")}},
    }
    assert Ruled().identity() == Ruled(threads=4).identity() == wanted
    assert Ruled(Rule(("c",))).identity() != wanted


def test_a_shipped_critic_says_its_settings() -> None:
    cls: Any = find_critic("self-consistency").cls
    wanted = {"critic": "self-consistency", "critic_version": 1, "critic_revision": "1", "settings": {}}
    assert cls().identity() == wanted


def test_a_generator_is_backend_revision_and_settings() -> None:
    assert FakePolicy("m", "l").identity() == {"backend": "fake", "revision": "", "model": "m", "log": "l"}
