r"""GSM8K: 1319 word problems of primary school, without images; accuracy.

A raw row (values invented):

    {"question": "Ann has 3 bags of 4 apples and eats 2. How many are left?",
     "answer": "She has 3*4=<<3*4=12>>12 apples.\nSo 12-2=<<12-2=10>>10 are left.\n#### 10"}

Rows have no id: a question's is the number of its row in the split, from 0. The gold answer stands after the last
line's "#### "; all are whole numbers, some with commas.

The official rule (github.com/openai/grade-school-math, `dataset.py`) reads both sides alike: the digits, points and
commas, perhaps with a minus, right after the first "#### ", commas taken out. Equal texts are right, so that
"#### 10.0", "#### $10" and "#### 10." aren't, and a response without the mark has no answer. The prompt asks for that
line; robust grading takes it for an answer line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vpbench import DataError, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import grade_answer

_MARKED = re.compile(r"#### (-?[0-9.,]+)")
_LAST_LINE = re.compile(r"^#### +(?=[-+$]*[.0-9][^\n]*\s*\Z)", re.MULTILINE)


class GSM8K(Task):
    """GSM8K, split test."""

    name = "gsm8k"
    title = "GSM8K (test, text only)"
    suite = "text"
    answer_line = "#### X"
    source = Source(
        hub_id="openai/gsm8k",
        config="main",
        split="test",
        rows=1319,
        licence="MIT",
        shown_publicly=("texts",),
        columns=("question", "answer"),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The problem; its answer is the number after the mark. Raises `DataError` where there is none."""
        answer = extract(row["answer"])
        if answer is None:
            raise DataError("the column `answer` has no line '#### NUMBER'")
        return Question(
            task=self.name, id=str(row["__row__"]), text=row["question"].strip(), answer=answer, answer_type="integer"
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the text after the mark."""
        if mode == "robust":
            return grade_answer(question, _LAST_LINE.sub("Answer: ", response))
        if not response.strip():
            return Verdict(None, None, False, "empty response")
        answer = extract(response)
        if answer is None:
            return Verdict(None, None, False, "no answer")
        # A pool's own gold answer may have the commas that the data set's loses.
        correct = answer == question.answer.replace(",", "")
        return Verdict(answer, answer, correct, "match" if correct else "different")

    def gold_response(self, question: Question) -> str:
        """The line that the official rule reads."""
        return f"#### {question.answer}"


def extract(text: str) -> str | None:
    """The number after the first mark, without commas."""
    match = _MARKED.search(text)
    return match[1].replace(",", "") if match else None
