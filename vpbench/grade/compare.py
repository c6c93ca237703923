"""Equality and classes of open answers: values, tuples and sets, formulas, words.

Both sides are evaluated by our own parser. Values are compared exactly (25 digits for irrational ones); a decimal with
at least two decimals also equals an irrational or periodic gold answer that rounds to it, and then joins its class.
Formulas are compared by their values at three fixed points per variable; two different formulas that agree there to
25 digits don't occur in practice. What our parser doesn't know goes to `symbolic`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vpbench.grade import expressions
from vpbench.grade.expressions import NotAnExpression
from vpbench.grade.numbers import value_of, without_markup
from vpbench.grade.prose import number_in_prose
from vpbench.grade.values import Value, canonical, divide, real, rounded, same

_POINTS = (Fraction(7, 5), Fraction(19, 8), Fraction(31, 11))
_BRACKETED_LIST = re.compile(r"\\?([(\[{])(.+)\\?([)\]}])", re.DOTALL)
_DECIMAL = re.compile(r"\d*\.(\d{2,12})(?!\d)")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}|(?<![\\A-Za-z])[A-Za-z]{2,}\s+[A-Za-z]{2,}")
_OPERATOR = re.compile(r"[-+*/^]|\\frac|\d\s*[A-Za-z]")
_ARTICLE = re.compile(r"\b(?:[Tt]he|an?|An?(?=\s+[a-z]))\b|[^\w\s.%/+-]")


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer that was read: how it is written, its class, and what comparing it gave."""

    text: str
    answer_class: str | None
    correct: bool
    reason: str


@lru_cache(maxsize=8_192)
def form_of(text: str) -> tuple[str, tuple[Value, ...]] | None:
    """What `text` is, and its values: "number", "set:()" of a tuple, "expr:x,y" or "equation:x,y" at the points."""
    equation = _equation(without_markup(text).strip(" ."))
    if equation is not None:
        return equation
    value = value_of(text)
    if value is not None:
        return "number", (value,)
    text = without_markup(text).strip(" .")
    text = re.sub(r"\\left|\\right", "", text)
    listed = _BRACKETED_LIST.fullmatch(text)
    inner = listed[2] if listed else text
    parts = re.split(r"[,;](?!\d{3}(?!\d))|\band\b", inner)
    if len(parts) > 1:
        members = [member for part in parts if (member := value_of(part)) is not None]
        if len(members) == len([part for part in parts if part.strip()]):
            kind = listed[1] + listed[3] if listed else "()"
            ordered = sorted(members, key=real) if kind == "{}" else members
            return f"set:{kind}", tuple(ordered)
    return _formula(text)


def _equation(text: str) -> tuple[str, tuple[Value, ...]] | None:
    """An equation whose left side is more than a name: left minus right at the points, up to a common factor."""
    left, equals, right = text.partition("=")
    if not equals or "=" in right or not _OPERATOR.search(left) or "(" in left[:3] or _PROSE.search(text):
        return None
    form = _formula(f"({left})-({right})")
    if form is None:
        return None
    try:
        scale = next(value for value in form[1] if value != 0)
        return "equation" + form[0][4:], tuple(divide(value, scale) for value in form[1])
    except (StopIteration, ArithmeticError):
        return None


def _formula(text: str) -> tuple[str, tuple[Value, ...]] | None:
    text = text.rpartition("=")[2].strip()
    if _PROSE.search(text):
        return None
    try:
        found = expressions.tokens(text)
        names = expressions.variables(found)
        if not names or (len(found) > 1 and not re.search(r"\d|[-+*/^=\\]", text)):
            return None
        points = [{name: point + Fraction(sum(map(ord, name)), 97) for name in names} for point in _POINTS]
        return f"expr:{','.join(names)}", tuple(expressions.evaluate(found, given) for given in points)
    except NotAnExpression:
        return None


def class_of(form: tuple[str, tuple[Value, ...]]) -> str:
    """The answer class of a form."""
    kind, members = form
    if kind == "number":
        return f"number:{canonical(members[0])}"
    if kind.startswith("set:"):
        return f"set:{kind[4]}{', '.join(canonical(member) for member in members)}{kind[5]}"
    if kind.startswith("equation"):
        kind = f"expr:{kind}"
    return f"{kind} at fixed points {'; '.join(canonical(member) for member in members)}"


def _equal(mine: tuple[str, tuple[Value, ...]], gold: tuple[str, tuple[Value, ...]]) -> bool:
    return mine[0] == gold[0] and len(mine[1]) == len(gold[1]) and all(map(same, mine[1], gold[1]))


def _approximation(written: str, value: Value, gold: Value) -> bool:
    """Whether `written` is a decimal to which `gold`, itself no short decimal, rounds."""
    match = _DECIMAL.search(written)
    if match is None or not isinstance(value, Fraction):
        return False
    decimals = len(match[1])
    short = isinstance(gold, Fraction) and (gold * 10**decimals).denominator == 1
    return not short and rounded(gold, decimals) == value


def compare_open(text: str, gold: str, *, strong: bool) -> Reading | None:
    """The reading of a span's text against the gold answer; None if nothing in it is an answer.

    `strong`: the span is marked as the answer, so what isn't understood is an answer too, in words.
    """
    written = text.strip()
    form = form_of(written) if len(written) <= expressions.MAX_CHARACTERS else None
    if form is not None and not strong and form[0].startswith("expr"):
        form = None
    gold_form = form_of(gold)
    if form is None:
        if normal_words(written) == normal_words(gold):
            return Reading(written, class_of(gold_form) if gold_form else f"expr:{normal_words(gold)}", True, "match")
        if strong and gold_form is None and not _PROSE.search(without_markup(written)):
            return _symbolic(written, gold)
        formula = strong and "\\" in without_markup(written) and len(written) < 60
        found = None if formula else number_in_prose(written, ())
        if found == "two answers":
            return Reading(written, None, False, "two answers")
        if found is None:
            return _words(written) if strong else None
        form, written = ("number", (found.value,)), found.text
    if gold_form is None:
        return Reading(written, class_of(form), False, "different")
    if strong and "=" in written and "=" in gold and form[0] != gold_form[0]:
        return _symbolic(written, gold)
    numbers = form[0] == gold_form[0] == "number"
    if _equal(form, gold_form) or (numbers and _approximation(written, form[1][0], gold_form[1][0])):
        return Reading(written, class_of(gold_form), True, "match")
    return Reading(written, class_of(form), False, "different")


def _words(written: str) -> Reading | None:
    """An answer in words that differs from the gold answer."""
    words = normal_words(written)
    return Reading(written, f"text:{words[:80]}", False, "different") if words else None


def _symbolic(written: str, gold: str) -> Reading | None:
    """The verdict of math-verify on two formulas that our parser can't evaluate."""
    from vpbench.grade.symbolic import SymbolicTimeout, formulas_equal

    try:
        equal = formulas_equal(without_markup(gold), without_markup(written))
    except SymbolicTimeout:
        return Reading(written, None, False, "timeout")
    gold_form = form_of(gold)
    name = class_of(gold_form) if gold_form else f"expr:{normal_words(gold)}"
    return Reading(written, name, True, "match") if equal else _words(written)


@lru_cache(maxsize=8_192)
def normal_words(text: str) -> str:
    """`text` without markup, articles, punctuation and case: what is compared of an answer in words."""
    return " ".join(_ARTICLE.sub(" ", without_markup(text)).casefold().split()).strip(" .")


def grade_text(text: str, gold: str, *, strong: bool) -> Reading | None:
    """The reading of a span against an answer in words: equal words, or an equal value."""
    words, wanted = normal_words(text), normal_words(gold)
    mine, other = value_of(text), value_of(gold)
    correct = words == wanted or (mine is not None and other is not None and same(mine, other))
    if not correct and not strong:
        return None
    return Reading(text, f"text:{wanted if correct else words[:80]}", correct, "match" if correct else "different")
