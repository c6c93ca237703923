"""Questions of the miniature world, and solutions to them whose every step is known to be right or wrong.

A question is a short chain of readings and one computation. A simulated policy reads each value wrongly with the
question's own probability, sometimes slips in the computation, and states what follows; a step is right when the value
it states is the true one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vpbench.nano.drawing import COLOURS, bars, shapes


@dataclass(frozen=True, slots=True)
class Item:
    """A question with its picture (PNG), what has to be read from it, and how the answer follows.

    `readings` are (text with one blank, true value); `compute` turns read values into the answer; `line` states it.
    """

    text: str
    image: bytes
    readings: Sequence[tuple[str, int]]
    compute: Callable[[Sequence[int]], float]
    line: str
    precision: int | None = None
    choices: tuple[int, ...] | None = None
    options: Mapping[str, str] | None = None

    @property
    def answer(self) -> str:
        """The right answer as the data set writes it."""
        return self.written(self.compute([value for _, value in self.readings]))

    def written(self, value: float) -> str:
        """A value as the data set writes it."""
        return f"{value:.{self.precision}f}" if self.precision else f"{value:.0f}"


def draw_item(rng: random.Random, kind: int) -> Item:
    """A new question of one of the three kinds (0: difference, 1: mean, 2: count with options)."""
    colours = rng.sample(list(COLOURS), 4)
    if kind == 2:
        return _count(rng, colours)
    heights = {colour: rng.randint(1, 10) for colour in colours}
    image = bars(heights)
    if kind == 0:
        high, low = sorted(colours[:2], key=lambda colour: -heights[colour])
        text = f"By how many units is the {high} bar higher than the {low} bar?"
        readings = [(f"The {colour} bar reaches {{}}.", heights[colour]) for colour in (high, low)]
        return Item(text, image, readings, lambda v: v[0] - v[1], "{0} - {1} = {2}.")
    text = f"What is the mean height of the {colours[0]}, {colours[1]} and {colours[2]} bars?"
    readings = [(f"The {colour} bar reaches {{}}.", heights[colour]) for colour in colours[:3]]
    return Item(text, image, readings, lambda v: sum(v) / 3, "({0} + {1} + {2}) / 3 = {3}.", precision=1)


def _count(rng: random.Random, colours: Sequence[str]) -> Item:
    cells = rng.sample([(column, row) for column in range(6) for row in range(6)], 16)
    placed = [(rng.choice(colours[:2]), rng.choice(("square", "circle")), *cell) for cell in cells]
    colour = colours[0]
    counts = [sum(c == colour and kind == wanted for c, kind, _, _ in placed) for wanted in ("square", "circle")]
    answer = sum(counts)
    others = rng.sample([value for value in range(max(0, answer - 3), answer + 4) if value != answer], 3)
    choices = tuple(rng.sample([answer, *others], 4))
    readings = [
        (f"I count {{}} {colour} {kind}s.", count) for kind, count in zip(("square", "circle"), counts, strict=True)
    ]
    text = f"How many {colour} shapes are in the picture?"
    return Item(text, shapes(placed), readings, lambda v: v[0] + v[1], "{0} + {1} = {2}.", choices=choices)


def solve(item: Item, rng: random.Random, misread: float, slip: float) -> tuple[list[str], list[bool]]:
    """One sampled solution: its steps, and whether each states the truth."""
    steps, truth, values = [], [], []
    for text, value in item.readings:
        read = max(0, value + rng.choice((-2, -1, 1, 2))) if rng.random() < misread else value
        values.append(read)
        steps.append(text.format(read))
        truth.append(read == value)
    result = item.compute(values)
    if rng.random() < slip:
        result += rng.choice((-1, 1))
    said = item.written(result)
    steps.append(item.line.format(*values, said))
    steps.append(f"The answer is {_stated(item, said)}.")
    right = said == item.answer
    return steps, [*truth, right and all(truth), right]


def _stated(item: Item, said: str) -> str:
    if item.choices is None:
        return said
    options = {str(value): letter for letter, value in zip("ABCD", item.choices, strict=True)}
    return f"({options[said]}) {said}" if said in options else said
