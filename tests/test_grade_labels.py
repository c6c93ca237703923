"""Option lists in questions, and answers that are sets of labels (cases by hand)."""

from __future__ import annotations

import time

import pytest

from vpbench import Question
from vpbench.grade import grade_labels, label_set, listed_options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("Is it even? choice: (A) yes (B) no", ("yes", "no")),
        ("How many? Select from A-D. \n A) 10 B) 12 C) 14", ("10", "12", "14")),
        ("Which? (A) Left, (B) Right, (C) None", ("Left", "Right", "None")),
        ("Which group?\nA. One\nB. Two\nC. Three", ("One", "Two", "Three")),
        ("A: red, B: blue\nA: up\nB: down", ("up", "down")),
        ("A. 3; B. 4;C. 5; D. No correct answer", ("3", "4", "5", "No correct answer")),
        ("A. 4 B. 3 ;C. 2", ("4", "3", "2")),
        ("A. one;B．two", ("one", "two")),
        ("A. first to ;B.; B. then to ;C. ;C. back", ("first to ;B.", "then to ;C.", "back")),
        ("A. 1; 3;B. 2; 4", ("1; 3", "2; 4")),
        ("Which is next? (A) (B) (C)", ("", "", "")),
        ("see (A). Pick: (A) x (B) y", ("x", "y")),
        ("Which choice (A, B, C, or D) is next?", None),
        ("f(A) is 3", None),
        ("", None),
    ],
)
def test_listed_options(text: str, options: tuple[str, ...] | None) -> None:
    assert listed_options(text) == options


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("B", "B"),
        ("(b)", "B"),
        ("A, C", "AC"),
        ("(A), (C)", "AC"),
        ("a and c", "AC"),
        ("(A, B and D)", "ABD"),
        ("options A & B", "AB"),
        ("C, A", "AC"),
        ("A and A", "A"),
        ("none", ""),
        ("Neither of them", ""),
        ("C.", "C"),
    ],
)
def test_label_sets(text: str, labels: str) -> None:
    assert label_set(text) == frozenset(labels)


@pytest.mark.parametrize("text", ["", "A or B", "AB", "Apple", "B is right", "3", "t", "A to D", "A-D"])
def test_what_is_no_label_set(text: str) -> None:
    assert label_set(text) is None


SINGLE = Question("test", "1", "Which box comes next? Select from A-E", answer="B")
PAIR = Question("test", "2", "Which two boxes come next? Select from A-E", answer="B, D")
DIGIT = Question("test", "3", "Select from 1-5", answer="3")
LISTED = Question(
    "test", "4", "True? Select from A, B and C. (A) True (B) False (C) Insufficient Information", answer="C"
)
SHAPES = Question("test", "5", "Which are red? (A) B and C (B) C and D (C) D", answer="B")


@pytest.mark.parametrize(
    ("question", "response", "answer_class", "correct"),
    [
        (SINGLE, "B", "labels:B", True),
        (SINGLE, "b", "labels:B", True),
        (SINGLE, "The pattern turns. The answer is (B).", "labels:B", True),
        (SINGLE, "\\boxed{\\text{B}}", "labels:B", True),
        (SINGLE, "B and C", "labels:B,C", False),
        (SINGLE, "A or B", None, False),
        (SINGLE, "A, B, C, D", "labels:A,B,C,D", False),
        (SINGLE, "none", "labels:none", False),
        (SINGLE, "I can't see it.", None, False),
        (SINGLE, "The arrow goes from A and B to C. The answer is B.", "labels:B", True),
        (SINGLE, "There are three options: A, B, and C. D is the correct answer.", "labels:D", False),
        (SINGLE, "The options A, B, C and D differ by colour.", None, False),
        (PAIR, "D and B", "labels:B,D", True),
        (PAIR, "Final answer: B, D", "labels:B,D", True),
        (PAIR, "Boxes B and D have a star; these follow.", "labels:B,D", True),
        (PAIR, "The answer is B.", "labels:B", False),
        (PAIR, "B, C and D", "labels:B,C,D", False),
        (DIGIT, "3", "labels:3", True),
        (DIGIT, "The answer is 3.", "labels:3", True),
        (DIGIT, "Answer: 4", "labels:4", False),
        (DIGIT, "C", None, False),
        (LISTED, "It is false.", "labels:B", False),
        (LISTED, "Nothing is said of it. It is not possible to determine whether it is true.", "labels:C", True),
        (
            LISTED,
            "true? select from a, b, c. ( a ) true ( b ) false ( c ) insufficient information. answer : )",
            None,
            False,
        ),
        (LISTED, "A) True\nB) False\nC) Insufficient Information\n\nThe answer is C.", "labels:C", True),
        (SHAPES, "C and D", "labels:B", True),
        (SHAPES, "", None, False),
    ],
)
def test_grading(question: Question, response: str, answer_class: str | None, correct: bool) -> None:
    verdict = grade_labels(question, response, question.answer.split(", "))
    assert (verdict.answer_class, verdict.correct) == (answer_class, correct), verdict


@pytest.mark.parametrize(
    "response",
    [
        "A, " * 300_000,
        "(A)" * 300_000,
        "9" * 1_000_000,
        "\x00\ud800(",
        "(" * 100_000,
        LISTED.text * 3_000,
        "a and " * 9,
    ],
)
def test_hostile_responses_get_a_verdict_at_once(response: str) -> None:
    start = time.process_time()
    for question in (SINGLE, PAIR, DIGIT, LISTED, SHAPES):
        assert grade_labels(question, response, question.answer.split(", ")).reason
    assert listed_options(response) is None or len(response) < 10_000
    assert time.process_time() - start < 2
