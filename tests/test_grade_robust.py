"""Robust grading: the table of cases, properties of answer classes, and hostile input."""

from __future__ import annotations

import json
import time
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpbench import Question, Verdict
from vpbench.grade import grade_answer

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("grade_cases.json").read_text(encoding="utf-8"))


def question_of(case: dict[str, Any]) -> Question:
    return Question(
        task="test",
        id="1",
        text=case["question"],
        choices=tuple(case["choices"]) if "choices" in case else None,
        answer=case.get("answer", ""),
        answer_type=case.get("answer_type", "text"),
        precision=case.get("precision"),
        unit=case.get("unit"),
    )


def grade(case: dict[str, Any]) -> Verdict:
    return grade_answer(question_of(case), case["response"], gold_choice=case.get("gold_choice"))


@pytest.mark.parametrize("case", CASES, ids=[f"{n}: {case['response'][:40]!r}" for n, case in enumerate(CASES)])
def test_case(case: dict[str, Any]) -> None:
    verdict = grade(case)
    assert verdict.correct is case["correct"]
    if "answer_class" in case:
        assert verdict.answer_class == case["answer_class"]
    if "reason" in case:
        assert verdict.reason == case["reason"]


def test_every_case_names_its_origin() -> None:
    assert all(case["origin"] for case in CASES)


def test_members_of_a_class_share_the_verdict() -> None:
    """Graded against gold answers of the table, every third of them, equal classes have equal verdicts."""
    responses = [case["response"] for case in CASES if "answer_type" in case]
    golds = {(case["answer_type"], case["answer"]): case for case in CASES if "answer_type" in case}
    for gold in list(golds.values())[::3]:
        verdicts = [grade({**gold, "response": response}) for response in responses]
        by_class: dict[str, set[bool]] = {}
        for verdict in verdicts:
            if verdict.answer_class is None:
                assert not verdict.correct
            else:
                by_class.setdefault(verdict.answer_class, set()).add(verdict.correct)
        mixed = {name for name, correct in by_class.items() if len(correct) > 1}
        assert not mixed, gold["answer"]


def test_every_gold_answer_is_right() -> None:
    for case in CASES:
        if "answer_type" in case:
            assert grade({**case, "response": f"Final answer: {case['answer']}"}).correct, case["answer"]
        else:
            for number in range(len(case["choices"])):
                letter = "ABCDEFGH"[number]
                for response in (letter, f"({letter})", f"The answer is {letter}.", f"\\boxed{{{letter}}}"):
                    verdict = grade({**case, "response": response, "gold_choice": number})
                    assert verdict.correct, (case["choices"], response)


@given(st.fractions(-(10**6), 10**6, max_denominator=1000), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_float_is_right_exactly_if_it_rounds_to_gold(value: Any, decimals: int) -> None:
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    question = Question("test", "1", "?", answer=str(rounded), answer_type="float", precision=decimals)
    response = f"\\boxed{{{value.numerator}/{value.denominator}}}"
    assert grade_answer(question, response).correct
    other = Question("test", "1", "?", answer=str(rounded + 1), answer_type="float", precision=decimals)
    assert not grade_answer(other, response).correct


HOSTILE = {
    "a megabyte": "a" * 10**6,
    "a megabyte of digits": "7" * 10**6,
    "a megabyte of lines": "\n" * 10**6,
    "statements": "the answer is " * 70_000,
    "braces": "\\boxed{" + "{" * 10_000 + "}" * 10_000 + "}",
    "open braces": "{" * 10_000,
    "boxes": "\\boxed{" * 10_000,
    "tower": "\\boxed{9**9**9}",
    "tower 2": "9^{9^{9^{9}}}",
    "import": "__import__('os').system('touch pwned')",
    "boxed import": "\\boxed{__import__('os').system('touch pwned')}",
    "fractions": "\\boxed{" + "\\frac{1}{" * 2_000 + "1" + "}" * 2_000 + "}",
    "roots": "\\boxed{" + "\\sqrt{" * 3_000 + "2" + "}" * 3_000 + "}",
    "factorials": "\\boxed{99999999!!!}",
    "NUL and escapes": "\x00\x1b[31mZ\x1b[0m\x00",
    "right to left": "\u202eZ\u202c",
    "surrogate": "\ud800\udfff",
    "digits": "9" * 300,
    "commas": "1," * 100_000,
    "dots": "." * 200_000,
    "parentheses": "(" * 50_000,
    "letters": "(Z) " * 50_000,
    "A or": "A or " * 50_000,
    "spaces": " " * 500_000 + "x",
    "stars": "**" * 200_000,
    "slashes": "1/" * 100_000,
    "equals": "=" * 100_000,
    "not": "not " * 100_000,
    "questions": "\nQuestion:" * 50_000,
    "tags": "<answer>" * 50_000,
    "thoughts": "<think>" * 10_000 + "</think>" * 10_000,
    "答案": "答案是" * 50_000,
    "macro": "\\def\\a{\\a\\a}\\a",
    "exponent": "1e999999999",
    "power": "2^99999999",
    "division": "0^{-1}",
    "superscripts": "10" + "⁹" * 500,
    "dashes": "-" * 200_000,
    "number words": "one " * 50_000,
    "pairs": "(1,2)" * 100_000,
    "list of letters": "Z, " * 100_000,
    "denied": "(Z) is incorrect " * 50_000,
    "units": "5 " + "m s " * 50_000,
    "integral": "\\boxed{\\int_0^{9999} x^{x^{x}} dx = y}",
}
TARGETS = [
    {"answer_type": "integer", "answer": "31"},
    {"answer_type": "float", "answer": "3.1", "precision": 1},
    {"answer_type": "open", "answer": "x^2+5"},
    {"answer_type": "open", "answer": "x\\in(3,4)\\cup(5,6)"},
    {"answer_type": "list", "answer": "[31, 32]"},
    {"answer_type": "text", "answer": "blue whale"},
    {"choices": ["cat", "dog", "1/2"], "gold_choice": 2},
    {"choices": ["Yes", "No"], "gold_choice": 0},
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_gets_a_wrong_verdict_with_a_reason_in_time(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for target in TARGETS:
        case = {"question": "Is it so?", "response": HOSTILE[name], **target}
        started = time.process_time()
        verdict = grade(case)
        assert time.process_time() - started < 1
        assert verdict.reason and not verdict.correct, target
    assert not list(tmp_path.iterdir())


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_text_gets_a_verdict(text: str) -> None:
    for target in TARGETS[:3] + TARGETS[4:]:
        assert grade({"question": "Is it so?", "response": text, **target}).reason


@pytest.mark.parametrize("listing", ["", "\n(A) Yes\n(B) No", " Choices: (A) Yes (B) No"])
def test_options_listed_with_the_question_are_not_its_words(listing: str) -> None:
    question = Question("test", "1", f"Is the red bar higher than the blue bar?{listing}", choices=("Yes", "No"))
    for response, index in (("The red bar is higher than the blue bar.", 0), ("The red bar is not higher.", 1)):
        assert grade_answer(question, response, gold_choice=index).correct
