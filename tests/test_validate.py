"""`vpbench validate`: gold answers that a grader rejects are named; one folder may hold the data of all tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from vpbench.cli import main

WEMATH = {
    "ID": "2steps_7",
    "key": "2steps_1",
    "question": "How long?",
    "option": "A. 3; B. 4",
    "answer": "B",
    "knowledge concept": "Parallel",
    "image_path": None,
}
LOGICVISTA = {
    "id": "v1_7",
    "question": "Which come next?",
    "answer": "B, D",
    "skill": ["inductive"],
    "broad_capability": ["diagram"],
    "image": None,
}


def vpbench(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)
    return done.exit_code, done.output


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files: list[tuple[str, dict[str, Any]]] = [("wemath/testmini", WEMATH), ("logicvista/test", LOGICVISTA)]
    for name, row in files:
        path = (tmp_path / name).with_suffix(".jsonl")
        path.parent.mkdir()
        path.write_text(json.dumps(row))
    return tmp_path


@pytest.mark.parametrize("grading", ["robust", "official"])
def test_all_tasks_that_are_there_and_those_that_are_not(root: Path, grading: str) -> None:
    code, text = vpbench("validate", "all", "--data", root, "--grading", grading)
    assert code == 0, text
    assert f"wemath: 1 of 1 gold answers accepted ({grading})" in text
    assert f"logicvista: 1 of 1 gold answers accepted ({grading})" in text
    assert f"mmmu: left out, there is no folder {root / 'mmmu'}" in text
    assert "wemath: left out" not in text


def test_a_rejected_gold_answer_is_named_with_its_row_and_reason(root: Path) -> None:
    (root / "logicvista" / "test.jsonl").write_text(json.dumps({**LOGICVISTA, "answer": "G"}))
    assert vpbench("validate", "all", "--data", root)[0] == 0
    code, text = vpbench("validate", "logicvista", "--data", root / "logicvista", "--grading", "official")
    assert code == 1
    assert "test.jsonl line 1): gold 'G' is rejected: no answer (rule-only), read as 'zzzzz'" in text
    assert "logicvista: 0 of 1 gold answers accepted (official)" in text


def test_a_breakdown_that_no_question_has_is_named(root: Path) -> None:
    plugin = "from vpbench.plugins import find_task\n\nclass Copy(find_task('logicvista').cls):\n    name = 'copy'\n"
    (root / "copy.py").write_text(plugin + "    breakdowns = ('skill', 'skil')\n")
    code, text = vpbench("validate", root / "copy.py", "--data", root / "logicvista")
    assert code == 1
    assert "copy: breakdowns names 'skil', a category that no question has" in text


def test_a_folder_of_no_task(tmp_path: Path) -> None:
    code, text = vpbench("validate", "all", "--data", tmp_path)
    assert code == 2
    assert f"--data {tmp_path}: for several tasks it holds a folder for each" in text


def test_run_takes_the_same_folder(root: Path) -> None:
    pool = root / "pool.jsonl"
    pool.write_text(json.dumps({"question_id": "2steps_7/2steps_1", "candidates": [{"response": "Answer: B"}]}))
    (root / "logicvista" / "test.jsonl").unlink()
    (root / "logicvista").rmdir()
    arguments = ["run", "--task", "all", "--data", root, "--pool", pool, "--critic", "self-consistency"]
    code, text = vpbench(*arguments, "--output", root / "runs")
    assert code == 0, text
    assert "logicvista: left out" in text
    (result,) = (root / "runs" / "results").glob("*/result.json")
    assert json.loads(result.read_text())["task"] == "wemath"
