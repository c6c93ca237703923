"""Free-form answers: numbers at a stated precision, lists, expressions, words.

The kind of answer follows `Question.answer_type`. 'integer': a value equals the answer if it is that number up to the
noise of floating-point arithmetic, a millionth of it (7.5 isn't 7). 'float': if it rounds to it at
`Question.precision` decimals. 'list': the same numbers in the same order. 'open': see `compare`. 'text': the same
words. Of a sentence the number of its main clause counts before those of a condition or reason. Where the question
asks in $, an S before digits is a misread $.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from vpbench.grade.compare import Reading, compare_open, grade_text, normal_words
from vpbench.grade.reading.final import PLACES, Span, asked_part, final_spans, statements
from vpbench.grade.reading.prose import ProseNumber, TwoAnswers, number_in_prose, numbers_in
from vpbench.grade.reading.statements import is_denied, is_refusal, is_unsure
from vpbench.grade.reading.text import main_clause, plain_characters
from vpbench.grade.values.arithmetic import Value, canonical, close, rounded
from vpbench.grade.values.numbers import value_of, without_markup
from vpbench.grade.values.times import (
    Date,
    Time,
    dates_in,
    gold_date,
    gold_time,
    moment_name,
    same_moment,
    times_in,
)
from vpbench.grade.values.words import decimal_commas, in_digits, thousands_written_k
from vpbench.records import NO_ANSWER, Question, Verdict

INTEGER_NOISE = Fraction(1, 10**6)
_STRONG = {"box", "tag", "stated", "whole"}
_ASKED = re.compile(
    r"\b(?:which|what) (year|week|day|room|bar|subject|step|group|number|floor|month)\b|^when\b", re.IGNORECASE
)
_MISREAD_DOLLAR = re.compile(r"\bS(?=\d)")
_ASKS_ALL = re.compile(
    r"\b(?:all|both|which) (?:(?:the|possible|real|integer|positive|odd|even|such|distinct) ){0,3}"
    r"(?:values?|solutions?|roots?|primes?|numbers?|integers|zeros)\b|\b(?:solutions|roots|zeros) of\b|\bsolve\b",
    re.IGNORECASE,
)
"""Asks for a set of values, so that the order of a list says nothing."""
_TEMPERATURE = re.compile(r"\b(?:temperatures?|kelvin|thermo\w*|boil\w*|heat\w*|K)\b", re.IGNORECASE)
_BLANK = re.compile(r"\(_+\)|_{2,}|\(\s{2,}\)")
_BIG_WORD = re.compile(r"\b(?:thousand|million|billion|trillion)s?\b", re.IGNORECASE)


def grade_freeform(question: Question, text: str) -> Verdict:
    """The verdict on a readable response to a question without options."""
    moment = _moment_of(question)
    if moment is not None:
        return _first(text, lambda span: _read_moment(span, *moment), question.text)
    if question.answer_type in {"integer", "float"}:
        return _grade_number(question, text)
    if question.answer_type == "list":
        return _grade_list(question, text)
    if question.answer_type == "text":
        return _first(text, lambda span: _read_text(span, question), question.text)
    unordered = _asks_for_all(question.text)
    return _first(text, lambda span: _read_open(span, question.answer, question.text, unordered), question.text)


@lru_cache(maxsize=4_096)
def _asks_for_all(text: str) -> bool:
    return _ASKS_ALL.search(text) is not None


def _moment_of(question: Question) -> tuple[Callable[[str], list[Time] | list[Date]], Time | Date] | None:
    """What finds times or dates, and the one that the gold answer is; None where it is none."""
    if question.answer_type not in {"text", "open"}:
        return None
    time = gold_time(question.answer, question.text)
    if time is not None:
        return times_in, time
    date = gold_date(question.answer)
    return None if date is None else (dates_in, date)


def _read_moment(span: Span, moments_in: Callable[[str], list[Time] | list[Date]], gold: Time | Date) -> Reading | None:
    """The only time, or date, that a span gives; two are two answers."""
    strong = span.kind in _STRONG
    if not strong and is_unsure(span.text) or is_denied(span.text):
        return None
    names: dict[str, bool] = {}
    for moment in moments_in(_unstated(span)):
        correct = same_moment(moment, gold)
        names[gold.name() if correct else moment_name(moment, gold)] = correct
    if len(names) > 1:
        return Reading(span.text, None, False, "two answers") if strong else None
    if names:
        name, correct = next(iter(names.items()))
        return Reading(span.text, name, correct, "match" if correct else "different")
    words = normal_words(span.text)
    return Reading(span.text, f"text:{words[:80]}", False, "different") if strong and 0 < len(words) < 40 else None


def _read_text(span: Span, question: Question) -> Reading | None:
    strong = span.kind in _STRONG
    if not strong and (span.kind == "first" or is_unsure(span.text)):
        return None
    return grade_text(_unstated(span), question.answer, strong=strong, question=question.text)


def _read_open(span: Span, gold: str, question: str, unordered: bool) -> Reading | None:
    strong = span.kind in _STRONG
    if not strong and (span.kind == "first" or is_unsure(span.text)):
        return None
    return compare_open(_without_asked_side(_unstated(span), question), gold, strong=strong, unordered=unordered)


def _without_asked_side(text: str, question: str) -> str:
    """The right side of an equation whose left side is what the question asks for ("p+q = 9", asked for p+q)."""
    left, sign, right = without_markup(text).strip(" .").partition("=")
    asked = _plain_formula(left)
    if not sign or "=" in right or len(asked) < 3 or value_of(right) is None:
        return text
    return right.strip() if asked in _plain_formula(asked_part(question)) else text


def _plain_formula(text: str) -> str:
    return re.sub(r"[\s${}]", "", without_markup(text))


def _unstated(span: Span) -> str:
    if span.kind == "box" and (stated := statements(span.text)):
        return stated[-1]
    return span.text


def _first(text: str, read: Callable[[Span], Reading | None], question: str = "") -> Verdict:
    """The verdict of the first place that `read` understands."""
    for span in final_spans(text, question):
        reading = read(span)
        if reading is not None:
            trace = (("final answer", PLACES[span.kind]), *((("value", reading.rule),) if reading.rule else ()))
            return Verdict(reading.text[:200], reading.answer_class, reading.correct, reading.reason, trace)
        if (is_unsure if span.kind == "stated" else is_refusal)(span.text):
            break
    return Verdict(None, None, False, "no answer")


@lru_cache(maxsize=4_096)
def _question_numbers(text: str) -> frozenset[Value]:
    return frozenset(number.value for number in numbers_in(in_digits(plain_characters(text))))


@lru_cache(maxsize=4_096)
def _asked_noun(text: str) -> str | None:
    """The noun after "which" or "what" in the part that asks, if what it names is usually numbered."""
    match = _ASKED.search(asked_part(text))
    return ("year" if match[1] is None else match[1].casefold()) if match else None


def _grade_number(question: Question, text: str) -> Verdict:
    gold = value_of(question.answer)
    decimals = int(question.precision or 0) if question.answer_type == "float" else None
    mentioned = _question_numbers(question.text)
    asked = _asked_noun(question.text)
    if "$" in question.text:
        text = _MISREAD_DOLLAR.sub("$", text)
    text = decimal_commas(text)
    if not _TEMPERATURE.search(question.text):
        text = thousands_written_k(text)
    scaled = not _BIG_WORD.search(question.text)

    repeated = False
    passed_over = False

    def read(span: Span) -> Reading | None:
        nonlocal passed_over
        value = value_of(_unstated(span)) if len(span.text) < 100 else None
        written = span.text
        if value is None:
            clause = main_clause(span.text)
            if span.kind == "first" or (is_refusal if span.kind in _STRONG else is_unsure)(clause):
                return None
            number: ProseNumber | TwoAnswers | None = _in_blank(clause, question.text)
            if number is None:
                number = number_in_prose(clause, mentioned, scaled=scaled, asked=asked)
            if number is None and clause != span.text:
                number = number_in_prose(span.text, mentioned, scaled=scaled, asked=asked)
            if number is None:
                return _words_instead(span, text)
            if number == "two answers":
                return Reading(span.text, None, False, "two answers")
            value, written = number.value, number.text
            if span.kind in {"sentence", "first"} and value in mentioned and not repeated:
                passed_over = True
                return None
        value = _whole(value) if decimals is None else rounded(value, decimals)
        correct = gold is not None and bool(value == gold)
        rule = "the whole answer" if written is span.text else "the number that its sentence gives"
        return Reading(written, f"number:{canonical(value)}", correct, "match" if correct else "different", rule)

    verdict = _first(text, read, question.text)
    if verdict.reason == NO_ANSWER and passed_over:
        repeated = True
        verdict = _first(text, read, question.text)
    return verdict


def _in_blank(sentence: str, question: str) -> ProseNumber | None:
    """The only number of a sentence before the words that follow the question's blank ("4 cups in each row")."""
    blank = _BLANK.search(question)
    words = re.findall(r"[a-z']+", question[blank.end() :].lower())[:5] if blank else []
    if len(words) < 2:
        return None
    after = r"\W+".join(map(re.escape, words))
    numbers = numbers_in(in_digits(without_markup(sentence)))
    text = in_digits(without_markup(sentence)).lower()
    fitting = [number for number in numbers if re.match(rf"\W*{after}", text[number.end :])]
    return fitting[0] if len({number.value for number in fitting}) == 1 else None


def _whole(value: Value) -> Value:
    """The integer that `value` is up to the noise of floating-point arithmetic, else `value`."""
    if isinstance(value, Fraction) and value.denominator == 1:
        return value
    nearest = rounded(value, 0)
    return nearest if close(value, nearest, INTEGER_NOISE * max(Fraction(1), abs(nearest))) else value


def _words_instead(span: Span, text: str) -> Reading | None:
    """A short marked answer at the very end that holds no number is an answer in words."""
    words = normal_words(span.text)
    final = span.kind in {"box", "tag", "whole"} or (span.kind == "stated" and text.endswith(span.text))
    if not final or not words or len(words) > 40 or is_unsure(span.text):
        return None
    return Reading(span.text, f"text:{words}", False, "different")


def _grade_list(question: Question, text: str) -> Verdict:
    gold = [number.value for number in numbers_in(question.answer)]

    def read(span: Span) -> Reading | None:
        values = [number.value for number in numbers_in(span.text)]
        if len(values) > len(gold) and span.kind not in _STRONG:
            values = values[-len(gold) :]
        if len(values) < 2:
            return None
        name = "set:[" + ", ".join(canonical(value) for value in values) + "]"
        return Reading(span.text, name, values == gold, "match" if values == gold else "different")

    return _first(text, read)
