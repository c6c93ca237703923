"""The README's examples run as they stand, and its figures are those the program prints."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from vpbench.cli import main

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_example_task_and_critic_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task, critic = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert task.count("\n") < 60
    (tmp_path / "mytask.py").write_text(task)
    (tmp_path / "shortest.py").write_text(critic)
    rows = [{"id": 7, "question": "How many?", "picture": None, "answer": "4"}]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pool = {"question_id": "7", "candidates": [{"response": "There are 4."}, {"response": "After long thought, 5."}]}
    (tmp_path / "pool.jsonl").write_text(json.dumps(pool))
    monkeypatch.chdir(tmp_path)
    arguments = "run --task ./mytask.py --critic ./shortest.py --critic-args per_line=false --data . --pool pool.jsonl"
    for grading, value in (("robust", 1.0), ("official", 0.0)):
        done = CliRunner().invoke(
            main, [*arguments.split(), "--grading", grading, "--output", grading], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        result = json.loads(next(Path(grading, "results").glob("*/result.json")).read_text())
        last = result["curves"]["critic"][-1]
        assert (last["n"], last["value"]) == (2, value)
        assert last["low"] <= value <= last["high"] and last["high"] - last["low"] > 0.5, "one question"


def test_the_printed_result_is_what_the_demo_prints(tmp_path: Path) -> None:
    """Up to half a point: scores in bfloat16 depend on the processor's arithmetic, and near ties may fall otherwise."""
    demo = re.search(r"MathVista's counterpart it prints,.*?\n```\n(.*?)```", README, re.DOTALL)
    assert demo
    done = CliRunner().invoke(
        main, ["run", "--nano", "--task", "mathvista", "--output", str(tmp_path)], catch_exceptions=False
    )
    printed, wanted = (figures(text) for text in (done.output, demo[1]))
    assert list(printed) == [1, 2, 4, 8, 16, 32, 64, 128] and list(wanted) == [8, 128]
    for n, values in wanted.items():
        assert printed[n] == pytest.approx(values, abs=0.5)
    assert demo[1].splitlines()[0] in done.output


def test_the_first_table_is_what_the_study_prints(tmp_path: Path) -> None:
    first = re.search(r"Which picks best\?\n\n```\n(.*?)```", README, re.DOTALL)
    assert first and "N = 8: gsm8k" in first[1] and "N = 32: gsm8k" in first[1]
    done = CliRunner().invoke(
        main, ["run", "--study", "real-critics", "--output", str(tmp_path)], catch_exceptions=False
    )
    assert first[1] in done.output


def figures(text: str) -> dict[int, list[float]]:
    """The numbers of the table's rows, by N, p-values left out."""
    rows = [line.split() for line in text.splitlines() if re.match(r"\d+ +\d", line)]
    rows = [row for row in rows if row[0].isdigit() and len(row) > 8]
    return {int(row[0]): [float(number) for number in re.findall(r"[+-]?\d+\.\d", " ".join(row[1:-1]))] for row in rows}
