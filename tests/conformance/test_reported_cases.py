"""Replies that users of other harnesses saw misread (reports/**/cases.jsonl), each with what a careful reader says.

At most 3% may be read otherwise; which they are is in the message.
"""

from __future__ import annotations

import json
from typing import Any

from shared_data import compared, shared_files

from vpbench import Question, Verdict
from vpbench.grade import grade_answer, grade_labels
from vpbench.plugins import find_task

ALLOWED = 0.03


def verdict_of(case: dict[str, Any], response: str) -> Verdict:
    """Robust grading of a response, by the case's task where it names one."""
    given = case["question"]
    choices, answer = given.get("choices"), given["answer"]
    question = Question(
        task=case["task"] or "reports",
        id=case["id"],
        text=given["text"],
        choices=tuple(choices) if choices else None,
        answer=answer,
        answer_type=given["answer_type"],
        precision=given.get("precision"),
        unit=given.get("unit"),
    )
    if case["task"]:
        task: Any = find_task(case["task"]).cls()
        verdict: Verdict = task.grade(question, response, "robust")
        return verdict
    if question.answer_type == "labels":
        return grade_labels(question, response, answer.split(", "))
    gold = None
    if choices:
        gold = choices.index(answer) if answer in choices else ord(answer) - ord("A")
    return grade_answer(question, response, gold_choice=gold)


def test_what_was_reported_is_read_as_a_careful_reader_does() -> None:
    files = shared_files("reports/**/cases.jsonl")
    cases = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    otherwise = []
    for case in cases:
        verdict = verdict_of(case, case["response"])
        alike = True
        if "same_class_as" in case:
            other = verdict_of(case, case["same_class_as"])
            together = verdict.answer_class is not None and verdict.answer_class == other.answer_class
            alike = together == case.get("same_class", True)
        if verdict.correct != case["expected_correct"] or not alike:
            otherwise.append(case["id"])
    compared("rows", "reported cases", len(cases))
    assert len(otherwise) <= ALLOWED * len(cases), otherwise
