"""Official grading against real responses and what the benchmarks' own code made of them.

`rerun_correct`, `rerun_prediction` and `rerun_extraction` come from running that code; rows are whatever files of this
layout hold. Gold answers are graded too: where the official rule refuses its own gold is a known fact of the full data.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from shared_data import Row, compared, rows_by_system, shared_files

from vpbench import Question, Task, Verdict
from vpbench.data import load_questions
from vpbench.data.load import question_from_fields
from vpbench.plugins import find_task

GOLD_REFUSED = {"2804", "2828", "2833", "2866", "2875", "2877"}
"""MATH-Vision questions whose boxed gold answer its own rule calls wrong (run of the original code on all of test)."""
GOLD_LISTED_AS_ANOTHER_LETTER = {"168", "849"}
"""MathVista questions whose gold option text is itself a letter in brackets, read as the letter of another option."""


@cache
def task(name: str) -> Task:
    found = find_task(name).cls()
    assert isinstance(found, Task)
    return found


def question_of(row: Row) -> Question:
    return question_from_fields(task(row["benchmark"]), row, f"conformance row {row['question_id']}", Path())


def report(system: str, rows: list[Row], off: list[str]) -> str:
    return f"{system}: {len(off)} of {len(rows)} rows disagree:\n" + "\n".join(off[:40])


def check(rows: dict[str, list[Row]], least: float, disagreement: Callable[[Row], str | None]) -> None:
    """Every system agrees on the share `least` of its rows."""
    failures = []
    for system, its_rows in rows.items():
        off = [f"  question {row['question_id']}: {said}" for row in its_rows if (said := disagreement(row))]
        if len(off) > (1 - least) * len(its_rows):
            failures.append(report(system, its_rows, off))
    assert not failures, "\n".join(failures)


def test_mathvista_scoring_equals_the_original() -> None:
    mathvista = task("mathvista")

    def disagreement(row: Row) -> str | None:
        verdict = mathvista.grade_extraction(question_of(row), row["official_extraction"])
        assert verdict is not None
        mine, theirs = (verdict.correct, verdict.answer_class), (row["rerun_correct"], row["rerun_prediction"])
        return None if mine == theirs else f"{row['official_extraction']!r} gives {mine}, originally {theirs}"

    check(rows_by_system("conformance/mathvista*.jsonl.gz", "official_extraction", "rerun_correct"), 1.0, disagreement)


def mathvision_verdicts() -> tuple[dict[str, list[Row]], Callable[[Row], Verdict]]:
    mathvision = task("mathvision")
    rows = rows_by_system("conformance/mathvision*.jsonl.gz", "response", "rerun_correct")
    return rows, lambda row: mathvision.grade(question_of(row), row["response"], "official")


def test_mathvision_verdicts_equal_the_original() -> None:
    rows, grade = mathvision_verdicts()

    def disagreement(row: Row) -> str | None:
        verdict = grade(row)
        if verdict.correct == row["rerun_correct"]:
            return None
        return f"{verdict.extracted!r} for {row['answer']!r} is {verdict.correct}, originally {row['rerun_correct']}"

    check(rows, 0.999, disagreement)


def test_mathvision_extractions_equal_the_original() -> None:
    rows, grade = mathvision_verdicts()

    def disagreement(row: Row) -> str | None:
        extracted = grade(row).extracted or ""
        return (
            None if extracted == row["rerun_extraction"] else f"{extracted!r}, originally {row['rerun_extraction']!r}"
        )

    check(rows, 0.999, disagreement)


def gold_questions(graded: Task) -> dict[str, Question]:
    (folder,) = shared_files(f"data/{graded.name}")
    questions = load_questions(graded, folder).questions
    compared("gold answers", graded.name, len(questions))
    return questions


def test_mathvista_accepts_its_gold_answers() -> None:
    mathvista = task("mathvista")
    questions = gold_questions(mathvista)
    refused = set()
    for question in questions.values():
        verdict = mathvista.grade_extraction(question, question.answer)
        if verdict is None or not verdict.correct:
            refused.add(question.id)
    assert refused <= GOLD_LISTED_AS_ANOTHER_LETTER, f"gold answers refused: {sorted(refused)}"


def test_mathvision_accepts_its_boxed_gold_answers_but_the_known_ones() -> None:
    mathvision = task("mathvision")
    questions = gold_questions(mathvision)
    refused = {
        question.id
        for question in questions.values()
        if not mathvision.grade(question, f"\\boxed{{{question.answer}}}", "official").correct
    }
    if len(questions) == mathvision.source.rows:
        assert refused == GOLD_REFUSED
    else:
        assert refused <= GOLD_REFUSED, f"gold answers refused: {sorted(refused)}"


@pytest.mark.parametrize("name", ["mathvista", "mathvision"])
def test_robust_grading_accepts_the_gold_answers(name: str) -> None:
    graded = task(name)
    questions = gold_questions(graded)
    refused = [
        question.id
        for question in questions.values()
        if not graded.grade(question, f"The answer is {question.answer}", "robust").correct
    ]
    assert not refused, f"gold answers refused: {refused}"
