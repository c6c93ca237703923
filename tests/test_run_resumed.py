"""The same command again: nothing is done twice, what failed is tried again, and a kill changes no row."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from small_runs import CRITIC, line, pool_file, results, vpbench


def arguments_of(folder: Path) -> list[str | Path]:
    """A run of the critic that counts its calls, on the miniature world."""
    log = f"log={folder}/log"
    critic = ["--critic", folder / "critic.py", "--critic-args", log]
    return ["run", "--nano", "--task", "mathvista", *critic, "--output", folder / "runs"]


def test_the_same_command_again_does_nothing_twice_and_gives_the_same_rows(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    arguments = [*arguments_of(tmp_path), "--limit", 12]
    assert vpbench(*arguments).exit_code == 0
    rows = next((tmp_path / "runs" / "results").glob("*/rows.parquet"))
    before, calls = rows.read_bytes(), (tmp_path / "log").read_text()
    assert vpbench(*arguments).exit_code == 0
    assert rows.read_bytes() == before
    assert (tmp_path / "log").read_text() == calls
    assert len(calls.splitlines()) == 12


def test_killed_while_scoring_the_same_command_ends_with_identical_rows(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    whole = _run_killed(tmp_path, "whole", [])
    assert _run_killed(tmp_path, "killed", [1, 4, 5]) == whole
    calls = (tmp_path / "log-killed").read_text().splitlines()
    assert len(calls) == 10 + 3
    assert len(set(calls)) == 10


def _run_killed(tmp_path: Path, name: str, die_at: list[int]) -> bytes:
    command = [
        sys.executable,
        "-m",
        "vpbench",
        "run",
        "--nano",
        "--task",
        "mathvista",
        "--critic",
        "critic.py",
        "--critic-args",
        f"log=log-{name}",
        "--output",
        name,
        "--limit",
        "10",
        "--resamples",
        "100",
    ]
    for at in [*die_at, 0]:
        done = subprocess.run(
            command, cwd=tmp_path, env={**os.environ, "DIE_AT": str(at)}, capture_output=True, check=False
        )
        assert done.returncode == (-signal.SIGKILL if at else 0), done.stderr
    return next((tmp_path / name / "results").glob("*/rows.parquet")).read_bytes()


def test_a_failed_row_is_a_row_with_its_reason_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    arguments = [*arguments_of(tmp_path), "--limit", 4]
    stopped = vpbench(*arguments, FAIL="2")
    assert stopped.exit_code == 3
    assert "question '2' candidate 0: no picture here" in stopped.output
    tolerated = vpbench(*arguments, "--max-error-rate", "0.5", FAIL="2")
    assert tolerated.exit_code == 0
    (result,) = results(tmp_path / "runs")
    assert result["errors"]["not scored: no picture here"] == 128
    assert any("128 of 512 candidates" in text for text in result["diagnosis"])
    calls = [call.split()[0] for call in (tmp_path / "log").read_text().splitlines()]
    assert calls == ["1", "2", "2", "3", "4"]
    assert vpbench(*arguments).exit_code == 0
    assert "not scored: no picture here" not in results(tmp_path / "runs")[0]["errors"]


def test_a_response_the_critic_refused_is_not_owed_again(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    pool = pool_file(tmp_path, line("1", "4", ""), line("2", "", "5"))
    arguments = [
        "run",
        "--task",
        "mathvista",
        "--critic",
        tmp_path / "critic.py",
        "--pool",
        pool,
        "--critic-args",
        f"log={tmp_path}/log",
        "--output",
        tmp_path / "runs",
    ]
    for _ in range(2):
        assert vpbench(*arguments).exit_code == 0
        assert (tmp_path / "log").read_text() == "1 0 1\n2 0 1\n"
    (result,) = results(tmp_path / "runs")
    assert result["errors"] == {"empty response": 2, "not scored: empty response": 2}


def test_another_setting_is_another_key(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    for log in ("a", "b"):
        vpbench(
            "run",
            "--nano",
            "--task",
            "mathvista",
            "--critic",
            tmp_path / "critic.py",
            "--critic-args",
            f"log={tmp_path}/{log}",
            "--output",
            tmp_path / "runs",
            "--limit",
            3,
        )
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text()
    assert len(list((tmp_path / "runs" / "scores").iterdir())) == 2


def test_a_limited_run_is_continued_by_a_longer_one(tmp_path: Path) -> None:
    (tmp_path / "critic.py").write_text(CRITIC)
    for limit in (2, 5):
        vpbench(
            "run",
            "--nano",
            "--task",
            "mathvista",
            "--critic",
            tmp_path / "critic.py",
            "--critic-args",
            f"log={tmp_path}/log",
            "--output",
            tmp_path / "runs",
            "--limit",
            limit,
        )
    calls = [call.split()[0] for call in (tmp_path / "log").read_text().splitlines()]
    assert calls == ["1", "2", "3", "4", "5"]
    assert sorted(result["questions"] for result in results(tmp_path / "runs")) == [2, 5]
    assert not any(result["complete"] for result in results(tmp_path / "runs"))
