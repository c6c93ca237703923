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

from vpbench.grade.reading.prose import number_in_prose, numbers_in
from vpbench.grade.reading.statements import polarity
from vpbench.grade.reading.text import main_clause
from vpbench.grade.values import expressions
from vpbench.grade.values.arithmetic import Value, canonical, constant, divide, multiply, rounded, same
from vpbench.grade.values.forms import Form, class_of, equal_forms, form_of, formula_at_end, full_equation
from vpbench.grade.values.intervals import like_gold
from vpbench.grade.values.numbers import value_of, without_markup
from vpbench.grade.values.regions import region_of, same_region
from vpbench.grade.values.relations import (
    ORDER_SIGNS,
    PROSE,
    coordinate_named,
    plain_signs,
    split_relation,
    value_sides,
)
from vpbench.grade.values.shapes import both_signs, sorted_values
from vpbench.grade.values.units import unit_at_end
from vpbench.grade.values.words import decimal_commas, in_digits
from vpbench.records import COMPARISON_FAILED, TIMEOUT

_DECIMAL = re.compile(r"\d*\.(\d{2,12})(?!\d)")
_ARTICLE = re.compile(r"\b(?:[Tt]he|an?|An?(?=\s+[a-z]))\b|[^\w\s.%/+<>≤≥∪∞-]")
_INTERVAL = re.compile(r"([(\[][^()\[\],;]{1,60}[,;][^()\[\],;]{1,60}[)\]])")
_COPULA = re.compile(r"\b(?:is|are)\b")
_NEGATED = re.compile(r"\b(?:not?|none|neither|nor|never|whether|if)\b|n't\b", re.IGNORECASE)
_FORMULA_AT_END = re.compile(r"(?:\A|\s)\$([^$]{1,160})\$[\s.*]*\Z")
_SPACES = re.compile(r"[\s{}$]")
_LETTERS = "letters:"
_DEGREE = re.compile(r"°|\\circ|\\degree|\bdegrees?\b")
_TO = re.compile(r"(?<=\d)\s+to\s+(?=\d)")
_NO_SOLUTION = re.compile(r"\b(?:no (?:real )?(?:solutions?|roots?)|empty set)\b", re.IGNORECASE)
_SAME_WORDS = {"dne": "does not exist", "undefined": "does not exist", "not defined": "does not exist"}
_YES_NO = {"yes": True, "no": False, "true": True, "false": False}
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|has|have|had|shows?|named|called|seems?|appears?|looks?|represents?|indicates?|says|reads)\b|:\s",
    re.IGNORECASE,
)
_PREPOSITIONS = frozenset(["in", "on", "at", "to", "from", "by", "during", "of", "with", "for"])
_ASKS_WHERE = re.compile(r"^\s*(?:in|on|at|to|from|by|during) (?:which|what)|\b(?:where|when)\b", re.IGNORECASE)
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


def compare_open(text: str, gold: str, *, strong: bool, unordered: bool = False) -> Reading | None:
    """The reading of a span's text against the gold answer; None if nothing in it is an answer.

    `strong`: the span is marked as the answer, so what isn't understood is an answer too, in words. `unordered`: the
    question asks for all values of something, so that their order says nothing.
    """
    reading = _compared(text, gold, strong, unordered)
    if reading is None or not reading.correct:
        return reading
    unit = _other_unit(reading.text, text, gold)
    if unit is None:
        return reading
    return Reading(reading.text, f"{reading.answer_class} {unit}", False, "different")


def _other_unit(written: str, text: str, gold: str) -> str | None:
    """The unit of an answer where it isn't the one the gold answer names; None where one of them names none."""
    wanted = unit_at_end(without_markup(gold.replace("$", " ")) if "\\" in gold else gold)
    if wanted is None:
        return None
    written, text = (without_markup(part) for part in (written, text))
    at = text.rfind(written)
    after = text[at + len(written) :].split()[:3] if at >= 0 else []
    for count in range(len(after), -1, -1):
        given = unit_at_end(" ".join([written, *after[:count]]))
        if given is not None:
            same_size = {given[1], wanted[1]} == {"°", "rad"}
            return given[1] if given[1] != wanted[1] and not same_size else None
    return None


def _compared(text: str, gold: str, strong: bool, unordered: bool) -> Reading | None:
    gold_form = form_of(gold)
    written = text.strip()
    for compared in (_as_roots, _as_region):
        reading = compared(written, gold, strong)
        if reading is not None:
            return reading
    if gold_form is None or gold_form[0] != "number":
        written = like_gold(formula_at_end(written) or written, gold)
    elif "," in written:
        written = decimal_commas(written)
    if ":" in gold or "\\colon" in gold:
        written = _TO.sub(":", written)
    form = form_of(written) if len(written) <= expressions.MAX_CHARACTERS else None
    if form is not None and not strong and form[0].startswith("expr"):
        form = None
    if form is None:
        if normal_words(written) == normal_words(gold) or (gold_form is None and _affirms_at_end(written, gold)):
            return Reading(written, class_of(gold_form) if gold_form else f"expr:{normal_words(gold)}", True, "match")
        if gold_form is not None and _values_in_turn(written, gold_form):
            return Reading(written, class_of(gold_form), True, "match")
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
        if normal_words(written) == normal_words(gold):
            return Reading(written, f"expr:{normal_words(gold)}", True, "match")
        return Reading(written, class_of(form), False, "different")
    if _same_answer(written, form, gold, gold_form) or (unordered and _same_set(form, gold_form)):
        return Reading(written, class_of(gold_form), True, "match")
    if strong and "=" in written and "=" in gold and form[0] != gold_form[0] and not _has_order(written + gold):
        reading = _symbolic(written, gold)
        if reading is not None and reading.reason != "different":
            return reading
    if gold_form[0].startswith("equation") and "=" in written:
        # Equal lines are one answer, however they are solved for a variable.
        form = full_equation(without_markup(written)) or form
    name = coordinate_named(without_markup(written)) if _named_apart(written, gold) else None
    return Reading(written, f"{name} = {class_of(form)}" if name else class_of(form), False, "different")


def _same_answer(written: str, form: Form, gold: str, gold_form: Form) -> bool:
    """Whether the forms are equal, `written` rounds the gold value, or both are one equation in several variables."""
    if _named_apart(written, gold):
        return False
    if form[0] in {"system:x,y", "system:x,y,z"} and gold_form[0] == "set:()":
        return all(map(same, form[1], gold_form[1]))
    if {form[0], gold_form[0]} == {"set:()", "set:{}"} and "(" not in f"{written}{gold}":
        return _same_set(form, gold_form)
    if _LETTERS in form[0] and _LETTERS in gold_form[0] and form[0][0] != gold_form[0][0]:
        return sorted(form[0].rpartition(":")[2]) == sorted(gold_form[0].rpartition(":")[2])
    if gold_form[0].startswith("base ") and form[0] == "number":
        return canonical(form[1][0]) == gold_form[0].rpartition(":")[2]
    numbers = form[0] == gold_form[0] == "number"
    if (
        numbers
        and (_DEGREE.search(written) is None) != (_DEGREE.search(gold) is None)
        and "pi" in f"{written}{gold}".replace("π", "pi")
    ):
        turned, radians = (form, gold_form) if _DEGREE.search(written) else (gold_form, form)
        return same(divide(multiply(turned[1][0], constant("pi")), Fraction(180)), radians[1][0])
    if equal_forms(form, gold_form) or (numbers and _approximation(written, form[1][0], gold_form[1][0])):
        return True
    if "=" not in written or "=" not in gold:
        return False
    whole, gold_whole = (full_equation(without_markup(text)) for text in (written, gold))
    return whole is not None and gold_whole is not None and "," in whole[0] and equal_forms(whole, gold_whole)


def _same_set(form: Form, gold_form: Form) -> bool:
    """Whether two lists of values hold the same values in any order."""
    listed = form[0].startswith("set:") and gold_form[0].startswith("set:")
    return (
        listed
        and len(form[1]) == len(gold_form[1])
        and all(map(same, sorted_values(list(form[1])), sorted_values(list(gold_form[1]))))
    )


def _values_in_turn(sentence: str, gold_form: Form) -> bool:
    """Whether a sentence gives the values of the gold list, one after the other ("the width is 3, the height is 5")."""
    if gold_form[0] not in {"set:()", "set:{}"} or len(gold_form[1]) < 2 or _NEGATED.search(sentence):
        return False
    values = [number.value for number in numbers_in(in_digits(without_markup(sentence)))]
    return len(values) == len(gold_form[1]) and all(map(same, values, gold_form[1]))


def _as_roots(written: str, gold: str, strong: bool) -> Reading | None:
    """The reading where one of the two has a ±: its two values in any order."""
    if not strong or not any(both_signs(part) for part in (written, gold)):
        return None
    roots, wanted = _roots(formula_at_end(written) or written), _roots(gold)
    if roots is None or wanted is None:
        return None
    correct = roots == wanted
    return Reading(written, "roots:" + "; ".join(sorted(roots)), correct, "match" if correct else "different")


def _roots(text: str) -> frozenset[str] | None:
    """The classes of the values that `text` gives by a ± or as a list."""
    parts = both_signs(text) or re.split(
        r",\s|,(?=[-+\\]|\d{1,2}(?!\d))|\b(?:and|or)\b|\\text\s*\{\s*(?:and|or)\s*\}", text.strip(" ()[]$")
    )
    kept = [part.strip() for part in parts if part.strip(" ,")]
    names = [
        class_of(form)
        if (form := form_of(part))
        else f"expr:{_SPACES.sub('', value_sides(split_relation(part)[1])[-1])}"
        for part in kept
    ]
    return frozenset(names) if len(names) > 1 else None


def _as_region(written: str, gold: str, strong: bool) -> Reading | None:
    """The reading where the gold answer is a set of real numbers and the answer describes one, too."""
    wanted = region_of(gold)
    if wanted is None or wanted.letter is not None and not wanted.sure and " or " not in f" {written} ":
        return _as_listed_roots(written, gold) if strong and wanted is None else None
    formula = _FORMULA_AT_END.search(written)
    given = region_of(formula_at_end(written) or (formula[1] if formula else written))
    if given is None and not wanted.pieces and _NO_SOLUTION.search(written):
        given = wanted
    if (
        given is None
        and strong
        and (form := form_of(written)) is not None
        and form[0] == "set:()"
        and "(" not in written
    ):
        points = all(same(low, high) for low, _, high, _ in wanted.pieces)
        given = region_of("{" + without_markup(written).strip() + "}") if points else None
    if given is None or not (wanted.sure or given.sure):
        return None
    correct = same_region(given, wanted)
    return Reading(written, wanted.name() if correct else given.name(), correct, "match" if correct else "different")


def _as_listed_roots(written: str, gold: str) -> Reading | None:
    """The reading of "x = 2 or x = 1" where the gold answer lists the values without brackets."""
    gold_form, given = form_of(gold), region_of(written)
    if gold_form is None or gold_form[0] != "set:()" or given is None or given.letter is None:
        return None
    wanted = region_of("{" + without_markup(gold).strip(" ()") + "}")
    if wanted is None or not same_region(given, wanted):
        return None
    return Reading(written, class_of(gold_form), True, "match")


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
    words, wanted = normal_words(sentence), normal_words(gold)
    if " " in wanted and words.endswith(f" {wanted}"):
        return _NEGATED.search(words[: -len(wanted)]) is None
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
    words = " ".join("".join(pieces).casefold().split()).rstrip(" .").lstrip()
    return _SAME_WORDS.get(words, words)


def grade_text(text: str, gold: str, *, strong: bool, question: str = "") -> Reading | None:
    """The reading of a span against an answer in words: equal words, an equal value, or a sentence that says them.

    A sentence says what stands after its last verb or preposition ("The car is red", "Sales were highest in Q3"), or
    yes and no where the gold answer is one of these.
    """
    words, wanted = normal_words(text), normal_words(gold)
    value, gold_value = value_of(text), value_of(gold)
    correct = words == wanted or (value is not None and gold_value is not None and same(value, gold_value))
    if correct and words != wanted and _other_unit(text, text, gold) is not None:
        correct = False
    name = wanted if correct else words[:80]
    if not correct and wanted in _YES_NO:
        answer = polarity(text, question)
        if answer is not None:
            correct = answer == _YES_NO[wanted]
            name = wanted if correct else next(word for word, yes in _YES_NO.items() if yes == answer)
            return Reading(text, f"text:{name}", correct, "match" if correct else "different")
    if not correct and (predicates := _predicates(text, question)):
        correct = wanted in predicates
        name = wanted if correct else predicates[-1][:80]
        if not correct and not strong:
            return None
    if not correct and not strong:
        return None
    return Reading(text, f"text:{name}", correct, "match" if correct else "different")


def _predicates(sentence: str, question: str) -> list[str]:
    """What a sentence that answers the question says, the longer first; empty where it denies or leaves it open."""
    if len(sentence) > 300 or _NEGATED.search(sentence) or "?" in sentence or re.search(r"\bor\b", sentence):
        return []
    after = _VERB.split(main_clause(sentence))
    if len(after) < 2:
        return []
    predicate = normal_words(after[-1])
    words = predicate.split()
    ends = [" ".join(words[at + 1 :]) for at, word in enumerate(words) if word in _PREPOSITIONS and at + 1 < len(words)]
    asks_where = _ASKS_WHERE.search(question) is not None
    return [name for name in ([predicate, *ends] if asks_where or not ends else [*ends, predicate]) if name]
