"""Equality and classes of open answers: values, tuples and sets, formulas, words.

Both sides are evaluated by our own parser. Values are compared exactly (25 digits for irrational ones); a decimal with
at least two decimals also equals an irrational or periodic gold answer that rounds to it, and then joins its class.
What counts as one value, formula, equation or inequality is said in `forms`; what our parser doesn't know goes to
`symbolic`. "x = 4" isn't "y = 4": where both sides name a lone x, y or z, it must be the same; values of x, y, z in
turn are a tuple. Where the gold answer is no number, a sentence is read by the formula it ends on, and intervals are
inequalities (`intervals`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.reading.prose import number_in_prose
from vpbench.grade.values import expressions
from vpbench.grade.values.arithmetic import Value, rounded, same
from vpbench.grade.values.forms import Form, class_of, equal_forms, form_of, formula_at_end, full_equation
from vpbench.grade.values.intervals import like_gold
from vpbench.grade.values.numbers import value_of, without_markup
from vpbench.grade.values.relations import ORDER_SIGNS, PROSE, coordinate_named, plain_signs
from vpbench.records import COMPARISON_FAILED, TIMEOUT

_DECIMAL = re.compile(r"\d*\.(\d{2,12})(?!\d)")
_ARTICLE = re.compile(r"\b(?:[Tt]he|an?|An?(?=\s+[a-z]))\b|[^\w\s.%/+<>≤≥∪∞-]")
_INTERVAL = re.compile(r"([(\[][^()\[\],;]{1,60}[,;][^()\[\],;]{1,60}[)\]])")
_COPULA = re.compile(r"\b(?:is|are)\b")
_NEGATED = re.compile(r"\b(?:not?|none|neither|nor|never|whether|if)\b|n't\b", re.IGNORECASE)
_INFINITY = re.compile(r"\\infty(?![A-Za-z])|\b(?:inf|infinity)\b|\boo\b")


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer that was read: how it is written, its class, what comparing it gave, and by which rule, if told."""

    text: str
    answer_class: str | None
    correct: bool
    reason: str
    rule: str = ""


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
    gold_form = form_of(gold)
    written = text.strip()
    if gold_form is None or gold_form[0] != "number":
        written = like_gold(formula_at_end(written) or written, gold)
    form = form_of(written) if len(written) <= expressions.MAX_CHARACTERS else None
    if form is not None and not strong and form[0].startswith("expr"):
        form = None
    if form is None:
        if normal_words(written) == normal_words(gold) or (gold_form is None and _affirms_at_end(written, gold)):
            return Reading(written, class_of(gold_form) if gold_form else f"expr:{normal_words(gold)}", True, "match")
        if strong and gold_form is None and not PROSE.search(without_markup(written)):
            return _symbolic(written, gold)
        plain = without_markup(written)
        formula = strong and len(written) < 60 and ("\\" in plain or _has_order(plain)) and not PROSE.search(plain)
        number = None if formula else number_in_prose(written, ())
        if number == "two answers":
            return Reading(written, None, False, "two answers")
        if number is None:
            return _words(written) if strong else None
        form, written = ("number", (number.value,)), number.text
    if gold_form is None:
        return Reading(written, class_of(form), False, "different")
    if _same_answer(written, form, gold, gold_form):
        return Reading(written, class_of(gold_form), True, "match")
    if strong and "=" in written and "=" in gold and form[0] != gold_form[0] and not _has_order(written + gold):
        reading = _symbolic(written, gold)
        if reading is not None and reading.reason != "different":
            return reading
    name = coordinate_named(without_markup(written)) if _named_apart(written, gold) else None
    return Reading(written, f"{name} = {class_of(form)}" if name else class_of(form), False, "different")


def _same_answer(written: str, form: Form, gold: str, gold_form: Form) -> bool:
    """Whether the forms are equal, `written` rounds the gold value, or both are one equation in several variables."""
    if _named_apart(written, gold):
        return False
    if form[0] in {"system:x,y", "system:x,y,z"} and gold_form[0] == "set:()":
        return all(map(same, form[1], gold_form[1]))
    numbers = form[0] == gold_form[0] == "number"
    if equal_forms(form, gold_form) or (numbers and _approximation(written, form[1][0], gold_form[1][0])):
        return True
    if "=" not in written or "=" not in gold:
        return False
    whole, gold_whole = (full_equation(without_markup(text)) for text in (written, gold))
    return whole is not None and gold_whole is not None and "," in whole[0] and equal_forms(whole, gold_whole)


def _named_apart(written: str, gold: str) -> bool:
    """Whether two answers give values of different coordinates ("x = 4", "y = 4")."""
    if "=" not in written or "=" not in gold:
        return False
    name, gold_name = coordinate_named(without_markup(written)), coordinate_named(without_markup(gold))
    return name is not None and gold_name is not None and name != gold_name


def _has_order(text: str) -> bool:
    """Whether `text` has an inequality sign."""
    return any(sign in ORDER_SIGNS for sign in plain_signs(text))


def _affirms_at_end(sentence: str, gold: str) -> bool:
    """Whether `sentence` affirms of something that it is `gold` ("the function is odd")."""
    clauses = _COPULA.split(sentence)
    return len(clauses) > 1 and not _NEGATED.search(sentence) and normal_words(clauses[-1]) == normal_words(gold)


def _words(written: str) -> Reading | None:
    """An answer in words that differs from the gold answer."""
    words = normal_words(written)
    return Reading(written, f"text:{words[:80]}", False, "different") if words else None


def _symbolic(written: str, gold: str) -> Reading | None:
    """The verdict of math-verify on two formulas that our parser can't evaluate."""
    from vpbench.grade.values.symbolic import SymbolicTimeout, WorkerFailed, formulas_equal

    try:
        equal = formulas_equal(without_markup(gold), without_markup(written))
    except SymbolicTimeout:
        return Reading(written, None, False, TIMEOUT)
    except WorkerFailed:
        return Reading(written, None, False, COMPARISON_FAILED)
    gold_form = form_of(gold)
    name = class_of(gold_form) if gold_form else f"expr:{normal_words(gold)}"
    return Reading(written, name, True, "match", "the same formula by math-verify") if equal else _words(written)


@lru_cache(maxsize=8_192)
def normal_words(text: str) -> str:
    """`text` without markup, articles, punctuation and case: what is compared of an answer in words.

    Inequality signs and the brackets of intervals stay.
    """
    text = _INFINITY.sub("∞", plain_signs(without_markup(text)).replace("\\cup", "∪"))
    text = re.sub(r"\\left(?![A-Za-z])|\\right(?![A-Za-z])", "", text)
    text = re.sub(r"\s*([<>≤≥∪])\s*", r"\1", text)
    pieces = _INTERVAL.split(text)
    pieces[::2] = [_ARTICLE.sub(" ", piece) for piece in pieces[::2]]
    pieces[1::2] = ["".join(piece.split()) for piece in pieces[1::2]]
    return " ".join("".join(pieces).casefold().split()).strip(" .")


def grade_text(text: str, gold: str, *, strong: bool) -> Reading | None:
    """The reading of a span against an answer in words: equal words, or an equal value."""
    words, wanted = normal_words(text), normal_words(gold)
    value, gold_value = value_of(text), value_of(gold)
    correct = words == wanted or (value is not None and gold_value is not None and same(value, gold_value))
    if not correct and not strong:
        return None
    return Reading(text, f"text:{wanted if correct else words[:80]}", correct, "match" if correct else "different")
