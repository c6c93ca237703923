"""A drawn question of the miniature world, before any benchmark has given it the form of its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LETTERS = "ABCD"


@dataclass(frozen=True, slots=True)
class Drawn:
    """A question before any benchmark's row format.

    `text` is the question without its options (of kind "shown" the picture asks it), `answer` the value, `options` the
    texts to choose from (`answer` among them). `facts` say what the picture holds, `steps` is the reference solution
    without its answer line. `part` is what the question is within its group: a variant's number, or a role like
    "2steps_1". `picture` is a `vpbench.nano.pictures.Picture`.
    """

    kind: str
    text: str
    picture: Any
    facts: tuple[str, ...]
    steps: tuple[str, ...]
    answer: str
    options: tuple[str, ...] | None = None
    part: str = ""

    @property
    def letter(self) -> str:
        """The letter of the right option."""
        return LETTERS[(self.options or ()).index(self.answer)]

    @property
    def solution(self) -> tuple[str, ...]:
        """All steps of the reference solution, the answer line last."""
        return (*self.steps, f"Answer: ({self.letter})" if self.options else f"Answer: {self.answer}")
