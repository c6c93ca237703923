"""Readings of what is drawn, right and wrong, and the solutions that each combination of them leads to.

A digit is taken for the next one of a ring, a sign for another sign, a colour of a code for another colour. A question
has one to three readings that can go wrong, and every wrong one leads to a wrong answer, so that answers alone say
which reading is right. A step writes down what was read, never what is drawn: only the picture shows that.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from vpbench.nano.pictures import Picture
from vpbench.records import LETTERS, Drawn

Value = TypeVar("Value", int, str)


def ring(values: Sequence[Value]) -> dict[Value, Value]:
    """Each value with the one after it, which it is taken for.

    Of a pair both would be read alike, and the policy, which becomes the critic, had no use for telling them apart.
    """
    return {value: values[(number + 1) % len(values)] for number, value in enumerate(values)}


DIGITS = ring((1, 7, 2, 5, 6, 9))
PLAIN_DIGITS = (3, 4, 8)
"""Digits that are never misread."""
SIGNS = ring("+-*")
CODE = {"gray": 1, "yellow": 2, "red": 3, "green": 4, "blue": 5, "purple": 6}
"""The number that a colour stands for."""
CODE_COLOURS = ring(("red", "green", "blue", "purple"))
"""Colours that are misread; gray and yellow never are."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[Value]):
    """What is right to read, and what else is read; None where nothing else is."""

    right: Value
    wrong: Value | None = None

    @property
    def both(self) -> tuple[Value, ...]:
        """All that is read."""
        return (self.right,) if self.wrong is None else (self.right, self.wrong)


Combinations = tuple[Drawn, ...]
"""One question as solved with every combination of its readings, each as likely; the right one first."""
Chain = tuple[tuple[str, ...], str]
"""Steps and the answer."""


def combinations(
    rng: random.Random,
    question: Drawn,
    readings: Sequence[Reading[Value]],
    solve: Callable[[Sequence[Value]], Chain | None],
    describe: Callable[[Sequence[Value]], tuple[str, ...]],
    draw: Callable[[], Picture],
) -> Combinations | None:
    """All that follows from the readings of `question`, whose picture is made by `draw`.

    None where some combination can't be solved, or a wrong one leads to the right answer. Where the question has
    options, these are the answers that the readings lead to, filled up to four.
    """
    values = list(itertools.product(*(reading.both for reading in readings)))
    chains: list[Chain] = [chain for chain in map(solve, values) if chain is not None]
    answers = [answer for _, answer in chains]
    if len(chains) < len(values) or len(chains) == 1 or answers[0] in answers[1:]:
        return None
    options: tuple[str, ...] | None = None
    if question.options is not None:
        listed: list[str] = list(dict.fromkeys(answers))
        if len(listed) > len(LETTERS) or any(len(answer) > 1 for answer in listed):
            return None
        others: list[str] = [digit for digit in map(str, range(10)) if digit not in listed]
        options = tuple(rng.sample([*listed, *rng.sample(others, len(LETTERS) - len(listed))], len(LETTERS)))
    asked = replace(question, picture=draw(), options=options)
    solved = zip(values, chains, strict=True)
    return tuple(_solved(asked, describe(read), chain) for read, chain in solved)


def _solved(question: Drawn, facts: tuple[str, ...], chain: Chain) -> Drawn:
    """The question with a solution; where it has options, one more step says under what letter the answer stands."""
    steps, answer = chain
    solved = replace(question, facts=facts, steps=steps, answer=answer)
    return solved if solved.options is None else replace(solved, steps=(*steps, f"{answer}({solved.letter})"))


def digits(rng: random.Random, count: int, misread: int) -> list[Reading[int]]:
    """Digits in any order, `misread` of which can be misread."""
    readings = [Reading(digit, DIGITS[digit]) for digit in rng.choices(list(DIGITS), k=misread)]
    readings += [Reading(digit) for digit in rng.choices(PLAIN_DIGITS, k=count - misread)]
    return rng.sample(readings, count)
