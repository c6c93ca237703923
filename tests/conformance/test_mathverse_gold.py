"""MathVerse: every gold answer is accepted against itself in the forms that responses use, and its neighbours aren't.

No responses with verdicts exist for this benchmark, so this is a test of reflexivity and of its opposite: a gold with
another digit, or with a relation or a bracket turned round, is another answer.
"""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from shared_data import shared_rows

from vpbench import Question
from vpbench.plugins import builtin_folder, load_file

FORMS = (
    "So \\boxed{{{}}}",
    "The answer is {}",
    "We compute.\n\nAnswer: {}",
    "**Final Answer:** ${}$",
    "First \\boxed{{7777}}? No.\n\n\\boxed{{{}}}",
)
NOT_AS_WRITTEN = {"538": "a lost \\frac", "556": "the same answer twice"}
"""Free-form golds whose own broken wording isn't accepted; the answer they mean is."""
OWN_WORDING = {"459", "493", "494", "504", "629"}
"""Descriptions in words: accepted in their own wording only, so that a digit may stand anywhere."""
CHAINS = {"599"}
"""Equations of more than two sides; the last one counts."""


@pytest.fixture(scope="module")
def mathverse() -> ModuleType:
    return load_file(builtin_folder("tasks") / "mathverse.py")


@pytest.fixture(scope="module")
def questions(mathverse: ModuleType) -> list[Question]:
    questions = []
    for row in shared_rows("conformance/mathverse_gold*.jsonl.gz"):
        columns = {
            "problem_index": row["question_id"],
            "problem_version": "Vision Only",
            "metadata": row["categories"],
            "question_for_eval": row["question"],
            **{key: row[key] for key in ("answer", "question_type")},
        }
        questions.append(mathverse.MathVerse().question(columns, ()))
    return questions


def refused(mathverse: ModuleType, question: Question, written: str) -> bool:
    task = mathverse.MathVerse()
    return not all(task.grade(question, form.format(written), "robust").correct for form in FORMS)


def test_choices_are_accepted_by_letter_and_by_text(mathverse: ModuleType, questions: list[Question]) -> None:
    off = []
    for question in questions:
        if question.choices:
            golds = mathverse.gold_choices(question)
            letters = [chr(ord("A") + gold) for gold in golds]
            written = [" and ".join(letters), ", ".join(letters), " and ".join(f"({letter})" for letter in letters)]
            off += [f"{question.id}: {each!r}" for each in written if refused(mathverse, question, each)]
            if len(golds) == 1 and question.choices.count(question.choices[golds[0]]) == 1:
                full = f"{letters[0]}. {question.choices[golds[0]]}"
                off += [f"{question.id}: {full!r}"] * refused(mathverse, question, full)
    assert not off, "\n".join(off)


def test_free_form_golds_are_accepted(mathverse: ModuleType, questions: list[Question]) -> None:
    free = [question for question in questions if not question.choices]
    as_written = {question.id for question in free if refused(mathverse, question, question.answer.strip().strip("$"))}
    meant = {question.id for question in free if refused(mathverse, question, mathverse.plain_gold(question.answer))}
    print(f"\n{len(free)} free-form golds; refused as written: {sorted(as_written)}; as meant: {sorted(meant)}")
    assert as_written <= NOT_AS_WRITTEN.keys()
    assert not meant


def test_neighbours_of_golds_are_refused(mathverse: ModuleType, questions: list[Question]) -> None:
    accepted, tried = [], 0
    for question in questions:
        if question.choices or question.id in OWN_WORDING | CHAINS:
            continue
        gold = mathverse.plain_gold(question.answer)
        near = {
            gold[: digit.start()] + str((int(digit[0]) + 1) % 10) + gold[digit.end() :]
            for digit in re.finditer(r"(?<!cm\^)\d", gold)
        }
        near |= {gold.replace(old, new, 1) for old, new in (("\\lt", "\\gt"), ("\\gt", "\\lt"), ("\\leq", "\\lt"))}
        if mathverse.labelled_sets(gold):
            near |= {gold.replace(old, new, 1) for old, new in (("[", "("), ("]", ")"))}
        for text in near - {gold}:
            tried += 1
            if mathverse.MathVerse().grade(question, f"So \\boxed{{{text}}}", "robust").correct:
                accepted.append(f"{question.id}: {text!r} for {question.answer!r}")
    assert tried and not accepted, "\n".join(accepted)


def test_units_may_be_said_in_words(mathverse: ModuleType, questions: list[Question]) -> None:
    off = []
    for question in questions:
        gold = mathverse.plain_gold(question.answer)
        if not question.choices and re.fullmatch(r"-?\d+(\.\d+)?", gold):
            for unit in (" cm", " \\text{ units}", " m^2", " cubic units"):
                off += [f"{question.id}: {gold}{unit}"] * refused(mathverse, question, gold + unit)
    assert not off, "\n".join(off)
