"""MMMU grading against real responses and what the benchmark's own parsers made of them.

Official: letters, predictions and verdicts of every row where the parser found something must be the same, and it must
find nothing exactly where the original drew a letter at random. Robust: agreement with the official verdicts on the
rows where that parser found something, printed for every system (run with -s), and required where the parser isn't at
fault by criteria that look only at the row (`at_fault`): it took a pronoun or an article for a letter, took one of
several letters, or found none in an answer that is an option of several letters ("AC").
"""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest
from shared_data import Row, missing, rows_by_system

from vpbench import Question
from vpbench.plugins import builtin_folder, load_file


@pytest.fixture(scope="module")
def mmmu() -> ModuleType:
    return load_file(builtin_folder("tasks") / "mmmu.py")


@pytest.fixture(scope="module")
def rows() -> dict[str, list[Row]]:
    return rows_by_system("conformance/mmmu*.jsonl.gz", "response", "random_fallback")


def question_of(row: Row) -> Question:
    return Question(
        "mmmu",
        row["question_id"],
        row["question"] or "",
        choices=tuple(row["choices"]) if row["choices"] else None,
        answer=str(row["answer"]),
        answer_type=row["answer_type"],
    )


def is_pro(row: Row) -> bool:
    return bool(row["benchmark"] == "mmmu_pro")


def official(mmmu: ModuleType, row: Row) -> tuple[bool, Any] | None:
    """Verdict and prediction; None where the parser finds nothing."""
    question = question_of(row)
    if question.choices:
        letter = (mmmu.option_letter_pro if is_pro(row) else mmmu.option_letter)(row["response"], question.choices)
        return None if letter is None else (letter == question.answer, letter)
    verdict = mmmu.MMMU().grade(question, row["response"], "official")
    return verdict.correct, mmmu.open_predictions(row["response"])


def expected(row: Row) -> tuple[bool, Any] | None:
    if row["random_fallback"]:
        return None
    prediction = row["official_prediction"]
    return row["official_correct"], set(prediction) if isinstance(prediction, list) else prediction


def test_official_verdicts_and_predictions(mmmu: ModuleType, rows: dict[str, list[Row]]) -> None:
    failures = []
    for system, its_rows in rows.items():
        off = [
            f"{row['question_id']}: {official(mmmu, row)}, originally {expected(row)}"
            for row in its_rows
            if official(mmmu, row) != expected(row)
        ]
        print(f"\n{system}: {len(its_rows) - len(off)} of {len(its_rows)} the same")
        if len(off) > 0.001 * len(its_rows):
            failures.append(f"{system}: {len(off)} of {len(its_rows)} differ:\n" + "\n".join(off[:20]))
    assert not failures, "\n".join(failures)


def test_the_task_gives_the_parser_s_verdict(mmmu: ModuleType, rows: dict[str, list[Row]]) -> None:
    task = mmmu.MMMU()
    for row in (row for its_rows in rows.values() for row in its_rows if not is_pro(row)):
        verdict = task.grade(question_of(row), row["response"], "official")
        assert (verdict.reason == "random letter") == row["random_fallback"]
        if not row["random_fallback"]:
            assert verdict.correct == row["official_correct"], row["question_id"]


def test_the_validation_parser_on_other_responses(mmmu: ModuleType, rows: dict[str, list[Row]]) -> None:
    also = [row for its_rows in rows.values() for row in its_rows if "mmmu_val_rule_prediction" in row]
    if not also:
        missing("no rows with the validation parser's prediction")
    for row in also:
        letter = mmmu.option_letter(row["response"], question_of(row).choices)
        assert letter == (None if row["mmmu_val_rule_random_fallback"] else row["mmmu_val_rule_prediction"])


def lists_options(row: Row) -> bool:
    lines = [line.strip() for line in row["response"].splitlines() if line.strip()]
    letters = [match.group() for line in lines if (match := re.match(r"\([A-Z]\)", line))]
    return len(set(letters)) > 1 and len(letters) == len(lines)


def at_fault(row: Row) -> bool:
    """Whether the original parser misread `row`; see the module's description."""
    if not row["choices"]:
        return False
    _, _, last = row["response"].rpartition("Answer:")
    letter, last = row["official_prediction"], last.strip()
    marked = re.search(rf"\({letter}\)|Answer:\W*{letter}\b|\b{letter}[.):]|\A\W*{letter}\W*\Z", row["response"])
    pronoun = letter in "AI" and marked is None
    several = len(last) < 20 and len(set(re.findall(r"\b[A-J]\b", last))) > 1
    glued = last in row["choices"] and re.fullmatch("[A-Z]{2,}", last) is not None
    return pronoun or several or glued or lists_options(row)


def kappa(pairs: list[tuple[bool, bool]]) -> float:
    """Cohen's kappa: (observed - chance) / (1 - chance), chance from the two margins."""
    mine, other = (sum(side) / len(pairs) for side in zip(*pairs, strict=True))
    chance = mine * other + (1 - mine) * (1 - other)
    return (agreement(pairs) - chance) / (1 - chance) if chance < 1 else 1.0


def agreement(pairs: list[tuple[bool, bool]]) -> float:
    return sum(mine == other for mine, other in pairs) / len(pairs)


LEAST = {"mmmu": 0.997, "mmmu_pro": 0.995}


def test_robust_verdicts(mmmu: ModuleType, rows: dict[str, list[Row]]) -> None:
    task, failures = mmmu.MMMU(), []
    for system, its_rows in rows.items():
        pairs: list[tuple[bool, bool]] = []
        fair: list[tuple[bool, bool]] = []
        off = []
        for row in its_rows:
            question = question_of(row)
            ill_formed = question.choices is not None and ord(row["answer"]) - ord("A") >= len(question.choices)
            if row["random_fallback"] or ill_formed:
                continue
            verdict = task.grade(question, row["response"], "robust")
            pairs.append((verdict.correct, row["official_correct"]))
            if not at_fault(row):
                fair.append(pairs[-1])
                if verdict.correct != row["official_correct"]:
                    off.append(f"  {row['question_id']}: {verdict}, officially {row['official_prediction']}")
        if not fair:
            continue
        print(
            f"\n{system}: {len(pairs)} rows, agreement {agreement(pairs):.4f}, kappa {kappa(pairs):.4f}; "
            f"{len(fair)} fair rows {agreement(fair):.4f}, kappa {kappa(fair):.4f}"
        )
        if agreement(fair) < LEAST.get(its_rows[0]["benchmark"], 0):
            failures.append(f"{system}: {agreement(fair):.4f}\n" + "\n".join(off[:20]))
    assert not failures, "\n".join(failures)


def test_robust_grading_gives_no_credit_for_drawn_letters_without_any_answer(
    mmmu: ModuleType, rows: dict[str, list[Row]]
) -> None:
    empty = [row for its_rows in rows.values() for row in its_rows if not row["response"].strip()]
    if not empty:
        missing("no empty responses")
    ill = [row for row in empty if mmmu.MMMU().grade(question_of(row), row["response"], "robust").correct]
    assert not ill
