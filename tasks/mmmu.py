r"""MMMU validation: 900 college-level questions in 30 subjects, 847 of them multiple choice; accuracy.

A raw row (values invented):

    {"id": "validation_Art_7",                   # split, subject, number
     "question": "Who painted <image 1>?", "options": "['Monet', '<image 2>']",   # text of a Python list; "[]": open
     "image_1": <image>, ..., "image_7": null,   # marks stand in the question or in options, and may repeat
     "answer": "B",                              # the letter; of an open question the answer, or a list as text
     "question_type": "multiple-choice",         # or "open"
     "subfield": "Painting", "topic_difficulty": "Easy", "img_type": "['Paintings']", "explanation": "..."}

Traps. `options` must be read by a literal parser. Three open questions accept several answers, four ask for a letter.
Gold answers are corrected on the hub now and then, so a result's recorded revision matters.

The official parser wants a letter in brackets or between blanks; "B." or "**B**" is none to it, and where it finds
nothing it draws a letter at random (`random_letters`). The original draws in the order of the questions; here the draw
follows from question id and response. For open questions any number or phrase of the response may be the answer.
"""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from vpbench import DataError, Drawn, GradingMode, ImageRef, Question, Source, Task, Verdict
from vpbench.grade import grade_answer

SUBJECTS = {
    "Art and Design": ("Art", "Art_Theory", "Design", "Music"),
    "Business": ("Accounting", "Economics", "Finance", "Manage", "Marketing"),
    "Science": ("Biology", "Chemistry", "Geography", "Math", "Physics"),
    "Health and Medicine": (
        "Basic_Medical_Science",
        "Clinical_Medicine",
        "Diagnostics_and_Laboratory_Medicine",
        "Pharmacy",
        "Public_Health",
    ),
    "Humanities and Social Science": ("History", "Literature", "Psychology", "Sociology"),
    "Tech and Engineering": (
        "Agriculture",
        "Architecture_and_Engineering",
        "Computer_Science",
        "Electronics",
        "Energy_and_Power",
        "Materials",
        "Mechanical_Engineering",
    ),
}
MAX_LITERAL_CHARACTERS = 20_000
MAX_OPEN_CHARACTERS = 400_000

_DISCIPLINES = {subject: discipline for discipline, subjects in SUBJECTS.items() for subject in subjects}
_IMAGE_MARK = re.compile(r"<image (\d)>")
_LEAD_INS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?(?<!\d)\d++(?:\.\d++)?[eE][+-]?\d+"),
    re.compile(r"-?(?:(?<!\d)\d++\.\d++|\.\d++|(?<!\d)\d++\b)(?![eE][+-]?\d)(?![,\d])"),
)
_LETTER_OF_A_FIGURE = re.compile("[A-H]")
_LETTER = re.compile("[A-Z]")
_PLAIN_NUMBER = re.compile(r"-?\d{1,15}(?:\.(\d{1,9}))?")


class MMMU(Task):
    """MMMU, split validation."""

    name = "mmmu"
    title = "MMMU (validation)"
    random_letters: ClassVar[bool] = True
    """Whether official grading draws a letter where it finds none; else such a response has no answer."""
    breakdowns = ("discipline", "subject", "topic_difficulty", "question_type", "img_type")
    shown = ("discipline",)
    nano_kind = "options"
    source = Source(
        hub_id="MMMU/MMMU",
        split="validation",
        rows=900,
        licence="Apache-2.0",
        shown_publicly=("texts",),
        columns=("id", "question", "options", "answer", "question_type", "subfield", "topic_difficulty", "img_type"),
        config="+".join(sorted(_DISCIPLINES)),
        image_columns=tuple(f"image_{number}" for number in range(1, 8)),
    )

    def question(self, row: Mapping[str, Any], images: tuple[ImageRef, ...]) -> Question:
        """The question with its options listed as (A), (B), ...; image marks stay in the text. Raises `DataError`.

        A mark whose image isn't in the row gets an image that raises `DataError` when it is opened.
        """
        where = f"question {row['id']}"
        choices = _texts(row["options"], f"{where}: options") or None
        options = [f"({letter}) {choice}" for letter, choice in zip(_letters(choices), choices or (), strict=True)]
        text = "\n".join([row["question"], *options])
        marks = sorted(set(_IMAGE_MARK.findall(text)))
        absent = tuple(ImageRef(f"{where}, <image {mark}>") for mark in marks[len(images) :])
        subject = str(row["id"]).partition("_")[2].rpartition("_")[0]
        if subject not in _DISCIPLINES:
            raise DataError(f"{where}: no subject of the benchmark in this id; expected e.g. validation_Art_7")
        question = Question(
            task=self.name,
            id=str(row["id"]),
            text=text,
            images=images + absent,
            choices=choices,
            answer=str(row["answer"]),
            answer_type="choice" if choices else "open",
            categories={
                "subject": subject,
                "discipline": _DISCIPLINES[subject],
                **{key: row[key] for key in ("subfield", "topic_difficulty", "question_type")},
                "img_type": list(_texts(row["img_type"], f"{where}: img_type")),
            },
        )
        if choices:
            _gold_choice(question)
        return question

    def grade(self, question: Question, response: str, mode: GradingMode) -> Verdict:
        """Robust, or by the benchmark's parser."""
        if question.choices:
            if mode == "robust":
                return grade_answer(_with_plain_labels(question), response, gold_choice=_gold_choice(question))
            return self._official_choice(question, question.choices, response)
        return _robust_open(question, response) if mode == "robust" else _official_open(question, response)

    def other_rules(self) -> Mapping[str, Task]:
        """MMMU-Pro has a parser of its own; "mmmu_rules" are others' questions with this parser's verdicts."""
        return {"mmmu_pro": _MMMUPro(), "mmmu_rules": self}

    def gold_response(self, question: Question) -> str:
        """The letter, or the first of the accepted answers."""
        return _accepted(question.answer)[0]

    def _official_choice(self, question: Question, choices: tuple[str, ...], response: str) -> Verdict:
        letter = self._option_letter(response, choices)
        if letter is not None:
            correct = letter == question.answer
            return Verdict(letter, letter, correct, "match" if correct else "different")
        if not self.random_letters:
            return Verdict(None, None, False, "no answer")
        letter = drawn_letter(question.id, response, len(choices))
        return Verdict(None, letter, letter == question.answer, "random letter")

    def nano_row(self, drawn: Drawn, number: int) -> dict[str, Any]:
        """A multiple-choice row of the subject Math."""
        return {
            "id": f"validation_Math_{number}",
            "question": f"{drawn.text} <image 1>",
            "options": str(list(drawn.options or ())),
            "explanation": "",
            "topic_difficulty": "Easy",
            "question_type": "multiple-choice",
            "subfield": "Arithmetic",
            "img_type": "['Tables']",
            "answer": drawn.letter,
        }

    def _option_letter(self, response: str, choices: tuple[str, ...]) -> str | None:
        return option_letter(response, choices)


class _MMMUPro(MMMU):
    """The same task by the parser of MMMU-Pro."""

    def _option_letter(self, response: str, choices: tuple[str, ...]) -> str | None:
        return option_letter_pro(response, choices)


def option_letter(response: str, choices: tuple[str, ...]) -> str | None:
    """The letter that the validation parser finds: "(B)", else " B ", else an option's text; of several the last.

    Texts of options count only in responses of more than five words. Not found: None, where the original guesses.
    """
    text = _trimmed(response)
    for form in ("({})", " {} "):
        positions = {letter: text.rfind(form.format(letter)) for letter in _letters(choices)}
        if max(positions.values()) >= 0:
            return max(positions, key=positions.__getitem__)
    return _letter_by_text(text, choices)


def option_letter_pro(response: str, choices: tuple[str, ...]) -> str | None:
    """The letter that the parser of MMMU-Pro finds.

    It first takes the one option letter that occurs, if only in a word, after the last "Answer:"; then "(B)", "B " and
    "B.", the latter two even at the end of a word. Of several, the one last between blanks, else the first option.
    """
    letters = _letters(choices)
    _, announced, answer = response.rpartition("Answer:")
    named = [letter for letter in letters if letter in answer]
    if announced and len(named) == 1:
        return named[0]
    text = _trimmed(response)
    for form, position_form in (("({})", "({})"), ("{} ", " {} "), ("{}.", " {} ")):
        present = [letter for letter in letters if form.format(letter) in text]
        if present:
            positions = {letter: text.rfind(position_form.format(letter)) for letter in present}
            return max(positions, key=positions.__getitem__)
    return _letter_by_text(text, choices)


def drawn_letter(question_id: str, response: str, count: int) -> str:
    """One of `count` letters at random, always the same for the same question and response."""
    digest = hashlib.sha256(f"{question_id}\n{response}".encode("utf-8", "surrogatepass")).digest()
    return chr(ord("A") + int.from_bytes(digest) % count)


def open_predictions(response: str) -> set[float | str]:
    """The numbers (two decimals) and lower-case phrases that the parser takes for answers of an open question.

    Of each line, what follows the lead-in that leaves least; of the last line "=" is one too; without any, the whole.
    """
    response = response.strip().strip(".").lower()
    *lines, last = response.split("\n")
    tails = [_tail(line, _LEAD_INS) for line in lines] + [_tail(last, (*_LEAD_INS, "="))]
    phrases = [tail for tail in tails if tail not in ("", *":,.!?;'")] or [response]
    numbers = [number for phrase in phrases for pattern in _NUMBERS for number in pattern.findall(phrase)]
    return {value for text in (*phrases, *numbers) for value in _normal(text)}


def _tail(line: str, lead_ins: tuple[str, ...]) -> str:
    shortest = ""
    for lead_in in lead_ins:
        _, lead, tail = line.rpartition(lead_in)
        if lead and (not shortest or len(tail.strip()) < len(shortest)):
            shortest = tail.strip()
    return shortest


def _normal(text: str) -> list[float | str]:
    """A number rounded to two decimals, else lower case; a single character must have a blank beside it."""
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]


def _official_open(question: Question, response: str) -> Verdict:
    """Correct if any prediction is a gold number or contains a gold phrase.

    The class is made of the predictions that can decide: numbers for a gold number, phrases for a gold phrase.
    """
    if not response.strip():
        return Verdict(None, None, False, "empty response")
    if len(response) > MAX_OPEN_CHARACTERS:
        return Verdict(None, None, False, "too long")
    golds = [gold for answer in _accepted(question.answer) for gold in _normal(answer)]
    predictions = open_predictions(response)
    phrases = [gold for gold in golds if isinstance(gold, str)]
    correct = any(
        any(phrase in prediction for phrase in phrases) if isinstance(prediction, str) else prediction in golds
        for prediction in predictions
    )
    kinds = {type(gold) for gold in golds}
    deciding = sorted(str(prediction) for prediction in predictions if type(prediction) in kinds) or sorted(
        map(str, predictions)
    )
    name = "; ".join(deciding)
    if len(name) > 200:
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return Verdict("; ".join(deciding)[:200], name, correct, "match" if correct else "different")


def _robust_open(question: Question, response: str) -> Verdict:
    """Graded against each accepted answer; the class of a right one is that of the first accepted answer.

    Where a letter is asked for, the letters of the figure are the options.
    """
    if _LETTER_OF_A_FIGURE.fullmatch(question.answer):
        return grade_answer(question, response, gold_choice=ord(question.answer) - ord("A"))
    wanted = [_as_asked(question, answer) for answer in _accepted(question.answer)]
    verdicts = [grade_answer(variant, response) for variant in wanted]
    for verdict in verdicts[1:]:
        if verdict.correct and not verdicts[0].correct:
            name = grade_answer(wanted[0], wanted[0].answer).answer_class
            return dataclasses.replace(verdict, answer_class=name)
    return verdicts[0]


def _with_plain_labels(question: Question) -> Question:
    """Options that are mere letters get their label before them, so that "A" is always the first option.

    Prompts ask for the label, and the letters of a figure are often listed in another order.
    """
    labelled = tuple(
        f"({label}) {text}" if _LETTER.fullmatch(text.strip(" ().")) else text
        for label, text in zip(_letters(question.choices), question.choices or (), strict=True)
    )
    return dataclasses.replace(question, choices=labelled)


def _as_asked(question: Question, answer: str) -> Question:
    """A gold number is compared as written: whole exactly, else at its own number of decimals."""
    number = _PLAIN_NUMBER.fullmatch(answer)
    if number is None:
        return dataclasses.replace(question, answer=answer, answer_type="open")
    decimals = len(number[1] or "")
    kind = "float" if decimals else "integer"
    return dataclasses.replace(question, answer=answer, answer_type=kind, precision=decimals)


def _accepted(answer: str) -> tuple[str, ...]:
    """The accepted answers of an open question; a letter or a single answer stands for itself."""
    if not (answer.startswith("[") and answer.endswith("]")):
        return (answer,)
    try:
        return _texts(answer, "answer") or (answer,)
    except DataError:
        return (answer,)


def _texts(literal: str, where: str) -> tuple[str, ...]:
    """The members of a list of texts or numbers written as a Python literal. Raises `DataError`."""
    try:
        if len(literal) > MAX_LITERAL_CHARACTERS:
            raise ValueError(f"longer than {MAX_LITERAL_CHARACTERS} characters")
        members = ast.literal_eval(literal)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise DataError(f"{where}: not a Python list as text ({error}): {str(literal)[:80]!r}") from error
    if not isinstance(members, list) or not all(isinstance(member, str | int | float) for member in members):
        raise DataError(f"{where}: expected a flat list of texts, got {str(literal)[:80]!r}")
    return tuple(map(str, members))


def _gold_choice(question: Question) -> int:
    letters = _letters(question.choices)
    if question.answer not in [*letters]:
        raise DataError(f"question {question.id}: answer {question.answer!r} isn't a letter of its options {letters}")
    return letters.index(question.answer)


def _letters(choices: tuple[str, ...] | None) -> str:
    return "".join(chr(ord("A") + index) for index in range(len(choices or ())))


def _trimmed(response: str) -> str:
    """Without punctuation at both ends, sign after sign, and with a blank at both."""
    for sign in ",.!?;:'":
        response = response.strip(sign)
    return f" {response} "


def _letter_by_text(text: str, choices: tuple[str, ...]) -> str | None:
    if len(text.split()) <= 5:
        return None
    text = text.lower()
    positions = {letter: text.rfind(choice.lower()) for letter, choice in zip(_letters(choices), choices, strict=True)}
    return max(positions, key=positions.__getitem__) if max(positions.values()) >= 0 else None
