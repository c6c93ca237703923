r"""GPQA Diamond: 198 questions of biology, physics and chemistry that search engines don't help with; accuracy.

A raw row, columns that are read (values invented; the file has many more, of its reviews):

    {"Record ID": "rec7", "Question": "Which particle ...?", "Correct Answer": "A muon\n",
     "Incorrect Answer 1": "A pion", "Incorrect Answer 2": "A kaon", "Incorrect Answer 3": "An electron",
     "High-level domain": "Physics", "Subdomain": "High-energy particle physics"}

The question's id is the record's. The data is gated on the hub: accept its terms there and log in; its authors ask not
to publish questions or answers in plain text, so keep pools and result folders that hold them to yourself.

The file has no order of options. Here it is drawn by the hash of the record's id, so that it never changes; other
harnesses draw theirs from seeds, so that letters of foreign pools mean other options. Such a pool has to bring its
`question`, `choices` and `answer` (the letter, or the right option's text).

The official rule (`baselines` of github.com/idavidrein/gpqa, read in copies) takes a letter from the first of five
forms that has one of A to D: "answer is (C)", "Answer: (C)", "answer: (C)", "answer (C)", else the first bracketed
sign, if that is a letter of an option. "Answer: C" isn't read. The prompt asks for the brackets.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from vpbench import DataError, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import grade_answer

_LETTERS = "ABCD"
_CORRECT = "Correct Answer"
_OPTIONS = (_CORRECT, "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")
_FORMS = tuple(
    re.compile(form)
    for form in (r"answer is \((.)\)", r"Answer: \((.)\)", r"answer: \((.)\)", r"answer \((.)\)", r"\((.)\)")
)


class GPQADiamond(Task):
    """GPQA, the set called Diamond."""

    name = "gpqa-diamond"
    title = "GPQA Diamond (text only)"
    suite = "text"
    answer_line = "Answer: (X)"
    breakdowns = ("domain", "subdomain")
    shown = ("domain",)
    source = Source(
        hub_id="Idavidrein/gpqa",
        config="gpqa_diamond",
        split="train",
        rows=198,
        licence="CC BY 4.0; gated, not to be published in plain text",
        columns=("Record ID", "Question", *_OPTIONS, "High-level domain", "Subdomain"),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The question with its options in the order that its id gives; its answer is a letter."""
        id = str(row["Record ID"])
        order = sorted(_OPTIONS, key=lambda column: hashlib.sha256(f"{id} {column}".encode()).digest())
        choices = tuple(str(row[column]).strip() for column in order)
        lines = [
            row["Question"].strip(),
            *(f"({letter}) {text}" for letter, text in zip(_LETTERS, choices, strict=True)),
        ]
        return Question(
            task=self.name,
            id=id,
            text="\n".join(lines),
            choices=choices,
            answer=_LETTERS[order.index(_CORRECT)],
            answer_type="choice",
            categories={"domain": row["High-level domain"], "subdomain": row["Subdomain"]},
        )

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the first bracketed letter of the official forms. Raises `DataError` for a bad gold answer."""
        gold = _gold_choice(question)
        if mode == "robust":
            return grade_answer(question, response, gold_choice=gold)
        if not response.strip():
            return Verdict(None, None, False, "empty response")
        letter = extract(response)
        if letter is None:
            return Verdict(None, None, False, "no answer")
        correct = letter == _LETTERS[gold]
        return Verdict(letter, letter, correct, "match" if correct else "different")

    def gold_response(self, question: Question) -> str:
        """The line that the official rule reads."""
        return f"Answer: ({_LETTERS[_gold_choice(question)]})"


def extract(response: str) -> str | None:
    """The letter that the first form with one of A to D gives; of each form its first place only."""
    letters = (match[1] for form in _FORMS if (match := form.search(response)))
    return next((letter for letter in letters if letter in _LETTERS), None)


def _gold_choice(question: Question) -> int:
    """The index of the right option. A pool's own question may give its text."""
    choices = (question.choices or ())[: len(_LETTERS)]
    for answers in (tuple(_LETTERS[: len(choices)]), choices):
        if question.answer in answers:
            return answers.index(question.answer)
    raise DataError(
        f"question {question.id}: answer {question.answer!r} is neither the letter nor the text of an option"
    )
