"""Questions of the miniature world, each with its picture and the one reference solution.

There are seven kinds, one for each form of answer that benchmarks have. A solution's steps are short statements, one
fact or one operation each, the last step gives the answer; another solution's step is right if it equals the
reference's step of the same number. Nothing here knows benchmarks: a task turns a `Drawn` into a row of its data set.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from math import gcd

from vpbench.nano.pictures import CELLS, COLOURS, SHAPES, Picture
from vpbench.records import LETTERS, Drawn


def _to_choose(
    rng: random.Random,
    kind: str,
    text: str,
    picture: Picture,
    facts: tuple[str, ...],
    steps: Sequence[str],
    answer: int,
    part: str = "",
) -> Drawn:
    """A question with options: the answer, one digit, and three others near it, in any order.

    The reference solution gets one more step, which says under what letter the result stands.
    """
    near = [value for value in range(max(0, answer - 3), min(9, answer + 3) + 1) if value != answer]
    options = tuple(map(str, rng.sample([answer, *rng.sample(near, 3)], 4)))
    chosen = f"{answer}({LETTERS[options.index(str(answer))]})"
    return Drawn(kind, text, picture, facts, (*steps, chosen), str(answer), options, part)


def _numbers(rng: random.Random, colours: Sequence[str], low: int = 1, high: int = 9) -> tuple[Picture, dict[str, int]]:
    """A picture with one number on a ground of each colour, and the numbers."""
    picture = Picture(rng)
    values = {colour: rng.randint(low, high) for colour in colours}
    for cell, (colour, value) in zip(rng.sample(range(CELLS**2), len(values)), values.items(), strict=True):
        picture.fill(cell, colour)
        picture.write(cell, str(value))
    return picture, values


def _facts(values: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(f"{colour} {value}" for colour, value in values.items())


def bars(rng: random.Random) -> list[Drawn]:
    """Bars to be read off and combined: a mean (one decimal) or a difference (an integer)."""
    picture, colours = Picture(rng), rng.sample(list(COLOURS), CELLS)
    heights = dict(zip(colours, (rng.randint(1, 8) for _ in colours), strict=True))
    for column, (colour, height) in enumerate(heights.items()):
        picture.bar(column, height, colour)
    one, two = rng.sample(colours, 2)
    if rng.random() < 0.5:
        text = f"What is the mean height of the {one} bar and the {two} bar?"
        a, b = heights[one], heights[two]
        answer = f"{(a + b) / 2:.1f}"
        last = f"({a}+{b})/2={answer}"
    else:
        one, two = sorted((one, two), key=lambda colour: -heights[colour])
        text = f"How much higher is the {one} bar than the {two} bar?"
        answer = str(heights[one] - heights[two])
        last = f"{heights[one]}-{heights[two]}={answer}"
    steps = (f"{one} {heights[one]}", f"{two} {heights[two]}", last)
    return [Drawn("decimal", text, picture, _facts(heights), steps, answer)]


def table(rng: random.Random) -> list[Drawn]:
    """A price and, right of it, a quantity on each colour; how much more one costs than another, from options."""
    colours = rng.sample(list(COLOURS), CELLS)
    while True:
        cells = {colour: (rng.randint(1, 6), rng.randint(1, 4)) for colour in colours}
        one, two = sorted(rng.sample(colours, 2), key=lambda colour: -cells[colour][0] * cells[colour][1])
        (a, b), (c, d) = cells[one], cells[two]
        if a * b - c * d <= 9:
            break
    picture, start = Picture(rng), rng.randint(0, 2)
    for row, (colour, pair) in enumerate(cells.items()):
        for column, value in enumerate(pair, start):
            picture.fill(row * CELLS + column, colour)
            picture.write(row * CELLS + column, str(value))
    difference = a * b - c * d
    steps = (f"{one} {a}*{b}={a * b}", f"{two} {c}*{d}={c * d}", f"{a * b}-{c * d}={difference}")
    text = f"How much more do the {one} goods cost than the {two} goods?"
    facts = tuple(f"{colour} {price}*{quantity}" for colour, (price, quantity) in cells.items())
    return [_to_choose(rng, "options", text, picture, facts, steps, difference)]


def shown(rng: random.Random) -> list[Drawn]:
    """A term that only the picture shows: two operations on three digits."""
    picture = Picture(rng)
    while True:
        a, b, c = (rng.randint(1, 9) for _ in range(3))
        first, second = rng.choice("+-*"), rng.choice("+-")
        middle = {"+": a + b, "-": a - b, "*": a * b}[first]
        result = middle + c if second == "+" else middle - c
        if middle >= 0 and result >= 0:
            break
    start = rng.randint(0, 2) * CELLS
    for cell, char in enumerate((str(a), first, str(b), second, str(c)), start):
        picture.write(cell, char)
    steps = (f"{a}{first}{b}{second}{c}", f"{a}{first}{b}={middle}", f"{middle}{second}{c}={result}")
    return [Drawn("shown", f"How much is {steps[0]}?", picture, steps[:1], steps, str(result))]


def ratio(rng: random.Random) -> list[Drawn]:
    """Shapes to be counted; how many of one kind there are to another, as a ratio in lowest terms."""
    picture = Picture(rng)
    counts = [rng.randint(1, 6) for _ in SHAPES]
    kinds = [kind for kind, count in zip(SHAPES, counts, strict=True) for _ in range(count)]
    for cell, kind in zip(rng.sample(range(CELLS**2), len(kinds)), kinds, strict=True):
        picture.place(cell, kind, rng.choice(list(COLOURS)))
    order = rng.choice((0, 1))
    one, two = SHAPES[order], SHAPES[1 - order]
    a, b = counts[order], counts[1 - order]
    answer = f"{a // gcd(a, b)}:{b // gcd(a, b)}"
    text = f"What is the ratio of {one}s to {two}s?"
    facts = (f"{one}s {a}", f"{two}s {b}")
    return [Drawn("ratio", text, picture, facts, (*facts, f"{a}:{b}={answer}"), answer)]


def variants(rng: random.Random, count: int = 10) -> list[Drawn]:
    """One question asked of `count` pictures with other numbers: a multiple of one number, and another one."""
    one, two, *others = rng.sample(list(COLOURS), 5)
    factor, plus = rng.randint(2, 5), rng.random() < 0.5
    text = f"What is {factor} times the {one} number {'plus' if plus else 'minus'} the {two} number?"
    drawn = []
    for number in range(1, count + 1):
        while True:
            picture, values = _numbers(rng, [one, two, *others])
            product = factor * values[one]
            result = product + values[two] if plus else product - values[two]
            if result >= 0:
                break
        sign = "+" if plus else "-"
        steps = (
            f"{one} {values[one]}",
            f"{factor}*{values[one]}={product}",
            f"{two} {values[two]}",
            f"{product}{sign}{values[two]}={result}",
        )
        drawn.append(Drawn("variants", text, picture, _facts(values), steps, str(result), part=str(number)))
    return drawn


def chain(rng: random.Random) -> list[Drawn]:
    """A problem of two or three operations on numbers of the picture, asked step by step and as a whole."""
    colours = rng.sample(list(COLOURS), 5)
    one, two, three, four = colours[:4]
    long = rng.random() < 0.5
    while True:
        picture, values = _numbers(rng, colours)
        total = values[one] + values[two]
        rest = total - values[three]
        if total <= 9 and rest >= 0 and (not long or rest + values[four] <= 9):
            break
    group, end = ("3steps", rest + values[four]) if long else ("2steps", rest)
    add = [f"{one} {values[one]}", f"{two} {values[two]}", f"{values[one]}+{values[two]}={total}"]
    take = [f"{three} {values[three]}", f"{total}-{values[three]}={rest}"]
    put = [f"{four} {values[four]}", f"{rest}+{values[four]}={end}"]
    whole = f"What is the {one} number plus the {two} number, minus the {three} number"
    parts = [
        (f"{group}_1", f"What is the {one} number plus the {two} number?", add, total),
        (f"{group}_2", f"What is {total} minus the {three} number?", take, rest),
    ]
    if long:
        parts.append((f"{group}_3", f"What is {rest} plus the {four} number?", put, end))
        whole += f", plus the {four} number"
    parts.append((f"{group}_multi", whole + "?", [*add, *take, *(put if long else [])], end))
    return [
        _to_choose(rng, "groups", text, picture, _facts(values), steps, value, part)
        for part, text, steps, value in parts
    ]


def labels(rng: random.Random) -> list[Drawn]:
    """Columns A to D of two numbers each: in which is the upper one larger? One to three labels."""
    while True:
        picture = Picture(rng)
        top = rng.randint(0, 2)
        pairs = [rng.sample(range(10), 2) for _ in LETTERS]
        chosen = [letter for letter, (upper, lower) in zip(LETTERS, pairs, strict=True) if upper > lower]
        if 1 <= len(chosen) <= 3:
            break
    for column, pair in enumerate(pairs):
        for row, value in enumerate(pair, top):
            picture.write(row * CELLS + column, str(value))
    steps = tuple(
        f"{letter} {upper},{lower} {'yes' if upper > lower else 'no'}"
        for letter, (upper, lower) in zip(LETTERS, pairs, strict=True)
    )
    text = "In which columns is the upper number larger? Select from A-D"
    facts = tuple(step.rpartition(" ")[0] for step in steps)
    return [Drawn("labels", text, picture, facts, steps, ", ".join(chosen))]


KINDS: Mapping[str, Callable[[random.Random], list[Drawn]]] = {
    "options": table,
    "decimal": bars,
    "shown": shown,
    "ratio": ratio,
    "variants": variants,
    "groups": chain,
    "labels": labels,
}


def draw_mixed(rng: random.Random, count: int, shares: Mapping[str, int] | None = None) -> list[Drawn]:
    """`count` questions, kinds in the given shares (default: equal); of a group one member."""
    kinds = list(KINDS) if shares is None else [kind for kind, share in shares.items() for _ in range(share)]
    chosen = [kinds[number % len(kinds)] for number in range(count)]
    rng.shuffle(chosen)
    return [variants(rng, 1)[0] if kind == "variants" else rng.choice(KINDS[kind](rng)) for kind in chosen]
