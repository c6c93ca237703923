"""`vpbench conformance` on made-up rows whose figures are counted by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vpbench.cli import main
from vpbench.report.agreement import agreement_and_kappa

ROW = {
    "benchmark": "mathvista",
    "system": "made-up",
    "question_id": "q1",
    "question": "How many cups are there?",
    "choices": None,
    "answer_type": "integer",
    "precision": None,
    "unit": None,
    "answer": "3",
    "response": "The answer is 3.",
    "official_extraction": "3",
    "official_correct": True,
}
WRONG = {"response": "The answer is 4.", "official_extraction": "4", "official_correct": False}


def conformance(folder: Path, *rows: dict[str, Any], name: str = "rows.jsonl") -> Result:
    text = "".join(json.dumps({**ROW, **row}) + "\n" for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return CliRunner().invoke(main, ["conformance", str(folder)])


def cells(result: Result, *starts: str) -> list[str]:
    """The remaining cells of the only line that starts with these cells."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in result.output.splitlines()]
    matches = [line[len(starts) :] for line in lines if tuple(line[: len(starts)]) == starts]
    assert len(matches) == 1, result.output
    return matches[0]


def agreement(result: Result, *starts: str) -> list[str]:
    """The figures of a system: rows, agreement and kappa of official grading, then of robust grading."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in result.output.splitlines()]
    return next(line[len(starts) :] for line in lines if tuple(line[: len(starts)]) == starts)


def test_kappa_by_hand() -> None:
    agreement, kappa = agreement_and_kappa({(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15})
    assert agreement == pytest.approx(0.7)
    assert kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert agreement_and_kappa({(True, True): 4}) == (1.0, None)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_both_modes_per_system_and_the_disagreements(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, Any]] = [
        {},
        {},
        WRONG,
        {"response": "I can't see the picture."},
        {**WRONG, "official_correct": True, "rerun_correct": False, "system": "other"},
    ]
    result = conformance(tmp_path, *rows, name=name)
    assert result.exit_code == 0, result.output
    assert agreement(result, "mathvista", "made-up") == ["4", "100.00%", "1.000", "4", "75.00%", "0.500"]
    assert agreement(result, "mathvista", "other") == ["1", "100.00%", "-", "1", "100.00%", "-"]
    assert agreement(result, "mathvista", "all systems") == ["5", "100.00%", "1.000", "5", "80.00%", "0.615"]
    assert cells(result, "benchmark", "robust grading differs: system") == ["rows", "no answer, officially right"]
    table = result.output[result.output.index("robust grading differs") :]
    lines = [[cell.strip() for cell in line.split("|")[2:-1]] for line in table.splitlines() if "mathvista" in line]
    assert lines == [["made-up", "1", "1"], ["all systems", "1", "1"]]
    assert not any(words in result.output for words in ("not graded", "official grading differs"))
    assert f"### {name}\n\n5 rows, sha256 " in result.output


def test_official_grading_reads_the_extraction_where_it_is_given(tmp_path: Path) -> None:
    question = {"question": "Which?", "choices": ["red", "blue"], "answer": "red", "answer_type": "text"}
    stored = {**question, "response": "The answer is blue.", "official_extraction": "A"}
    by_rule = {
        "benchmark": "mmmu",
        "choices": ["red", "blue"],
        "answer": "A",
        "answer_type": "choice",
        "response": "(A)",
        "official_extraction": None,
    }
    result = conformance(tmp_path, stored, by_rule)
    assert agreement(result, "mathvista", "made-up")[1::3] == ["100.00%", "0.00%"]
    assert agreement(result, "mmmu", "made-up")[1::3] == ["100.00%", "100.00%"]


def test_rows_as_their_sources_have_them(tmp_path: Path) -> None:
    lettered = {"answer": "A", "response": "Answer: A"}
    result = conformance(
        tmp_path,
        {**lettered, "benchmark": "mmmu", "question": None, "choices": ["red", "blue"], "response": "(A)"},
        {**lettered, "benchmark": "wemath", "group_id": "g", "choices": "A. 3; B. 4", "official_extraction": "A"},
        {"benchmark": "logicvista", "answer": "B, D", "response": "B, D", "official_extraction": ["d", "b"]},
        {
            **lettered,
            "benchmark": "dynamath",
            "answer_type": "multiple choice",
            "question": "Which? A: 3 B: 4",
            "response": '{"short answer": "A"}',
        },
    )
    for benchmark in ("mmmu", "wemath", "logicvista", "dynamath"):
        assert agreement(result, benchmark, "made-up") == ["1", "100.00%", "-", "1", "100.00%", "-"]
    assert "not usable" not in result.output


def test_rows_without_a_verdict_on_a_response_are_left_out_and_counted(tmp_path: Path) -> None:
    unread = {"extraction_follows_response": False, "response": "print(4)"}
    result = conformance(
        tmp_path,
        {},
        {"response": None},
        {"official_correct": None},
        {"random_fallback": True},
        {"guesser": True, "response": "4"},
        {"guesser": True, "response": "4"},
        unread,
        {**unread, **WRONG},
        {"official_correct": None, "needs_judge_model": True},
        {"official_correct": None, "raises": "KeyError"},
        {"extraction_follows_response": True},
    )
    assert agreement(result, "mathvista", "made-up") == ["6", "100.00%", "1.000", "2", "100.00%", "-"]
    assert cells(result, "official grading only", "a guesser, not a model") == ["2"]
    assert cells(result, "official grading only", "the extraction isn't of this response") == ["2"]
    for reason in (
        "no response",
        "no verdict",
        "the official answer was drawn at random",
        "the official rule asks a judge model",
        "the official rule raises KeyError",
    ):
        assert cells(result, "not compared", reason) == ["1"]


def test_rows_whose_official_verdict_is_not_reproduced_are_listed(tmp_path: Path) -> None:
    result = conformance(tmp_path, {}, {"question_id": "q|2", "official_extraction": "5"})
    assert agreement(result, "mathvista", "made-up")[1] == "50.00%"
    assert r"| made-up" in result.output and "(1 rows)" in result.output
    line = next(line for line in result.output.splitlines() if r"q\|2" in line)
    assert [cell.strip() for cell in line.split("|")[-4:-1]] == ["right", "wrong", "different"]


def test_robust_grading_is_compared_with_a_judge_where_the_source_says_so(tmp_path: Path) -> None:
    judged = {"official_correct": True, "rerun_correct": False, "official_extraction": "4"}
    result = conformance(tmp_path, judged, {**judged, "verdict_source": "third_party_judge", "system": "judged"})
    assert agreement(result, "mathvista", "made-up")[1::3] == ["100.00%", "0.00%"]
    assert agreement(result, "mathvista", "judged")[1::3] == ["100.00%", "100.00%"]


def test_rules_of_a_task_that_go_by_other_names(tmp_path: Path) -> None:
    """The parser of MMMU finds nothing in "Answer: A.", that of MMMU-Pro the letter; each counts for its own rows."""
    colours = ["red", "blue", "grey", "pink", "black", "white", "gold"]
    row = {
        "question": None,
        "choices": colours,
        "answer": "A",
        "answer_type": "choice",
        "response": "Answer: A.",
        "official_extraction": None,
    }
    result = conformance(
        tmp_path,
        {**row, "benchmark": "mmmu_pro"},
        {**row, "benchmark": "mmmu_rules", "response": "(A)"},
        {**row, "benchmark": "mmmu_pro", "answer": "H"},
    )
    assert agreement(result, "mmmu_pro", "made-up") == ["2", "50.00%", "0.000", "1", "100.00%", "-"]
    assert agreement(result, "mmmu_rules", "made-up") == ["1", "100.00%", "-", "1", "100.00%", "-"]
    assert cells(result, "official grading only", "answer 'H' isn't a letter of its options ABCDEFG") == ["1"]


def test_a_second_line_where_the_extraction_is_in_the_response(tmp_path: Path) -> None:
    silent = {"response": "I can't see the picture.", "extraction_in_response": False}
    result = conformance(tmp_path, {"extraction_in_response": True}, silent)
    assert agreement(result, "mathvista", "made-up")[3:5] == ["2", "50.00%"]
    assert agreement(result, "mathvista", "made-up, extraction in response")[3:5] == ["1", "100.00%"]


def test_rows_whose_question_cannot_be_built_are_counted_by_reason(tmp_path: Path) -> None:
    beyond = {"benchmark": "mmmu", "choices": ["red", "blue"], "answer": "C", "response": "(A)"}
    result = conformance(
        tmp_path, {}, {"answer": ""}, {"answer": None}, {**beyond, "question_id": "q8"}, {**beyond, "question_id": "q9"}
    )
    assert result.exit_code == 0, result.output
    assert agreement(result, "mathvista", "made-up")[0] == "1"
    assert cells(result, "not usable", "no gold answer") == ["1"]
    assert "no 'answer'" in result.output
    assert cells(result, "official grading only", "answer 'C' isn't a letter of its options AB") == ["2"]


def test_files_that_name_no_task_are_passed_over(tmp_path: Path) -> None:
    conformance(tmp_path, {"benchmark": "unheard of"}, name="others.jsonl")
    (tmp_path / "steps.jsonl").write_text('{"labels": [1]}\n')
    result = conformance(tmp_path, {})
    assert result.exit_code == 0
    assert "others" not in result.output and "steps" not in result.output


def test_a_folder_without_such_rows_and_a_broken_line(tmp_path: Path) -> None:
    none = conformance(tmp_path, {"benchmark": "unheard of"})
    assert none.exit_code == 2
    assert f"{tmp_path}: no row to grade" in none.output
    (tmp_path / "rows.jsonl").write_text(json.dumps(ROW) + "\n{broken\n")
    broken = CliRunner().invoke(main, ["conformance", str(tmp_path)])
    assert broken.exit_code == 2
    assert "rows.jsonl line 2: not valid JSON" in broken.output
    assert "no row to grade" in CliRunner().invoke(main, ["conformance", str(tmp_path / "absent")]).output
