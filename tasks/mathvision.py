r"""MATH-Vision: 3040 questions of mathematics competitions with a figure; accuracy.

A raw row (values invented):

    {"id": "7", "question": "How long is $AB$?\n<image1>", "options": ["2 cm", "3 cm", "4 cm", "5 cm", "6 cm"],
     "image": "images/7.jpg", "decoded_image": <image>,   # always one file, several panels merged into it
     "answer": "C",                                       # the letter; for an empty `options` an expression
     "solution": null, "level": 3, "subject": "length"}

Traps. 419 rows have mere letters as options (A, (A), A) or a), since the content is drawn in the image. Free-form
answers are mostly numbers, but also LaTeX (`\frac{360}7`), tuples, ratios, and units glued on. The paper's Best-of-N
figures are most likely on the 304 questions of split testmini, its N = 1 rows on all. Testmini is drawn from the 3040,
and a task of its own here.

The official grading reads responses by rules, and is strict about form and loose about value: a right option given
with its letter and text fails ("cc"), "Answer: 5" without a box isn't understood, while values count as equal when
they agree to two decimals. The extracted string, lower-case and without spaces, is the answer class.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from vpbench import DataError, Drawn, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import equal_to_two_decimals, grade_answer

MAX_EXTRACTION_CHARACTERS = 20_000


_LETTER_AT_END = re.compile(r" (?:([A-E])|\(([A-E])\))\.\Z")
_LETTER_AT_START = re.compile(r"(?:([A-E])|\(([A-E])\)(?: \2)?)\n")
_LEAD_INS = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_DELETED_AND_REPLACED = (
    *((" ", ""), ("\\,", ""), ("∞", "\\infty"), ("+\\infty", "\\infty"), ("\\\\", "\\"), ("\n", "")),
    *(("\\text", ""), ("\\mbox", ""), ("bmatrix", "pmatrix"), ("\\left", ""), ("\\right", "")),
    *(("^{\\circ}", ""), ("^\\circ", ""), ("{m}^3", ""), ("m^3", ""), ("{units}", ""), ("units", "")),
    *(("{km}", ""), ("km", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac")),
    *(("\\left", ""), ("\\right", ""), ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""), ("$", "")),
    *(("\\%", ""), ("{.", "{0.")),
)
_BARE_ROOT = re.compile(r"\\sqrt(?!\{|\\sqrt)(.)", re.DOTALL)
_RATIO = re.compile(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)")
_BRACKETED_LETTERS = tuple((left + letter + right, letter) for left, right in ("()", "{}") for letter in "abcde")


class MathVision(Task):
    """MATH-Vision, split test."""

    name = "mathvision"
    title = "MATH-Vision (test)"
    breakdowns = ("subject", "level")
    shown = ("subject",)
    nano_kind = "ratio"
    source = Source(
        hub_id="MathLLMs/MathVision",
        split="test",
        rows=3040,
        licence="MIT",
        shown_publicly=("texts", "pictures"),
        columns=("id", "question", "options", "answer", "level", "subject"),
        image_columns=("decoded_image",),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The question with its options, which are listed unless they are mere letters. Raises `DataError`."""
        choices = tuple(row["options"]) or None
        lines = [row["question"]]
        if choices and not all(_is_letter(choice, index) for index, choice in enumerate(choices)):
            lines += [f"({chr(ord('A') + index)}) {choice}" for index, choice in enumerate(choices)]
        question = Question(
            task=self.name,
            id=str(row["id"]),
            text="\n".join(lines),
            images=images,
            choices=choices,
            answer=row["answer"],
            answer_type="choice" if choices else "open",
            categories={"subject": row["subject"], "level": row["level"]},
        )
        if choices and _gold_choice(question) is None:
            raise DataError(f"question {question.id}: answer {question.answer!r} isn't the letter of an option")
        return question

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the benchmark's rules."""
        if mode == "robust":
            return grade_answer(question, response, gold_choice=_gold_choice(question))
        if not response.strip():
            return Verdict(None, None, False, "empty response")
        return self.compare(question, extract(response))

    def compare(self, question: Question, extraction: str | None) -> Verdict:
        """The official comparison: with the gold answer or, for a letter, with the text of its option."""
        if not extraction:
            return Verdict(None, None, False, "no answer")
        if len(extraction) > MAX_EXTRACTION_CHARACTERS:
            return Verdict(None, None, False, "too long")
        golds = [question.answer]
        choice = _gold_choice(question)
        if choice is not None and question.choices:
            golds.append(question.choices[choice])
        correct = any(equal_to_two_decimals(extraction, gold) for gold in golds)
        return Verdict(extraction, extraction, correct, "match" if correct else "different")

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A free-form row."""
        return {
            "id": str(number),
            "question": drawn.text,
            "options": [],
            "image": f"images/{number}.jpg",
            "answer": drawn.answer,
            "solution": None,
            "level": 1,
            "subject": "counting",
        }


class MathVisionTestmini(MathVision):
    """MATH-Vision, split testmini."""

    name = "mathvision-testmini"
    title = "MATH-Vision (testmini)"
    suite = None
    nano_kind = None
    source = dataclasses.replace(MathVision.source, split="testmini", rows=304)
    references = ()


def extract(response: str) -> str:
    """The answer as the benchmark's rules find and normalise it."""
    text = response.strip()
    letters = [match[1] or match[2] for match in (_LETTER_AT_START.match(text), _LETTER_AT_END.search(text)) if match]
    if letters:
        text = min(letters)
    last_words = text.split("is ")[-1].rstrip(".")
    if _is_number(last_words):
        text = last_words
    boxes = text.count("oxed{")
    if boxes == 0:
        text = _after_lead_in(text)
    elif boxes > 1:
        text = "\\boxed{" + text.split("oxed{")[-1]
    text = _normalise(_box_content(text.lower().replace("{}", "")))
    for bracketed, letter in _BRACKETED_LETTERS:
        text = text.replace(bracketed, letter)
    return text.rstrip(".").lstrip(":").strip()


def _after_lead_in(text: str) -> str:
    """What follows phrases that announce the answer, up to the end of the line or sentence."""
    for phrase in _LEAD_INS:
        for lead_in in (phrase, phrase.replace("the", "The")):
            _, lead, after = text.rpartition(lead_in)
            text = after.strip()
            if lead:
                text = text.split("\n")[0].split(". ")[0]
    return text


def _box_content(text: str) -> str:
    """From the box to the last brace of all, cut at a brace that closes nothing; all of a text without a box.

    Of an equation, what stands after the last sign of equality.
    """
    start = text.find("oxed{")
    end = text.rfind("}")
    if start >= 0 and end >= start + 5:
        text = text[start + 5 : end]
    closing, opening = text.find("}"), text.find("{")
    if closing >= 0 and (opening < 0 or closing < opening):
        text = text[:closing]
    return text.split("=")[-1].split("\\approx")[-1]


def _normalise(text: str) -> str:
    r"""LaTeX without layout and some units; `\sqrt2` and, beside a root, `\frac12` with braces; a/b as a fraction."""
    for old, new in _DELETED_AND_REPLACED:
        text = text.replace(old, new)
    if text.startswith("."):
        text = "0" + text
    if "sqrt" in text:
        text = _braced_fractions(_BARE_ROOT.sub(r"\\sqrt{\1}", text))
    if text == "0.5":
        return "\\frac{1}{2}"
    ratio = _RATIO.fullmatch(text)
    return f"\\frac{{{ratio[1]}}}{{{ratio[2]}}}" if ratio else text


def _braced_fractions(text: str) -> str:
    head, *parts = text.split("\\frac")
    if any(len(part) < 2 and not part.startswith("{") for part in parts):
        return text
    for part in parts:
        if not part.startswith("{"):
            below = "{" if part[1] == "{" else f"{{{part[1]}}}"
            part = f"{{{part[0]}}}{below}{part[2:]}"
        head += "\\frac" + part
    return head


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_letter(choice: str, index: int) -> bool:
    return choice.strip(" ().").upper() == chr(ord("A") + index)


def _gold_choice(question: Question) -> int | None:
    """Which option is right; None for a free-form question."""
    if not question.choices:
        return None
    index = ord(question.answer) - ord("A") if len(question.answer) == 1 else -1
    return index if 0 <= index < len(question.choices) else None
