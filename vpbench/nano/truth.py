"""True labels of solutions, and mistakes made on purpose.

A step is right if it equals the reference's step of the same number; the answer line, wherever it stands, if it gives
the right answer. `slip` changes one token of a reference solution, a mistake that a policy makes once in a hundred
samples, so that critics see such solutions, too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from vpbench.records import LETTERS, Drawn

ANSWER = "Answer: "
LAST_STEP, AFTER_EQUALS = 0.4, 0.75


def expected(drawn: Drawn, steps: Sequence[str]) -> list[str]:
    """For each step the reference's step of the same number ("" beyond its end)."""
    reference = drawn.solution
    return [
        reference[-1] if step.startswith(ANSWER) else reference[number] if number < len(reference) - 1 else ""
        for number, step in enumerate(steps)
    ]


def step_labels(drawn: Drawn, steps: Sequence[str]) -> list[bool]:
    """Whether each step is right."""
    return [step == wanted for step, wanted in zip(steps, expected(drawn, steps), strict=True)]


def outcome(drawn: Drawn, steps: Sequence[str]) -> bool:
    """Whether the last step gives the right answer."""
    return bool(steps) and steps[-1] == drawn.solution[-1]


def slip(drawn: Drawn, rng: random.Random) -> tuple[str, ...]:
    """The reference solution with one sign of one step changed; the answer follows where the last step changed it."""
    steps = list(drawn.solution)
    last = len(steps) - 2
    number = last if rng.random() < LAST_STEP else rng.randrange(len(steps))
    step = steps[number]
    digits = [at for at, sign in enumerate(step) if sign.isdigit()]
    results = [at for at in digits if at > step.find("=") >= 0]
    lettered = number == len(steps) - 1 or (drawn.options and number == last)
    letters = [
        at
        for at, sign in enumerate(step.removeprefix(ANSWER), len(step) - len(step.removeprefix(ANSWER)))
        if sign in LETTERS and lettered
    ]
    if letters:
        at = rng.choice(letters)
        new = rng.choice([letter for letter in LETTERS if letter != step[at]])
    elif not digits:
        return tuple(steps)
    else:
        at = rng.choice(results) if results and rng.random() < AFTER_EQUALS else rng.choice(digits)
        value = int(step[at])
        near = [value - 1, value + 1, value - 2, value + 2, rng.randrange(10)]
        new = str(rng.choice([other for other in near if 0 <= other <= 9 and other != value] or [(value + 1) % 10]))
    steps[number] = step[:at] + new + step[at + 1 :]
    if number == last and drawn.options:
        steps[-1] = f"{ANSWER}({new})"
    elif number == last and "=" in step and at > step.rfind("="):
        steps[-1] = ANSWER + steps[number].rpartition("=")[2]
    return tuple(steps)
