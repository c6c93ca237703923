"""MATH-Vision: a row becomes a question, and the official rules end to end (cases from its rules, by hand)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from vpbench import DataError, Question, Task
from vpbench.plugins import find_task

OPTIONS = ("2 cm", "3", "\\frac{7}{2}", "5", "6")
FREE = Question("mathvision", "1", "How long?", answer="0.5", answer_type="open")


@pytest.fixture(scope="module")
def task() -> Task:
    instance = find_task("mathvision").cls()
    assert isinstance(instance, Task)
    return instance


def row(options: list[str], answer: str) -> dict[str, Any]:
    return {
        "id": "7",
        "question": "How long?\n<image1>",
        "options": options,
        "answer": answer,
        "level": 3,
        "subject": "length",
        "solution": None,
    }


def choice_question(answer: str) -> Question:
    return Question("mathvision", "1", "Which?", choices=OPTIONS, answer=answer, answer_type="choice")


def test_a_row_with_options(task: Task) -> None:
    question = task.question(row(["1", "2"], "B"), ())
    assert question.text == "How long?\n<image1>\n(A) 1\n(B) 2"
    assert (question.choices, question.answer, question.answer_type) == (("1", "2"), "B", "choice")
    assert question.categories == {"subject": "length", "level": 3}


@pytest.mark.parametrize("letters", [["A", "B"], ["(A)", "(B)"], ["A)", "B)"], ["a", "b"]])
def test_mere_letters_arent_listed(task: Task, letters: list[str]) -> None:
    question = task.question(row(letters, "A"), ())
    assert question.text == "How long?\n<image1>"
    assert question.choices == tuple(letters)


def test_a_free_form_row(task: Task) -> None:
    question = task.question(row([], "12"), ())
    assert (question.choices, question.answer_type, question.text) == (None, "open", "How long?\n<image1>")


@pytest.mark.parametrize("answer", ["C", "b", "", "BB"])
def test_an_answer_that_is_no_option_is_an_error(task: Task, answer: str) -> None:
    with pytest.raises(DataError, match="question 7"):
        task.question(row(["1", "2"], answer), ())


@pytest.mark.parametrize(
    ("response", "extracted"),
    [
        ("I choose C.", "c"),
        ("I choose (C).", "c"),
        ("B\nsince it is so (C).", "b"),
        ("(D) D\nbecause", "d"),
        ("E\nbut rather A.", "a"),
        ("The length is 3.50.", "3.50"),
        ("x is 5. The final answer is $7$. More text", "7"),
        ("The correct answer is \\frac12", "\\frac12"),
        ("the answer is x = 4\nAnd so on", "4"),
        ("\\boxed{1} then \\boxed{ \\text{(B)} }", "b"),
        ("\\boxed{A} and more}", "a"),
        ("\\boxed{(1, 2)} and {3} more", "(1,2)"),
        ("\\boxed{\\dfrac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{3\\sqrt2}", "3\\sqrt{2}"),
        ("\\boxed{\\frac3{\\sqrt 2}}", "\\frac{3}{\\sqrt{2}}"),
        ("\\boxed{\\sqrt[3]{8}}", "\\sqrt{[}3]{8}"),
        ("\\boxed{.7}", "0.7"),
        ("\\boxed{0.5}", "\\frac{1}{2}"),
        ("\\boxed{1/2}", "\\frac{1}{2}"),
        ("\\boxed{01/2}", "01/2"),
        ("\\boxed{45^{\\circ}}", "45"),
        ("\\boxed{x \\approx 50\\%}", "50"),
        ("\\boxed{5\\text{ km}}", "5"),
        ("\\boxed{{c}}", "c"),
        ("Answer: 7", "answer:7"),
    ],
)
def test_extraction(task: Task, response: str, extracted: str) -> None:
    verdict = task.grade(FREE, response, "official")
    assert (verdict.extracted, verdict.answer_class) == (extracted, extracted)


@pytest.mark.parametrize(
    ("answer", "response", "correct"),
    [
        ("B", "\\boxed{B}", True),
        ("B", "\\boxed{3}", True),
        ("B", "\\boxed{3.001}", True),
        ("C", "\\boxed{3.5}", True),
        ("C", "\\boxed{3 cm}", False),
        ("A", "\\boxed{2 cm}", False),
        ("B", "\\boxed{\\text{(B) } 3}", False),
        ("B", "Answer: B", False),
    ],
)
def test_options_are_right_by_letter_or_value(task: Task, answer: str, response: str, correct: bool) -> None:
    verdict = task.grade(choice_question(answer), response, "official")
    assert (verdict.correct, verdict.reason) == (correct, "match" if correct else "different")


@pytest.mark.parametrize(
    ("gold", "extraction", "correct"),
    [
        ("0.5", "\\frac{1}{2}", True),
        ("\\frac{1}{55}", "\\frac{1}{60}", True),
        ("\\frac{7}{16}", "0.45", False),
        ("(1,\\frac{1}{2})", "(1,0.5)", True),
        ("(1,2)", "(1.0,2.0)", True),
        ("(3,1)", "(6/2,1)", False),
        ("[a,2]", "[a,2]", True),
        ("(0,\\infty)", "(0,\\infty)", True),
        ("1:64", "\\frac{1}{64}", True),
        ("X", "x", True),
        ("x", "y", False),
        ("7", "", False),
        (" ", "7", False),
    ],
)
def test_comparison_to_two_decimals(task: Task, gold: str, extraction: str, correct: bool) -> None:
    verdict = task.compare(Question("mathvision", "1", "?", answer=gold, answer_type="open"), extraction)
    assert verdict is not None
    assert verdict.correct == correct


def test_no_answer_doesnt_vote(task: Task) -> None:
    assert task.grade(FREE, " \n", "official").reason == "empty response"
    empty = task.grade(FREE, "\\boxed{ }", "official")
    assert (empty.answer_class, empty.correct, empty.reason) == (None, False, "no answer")


def test_robust_grading_knows_the_right_option(task: Task) -> None:
    assert task.grade(choice_question("B"), "The answer is (B).", "robust").correct
    assert not task.grade(choice_question("A"), "The answer is (B).", "robust").correct
    assert task.grade(FREE, "\\boxed{\\frac{1}{2}}", "robust").correct


@pytest.mark.parametrize(
    "response",
    [
        "9**9**9",
        "\\boxed{9^{9^{9}}}",
        "\\boxed{2.5" + "^9" * 900 + "}",
        "\\boxed{999!!!}",
        "a" * 1_000_000,
        "9" * 1_000_000,
        "oxed{" * 200_000,
        "{" * 10_000 + "1" + "}" * 10_000,
        "\\boxed{" + "{" * 9_000 + "1" + "}" * 9_000 + "}",
        "\\boxed{" + "\\sin" * 400 + "1}",
        "\\boxed{" + "(1" * 900 + ")_{}}",
        "(" + ",".join(["9^{9}"] * 3000) + ")",
        "\x00\ud800 \\boxed{\ud800}",
    ],
)
def test_hostile_responses_get_a_verdict_at_once(task: Task, response: str) -> None:
    start = time.process_time()
    for question in (FREE, choice_question("B")):
        verdict = task.grade(question, response, "official")
        assert not verdict.correct
        assert verdict.reason in {"different", "too long"}
    assert time.process_time() - start < 1
