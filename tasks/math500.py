r"""MATH-500: 500 competition problems of MATH's test set, without images; accuracy.

A raw row (values invented):

    {"problem": "Compute $\\frac{1}{2} + \\frac{1}{3}$.", "solution": "... $\\boxed{\\frac{5}{6}}$.",
     "answer": "\\frac{5}{6}", "subject": "Prealgebra", "level": 2, "unique_id": "test/prealgebra/7.json"}

The question's id is `unique_id`. The 500 are those that Let's Verify Step by Step tested on (github.com/openai/prm800k,
`math_splits`); some have an Asymptote drawing in their text. Answers are LaTeX: numbers, intervals, tuples, words.

The official grading is that of MATH (github.com/hendrycks/math): the content of the last \boxed{...}, which has to
close, compared as text after a normalisation (`normal_form`); no value is computed, so 0.25 isn't \frac{1}{4}, though
0.5 is \frac{1}{2}. Where either side can't be normalised both are compared as they are. Later papers grade by value,
as robust grading does. The prompt asks for a box.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vpbench import GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import grade_answer

_BOX = r"\boxed"
_DELETED_AND_REPLACED = (
    *(("\n", ""), ("\\!", ""), ("\\\\", "\\"), ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", "")),
    *(("^{\\circ}", ""), ("^\\circ", ""), ("\\$", "")),
)
_UNIT = "\\text{ "
_PERCENT_AND_POINTS = (("\\%", ""), ("%", ""), (" .", " 0."), ("{.", "{0."))
_RATIO = re.compile(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)")


class Math500(Task):
    """MATH-500, split test."""

    name = "math-500"
    title = "MATH-500 (text only)"
    suite = "text"
    answer_line = r"Answer: \boxed{X}"
    breakdowns = ("subject", "level")
    source = Source(
        hub_id="HuggingFaceH4/MATH-500",
        split="test",
        rows=500,
        licence="none stated on the card; MIT in MATH's and PRM800K's repositories",
        columns=("problem", "answer", "subject", "level", "unique_id"),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The problem."""
        return Question(
            task=self.name,
            id=str(row["unique_id"]),
            text=row["problem"],
            answer=row["answer"],
            answer_type="open",
            categories={"subject": row["subject"], "level": row["level"]},
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the text of the last box."""
        if mode == "robust":
            return grade_answer(question, response)
        if not response.strip():
            return Verdict(None, None, False, "empty response")
        answer = last_box(response)
        if answer is None or not answer.strip():
            return Verdict(None, None, False, "no answer")
        form, gold = normal_form(answer), normal_form(question.answer)
        correct = answer == question.answer if form is None or gold is None else form == gold
        return Verdict(answer, answer if form is None else form, correct, "match" if correct else "different")

    def gold_response(self, question: Question) -> str:
        """The answer in a box."""
        return f"{_BOX}{{{question.answer}}}"


def last_box(text: str) -> str | None:
    r"""The content of the last \boxed{...}; None where there is none, or it doesn't close."""
    start = text.rfind(_BOX)
    opening = start + len(_BOX)
    if start < 0 or not text.startswith("{", opening):
        return None
    depth = 0
    for brace in re.finditer(r"[{}]", text[opening:]):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return text[opening + 1 : opening + brace.start()]
    return None


def normal_form(text: str) -> str | None:
    r"""An answer without layout, degrees, percent and what follows a unit; a variable's "x=" goes, roots and fractions
    get braces, a/b becomes a fraction. None where a root or fraction is cut off, or two units stand."""
    text = _replaced(text, _DELETED_AND_REPLACED)
    if text.count(_UNIT) > 1:
        return None
    text = _replaced(text.partition(_UNIT)[0], _PERCENT_AND_POINTS)
    if text.startswith("."):
        text = "0" + text
    name, _, value = text.partition("=")
    if text.count("=") == 1 and len(name) <= 2:
        text = value
    rooted = _braced_roots(text)
    fractions = None if rooted is None else _braced_fractions(rooted.replace(" ", ""))
    if fractions is None:
        return None
    if fractions == "0.5":
        return "\\frac{1}{2}"
    ratio = _RATIO.fullmatch(fractions)
    return f"\\frac{{{ratio[1]}}}{{{ratio[2]}}}" if ratio else fractions


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _braced_roots(text: str) -> str | None:
    head, *parts = text.split("\\sqrt")
    if not all(parts):
        return None
    return head + "".join("\\sqrt" + (part if part[0] == "{" else f"{{{part[0]}}}{part[1:]}") for part in parts)


def _braced_fractions(text: str) -> str | None:
    """None for a fraction with nothing behind it; of several with only one sign behind one, `text` as it is."""
    head, *parts = text.split("\\frac")
    for part in parts:
        if not part:
            return None
        if part[0] != "{":
            if len(part) < 2:
                return text
            below = "{" if part[1] == "{" else f"{{{part[1]}}}"
            part = f"{{{part[0]}}}{below}{part[2:]}"
        head += "\\frac" + part
    return head
