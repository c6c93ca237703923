"""MathVista: a row becomes a question, and the official scoring with its quirks (cases from its rules, by hand)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from vpbench import DataError, Question, Task
from vpbench.grade.official import edit_distance, nearest_choice
from vpbench.plugins import find_task

COLOURS = ("red", "blue", "Blue-green")


@pytest.fixture(scope="module")
def task() -> Task:
    instance = find_task("mathvista").cls()
    assert isinstance(instance, Task)
    return instance


def row(**changes: Any) -> dict[str, Any]:
    keys = ("category", "context", "grade", "language", "skills", "source", "task", "split")
    values = {
        "pid": "7",
        "question": "How old is the tree?",
        "choices": None,
        "unit": "years",
        "precision": 1.0,
        "answer": "12.5",
        "question_type": "free_form",
        "answer_type": "float",
        "query": "other",
        "metadata": {key: key for key in keys},
    }
    return values | changes


def choice_question(answer: str = "blue") -> Question:
    return Question("mathvista", "1", "Which?", choices=COLOURS, answer=answer)


def number_question(answer: str, answer_type: str, precision: int | None = None) -> Question:
    return Question("mathvista", "1", "How many?", answer=answer, answer_type=answer_type, precision=precision)


def test_a_free_form_row(task: Task) -> None:
    question = task.question(row(), ())
    assert question.text == "How old is the tree? (unit: years)"
    assert (question.precision, question.choices, question.answer_type) == (1, None, "float")
    assert isinstance(question.precision, int)
    assert set(question.categories) == {
        "question_type",
        "answer_type",
        "language",
        "source",
        "category",
        "task",
        "context",
        "grade",
        "skills",
    }


def test_options_are_listed_and_the_query_isnt_read(task: Task) -> None:
    question = task.question(row(choices=["red", "blue"], answer="blue", unit=None, precision=None), ())
    assert question.text == "How old is the tree?\n(A) red\n(B) blue"
    assert question.choices == ("red", "blue")


def test_an_answer_that_is_no_option_is_an_error(task: Task) -> None:
    with pytest.raises(DataError, match="question 7.*'green'"):
        task.question(row(choices=["red", "blue"], answer="green"), ())


def test_a_missing_column_is_a_key_error(task: Task) -> None:
    with pytest.raises(KeyError):
        task.question({"pid": "1"}, ())


@pytest.mark.parametrize(
    ("extraction", "prediction", "reason"),
    [
        ("B", "blue", "match"),
        ("(b) or maybe (A)", "blue", "match"),
        (" A ", "red", "different"),
        ("blue", "blue", "match"),
        ("b", "red", "nearest option"),
        ("B.", "red", "nearest option"),
        ("f(x) is blue", "red", "nearest option"),
        ("D", "red", "nearest option"),
        ("Blue", "blue", "nearest option"),
        ("", "red", "no answer"),
    ],
)
def test_the_scoring_of_options(task: Task, extraction: str, prediction: str, reason: str) -> None:
    verdict = task.grade_extraction(choice_question(), extraction)
    assert verdict is not None
    assert (verdict.answer_class, verdict.reason, verdict.correct) == (prediction, reason, prediction == "blue")


@pytest.mark.parametrize(
    ("answer_type", "precision", "extraction", "prediction"),
    [
        ("integer", None, "7.026", "7"),
        ("integer", None, "-0.005", "0"),
        ("integer", None, "1,000", None),
        ("integer", None, "5 cm", None),
        ("integer", None, "inf", None),
        ("integer", None, "nan", None),
        ("integer", None, None, None),
        ("float", 2, "2.545454", "2.55"),
        ("float", 1, "7", "7.0"),
        ("float", 1, "1/2", None),
        ("float", 1, "", None),
        ("list", None, "[2007,2008]", "[2007,2008]"),
    ],
)
def test_the_scoring_of_numbers(
    task: Task, answer_type: str, precision: int | None, extraction: str | None, prediction: str | None
) -> None:
    right = task.grade_extraction(number_question(prediction or "7", answer_type, precision), extraction)
    wrong = task.grade_extraction(number_question("1234", answer_type, precision), extraction)
    assert right is not None and wrong is not None
    assert right.answer_class == wrong.answer_class == prediction
    assert right.correct == (prediction is not None)
    assert not wrong.correct


@pytest.mark.parametrize(
    ("question", "response", "correct", "reason"),
    [
        (choice_question(), "blue", True, "match"),
        (choice_question(), 'So.\nThe answer is "blue". Yes.', True, "match"),
        (choice_question(), 'The answer is "red"', False, "no answer (rule-only)"),
        (choice_question("red"), "I see (B) blue.", True, "no answer (rule-only)"),
        (choice_question("red"), "", True, "empty response"),
        (number_question("7", "integer"), " 7 ", True, "match"),
        (number_question("7", "integer"), "7.0", False, "no answer (rule-only)"),
        (number_question("7.5", "float", 1), "7.46", True, "match"),
        (number_question("7", "integer"), "9" * 5000, False, "no answer (rule-only)"),
        (number_question("[1, 2]", "list"), "[1, 2]", False, "no answer (rule-only)"),
    ],
)
def test_official_grading_without_an_extractor(
    task: Task, question: Question, response: str, correct: bool, reason: str
) -> None:
    verdict = task.grade(question, response, "official")
    assert (verdict.correct, verdict.reason) == (correct, reason)


def test_robust_grading_knows_the_right_option(task: Task) -> None:
    assert task.grade(choice_question(), "The answer is (B).", "robust").correct
    assert not task.grade(choice_question("red"), "The answer is (B).", "robust").correct
    assert task.grade(number_question("7", "integer"), "The answer is 7.", "robust").correct


@pytest.mark.parametrize("response", ['The answer is "' * 60_000, "9" * 1_000_000, "\x00\ud800(", "(" * 100_000])
def test_hostile_responses_get_a_verdict_at_once(task: Task, response: str) -> None:
    start = time.process_time()
    for question in (choice_question(), number_question("7", "integer"), number_question("7.1", "float", 1)):
        assert task.grade(question, response, "official").reason
        assert task.grade_extraction(question, response) is not None
    assert time.process_time() - start < 2


def test_edit_distance_is_the_textbook_recursion() -> None:
    def slow(a: str, b: str) -> int:
        if not a or not b:
            return len(a) + len(b)
        return min(slow(a[1:], b) + 1, slow(a, b[1:]) + 1, slow(a[1:], b[1:]) + (a[0] != b[0]))

    words = ["", "a", "ab", "ba", "abc", "aab", "cab", "bbca", "kitten"[:5], "sitti"]
    assert all(edit_distance(a, b) == slow(a, b) for a in words for b in words)
    assert edit_distance("kitten", "sitting") == 3
    assert nearest_choice("zz", ("aa", "bb")) == 0
