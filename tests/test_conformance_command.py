"""`vpbench conformance` on made-up rows whose figures are counted by hand."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from vpbench.cli import main
from vpbench.conformance import agreement_and_kappa

ROW = {
    "benchmark": "mathvista", "system": "made-up", "question_id": "q1", "question": "How many cups are there?",
    "choices": None, "answer_type": "integer", "precision": None, "unit": None, "answer": "3",
    "response": "The answer is 3.", "official_extraction": "3", "official_correct": True,
}  # fmt: skip
WRONG = {"response": "The answer is 4.", "official_extraction": "4", "official_correct": False}


def conformance(folder: Path, *rows: dict[str, Any], name: str = "rows.jsonl") -> Result:
    text = "".join(json.dumps({**ROW, **row}) + "\n" for row in rows).encode()
    (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return CliRunner().invoke(main, ["conformance", str(folder)])


def cells(result: Result, *starts: str) -> list[str]:
    """The remaining cells of the only line that starts with these cells."""
    lines = [re.split(" {2,}", line.strip()) for line in result.output.splitlines()]
    found = [line[len(starts) :] for line in lines if tuple(line[: len(starts)]) == starts]
    assert len(found) == 1, result.output
    return found[0]


def test_kappa_by_hand() -> None:
    agreement, kappa = agreement_and_kappa({(True, True): 20, (True, False): 5, (False, True): 10, (False, False): 15})
    assert agreement == pytest.approx(0.7)
    assert kappa == pytest.approx((0.7 - 0.5) / (1 - 0.5))
    assert agreement_and_kappa({(True, True): 4}) == (1.0, None)


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_both_modes_per_system_and_the_disagreements(tmp_path: Path, name: str) -> None:
    rows: list[dict[str, Any]] = [
        {}, {}, WRONG,
        {"response": "I can't see the picture."},
        {**WRONG, "official_correct": True, "rerun_correct": False, "system": "other"},
    ]  # fmt: skip
    result = conformance(tmp_path, *rows, name=name)
    assert result.exit_code == 0, result.output
    assert cells(result, "mathvista", "made-up") == ["4", "100.00%", "1.000", "75.00%", "0.500"]
    assert cells(result, "mathvista", "other") == ["1", "100.00%", "-", "100.00%", "-"]
    assert cells(result, "mathvista", "all systems") == ["5", "100.00%", "1.000", "80.00%", "0.615"]
    assert cells(result, "mathvista", "no answer") == ["right", "1"]
    assert "not graded" not in result.output


def test_official_grading_reads_the_extraction_where_it_is_given(tmp_path: Path) -> None:
    question = {"question": "Which?", "choices": ["red", "blue"], "answer": "red", "answer_type": "text"}
    stored = {**question, "response": "The answer is blue.", "official_extraction": "A"}
    by_rule = {
        "benchmark": "mmmu", "choices": ["red", "blue"], "answer": "A", "answer_type": "choice", "response": "(A)",
        "official_extraction": None,
    }  # fmt: skip
    result = conformance(tmp_path, stored, by_rule)
    assert cells(result, "mathvista", "made-up")[1:4:2] == ["100.00%", "0.00%"]
    assert cells(result, "mmmu", "made-up")[1:4:2] == ["100.00%", "100.00%"]


def test_rows_as_their_sources_have_them(tmp_path: Path) -> None:
    lettered = {"answer": "A", "response": "Answer: A"}
    result = conformance(
        tmp_path,
        {**lettered, "benchmark": "mmmu", "question": None, "choices": ["red", "blue"], "response": "(A)"},
        {**lettered, "benchmark": "wemath", "group_id": "g", "choices": "A. 3; B. 4", "official_extraction": "A"},
        {"benchmark": "logicvista", "answer": "B, D", "response": "B, D", "official_extraction": ["d", "b"]},
        {**lettered, "benchmark": "dynamath", "answer_type": "multiple choice", "question": "Which? A: 3 B: 4",
         "response": '{"short answer": "A"}'},
    )  # fmt: skip
    for benchmark in ("mmmu", "wemath", "logicvista", "dynamath"):
        assert cells(result, benchmark, "made-up") == ["1", "100.00%", "-", "100.00%", "-"]
    assert "not usable" not in result.output


def test_rows_without_a_verdict_on_a_response_are_left_out_and_counted(tmp_path: Path) -> None:
    result = conformance(
        tmp_path, {}, {"response": None}, {"official_correct": None}, {"guesser": True}, {"guesser": True},
        {"extraction_follows_response": False}, {"random_fallback": True}, {"extraction_follows_response": True},
    )  # fmt: skip
    assert cells(result, "mathvista", "made-up")[0] == "2"
    assert cells(result, "left out", "a guesser, not a model") == ["2"]
    for reason in ("no response", "no verdict", "the extraction isn't of this response"):
        assert cells(result, "left out", reason) == ["1"]
    assert cells(result, "left out", "the official answer was drawn at random") == ["1"]


def test_a_second_line_where_the_extraction_is_in_the_response(tmp_path: Path) -> None:
    silent = {"response": "I can't see the picture.", "extraction_in_response": False}
    result = conformance(tmp_path, {"extraction_in_response": True}, silent)
    assert cells(result, "mathvista", "made-up")[:4:3] == ["2", "50.00%"]
    assert cells(result, "mathvista", "made-up, extraction in response")[:4:3] == ["1", "100.00%"]


def test_rows_whose_question_cannot_be_built_are_counted_by_reason(tmp_path: Path) -> None:
    beyond = {"benchmark": "mmmu", "choices": ["red", "blue"], "answer": "C", "response": "(A)"}
    result = conformance(
        tmp_path, {}, {"answer": ""}, {"answer": None}, {**beyond, "question_id": "q8"}, {**beyond, "question_id": "q9"}
    )
    assert result.exit_code == 0, result.output
    assert cells(result, "mathvista", "made-up")[0] == "1"
    assert cells(result, "not usable", "no gold answer") == ["1"]
    assert "no 'answer'" in result.output
    assert cells(result, "not usable", "answer 'C' isn't a letter of its options AB") == ["2"]


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
