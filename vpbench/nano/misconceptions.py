"""The kinds of questions of the world of misconceptions: those of `vpbench.nano.families` in form and in words.

Each function draws a question, or a group of them, with all combinations of its readings.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from math import gcd
from typing import TypeVar

from vpbench.nano.conversations import as_question, nano_tasks
from vpbench.nano.pictures import CELLS, COLOURS, Picture
from vpbench.nano.readings import CODE, CODE_COLOURS, SIGNS, Chain, Combinations, Reading, combinations, digits
from vpbench.records import LETTERS, Drawn

Result = TypeVar("Result")


def _until(attempt: Callable[[], Result | None]) -> Result:
    """What the first attempt gives that gives anything."""
    while True:
        result = attempt()
        if result is not None:
            return result


def _picture(rng: random.Random, numbers: Mapping[str, Reading[int]]) -> Picture:
    """The numbers on grounds of their colours."""
    picture = Picture(rng)
    for cell, (colour, number) in zip(rng.sample(range(CELLS**2), len(numbers)), numbers.items(), strict=True):
        picture.fill(cell, colour)
        picture.write(cell, str(number.right))
    return picture


def _named(names: Sequence[str], values: Sequence[int]) -> tuple[str, ...]:
    return tuple(f"{name} {value}" for name, value in zip(names, values, strict=True))


def _numbers(
    rng: random.Random,
    question: Drawn,
    asked: Sequence[str],
    others: Sequence[str],
    solve: Callable[[Sequence[int]], Chain | None],
) -> Combinations:
    """The question on the numbers of the two colours `asked`, beside which `others` stand."""

    def attempt() -> Combinations | None:
        readings = digits(rng, len(asked), rng.randint(1, len(asked)))
        beside = digits(rng, len(others), rng.randint(0, len(others)))
        numbers = dict(zip((*asked, *others), (*readings, *beside), strict=True))

        def describe(values: Sequence[int]) -> tuple[str, ...]:
            return _named(list(numbers), [*values, *(rng.choice(number.both) for number in beside)])

        return combinations(rng, question, readings, solve, describe, lambda: _picture(rng, numbers))

    return _until(attempt)


def prices(rng: random.Random) -> list[Combinations]:
    """How much more one thing costs than another, from options."""
    one, two, *others = rng.sample(list(COLOURS), 4)

    def solve(values: Sequence[int]) -> Chain:
        a, b = values
        return (f"{one} {a}", f"{two} {b}", f"{a}-{b}={a - b}"), str(a - b)

    text = f"How much more do the {one} goods cost than the {two} goods?"
    return [_numbers(rng, Drawn("options", text, None, (), (), "", ()), (one, two), others, solve)]


def mean(rng: random.Random) -> list[Combinations]:
    """The mean of two numbers, with one decimal."""
    one, two, *others = rng.sample(list(COLOURS), 4)

    def solve(values: Sequence[int]) -> Chain:
        a, b = values
        answer = f"{(a + b) / 2:.1f}"
        return (f"{one} {a}", f"{two} {b}", f"({a}+{b})/2={answer}"), answer

    text = f"What is the mean of the {one} number and the {two} number?"
    return [_numbers(rng, Drawn("decimal", text, None, (), (), ""), (one, two), others, solve)]


def shown(rng: random.Random) -> list[Combinations]:
    """A term that only the picture shows: one or two signs, which can be misread, between digits."""

    def attempt() -> Combinations | None:
        numbers = [rng.randint(1, 9) for _ in range(rng.randint(2, 3))]
        signs = [rng.choice(list(SIGNS)) for _ in numbers[1:]]
        row = rng.randrange(CELLS - 1)

        def term(values: Sequence[str]) -> str:
            return str(numbers[0]) + "".join(
                f"{sign}{number}" for sign, number in zip(values, numbers[1:], strict=True)
            )

        def solve(values: Sequence[str]) -> Chain | None:
            steps, result = [term(values)], numbers[0]
            for sign, number in zip(values, numbers[1:], strict=True):
                before, result = result, {"+": result + number, "-": result - number, "*": result * number}[sign]
                steps.append(f"{before}{sign}{number}={result}")
                if not 0 <= result <= 99:
                    return None
            return tuple(steps), str(result)

        def draw() -> Picture:
            picture = Picture(rng)
            for cell, char in enumerate(term(signs), row * CELLS):
                picture.write(cell, char)
            return picture

        question = Drawn("shown", f"How much is {term(signs)}?", None, (), (), "")
        readings = [Reading(sign, SIGNS[sign]) for sign in signs]
        return combinations(rng, question, readings, solve, lambda values: (term(values),), draw)

    return [_until(attempt)]


def ratio(rng: random.Random) -> list[Combinations]:
    """A circle, in a colour that stands for a number, and a number; their ratio in lowest terms."""
    one, other, *free = rng.sample(list(COLOURS), len(COLOURS))
    question = Drawn("ratio", f"What is the ratio of circles to the {one} number?", None, (), (), "")

    def solve(values: Sequence[int]) -> Chain:
        a, b = values
        answer = f"{a // gcd(a, b)}:{b // gcd(a, b)}"
        return (f"circles {a}", f"{one} {b}", f"{a}:{b}={answer}"), answer

    def attempt() -> Combinations | None:
        misread = rng.choice(((True, False), (False, True), (True, True)))
        colour = rng.choice([colour for colour in free if (colour in CODE_COLOURS) == misread[0]] or free)
        code = Reading(CODE[colour], CODE[CODE_COLOURS[colour]] if colour in CODE_COLOURS else None)
        number, beside = *digits(rng, 1, int(misread[1])), *digits(rng, 1, rng.randint(0, 1))

        def draw() -> Picture:
            picture = Picture(rng)
            circle, *cells = rng.sample(range(CELLS**2), 3)
            picture.place(circle, "circle", colour)
            for cell, ground, reading in zip(cells, (one, other), (number, beside), strict=True):
                picture.fill(cell, ground)
                picture.write(cell, str(reading.right))
            return picture

        def describe(values: Sequence[int]) -> tuple[str, ...]:
            return _named(("circles", one, other), [*values, rng.choice(beside.both)])

        return combinations(rng, question, (code, number), solve, describe, draw)

    return [_until(attempt)]


def variants(rng: random.Random, count: int = 10) -> list[Combinations]:
    """One question asked of `count` pictures: a multiple of one number, and another one."""
    one, two, *others = rng.sample(list(COLOURS), 4)
    factor, sign = rng.randint(2, 5), rng.choice("+-")
    text = f"What is {factor} times the {one} number {'plus' if sign == '+' else 'minus'} the {two} number?"

    def solve(values: Sequence[int]) -> Chain | None:
        a, b = values
        result = factor * a + (b if sign == "+" else -b)
        steps = (f"{one} {a}", f"{factor}*{a}={factor * a}", f"{two} {b}", f"{factor * a}{sign}{b}={result}")
        return (steps, str(result)) if result >= 0 else None

    return [
        _numbers(rng, Drawn("variants", text, None, (), (), "", None, str(number)), (one, two), others, solve)
        for number in range(1, count + 1)
    ]


def chain(rng: random.Random) -> list[Combinations]:
    """A problem of two operations on numbers of the picture, asked step by step and as a whole, with options."""
    colours = rng.sample(list(COLOURS), 4)
    one, two, three, _ = colours

    def add(values: Sequence[int]) -> Chain:
        a, b = values
        return (f"{one} {a}", f"{two} {b}", f"{a}+{b}={a + b}"), str(a + b)

    def take(total: int, value: int) -> Chain:
        return (f"{three} {value}", f"{total}-{value}={total - value}"), str(total - value)

    def both(values: Sequence[int]) -> Chain:
        steps, result = take(sum(values[:2]), values[2])
        return (*add(values[:2])[0], *steps), result

    def attempt() -> list[Combinations] | None:
        numbers = [*digits(rng, 2, 1), *digits(rng, 1, 1), *digits(rng, 1, 0)]
        total = numbers[0].right + numbers[1].right
        picture = functools.cache(lambda: _picture(rng, dict(zip(colours, numbers, strict=True))))

        def describe(_: Sequence[int]) -> tuple[str, ...]:
            return _named(colours, [rng.choice(number.both) for number in numbers])

        sum_text = f"What is the {one} number plus the {two} number"
        parts: list[tuple[str, str, list[Reading[int]], Callable[[Sequence[int]], Chain]]] = [
            ("2steps_1", f"{sum_text}?", numbers[:2], add),
            ("2steps_2", f"What is {total} minus the {three} number?", numbers[2:3], lambda v: take(total, v[0])),
            ("2steps_multi", f"{sum_text}, minus the {three} number?", numbers[:3], both),
        ]
        solved = []
        for part, text, readings, solve in parts:
            question = Drawn("groups", text, None, (), (), "", (), part)
            solved.append(combinations(rng, question, readings, solve, describe, picture))
        complete = [member for member in solved if member is not None]
        return complete if len(complete) == len(parts) else None

    return _until(attempt)


def labels(rng: random.Random) -> list[Combinations]:
    """Columns A to D of two numbers each: in which is the upper one larger? One number may be misread in a column."""
    question = Drawn("labels", "In which columns is the upper number larger? Select from A-D", None, (), (), "")

    def described(values: Sequence[int]) -> tuple[str, ...]:
        return tuple(f"{letter} {a},{b}" for letter, a, b in zip(LETTERS, values[::2], values[1::2], strict=True))

    def solve(values: Sequence[int]) -> Chain | None:
        larger = [upper > lower for upper, lower in zip(values[::2], values[1::2], strict=True)]
        steps = tuple(
            f"{fact} {'yes' if larger_one else 'no'}"
            for fact, larger_one in zip(described(values), larger, strict=True)
        )
        answer = ", ".join(letter for letter, larger_one in zip(LETTERS, larger, strict=True) if larger_one)
        return (steps, answer) if any(larger) and not all(larger) else None

    def attempt() -> Combinations | None:
        misread = rng.sample(range(len(LETTERS)), rng.randint(1, 3))
        pairs = [digits(rng, 2, int(column in misread)) for column in range(len(LETTERS))]
        row = rng.randrange(CELLS - 1)

        def draw() -> Picture:
            picture = Picture(rng)
            for column, pair in enumerate(pairs):
                for below, reading in enumerate(pair):
                    picture.write((row + below) * CELLS + column, str(reading.right))
            return picture

        if any(upper.right == lower.right for upper, lower in pairs):
            return None
        return combinations(rng, question, [reading for pair in pairs for reading in pair], solve, described, draw)

    return [_until(attempt)]


KINDS: Mapping[str, Callable[[random.Random], list[Combinations]]] = {
    "options": prices,
    "decimal": mean,
    "shown": shown,
    "ratio": ratio,
    "variants": variants,
    "groups": chain,
    "labels": labels,
}


def draw_read(rng: random.Random, count: int, shares: Mapping[str, int] | None = None) -> list[Drawn]:
    """`count` questions, each solved by readings of which every one is right or wrong by chance; kinds in the given
    shares (default: equal); of a group one member."""
    kinds = list(KINDS) if shares is None else [kind for kind, share in shares.items() for _ in range(share)]
    chosen = [kinds[number % len(kinds)] for number in range(count)]
    rng.shuffle(chosen)
    members = (variants(rng, 1) if kind == "variants" else KINDS[kind](rng) for kind in chosen)
    return [rng.choice(rng.choice(group)) for group in members]


Twin = tuple[str, tuple[str, ...] | None, tuple[str, ...]]


def twin(drawn: Drawn) -> Twin:
    """What two questions share whose solutions are the same: text, options, steps."""
    return drawn.text, drawn.options, drawn.steps


def draw_combinations(kind: str, seed: int, count: int, met: Collection[Twin] = ()) -> list[tuple[int, Combinations]]:
    """At least `count` questions of one kind in whole groups, each with its group's number, which starts at 1.

    A group with a question whose twin is among `met` is drawn anew.
    """
    rng = random.Random(f"{kind} {seed}")
    drawn: list[tuple[int, Combinations]] = []
    number = 0
    while len(drawn) < count:
        group = KINDS[kind](rng)
        if not any(twin(read[0]) in met for read in group):
            number += 1
            drawn += [(number, read) for read in group]
    return drawn


def draw_right(kind: str, seed: int, count: int, met: Collection[Twin] = ()) -> list[tuple[int, Drawn]]:
    """The same with the right solutions alone."""
    return [(number, read[0]) for number, read in draw_combinations(kind, seed, count, met)]


def read_by_id(seed: int, count: int, met: Collection[Twin] = ()) -> dict[tuple[str, str], Combinations]:
    """The same of every task, by task and question id."""
    return {
        (task.name, as_question(task, read[0], number).id): read
        for kind, task in nano_tasks().items()
        for number, read in draw_combinations(kind, seed, count, met)
    }
