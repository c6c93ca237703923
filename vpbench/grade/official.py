"""What official graders are made of: comparison of LaTeX answers by rounded value, and the nearest option.

Both are kept as the benchmarks' own code has them, quirks included, because published figures depend on the quirks:
values that agree after rounding to two decimals count as equal (so do 1/55 and 1/60), and the nearest option by edit
distance is found for any text, an empty one too. Nothing is executed; `latex_value` reads expressions.
"""

from __future__ import annotations

from collections.abc import Sequence

from vpbench.grade.values.latex_value import latex_value

_KEPT_ELEMENTS = ("a", "-a")


def equal_to_two_decimals(answer: str, gold: str) -> bool:
    """Whether two answers are the same text, the same tuple or list, or the same value, rounded to two decimals.

    Case is ignored. Elements of a tuple are compared in their printed form, so that `(1,2)` is not `(1.0,2)`.
    """
    answer, gold = answer.lower(), gold.lower()
    if not answer.replace(" ", "") or not gold.replace(" ", ""):
        return False
    if answer.strip() == gold.strip():
        return True
    answer, gold = _rounded_elements(answer), _rounded_elements(gold)
    if answer == gold:
        return True
    value, gold_value = latex_value(answer), latex_value(gold)
    return value is not None and gold_value is not None and round(value, 2) == round(gold_value, 2)


def _rounded_elements(text: str) -> str:
    """A tuple or list with each element evaluated and rounded; `text` itself if it is none or an element has no
    value. Infinite elements and the lone letter a stay as they are."""
    if (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return text
    elements = text[1:-1].split(",")
    if len(elements) == 1:
        return text
    rounded = []
    for element in elements:
        if "infty" in element or element in _KEPT_ELEMENTS:
            rounded.append(element)
            continue
        value = latex_value(element)
        if value is None:
            return text
        rounded.append(str(round(value, 2)))
    return text[0] + ",".join(rounded) + text[-1]


def nearest_choice(text: str, choices: Sequence[str]) -> int:
    """Index of the choice with the smallest edit distance to `text`, the first of equals; upper and lower case differ.

    Time grows with the length of `text` times the number of choices.
    """
    distances = [edit_distance(choice, text) for choice in choices]
    return distances.index(min(distances))


def edit_distance(pattern: str, text: str) -> int:
    """Levenshtein distance: fewest insertions, deletions and substitutions of one character.

    Bit-parallel after Myers (1999) in the form of Hyyrö (2003): one column of the distance table is two integers of
    `len(pattern)` bits that mark where the table goes up and down.
    """
    if not pattern:
        return len(text)
    ones = (1 << len(pattern)) - 1
    top = 1 << (len(pattern) - 1)
    positions: dict[str, int] = {}
    for index, character in enumerate(pattern):
        positions[character] = positions.get(character, 0) | 1 << index
    up, down, distance = ones, 0, len(pattern)
    for character in text:
        same = positions.get(character, 0)
        diagonal = ((((same & up) + up) ^ up) | same | down) & ones
        right_up = (down | ~(diagonal | up)) & ones
        right_down = up & diagonal
        distance += bool(right_up & top) - bool(right_down & top)
        right_up = (right_up << 1 | 1) & ones
        right_down = (right_down << 1) & ones
        up = (right_down | ~(diagonal | right_up)) & ones
        down = right_up & diagonal
    return distance
