"""MathVerse: rows become questions, and the rules of both gradings (cases by hand from the rules)."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hostile_text import HOSTILE, processor_seconds

from vpbench import DataError
from vpbench.data import load_questions
from vpbench.plugins import builtin_folder, load_file


@pytest.fixture(scope="module")
def mathverse() -> ModuleType:
    return load_file(builtin_folder("tasks") / "mathverse.py")


def mathverse_row(**changes: Any) -> dict[str, Any]:
    values = {
        "sample_index": "31",
        "problem_index": "7",
        "problem_version": "Vision Only",
        "question": "",
        "question_for_eval": "Find x.\nChoices:\nA:3°\nB:4°",
        "answer": "B",
        "question_type": "multi-choice",
        "metadata": {"split": "testmini", "source": "S", "subject": "Plane Geometry", "subfield": "Angle"},
        "query_wo": "",
        "query_cot": "",
    }
    return values | changes


def test_a_mathverse_row(mathverse: ModuleType) -> None:
    question = mathverse.MathVerse().question(mathverse_row(), ())
    assert (question.id, question.choices, question.answer) == ("7", ("3°", "4°"), "B")
    assert "Find" not in question.text and question.text_in_image.startswith("Find x.")
    assert question.categories == {"subject": "Plane Geometry", "subfield": "Angle"}
    assert mathverse.MathVerse().question(mathverse_row(problem_version="Text Lite"), ()) is None


def test_only_vision_only_rows_are_loaded(tmp_path: Path, mathverse: ModuleType) -> None:
    versions = ("Text Dominant", "Vision Dominant", "Vision Only")
    lines = [json.dumps(mathverse_row(problem_version=version)) for version in versions]
    (tmp_path / "testmini.jsonl").write_text("\n".join(lines))
    loaded = load_questions(mathverse.MathVerse(), tmp_path)
    assert list(loaded.where.values()) == [f"{tmp_path / 'testmini.jsonl'} line 3"]


def test_a_gold_that_is_no_option_is_an_error(mathverse: ModuleType) -> None:
    with pytest.raises(DataError, match="question 7: answer 'D' is no option"):
        mathverse.MathVerse().question(mathverse_row(answer="D"), ())


@pytest.mark.parametrize(
    ("gold", "choices", "response", "correct"),
    [
        ("(B)", "A:3\nB:4", "The answer is B.", True),
        ("(B)", "A:3\nB:4", "\\boxed{3}", False),
        ("False", "A. False\nB. True", "\\boxed{A}", True),
        ("False", "A. False\nB. True", "The answer is False.", True),
        ("090^\\circ T", "A. 041^\\circ T\nB. 090^\\circ T", "The bearing is\n\\boxed{090°T}", True),
        ("A\nC", "A:1\nB:2\nC:3", "\\boxed{A and C}", True),
        ("A\nC", "A:1\nB:2\nC:3", "\\boxed{C, A}", True),
        ("A\nC", "A:1\nB:2\nC:3", "\\boxed{A}", False),
    ],
)
def test_mathverse_choices(mathverse: ModuleType, gold: str, choices: str, response: str, correct: bool) -> None:
    row = mathverse_row(answer=gold, question_for_eval=f"Which two?\nChoices:\n{choices}")
    task = mathverse.MathVerse()
    assert task.grade(task.question(row, ()), response, "robust").correct == correct


@pytest.mark.parametrize(
    ("gold", "right", "wrong"),
    [
        ("Area $=9 \\pi \\mathrm{~cm}^{2}$", "9π cm²", "9 cm^2"),
        ("118掳T", "118°T", "119° T"),
        ("S 23.5 ^\\circ W", "S23.5°W", "S 23.5° E"),
        ("S 23.5 ^\\circ W", "south 23.5 degrees west", "N 23.5° W"),
        ("{8}{5} \\pi", "\\frac{8\\pi}{5}", "8/5"),
        ("-4.9\n-4.9", "-4.9", "4.9"),
        ("Center $=(20,10)$", "(20, 10)", "(10, 20)"),
        ("(-\\infty, 4]", "(-∞, 4]", "(-∞, 4)"),
        ("$[-5,-3) \\cup(-3,5]$", "[-5,-3) ∪ (-3,5]", "[-5,-3] ∪ [-3,5]"),
        (
            "domain: [-4, 0) and range: (-3, \\frac{1}{2}]",
            "Domain: [-4,0); range: (-3,0.5]",
            "Domain: [-4,0); range: (-3,1)",
        ),
        (
            "Increasing at (2, \\infty) and decreasing at (-\\infty, 2)",
            "decreasing on (-∞,2), increasing on (2,∞)",
            "increasing on (-∞,2), decreasing on (2,∞)",
        ),
        ("$y<2 x+6$", "y < 2x+6", "y > 2x+6"),
        ("$y \\leq 5$", "y ≤ 5", "y < 5"),
        ("(x+2)^2+(y-1)^2=9", "(x+2)^2+(y-1)^2=3^2", "(x-2)^2+(y-1)^2=9"),
        ("$y+3=\\frac{3}{4}(x-2)$", "y=\\frac{3}{4}x-\\frac{9}{2}", "y=\\frac{3}{4}x+\\frac{9}{2}"),
        ("12x^2+144 \\mathrm{m}^3", "12(x^2+12) \\text{ m}^3", "12x^2-144"),
        ("1:64", "1 : 64", "64:1"),
        ("even", "even", "odd"),
    ],
)
@pytest.mark.parametrize("form", ["So \\boxed{{{}}}", "We look.\n\nThe answer is {}"])
def test_mathverse_free_form(mathverse: ModuleType, gold: str, right: str, wrong: str, form: str) -> None:
    task = mathverse.MathVerse()
    question = task.question(mathverse_row(answer=gold, question_type="free-form", question_for_eval="Find it."), ())
    accepted, refused = (task.grade(question, form.format(answer), "robust") for answer in (right, wrong))
    assert (accepted.correct, refused.correct) == (True, False)
    assert accepted.answer_class != refused.answer_class
    assert task.grade(question, form.format(mathverse.plain_gold(gold)), "robust").answer_class == accepted.answer_class


def test_mathverse_official_is_the_quick_match(mathverse: ModuleType) -> None:
    task = mathverse.MathVerse()
    question = task.question(mathverse_row(), ())
    verdicts = [(v.correct, v.reason) for v in (task.grade(question, text, "official") for text in ("B", "(B)", ""))]
    assert verdicts == [(True, "match (rule-only)"), (False, "different (rule-only)"), (False, "empty response")]
    assert task.grade_extraction(question, "B").correct


@pytest.mark.parametrize("response", HOSTILE)
@pytest.mark.parametrize("mode", ["robust", "official"])
def test_hostile_responses_get_a_verdict_in_time(mathverse: ModuleType, response: str, mode: str) -> None:
    task = mathverse.MathVerse()
    golds = [("B", "multi-choice"), ("(-\\infty, 4]", "free-form"), ("$y<2 x+6$", "free-form"), ("45", "free-form")]
    for gold, kind in golds:
        question = task.question(mathverse_row(answer=gold, question_type=kind), ())
        started = processor_seconds()
        assert task.grade(question, response, mode).reason
        assert processor_seconds() - started < 2, question.answer
