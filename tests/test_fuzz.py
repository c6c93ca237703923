"""Any text is a response: every grader, in both modes, gives a verdict, the same one twice, and never raises.

`make fuzz` runs the same test on 100,000 cases (HYPOTHESIS_PROFILE=fuzz).
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpbench import Question, Task
from vpbench.plugins import all_tasks, find_task

PIECES = [
    r"\boxed{",
    "}",
    "{",
    r"\frac{",
    r"\frac12",
    r"\sqrt",
    "^",
    "_",
    "$",
    r"\text{(B)}",
    "<answer>",
    "</answer>",
    "Answer: ",
    "answer",
    "Final answer: ",
    "The answer is ",
    "Question: ",
    "(A)",
    "B.",
    "**C**",
    "(E) ",
    "\n",
    "\n\n",
    "; ",
    ", ",
    "9**9**9",
    "__import__('os').system('x')",
    "1e999",
    "-",
    "+",
    "=",
    "<",
    ">",
    "1,234.5",
    "1/3",
    "1 1/2",
    "50%",
    "½",
    "π",
    "√2",
    "∞",
    "°",
    "³",
    "two hundred",
    "yes",
    "no",
    "not",
    "cannot be determined",
    "[1, 2]",
    '{"short answer": "4"}',
    "\\",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "　",
    "：",
    "7" * 300,
    "(" * 50,
    r"\left(",
    r"\begin{cases}",
    "x",
    "f(x)",
    "cm^2",
]
RESPONSES = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=12)), max_size=25).map("".join)

META = {
    "language": "english",
    "source": "s",
    "category": "c",
    "task": "t",
    "context": "x",
    "grade": "g",
    "skills": ["k"],
}
VISTA = {"pid": "1", "unit": None, "precision": None, "choices": None, "metadata": META}
DYNA = {"id": "1", "subject": "s", "knowledge_level": "k", "__split__": "sample_variant1"}
LOGIC = {"id": "v1_7", "skill": ["inductive"], "broad_capability": ["ocr"]}
VERSE = {"problem_index": "7", "problem_version": "Vision Only", "metadata": {"subject": "s", "subfield": "f"}}
MMMU = {
    "id": "validation_Art_1",
    "subfield": "f",
    "topic_difficulty": "Easy",
    "img_type": "['Plots']",
    "question": "Which?",
}
ROWS: dict[str, list[dict[str, Any]]] = {
    "mathvista": [
        {
            **VISTA,
            "question": "Is A less than B?",
            "choices": ["Yes", "No"],
            "answer": "No",
            "question_type": "multi_choice",
            "answer_type": "text",
        },
        {**VISTA, "question": "How many?", "answer": "4", "question_type": "free_form", "answer_type": "integer"},
        {
            **VISTA,
            "question": "How long?",
            "answer": "1.2",
            "precision": 1.0,
            "question_type": "free_form",
            "answer_type": "float",
        },
        {
            **VISTA,
            "question": "Which years?",
            "answer": "[2014, 2016]",
            "question_type": "free_form",
            "answer_type": "list",
        },
    ],
    "mathvision": [
        {
            "id": "1",
            "question": "How long?",
            "options": ["2 cm", r"$\frac{1}{2}$", "3", "4", "5"],
            "answer": "B",
            "level": 1,
            "subject": "s",
        },
        {"id": "2", "question": "How long?", "options": [], "answer": r"8\sqrt{3}", "level": 1, "subject": "s"},
    ],
    "mathvision-testmini": [
        {"id": "2", "question": "How long?", "options": [], "answer": "7", "level": 1, "subject": "s"},
    ],
    "gsm8k": [{"__row__": 0, "question": "How many?", "answer": "So 3*4=<<3*4=12>>12.\n#### 1,200"}],
    "math-500": [
        {"unique_id": "1", "problem": "Compute.", "answer": r"\frac{5}{6}", "subject": "s", "level": 1},
    ],
    "gpqa-diamond": [
        {
            "Record ID": "rec7",
            "Question": "Which?",
            "Correct Answer": "A muon",
            **{f"Incorrect Answer {number}": f"Not {number}" for number in (1, 2, 3)},
            "High-level domain": "Physics",
            "Subdomain": "s",
        }
    ],
    "dynamath": [
        {**DYNA, "question": "Which? choice: (A) up (B) down", "ground_truth": "B", "answer_type": "multiple choice"},
        {**DYNA, "question": "How much?", "ground_truth": "2.5", "answer_type": "float"},
        {**DYNA, "question": "Which month?", "ground_truth": "July", "answer_type": "text"},
    ],
    "wemath": [
        {
            "ID": "g",
            "key": "2steps_1",
            "question": "Which?",
            "option": "A. 1;B. 2;C. No correct answer",
            "answer": "B",
            "knowledge concept": "Angles",
        }
    ],
    "logicvista": [{**LOGIC, "question": "Which two? Select from A-E", "answer": "A, C"}],
    "mathverse": [
        {**VERSE, "question_for_eval": "Find x. Choices: A:1 B:2", "answer": "B", "question_type": "multi-choice"},
        {
            **VERSE,
            "question_for_eval": "Find the area.",
            "answer": r"Area $=113.1 \mathrm{~cm}^{2}$",
            "question_type": "free-form",
        },
    ],
    "mmmu": [
        {**MMMU, "options": "['one', 'two', 'three']", "answer": "B", "question_type": "multiple-choice"},
        {**MMMU, "options": "[]", "answer": "['24/7', '3.429']", "question_type": "open"},
    ],
}

settings.register_profile("default", max_examples=15, deadline=None)
settings.register_profile("fuzz", max_examples=3_334, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def test_every_task_is_fuzzed() -> None:
    assert {name for name, plugin in all_tasks().items() if issubclass(plugin.cls, Task)} == ROWS.keys()


CASES = [
    (name, number, mode)
    for name, rows in ROWS.items()
    for number in range(len(rows))
    for mode in ("robust", "official")
]


@pytest.mark.parametrize(("name", "number", "mode"), CASES)
def test_any_response_gets_a_verdict(name: str, number: int, mode: Any) -> None:
    task = find_task(name).cls()
    assert isinstance(task, Task)
    question = task.question(ROWS[name][number], ())
    assert isinstance(question, Question)

    @given(RESPONSES)
    def check(response: str) -> None:
        verdict = task.grade(question, response, mode)
        assert verdict.reason
        assert verdict.answer_class is None or isinstance(verdict.answer_class, str)
        assert isinstance(verdict.correct, bool)
        assert task.grade(question, response, mode) == verdict

    check()
