"""MathVista testmini: 1000 questions about figures, photographs and diagrams; accuracy.

A raw row (values invented):

    {"pid": "7", "question": "Which bar is taller?", "image": "images/7.jpg", "decoded_image": <image>,
     "choices": ["red", "blue"],      # null for free-form questions
     "answer": "blue",                # the option's text, never its letter; else a number or a list as text
     "question_type": "multi_choice", # or free_form
     "answer_type": "text",           # or integer, float, list
     "precision": null,               # decimals of a float answer: 1.0 or 2.0, a float on the hub
     "unit": null,                    # "years" or "g"
     "query": "...",                  # official prompt, not used: see below
     "metadata": {"category": "general-vqa", "context": "bar chart", "grade": "not applicable", "skills": [...],
                  "language": "english", "source": "FigureQA", "task": "figure question answering", ...}}

Traps. Some `query` texts were made with other distractors than `choices` has, so the text is built from `choices`.
A float `precision` makes Python's round() raise. Three rows have duplicate options (the right one is unique), and in
two the option texts are letters in another order. Labels under "grade" and "skills" changed after publication.

Official grading takes an answer that a language model extracted: the pool's, else a judge's (`judge`). With neither,
the rule-based part of the extraction is applied and the reason says "rule-only". Its scoring picks the option nearest
by edit distance where it finds no letter, even for no answer at all: about a third of such picks are right.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from vpbench import DataError, Dialogue, Drawn, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import extraction_prompt, grade_answer, nearest_choice, read_extraction

MAX_EXTRACTION_CHARACTERS = 20_000

_METADATA = ("language", "source", "category", "task", "context", "grade", "skills")
_LETTER = re.compile(r"\(([a-zA-Z])\)")
_QUOTE, _UNQUOTE = 'The answer is "', '".'


class MathVista(Task):
    """MathVista, split testmini."""

    name = "mathvista"
    title = "MathVista (testmini)"
    breakdowns = ("question_type", "answer_type", *_METADATA)
    shown = ("task", "skills")
    nano_kind = "decimal"
    source = Source(
        hub_id="AI4Math/MathVista",
        split="testmini",
        rows=1000,
        licence="CC BY-SA 4.0; for testing only, no training",
        shown_publicly=("texts",),
        columns=(
            "pid",
            "question",
            "choices",
            "unit",
            "precision",
            "answer",
            "question_type",
            "answer_type",
            "metadata",
        ),
        revision="2b6ad69445fbb5695c9b165475e8decdbeb97747",
        image_columns=("decoded_image",),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The question with its unit and its options listed as (A), (B), ... Raises `DataError`."""
        choices = tuple(row["choices"]) if row["choices"] else None
        if choices and row["answer"] not in choices:
            raise DataError(f"question {row['pid']}: answer {row['answer']!r} isn't the text of an option")
        precision = row["precision"]
        labels = row["metadata"]
        return Question(
            task=self.name,
            id=str(row["pid"]),
            text=_text(row["question"], row["unit"], choices),
            images=images,
            choices=choices,
            answer=row["answer"],
            answer_type=row["answer_type"],
            precision=None if precision is None else int(precision),
            unit=row["unit"],
            categories={
                "question_type": row["question_type"],
                "answer_type": row["answer_type"],
                **{key: labels[key] for key in _METADATA},
            },
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or official with the rule-based part of the extraction only."""
        if mode == "robust":
            choices = question.choices or ()
            gold_choice = choices.index(question.answer) if question.answer in choices else None
            return grade_answer(question, response, gold_choice=gold_choice)
        extraction = _shortcut(question, response) or _quoted(response)
        if extraction is not None:
            return self.grade_extraction(question, extraction)
        reason = "no answer (rule-only)" if response else "empty response"
        return dataclasses.replace(self.grade_extraction(question, ""), reason=reason)

    def judge(self, question: Question, response: str, extraction: str | None) -> Dialogue | None:
        """The judge extracts the answer of a response that isn't just the answer (the quick match is optional)."""
        if extraction is not None or not response or _shortcut(question, response) is not None:
            return None
        return self._extracted(question, response)

    def _extracted(self, question: Question, response: str) -> Dialogue:
        extraction = read_extraction((yield extraction_prompt(question.text, response, _form(question))))
        return None if extraction is None else self.grade_extraction(question, extraction)

    def grade_extraction(self, question: Question, extraction: str | None) -> Verdict:
        """The official scoring of an extracted answer; the answer class is the value that it compares.

        Its quirks: the first "(x)" anywhere is the letter; anything else picks the nearest option; a number on an
        integer question is cut to its integer part; lists are compared as text, spaces included.
        """
        if extraction is not None and len(extraction) > MAX_EXTRACTION_CHARACTERS:
            return Verdict(None, None, False, "too long")
        guessed = False
        prediction: str | None
        if question.choices:
            prediction, guessed = _choose(str(extraction), question.choices)
        else:
            prediction = _normalised(question, extraction)
        correct = prediction == question.answer
        if not (extraction or "").strip():
            reason = "no answer"
        elif guessed:
            reason = "nearest option"
        elif prediction is None:
            reason = "not a number"
        else:
            reason = "match" if correct else "different"
        return Verdict(extraction, prediction, correct, reason)

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A free-form row: an integer, or a number with one decimal."""
        decimals = len(drawn.answer.partition(".")[2])
        metadata = {
            "category": "math-targeted-vqa",
            "context": "bar chart",
            "grade": "elementary school",
            "img_height": 64,
            "img_width": 64,
            "language": "english",
            "skills": ["arithmetic reasoning"],
            "source": "nano",
            "split": "testmini",
            "task": "figure question answering",
        }
        return {
            "pid": str(number),
            "question": drawn.text,
            "image": f"images/{number}.png",
            "choices": None,
            "unit": None,
            "precision": float(decimals) if decimals else None,
            "answer": drawn.answer,
            "question_type": "free_form",
            "answer_type": "float" if decimals else "integer",
            "metadata": metadata,
            "query": "",
        }


def _text(question: str, unit: str | None, choices: tuple[str, ...] | None) -> str:
    lines = [f"{question} (unit: {unit})" if unit else question]
    lines += [f"({chr(ord('A') + index)}) {choice}" for index, choice in enumerate(choices or ())]
    return "\n".join(lines)


def _shortcut(question: Question, response: str) -> str | None:
    """The extraction where the response is nothing but an option or a number."""
    if question.choices and response in question.choices:
        return response
    try:
        if question.answer_type == "integer":
            return str(int(response))
        if question.answer_type == "float":
            return str(float(response))
    except ValueError:
        pass
    return None


def _quoted(response: str) -> str | None:
    """The extraction of the official quick match, which is optional and needs no language model."""
    for line in response.split("\n"):
        start = line.find(_QUOTE) + len(_QUOTE)
        end = line.rfind(_UNQUOTE)
        if len(_QUOTE) <= start <= end:
            return line[start:end]
    return None


def _form(question: Question) -> str:
    """The form in which the official scoring reads an extracted answer."""
    if question.choices:
        return "the option's letter in round brackets, such as (B)"
    if question.answer_type == "integer":
        return "a whole number in digits, without a unit"
    if question.answer_type == "float":
        return f"a number in digits with {question.precision or 1} decimals, without a unit"
    return "a list in square brackets with a blank after each comma, such as [3, 7]"


def _choose(extraction: str, choices: tuple[str, ...]) -> tuple[str, bool]:
    """The option an extraction stands for, and whether that was guessed by edit distance."""
    extraction = extraction.strip()
    letter = _LETTER.search(extraction)
    if letter:
        extraction = letter[1].upper()
    if len(extraction) == 1 and 0 <= ord(extraction) - ord("A") < len(choices):
        return choices[ord(extraction) - ord("A")], False
    index = nearest_choice(extraction, choices)
    return choices[index], extraction != choices[index]


def _normalised(question: Question, extraction: str | None) -> str | None:
    """The extraction in the form of the gold answer; None if it isn't a number where one is asked for."""
    if question.answer_type not in ("integer", "float"):
        return str(extraction)
    try:
        value = float(extraction or "")
        if question.answer_type == "integer":
            return str(int(value))
        return None if question.precision is None else str(round(value, question.precision))
    except (ValueError, OverflowError):
        return None
