"""The tasks without images: rows become questions, the official rules read responses, `--task text` is these three.

Cases of official grading follow the benchmarks' own code, read and worked out by hand: github.com/openai/
grade-school-math (`dataset.py`), github.com/hendrycks/math (`math_equivalence.py`, `dataset/util.py`,
`eval_math_gpt.py`), copies of github.com/idavidrein/gpqa (`baselines`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from small_runs import vpbench

from vpbench import DataError, Question, Task
from vpbench.errors import ConfigError
from vpbench.plugins import find_task
from vpbench.run.request import Request, requests

GSM8K = {"question": "How many?\n", "answer": "3*4=<<3*4=12>>12\n#### 1,200", "__row__": 5}
MATH = {"unique_id": "test/algebra/7.json", "problem": "Find $x$.", "answer": "0.5", "subject": "Algebra", "level": 2}
GPQA = {
    "Record ID": "rec7",
    "Question": "Which particle?\n",
    "Correct Answer": "A muon\n",
    "Incorrect Answer 1": "A pion",
    "Incorrect Answer 2": "A kaon",
    "Incorrect Answer 3": "An electron",
    "High-level domain": "Physics",
    "Subdomain": "Particles",
}
ROWS: dict[str, dict[str, Any]] = {"gsm8k": GSM8K, "math-500": MATH, "gpqa-diamond": GPQA}


def task_of(name: str) -> Task:
    task = find_task(name).cls()
    assert isinstance(task, Task)
    return task


def question_of(name: str, **changed: Any) -> Question:
    question = task_of(name).question({**ROWS[name], **changed}, ())
    assert question is not None
    return question


def test_rows_become_questions() -> None:
    gsm8k = question_of("gsm8k")
    assert (gsm8k.id, gsm8k.text, gsm8k.answer, gsm8k.answer_type) == ("5", "How many?", "1200", "integer")
    math = question_of("math-500")
    assert (math.id, math.text, math.answer) == ("test/algebra/7.json", "Find $x$.", "0.5")
    assert math.categories == {"subject": "Algebra", "level": 2}
    with pytest.raises(DataError, match="no line '#### NUMBER'"):
        question_of("gsm8k", answer="12")


def test_options_have_an_order_that_never_changes_and_differs_between_questions() -> None:
    question = question_of("gpqa-diamond")
    assert question.choices == ("An electron", "A muon", "A pion", "A kaon")
    assert question.answer == "B"
    assert question.text == "Which particle?\n(A) An electron\n(B) A muon\n(C) A pion\n(D) A kaon"
    answers = [question_of("gpqa-diamond", **{"Record ID": f"rec{number}"}).answer for number in range(400)]
    assert all(70 < answers.count(letter) < 130 for letter in "ABCD")


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("mode", ["robust", "official"])
def test_the_line_that_is_asked_for_is_read_by_both_gradings(name: str, mode: Any) -> None:
    task, question = task_of(name), question_of(name)
    prompt = task.prompt(question)
    assert prompt.startswith(question.text)
    assert f"\n{task.answer_line}\nwhere X is" in prompt
    assert "image" not in prompt
    for answer, correct in ((question.answer, True), ("C" if question.choices else "57", False)):
        line = task.answer_line.replace("X", answer)
        response = f"There are 3 bags of 4.\n\nThat makes 12, of which 5 go.\n\n{line}"
        verdict = task.grade(question, response, mode)
        assert verdict.correct == correct
        assert verdict.answer_class is not None


@pytest.mark.parametrize(
    ("response", "extracted", "correct"),
    [
        ("So it is\n#### 1200", "1200", True),
        ("#### 1,200", "1200", True),
        ("#### 12,00", "1200", True),
        ("in the line #### 1200 cookies", "1200", True),
        ("#### 7\n#### 1200", "7", False),
        ("#### 1200.", "1200.", False),
        ("#### 1200.0", "1200.0", False),
        ("#### -1200", "-1200", False),
        ("#### $1200", None, False),
        ("####1200", None, False),
        ("Answer: 1200", None, False),
    ],
)
def test_official_number_after_the_mark(response: str, extracted: str | None, correct: bool) -> None:
    verdict = task_of("gsm8k").grade(question_of("gsm8k"), response, "official")
    assert (verdict.extracted, verdict.correct) == (extracted, correct)


@pytest.mark.parametrize(
    "response",
    ["#### 1200", "It has 3 bags.\n\n#### $1,200", "#### Step 1\n12 bags.\n\n#### 1200.00\n", "Answer: 1200"],
)
def test_robust_number(response: str) -> None:
    assert task_of("gsm8k").grade(question_of("gsm8k"), response, "robust").correct


@pytest.mark.parametrize(
    ("gold", "response", "correct"),
    [
        (r"\frac{1}{2}", r"\boxed{0.5}", True),
        (r"\frac{1}{2}", r"\boxed{\dfrac12}", True),
        (r"\frac{1}{2}", r"\boxed{1/2}", True),
        (r"\frac{1}{2}", r"\boxed{ 1/2 }", True),
        (r"\frac{1}{2}", r"\boxed{.5}", True),
        (r"\frac{1}{2}", r"\boxed{2/4}", False),
        (r"\frac{1}{2}", r"\boxed{0.50}", False),
        (r"\frac{1}{2}", r"\boxed{01/2}", False),
        (r"\frac{1}{72}", r"\boxed{\frac1{72}}", True),
        (r"\frac{72}{1}", r"\boxed{\frac{72}1}", False),
        ("7", r"\boxed{x=7}", True),
        ("7", r"\boxed{k = 7}", True),
        ("7", r"\boxed{abc=7}", False),
        ("7", r"\boxed{7\text{ cm}}", True),
        ("7", r"\boxed{7\text{cm}}", False),
        ("7", r"\boxed{7\%}", True),
        ("7", r"\boxed{\$7}", True),
        ("7", r"\boxed{$7$}", False),
        ("7", r"\boxed{7^\circ}", True),
        ("7", r"\boxed{8} or \boxed{7}", True),
        ("7", r"\boxed{7} or \boxed{8}", False),
        ("7", r"\boxed{7} and \boxed{7", False),
        ("7", r"\fbox{7}", False),
        ("7", r"\boxed 7", False),
        ("7", r"\boxed {7}", False),
        ("7", "Answer: 7", False),
        (r"\sqrt{3}", r"\boxed{\sqrt3}", True),
        (r"\left( 1, \frac{1}{2} \right)", r"\boxed{(1,\tfrac{1}{2})}", True),
        (r"\text{Evelyn}", r"\boxed{\text{Evelyn}}", True),
        (r"\text{Evelyn}", r"\boxed{Evelyn}", False),
        (r"3\text{ m}\text{ s}", r"\boxed{3\text{ m}\text{ s}}", True),
        (r"3\text{ m}\text{ s}", r"\boxed{3 \text{ m}\text{ s}}", False),
        (r"\sqrt", r"\boxed{\sqrt}", True),
        (r"10,\!000", r"\boxed{10,000}", True),
    ],
)
def test_official_text_of_the_last_box(gold: str, response: str, correct: bool) -> None:
    verdict = task_of("math-500").grade(question_of("math-500", answer=gold), response, "official")
    assert verdict.correct == correct


@pytest.mark.parametrize(
    ("gold", "response", "correct"),
    [(r"\frac{1}{4}", r"\boxed{0.25}", True), ("7", "Answer: 7", True), ("7", r"\boxed{8}", False)],
)
def test_robust_formulas(gold: str, response: str, correct: bool) -> None:
    assert task_of("math-500").grade(question_of("math-500", answer=gold), response, "robust").correct == correct


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("The correct answer is (B).", "B"),
        ("Answer: (B)", "B"),
        ("answer (B)", "B"),
        ("Of (A) and (B), the answer is (B)", "B"),
        ("Answer: (A). No, the answer is (B)", "B"),
        ("the answer is (A), no, the answer is (B)", "A"),
        ("The answer is (x). Answer: (C)", "C"),
        ("(A) is wrong, so B", "A"),
        ("(x) and (B)", None),
        ("Answer: B", None),
        ("the answer is (b)", None),
    ],
)
def test_official_letter_in_brackets(response: str, letter: str | None) -> None:
    verdict = task_of("gpqa-diamond").grade(question_of("gpqa-diamond"), response, "official")
    assert (verdict.extracted, verdict.correct) == (letter, letter == "B")


def test_a_pool_s_own_question_may_give_the_right_option_s_text() -> None:
    question = Question("gpqa-diamond", "1", "Which?", choices=("red", "blue"), answer="blue", answer_type="choice")
    for mode in ("robust", "official"):
        assert task_of("gpqa-diamond").grade(question, "Answer: (B)", mode).correct  # type: ignore[arg-type]
    with pytest.raises(DataError, match="neither the letter nor the text"):
        task_of("gpqa-diamond").grade(Question("t", "1", "?", choices=("red",), answer="C"), "(A)", "official")


@pytest.mark.parametrize("name", ROWS)
def test_no_answer_doesnt_vote(name: str) -> None:
    for response, reason in ((" \n", "empty response"), ("No idea.", "no answer")):
        verdict = task_of(name).grade(question_of(name), response, "official")
        assert (verdict.answer_class, verdict.correct, verdict.reason) == (None, False, reason)


def asked(name: str) -> list[str]:
    return [plugin.cls.name for plugin, _ in requests([name], Request(), echo=print)]


def test_text_names_the_tasks_without_images_and_all_the_seven_with_them() -> None:
    assert asked("text") == ["gpqa-diamond", "gsm8k", "math-500"]
    assert asked("all") == ["dynamath", "logicvista", "mathverse", "mathvision", "mathvista", "mmmu", "wemath"]
    assert asked("gsm8k") == ["gsm8k"]
    with pytest.raises(ConfigError, match="no task is called 'nothing'"):
        asked("nothing")


def test_the_small_split_is_a_task_that_grades_as_the_large_one() -> None:
    small, large = task_of("mathvision-testmini"), task_of("mathvision")
    row = {"id": "7", "question": "?", "options": ["1", "2"], "answer": "B", "level": 3, "subject": "length"}
    question = small.question(row, ())
    assert question is not None
    assert (small.source.split, small.source.rows, small.source.hub_id) == ("testmini", 304, large.source.hub_id)
    assert question.task == "mathvision-testmini"
    assert small.grade(question, r"\boxed{B}", "official") == large.grade(question, r"\boxed{B}", "official")


@pytest.mark.parametrize("grading", ["robust", "official"])
def test_a_run_over_a_folder_of_them(tmp_path: Path, grading: str) -> None:
    files = {"gsm8k": "test", "math-500": "test", "gpqa-diamond": "train"}
    for name, row in ROWS.items():
        path = tmp_path / name / f"{files[name]}.jsonl"
        path.parent.mkdir()
        path.write_text(json.dumps({key: value for key, value in row.items() if key != "__row__"}))
        done = vpbench("validate", name, "--data", path.parent, "--grading", grading)
        assert done.exit_code == 0, done.output
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({"question_id": "0", "candidates": [{"response": "#### 1200"}, {"response": "#### 7"}]}))
    arguments = ["--data", tmp_path / "gsm8k", "--pool", pool, "--grading", grading, "--output", tmp_path / "runs"]
    done = vpbench("run", "--task", "gsm8k", "--critic", "self-consistency", *arguments)
    assert done.exit_code == 0, done.output
