"""Robust grading: reads the final answer the way a careful person would.

Multiple choice is decided by the identity of the option (by its text where the data set's answer is a text, so that
two options that read alike are one), numbers by value at the precision the question states, free expressions by value
or as formulas. Nothing is guessed: no edit distance, no random letter; a response without a final answer, or with two,
gets no class and is wrong. Nothing raises for anything a response may hold.
"""

from __future__ import annotations

import re
from functools import lru_cache

from vpbench.grade.choices import read_choice
from vpbench.grade.freeform import grade_freeform
from vpbench.grade.reading.languages import language_of
from vpbench.grade.reading.options import options_of
from vpbench.grade.reading.questions import reply_to
from vpbench.grade.reading.text import readable
from vpbench.grade.values.foreign_words import foreign_words_in_digits
from vpbench.records import Question, Verdict

_BANG = re.compile(r"(?<=\d)!(?=\*{0,2}(?:\s*\Z|\s+[A-Z]|\n))(?<![-+/=^({\\]\d!)(?<![-+/=^({\\]\d\d!)(?<![^*]\*\d!)")
"""The mark after a number that ends a sentence; a factorial stands in a formula."""


def grade_answer(question: Question, response: str, *, gold_choice: int | None = None) -> Verdict:
    """The verdict on `response`. `gold_choice`: index of the right option, None for a free-form question.

    Raises `GradeError` if formulas have to be compared and math-verify can't be started.
    """
    if not response or not response.strip():
        return Verdict(None, None, False, "empty response")
    text = reply_to(readable(response), question.text).strip()
    if not text:
        return Verdict(None, None, False, "empty response")
    if "!" in text and not any("!" in written for written in (question.answer, *(question.choices or ()))):
        text = _BANG.sub(".", text)
    read = ("reply", text)
    if gold_choice is None:
        if question.answer_type != "text" and language_of(response) is not None:
            text = foreign_words_in_digits(text)
        verdict = grade_freeform(question, text)
        trace = (read, *verdict.trace, ("compared with", _asked(question)))
        return Verdict(verdict.extracted, verdict.answer_class, verdict.correct, verdict.reason, trace)
    reading = read_choice(text, options_of(question.choices), _stem(question.text, question.choices))
    if reading.index is None:
        return Verdict(reading.text, None, False, reading.reason, (read, *reading.trace))
    index = reading.index
    # The data set's answer is a text: options that read alike are one, whichever of them is named.
    if question.choices and question.choices[gold_choice] == question.answer:
        index = question.choices.index(question.choices[index])
        gold_choice = question.choices.index(question.answer)
    correct = index == gold_choice
    label = chr(ord("A") + gold_choice)
    compared = f"{label}: {question.choices[gold_choice]}" if question.choices else label
    trace = (read, *reading.trace, ("compared with", compared))
    name = f"choice:{chr(ord('A') + index)}"
    return Verdict(reading.text, name, correct, "match" if correct else "different", trace)


def _asked(question: Question) -> str:
    """The gold answer and as what it is compared."""
    decimals = f", to {question.precision or 0} decimals" if question.answer_type == "float" else ""
    return f"{question.answer} ({question.answer_type}{decimals})"


@lru_cache(maxsize=8_192)
def _stem(text: str, choices: tuple[str, ...] | None) -> str:
    """A question's text without the options it lists, whose words ("No") aren't the question's."""
    stem = text
    for number, choice in enumerate(choices or ()):
        stem = stem.replace(f"({chr(ord('A') + number)}) {choice}", "")
    return stem
