"""The conformance suite can't vanish: data that isn't there skips or fails, and what was compared is counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

CONFORMANCE = Path(__file__).parent / "conformance"


def conformance(test: str, shared: Path, *options: str, required: bool) -> tuple[int, str]:
    """Exit code and output of a conformance test in a process of its own."""
    environment = {**os.environ, "VPBENCH_SHARED": str(shared), "VPBENCH_REQUIRE_SHARED": str(int(required))}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", *options, str(CONFORMANCE / test)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_data_that_is_not_there_skips_with_the_reason(tmp_path: Path) -> None:
    code, output = conformance("test_stats_conformance_steps.py", tmp_path, required=False)
    assert code == 0, output
    assert "2 skipped" in output
    assert f"no conformance/prm_steps_*.jsonl.gz in {tmp_path}" in output


def test_data_that_has_to_be_there_fails_and_so_do_tests_without_cases(tmp_path: Path) -> None:
    code, output = conformance("test_golden_visualprm.py", tmp_path, required=True)
    assert code == 1, output
    assert "1 failed, 7 errors" in output
    assert f"no golden/**/cases.jsonl in {tmp_path}" in output
    assert "no cases for test_tile_grids" in output


def test_what_was_compared_is_counted_over_processes(tmp_path: Path) -> None:
    (tmp_path / "conformance").mkdir()
    row = {"answer": "A", "judge_output": "A", "accepted_form": True, "hit": True}
    (tmp_path / "conformance" / "logicvista_setmatch.json").write_text(json.dumps([row]))
    name = "test_dynamath_wemath_logicvista.py::test_logicvista_by_the_toolkit_s_rule"
    code, output = conformance(name, tmp_path, "-n", "1", required=True)
    assert code == 0, output
    assert "compared with shared data: 1 tables" in output
