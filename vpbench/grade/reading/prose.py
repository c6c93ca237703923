"""The number a sentence gives as its answer.

A sentence may hold several numbers: "there are 3 bars greater than 20", "10 - 2 - 3 = 5 objects". `number_in_prose`
picks the one that is said of the asked quantity: what is printed bold; what stands after the last equal sign; of the
numbers the question doesn't mention itself, the one after "is", "are", "has" ... or the only one; where the question
mentions them all, the last one after such a word. Numbers of different size that are offered as alternatives ("3 or
4") or as ends of a range ("from 3 to 4") are two answers.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vpbench.grade.values.arithmetic import Value, multiply
from vpbench.grade.values.numbers import NUMBER_WORDS, SEVERAL_VALUES, trimmed, value_of, without_markup
from vpbench.grade.values.words import in_digits

_WORDS = "|".join(sorted((re.escape(word) for word in NUMBER_WORDS), key=len, reverse=True))
_DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)|\d{1,400})(?:\.\d{1,400})?|\.\d{1,400}"
_PI = r"(?:\\pi(?![A-Za-z])|π)"
_LATEX = (
    r"-?(?:\d{0,9}\s{0,3}(?:\\[dt]?frac\s*\{[^{}]{1,60}\}\s*\{[^{}]{1,60}\}|\\sqrt\s*\{[^{}]{1,60}\}|√\d{1,9})"
    rf"(?:\s{{0,3}}{_PI})?|\d{{1,9}}(?:\.\d{{1,9}})?\s{{0,3}}{_PI})"
)
NUMBER = re.compile(
    rf"(?P<latex>(?<![\w.^_/]){_LATEX})"
    rf"|(?<![\w.^_/])(?<!\^\{{)(?P<sign>[-+](?=[\d.$]))?\$?(?P<digits>{_DIGITS})"
    rf"(?P<fraction>(?:\s+\d{{1,6}})?\s*/\s*\d{{1,9}}(?!\.?\d)|:\d{{1,9}}(?![.:]?\d))?"
    r"(?P<power>\s*(?:x|×|\\times|\*)\s*10\s*\^\s*\{?-?\d{1,3}\}?|[eE][-+]?\d{1,3}\b|\^\{?\d{1,3}\}?)?"
    r"(?:\s+(?P<scale>hundred|thousand|million|billion|trillion)s?\b)?"
    r"(?!\.?\d)(?![\w]*\d)(?!(?:st|nd|rd|th)\b)"
    rf"|\b(?P<word>{_WORDS})\b(?!-)",
    re.IGNORECASE,
)
_LATEX_VALUE = re.compile(_LATEX)
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
_COPULA = re.compile(
    r"(?:\b(?:is|are|was|were|be|equals?|has|have|had|shows?|contains?|containing|costs?|gives?|get|left with|"
    r"there're|there's|that's|it's|reads|answer|result|total of|value of|score of|by)\b|[=≈:])"
    r"(?:\s+(?:to|us|you|equal to|about|approximately|around|only|exactly|a|an|the|total of|total|of|at|roughly|"
    r"still|now|also|therefore|thus|then|just|simply|indeed|actually|estimated|to be)\b){0,4}[\s*$\\(\[:]*$",
    re.IGNORECASE,
)
_VERB = re.compile(r"\b(?:equal to|is|are|was|were|be|equals?|approximately|about)\b|[=≈]|\\approx\b|:\s")
_EQUAL = re.compile(r"=|≈|\\approx")
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_NOTHING = re.compile(
    r"(?:\bthere (?:are|is|were|was|would be|will be) (?:no|not any|none)\b"
    r"|\A\W{0,3}(?:(?:so|thus|therefore|hence),?\s+)?no\b(?= [^.,;]{2,40}? (?:is|are|was|were|has|have|had|can)\b))"
    r"(?! (?:\w+ )?(?:information|way|image|data|need|text|specific|option|one|other|more|further|answer))",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"[\s*$]*(?:\w+\s+)?or\s+[\s*$]*|-", re.IGNORECASE)
_RANGE_START = re.compile(r"\b(?:is|are|was|were|ranges?) from\s+[*$]*$", re.IGNORECASE)
_RANGE_END = re.compile(r"\s*\S{0,12}\s*\bto\s+[*$]*", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:somewhere )?between [^,.]{1,60}? and (?:the |about )?\$?\d[\d,.]*", re.IGNORECASE)
_MAY_BOUND = re.compile(r"than|not|n't", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(?:(?:more|less|fewer|greater|larger|smaller|higher|lower|other) than|(?:can ?not|could not|must not"
    r"|is not|are not|"
    r"was not|were not|not|(?:is|are|was|were|ca|could|wo)n't)(?: be)?(?: equal(?: to)?)?)"
    r"(?: exactly| about)? [*$(]{0,3}\d[\d,]*(?:\.\d+)?%?(?![\d^])",
    re.IGNORECASE,
)
"""A bound ("more than 12") or a number that is denied."""
_TWO_ENDS = re.compile(r"\$?\d[\d,.]*\$?\s*(?:to|-)\s*\$?\d[\d,.]*%?(?:\s+[a-z]+)?", re.IGNORECASE)
_ENUMERATION = re.compile(r"[\[({\s]*|\s*(?:,|;|and|,\s*and|&)\s*|[\])}.\s]*")
_JOINED = re.compile(r"[\s*$]*(?:,|and|,\s*and|&)[\s*$]*")
_LABEL = re.compile(
    r"\b(?:bar|figure|fig\.?|step|table|question|option|group|part|row|column|line|week|day|room|number|no\.|angle|point|"
    r"figures|page|chapter|item|case|equation|side|q)\s+$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ProseNumber:
    """A number in a text: its value, how it is written, and where."""

    value: Value
    text: str
    start: int
    end: int


TwoAnswers = Literal["two answers"]


def numbers_in(text: str, *, scaled: bool = True) -> list[ProseNumber]:
    """All numbers of `text` in order; `scaled` multiplies "3 million" out. Ordinals and parts of names are left out."""
    numbers: list[ProseNumber] = []
    for match in NUMBER.finditer(text[:4_000]):
        value = _value(match, scaled)
        if value is not None:
            numbers.append(ProseNumber(value, match.group().strip(), match.start(), match.end()))
    return numbers


def _value(match: re.Match[str], scaled: bool) -> Value | None:
    if match["latex"]:
        return value_of(match["latex"])
    if match["word"]:
        return Fraction(NUMBER_WORDS[match["word"].lower()])
    written = (match["sign"] or "") + match["digits"]
    if match["fraction"] or match["power"]:
        return value_of(written + (match["fraction"] or "") + (match["power"] or "").replace("\\times", "x"))
    value = Fraction(written.replace(",", ""))
    if match["scale"] and scaled:
        return multiply(value, Fraction(_SCALES[match["scale"].lower()]))
    return value


def number_in_prose(
    text: str, question_numbers: Collection[Value], *, scaled: bool = True, asked: str | None = None
) -> ProseNumber | TwoAnswers | None:
    """The number that `text` gives as its answer, None without one.

    `question_numbers`: those the question mentions. `asked`: the noun it asks for ("which week"), if any.
    """
    for bold in reversed(_BOLD.findall(text)):
        if (value := value_of(bold)) is not None or (len(inner := numbers_in(bold, scaled=scaled)) == 1):
            return ProseNumber(value, bold, 0, 0) if value is not None else inner[0]
    text = _BETWEEN.sub(" ", in_digits(without_markup(text)))
    if _MAY_BOUND.search(text) is not None:
        text = _BOUND.sub(" ", text)
    if (several := SEVERAL_VALUES.search(text)) is not None:
        text = text[: several.start()] + " " + text[several.end() :]
        if not numbers_in(text, scaled=scaled):
            return "two answers"
    if asked is not None and (named := _asked_for(text, asked, scaled)) is not None:
        return named
    predicate = trimmed(_VERB.split(text)[-1], " .$")
    if _TWO_ENDS.fullmatch(predicate):
        return "two answers"
    if len(predicate) < 60 and (value := value_of(predicate)) is not None:
        return ProseNumber(value, predicate, 0, 0)
    for side in reversed(_EQUAL.split(text)[1:]):
        value = value_of(side.strip().rstrip("."))
        if value is not None:
            return ProseNumber(value, side.strip(), 0, 0)
        inner = numbers_in(side, scaled=scaled)
        if inner and inner[0].start <= 3:
            return _latex(side) or inner[0]
        if latex := _latex(side):
            return latex
    numbers = numbers_in(text, scaled=scaled)
    if not numbers and (latex := _latex(text)) is not None:
        return latex
    nothing = _NOTHING.search(text)
    if nothing and all(number.value in question_numbers and number.start >= nothing.end() for number in numbers):
        return ProseNumber(Fraction(0), "no", 0, 0)
    if not numbers:
        return None
    return _chosen(text, numbers, question_numbers)


def _asked_for(text: str, asked: str, scaled: bool) -> ProseNumber | None:
    """The last number that follows the noun asked for; for a year, the first that can be one."""
    numbers = numbers_in(text, scaled=scaled)
    if asked == "year":
        years = (number for number in numbers if number.value == int(number.value) and 1000 <= number.value <= 2100)
        return next(years, None)
    near = [number for number in numbers if text[: number.start].rstrip(" #").casefold().endswith(asked)]
    return near[-1] if near else None


def _latex(text: str) -> ProseNumber | None:
    match = _LATEX_VALUE.search(text[:400])
    value = value_of(match.group()) if match else None
    return ProseNumber(value, match.group(), match.start(), match.end()) if match and value is not None else None


def _chosen(
    text: str, numbers: list[ProseNumber], question_numbers: Collection[Value]
) -> ProseNumber | TwoAnswers | None:
    """Of several numbers the one said of the asked quantity; None if it is one of a series ("are 7 and 5")."""
    if len({number.value for number in numbers}) == 1:
        return numbers[0]
    for left, right in zip(numbers, numbers[1:], strict=False):
        ends = _RANGE_START.search(text[max(0, left.start - 60) : left.start]) and _RANGE_END.fullmatch(
            text[left.end : right.start]
        )
        if left.value != right.value and (ends or _ALTERNATIVE.fullmatch(text[left.end : right.start])):
            return "two answers"
    if all(_ENUMERATION.fullmatch(gap) for gap in _gaps(text, numbers)):
        return "two answers"
    named = [
        number for number in numbers if not _LABEL.search(text[max(0, number.start - 12) : number.start])
    ] or numbers
    new = [number for number in named if number.value not in question_numbers]
    after_verb = [number for number in new or named if _COPULA.search(text[max(0, number.start - 60) : number.start])]
    answer = (after_verb or new)[0] if new else (after_verb or named)[-1]
    after = next((number for number in numbers if number.start >= answer.end), None)
    return None if after is not None and _JOINED.fullmatch(text[answer.end : after.start]) else answer


def _gaps(text: str, numbers: list[ProseNumber]) -> list[str]:
    """What stands before, between and after the numbers."""
    edges = [0, *(edge for number in numbers for edge in (number.start, number.end)), len(text)]
    return [text[left:right] for left, right in zip(edges[::2], edges[1::2], strict=True)]
