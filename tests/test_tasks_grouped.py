"""DynaMath, WeMath and LogicVista: rows and both gradings (cases from their rules, by hand)."""

from __future__ import annotations

import json
import sys
import time
from types import ModuleType
from typing import Any

import pytest

from vpbench import DataError, Question, Task
from vpbench.plugins import find_task


def module(name: str) -> ModuleType:
    return sys.modules[find_task(name).cls.__module__]


def task(name: str) -> Task:
    instance = find_task(name).cls()
    assert isinstance(instance, Task)
    return instance


def dynamath_question(answer: str, answer_type: str, text: str = "What is it?") -> Question:
    return Question("dynamath", "7/variant1", text, answer=answer, answer_type=answer_type, group="7")


def dynamath_row(**changes: Any) -> dict[str, Any]:
    return {
        "id": "7",
        "question": "Which is larger? Choices: (A) red (B) blue ",
        "image": "images/7.png",
        "ground_truth": "B",
        "answer_type": "multiple choice",
        "subject": "statistics",
        "knowledge_level": "high school",
        "__split__": "sample_variant10",
    } | changes


def wemath_row(**changes: Any) -> dict[str, Any]:
    return {
        "ID": "2steps_7",
        "key": "2steps_1",
        "question": "How long is AB?",
        "option": "A. 3; B. 4;C. 5;D. 3",
        "answer": "B",
        "knowledge concept": "Parallel",
    } | changes


def logicvista_row(**changes: Any) -> dict[str, Any]:
    return {
        "id": "v1_7",
        "question": "Which two come next? Select from A-E ",
        "answer": "B, D",
        "skill": ["inductive"],
        "broad_capability": ["diagram and ocr"],
        "specific_capability": ["sequence pattern"],
    } | changes


def short(answer: Any) -> str:
    return json.dumps({"solution": "see the figure", "short answer": answer}, ensure_ascii=False)


def test_a_row_of_every_task() -> None:
    question = task("dynamath").question(dynamath_row(), ())
    assert question is not None
    assert (question.id, question.group, question.choices) == ("7/variant10", "7", ("red", "blue"))
    assert question.text.endswith("(B) blue") and question.categories["variant"] == 10
    question = task("wemath").question(wemath_row(), ())
    assert question is not None
    assert (question.id, question.group, question.choices) == ("2steps_7/2steps_1", "2steps_7", ("3", "4", "5", "3"))
    assert question.text == "How long is AB?\n(A) 3\n(B) 4\n(C) 5\n(D) 3"
    question = task("logicvista").question(logicvista_row(), ())
    assert question is not None
    assert (question.id, question.answer, question.group) == ("v1_7", "B, D", None)
    assert question.categories["capability"] == ["diagram", "ocr"]


def test_rows_that_are_no_question() -> None:
    assert task("logicvista").question(logicvista_row(question="", answer=""), ()) is None
    for name, row, message in [
        ("dynamath", dynamath_row(__split__="test"), "isn't named sample_variant1"),
        ("wemath", wemath_row(option="3; 4; 5"), "no options A, B"),
        ("wemath", wemath_row(answer="E"), "'E' isn't the letter of an option"),
    ]:
        with pytest.raises(DataError, match=message):
            task(name).question(row, ())


@pytest.mark.parametrize(
    ("answer", "kind", "response", "toolkit", "first_party"),
    [
        ("2.5", "float", short("2.5 cm"), True, True),
        ("2.5", "float", short("2.5cm"), None, None),
        ("2.5", "float", short(2.5), None, True),
        ("2.5", "float", short("5/2"), None, None),
        ("6.2832", "float", short("2π"), True, True),
        ("6.2832", "float", short("2 π"), False, False),
        ("2.5", "float", short("2.502"), False, False),
        ("1500", "float", short("1,500"), None, None),
        ("25", "float", "25", True, None),
        ("B", "multiple choice", short("b"), True, False),
        ("B", "multiple choice", short("(B) no"), True, True),
        ("B", "multiple choice", short("B: yes"), None, True),
        ("C", "multiple choice", short("Choice C"), None, True),
        ("F", "multiple choice", short("F"), True, True),
        ("F", "multiple choice", short("(F)"), None, True),
        ("D", "multiple choice", "So \\boxed{D}", True, True),
        ("Q3", "text", short("q3"), True, False),
        ("Q3", "text", short(""), True, False),
        ("Q3", "text", short("It is Q3"), False, True),
        ("Q3", "text", short(3), "rule raises", None),
        ("Q3", "text", "Q3", True, False),
        ("y = 2", "text", '{"short answer": "y\\n = 2"}', False, False),
    ],
)
def test_the_two_official_rules_of_dynamath(
    answer: str, kind: str, response: str, toolkit: bool | str | None, first_party: bool | None
) -> None:
    """None: what can't be parsed ("needs a judge", or wrong in the first-party scripts)."""
    question = dynamath_question(answer, kind)
    verdict = task("dynamath").grade(question, response, "official")
    if isinstance(toolkit, bool):
        assert (verdict.correct, verdict.reason in {"match", "different"}) == (toolkit, True), verdict
    else:
        assert (verdict.correct, verdict.reason) == (False, toolkit or "needs a judge"), verdict
    verdict = module("dynamath").first_party_verdict(question, response)
    assert verdict.correct == bool(first_party), verdict
    assert (verdict.reason == "not parsed") == (first_party is None), verdict


YES_NO = "Is it even? choice: (A) Yes (B) No"


@pytest.mark.parametrize(
    ("answer", "kind", "response", "correct"),
    [
        ("2.5", "float", short("2.501"), True),
        ("2.5", "float", short("2.5011"), False),
        ("0.8284", "float", "The area is 2√2 - 2.\n\nFinal answer: 0.828", True),
        ("1500", "float", short("1,500 cm"), True),
        ("6.2832", "float", short("2π"), True),
        ("25", "float", short(25.0), True),
        ("25", "float", short(None), False),
        ("25", "float", '{"solution": "we read 25 and', False),
        ("25", "float", '{"solution": "cut \\alpha", "short answer": "25"}', True),
        ("A", "multiple choice", short("yes"), True),
        ("A", "multiple choice", short("a"), True),
        ("A", "multiple choice", short("A and B"), False),
        ("B", "multiple choice", "The answer is No.", True),
        ("Jun", "text", short("June"), True),
        ("Jun", "text", short("Jul"), False),
        ("Jun", "text", short(""), False),
        ("y = 2", "text", "The answer is y = 2.", True),
        ("y = 2", "text", "The answer is x = 2.", False),
        ("(6.000, -5.000)", "text", "It is (6, -5).", True),
        ("(6.000, -5.000)", "text", short("(-5, 6)"), False),
        ("16, 88, 66", "text", short("16,88,66"), True),
        ("16, 88, 66", "text", short("16, 88"), False),
    ],
)
def test_robust_grading_of_dynamath(answer: str, kind: str, response: str, correct: bool) -> None:
    question = dynamath_question(answer, kind, YES_NO if kind == "multiple choice" else "What is it?")
    verdict = task("dynamath").grade(question, response, "robust")
    assert verdict.correct == correct, verdict


def test_close_numbers_share_an_answer_class() -> None:
    question = dynamath_question("0.8284", "float")
    grade = task("dynamath").grade
    classes = {grade(question, short(value), "robust").answer_class for value in ("0.828", "0.8284", "0.82840", 0.828)}
    assert len(classes) == 1
    assert grade(question, short("0.83"), "robust").answer_class not in classes


@pytest.mark.parametrize(
    ("response", "letter", "robust"),
    [
        ("<Thought process>: It is <<4>>. <Answer>: <<B>>", "B", True),
        ("<Answer>B</Answer>", None, True),
        ("Answer: (B)", None, True),
        ("Answer: b", None, True),
        ("Answer: 4", None, True),
        ("The Answer is B", None, True),
        ("Final answer: B", "F", True),
        ("Answer: C\nAnswer: B", "B", True),
        ("Answer: Because it is C", "B", False),
        ("Answer: B or C", "B", False),
        ("Answer:BC", "B", False),
        ("A square. Answer", None, False),
        ("...", None, False),
    ],
)
def test_gradings_of_wemath(response: str, letter: str | None, robust: bool) -> None:
    question = task("wemath").question(wemath_row(), ())
    assert question is not None
    verdict = task("wemath").grade(question, response, "official")
    assert (verdict.extracted, verdict.correct) == (letter, letter == "B")
    assert task("wemath").grade(question, response, "robust").correct == robust


def test_a_letter_means_the_label_where_option_texts_are_letters() -> None:
    question = task("wemath").question(wemath_row(option="A. F;B. D;C. B;D. I"), ())
    assert question is not None
    answers = {r: task("wemath").grade(question, r, "robust").answer_class for r in ("B", "\\boxed{B}", "D", "F")}
    assert answers == {"B": "choice:B", "\\boxed{B}": "choice:B", "D": "choice:D", "F": "choice:A"}


def test_gradings_of_logicvista() -> None:
    logicvista = task("logicvista")
    question = logicvista.question(logicvista_row(), ())
    assert question is not None
    for extraction, correct in [("d, b", True), ("['B', 'D']", True), ("B", False), ("b, d, d", False), ("", False)]:
        verdict = logicvista.grade_extraction(question, extraction)
        assert verdict is not None and verdict.correct == correct
    for response, correct, reason in [
        ("D, B", True, "match (rule-only)"),
        ("USER: hm ASSISTANT: B and D.", True, "match (rule-only)"),
        ("B", False, "different (rule-only)"),
        ("G", False, "no answer (rule-only)"),
        ("The answer is B, D", False, "needs a judge"),
        (" ", False, "empty response"),
    ]:
        verdict = logicvista.grade(question, response, "official")
        assert (verdict.correct, verdict.reason) == (correct, reason), response
    assert logicvista.grade(question, "The answer is B, D", "robust").correct
    match = module("logicvista").toolkit_match
    assert [match("B, D", reply) for reply in ("DB", "B, D", "Z", "b")] == [
        (True, True),
        (False, False),
        (True, False),
        (False, False),
    ]


@pytest.mark.parametrize("mode", ["robust", "official"])
@pytest.mark.parametrize(
    "response",
    [
        '{"short answer": ' * 60_000,
        "{" * 500_000,
        '{"a":' * 100_000 + "}" * 100_000,
        "9" * 1_000_000,
        "\x00\ud800(",
        "Answer" * 200_000,
        "A, " * 300_000,
        short("9" * 100_000),
        short("9e999999999"),
        short("²"),
        short({"a": 1}),
        short([1, ["x"]]),
        short("nan"),
        short("1" + " " * 500_000),
        '"short answer": "' * 60_000,
        "<" * 500_000,
    ],
)
def test_hostile_responses_get_a_verdict_at_once(mode: Any, response: str) -> None:
    questions: dict[str, list[Question | None]] = {
        "dynamath": [
            dynamath_question("2.5", "float"),
            dynamath_question("A", "multiple choice", YES_NO),
            dynamath_question("y = 2", "text"),
        ],
        "wemath": [task("wemath").question(wemath_row(), ())],
        "logicvista": [task("logicvista").question(logicvista_row(), ())],
    }
    for name, variants in questions.items():
        for question in variants:
            assert question is not None
            start = time.process_time()
            assert task(name).grade(question, response, mode).reason
            if name == "dynamath":
                assert module(name).first_party_verdict(question, response).reason
            assert time.process_time() - start < 2
