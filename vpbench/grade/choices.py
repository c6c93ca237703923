"""The option that a response chooses.

Places are tried in the order of `final`; each is read by the rules of `options`, and for yes/no questions by those of
`statements`. A place that only refuses ("cannot be determined") ends the search unless an option says just that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vpbench.grade import options as opt
from vpbench.grade.final import Span, final_spans, statements
from vpbench.grade.numbers import value_of, without_markup
from vpbench.grade.options import TWO, Options
from vpbench.grade.statements import is_unsure, polarity, word_polarity

_LISTED = re.compile(r"\(([A-Z]{1,2})\)?")
_UNMARKED = {"conclusion", "sentence", "first"}
_YES_WORDS = {"yes", "true", "是", "对"}
_NO_WORDS = {"no", "false", "否", "不是", "错"}


@dataclass(frozen=True, slots=True)
class ChoiceReading:
    """What was read: the option's index, or none and why ("no answer", "two answers"); `text` is where from."""

    index: int | None
    text: str | None
    reason: str


def read_choice(text: str, options: Options, question: str) -> ChoiceReading:
    """The option chosen by `text`, which is `readable` already. `question` is the question's text."""
    two: str | None = None
    if _is_enumeration(text):
        return ChoiceReading(None, text[:200], "two answers")
    marked = False
    for span in final_spans(text, question):
        if not marked and span.kind in _UNMARKED:
            marked = True
            found = opt.by_bracket(text, options)
            if found is not None and found != TWO:
                return ChoiceReading(found, text[:200], "")
        found = _in_span(span, options, question)
        if found is None and span.kind == "stated" and is_unsure(span.text):
            break
        if found == TWO:
            two = two or span.text
            if span.kind in {"box", "tag", "stated", "whole"}:
                break
        elif found is not None:
            return ChoiceReading(found, span.text[:200], "")
    return ChoiceReading(None, two, "two answers" if two else "no answer")


def _is_enumeration(text: str) -> bool:
    """Whether `text` merely lists lettered options."""
    lines = [line.strip() for line in text[:2_000].splitlines() if line.strip()]
    letters = [match[1] for line in lines if (match := _LISTED.match(line))]
    return len(letters) == len(lines) and len(set(letters)) > 1


def _yes_no(options: Options) -> tuple[int, int] | None:
    """The indices of yes and no, where these are the options."""
    if options.count != 2:
        return None
    yes = [number for number, mine in enumerate(options.keys) if mine in _YES_WORDS]
    no = [number for number, mine in enumerate(options.keys) if mine in _NO_WORDS]
    return (yes[0], no[0]) if yes and no else None


def _in_span(span: Span, options: Options, question: str) -> int | None:
    """The option that `span` names, None, or TWO."""
    if span.kind == "box" and (said := statements(span.text)):
        span = Span(said[-1], "box")
    text = without_markup(span.text).strip(" \n\"'.,:;")
    exact = opt.by_text(text, options)
    if exact is not None:
        return exact
    strong = span.kind in {"box", "tag", "stated", "whole"}
    letter, rest = opt.by_letter(text, options)
    if letter is not None and (strong or span.kind == "first" or len(text) < 80):
        others = opt.by_bracket(text, options)
        return TWO if others == TWO and " or " in text else letter
    if rest is not text and (exact := opt.by_text(rest, options)) is not None:
        return exact
    bracketed = opt.by_bracket(text, options)
    if bracketed is not None:
        return bracketed
    yes_no = _yes_no(options)
    if yes_no is not None:
        answer = word_polarity(text) if strong and len(text) < 30 else None
        answer = polarity(text, question) if answer is None else answer
        return None if answer is None else yes_no[0 if answer else 1]
    return _by_content(text, options, strong)


def _by_content(text: str, options: Options, strong: bool) -> int | None:
    """By words, value or a letter standing alone; a refusal names nothing."""
    value = value_of(text)
    if value is not None and (number := opt.by_value(value, options)) is not None:
        return number
    if is_unsure(text) and not strong:
        return None
    for reader in (opt.by_words, opt.by_number):
        found = reader(text, options)
        if found is not None:
            return found
    return opt.by_bare_letter(text, options) if strong else None
