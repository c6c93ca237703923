"""The killable worker: what it decides, that it is killed in time, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from vpbench import Question
from vpbench.cli import main
from vpbench.errors import GradeError
from vpbench.grade import grade_answer
from vpbench.grade.values import symbolic
from vpbench.grade.values.symbolic import TIMEOUT_SECONDS, SymbolicTimeout, admissible, formulas_equal


@pytest.fixture(autouse=True)
def _nothing_remembered() -> None:
    """Every comparison reaches the worker, whichever tests ran before."""
    formulas_equal.cache_clear()


def test_equations_and_sets() -> None:
    assert formulas_equal("x^2+y^2=1", "y^2+x^2=1") is True
    assert formulas_equal("(1,2]\\cup[3,4)", "[3,4)\\cup(1,2]") is True
    assert formulas_equal("x=1", "x=2") is False


def test_a_late_worker_is_killed_and_the_next_comparison_works(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formulas_equal("a+b", "b+a") is True
    process = symbolic._WORKER._process
    assert process is not None and process.poll() is None
    monkeypatch.setattr(symbolic, "TIMEOUT_SECONDS", 0.0)
    with pytest.raises(SymbolicTimeout):
        formulas_equal("e+f", "f+e")
    assert process.poll() is not None
    assert grade_answer(LARGER, SAME_LARGER).reason == "timeout"
    monkeypatch.undo()
    assert formulas_equal("c+d", "d+c") is True


def test_a_hard_comparison_ends_in_time() -> None:
    formulas_equal("a+b", "b+a")
    started = time.monotonic()
    with contextlib.suppress(SymbolicTimeout):
        assert formulas_equal("\\int_0^{9999} \\sin(x^{x^x})dx", "1") is not True
    assert time.monotonic() - started < TIMEOUT_SECONDS + 20


@pytest.mark.parametrize(
    "text",
    ["", "1" * 400, "9^{9^{9}}", "x^9^9", "99999!", "9" * 40, "(" * 20, "__import__", "a\x00", "x\u202ey", "'a'.join"],
)
def test_what_a_worker_is_never_given(text: str) -> None:
    assert not admissible(text)
    assert formulas_equal(text, "1") is None


def test_close_ends_the_worker_and_the_next_comparison_starts_another() -> None:
    assert formulas_equal("g+h", "h+g") is True
    process = symbolic._WORKER._process
    assert process is not None
    symbolic.close()
    assert process.poll() is not None
    assert formulas_equal("g+i", "i+g") is True


def test_a_worker_whose_master_was_killed_ends_by_itself() -> None:
    """Even in the midst of a comparison: its alarm goes off, nobody has to kill it."""
    script = Path(symbolic.__file__).with_name("symbolic_worker.py")
    code = (
        "import sys, time\n"
        f"sys.path.insert(0, {str(script.parent)!r})\n"
        "import symbolic_worker\n"
        "symbolic_worker.FIRST_REQUEST_SECONDS = 1\n"
        "symbolic_worker.equal = lambda gold, answer: time.sleep(60)\n"
        "symbolic_worker.main()\n"
    )
    worker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert worker.stdin is not None
    worker.stdin.write(b'["1", "2"]\n')
    worker.stdin.flush()
    assert worker.wait(timeout=30) == -signal.SIGALRM
    worker.stdin.close()


def test_no_process_is_left_behind() -> None:
    code = (
        "from vpbench.grade.values import symbolic\n"
        "assert symbolic.formulas_equal('a+b', 'b+a') is True\n"
        "print(symbolic._WORKER._process.pid)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_plain_numbers_need_neither_worker_nor_symbolic_library() -> None:
    code = (
        "import sys\n"
        "from vpbench import Question\n"
        "from vpbench.grade import grade_answer\n"
        "q = Question('t', '1', 'How many?', answer='3', answer_type='integer')\n"
        "assert grade_answer(q, 'There are 3 bars.').correct\n"
        "symbolic = 'vpbench.grade.values.symbolic'\n"
        "heavy = {'sympy', 'math_verify', 'torch', 'pandas', 'mpmath', symbolic} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


LARGER = Question("test", "1", "Which is it?", answer="\\max(a,b)", answer_type="open")
SAME_LARGER = "\\boxed{\\max(b,a)}"
BURNING = "(a+b+c+d)^{99}=0", "(d+c+b+a)^{99}=1"


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: str, times: int) -> None:
    """Let the next `times` workers run shell commands; later ones are what they always are."""
    symbolic.close()
    script = tmp_path / "python"
    script.write_text(
        f"#!/bin/sh\necho start >> {tmp_path}/starts\n"
        f'[ $(wc -l < {tmp_path}/starts) -gt {times} ] && exec {sys.executable} "$@"\n{commands}\n'
    )
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


FAILING = [
    ("echo true; read request; kill -9 $$", "killed while it compares"),
    ("echo true; kill -9 $$", "killed while it waits"),
    ("echo true; read request; kill -STOP $$", "stopped for good"),
]


@pytest.mark.parametrize("commands", [commands for commands, _ in FAILING], ids=[name for _, name in FAILING])
@pytest.mark.parametrize("times", [1, 2])
def test_a_worker_that_fails_is_replaced_once_and_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: str, times: int
) -> None:
    stand_in(tmp_path, monkeypatch, commands, times)
    monkeypatch.setattr(symbolic, "STALL_SECONDS", 3.0, raising=False)
    if times == 2:
        verdict = grade_answer(LARGER, SAME_LARGER)
        assert (verdict.correct, verdict.answer_class, verdict.reason) == (False, None, "comparison failed")
    assert grade_answer(LARGER, SAME_LARGER).reason == "match"
    assert len((tmp_path / "starts").read_text().split()) == times + 1


def test_a_worker_that_stands_still_for_a_while_is_not_late() -> None:
    assert formulas_equal("a+b", "b+a") is True
    process = symbolic._WORKER._process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    wake = threading.Timer(TIMEOUT_SECONDS + 0.5, process.send_signal, [signal.SIGCONT])
    wake.start()
    assert formulas_equal("k+l", "l+k") is True
    wake.join()
    assert symbolic._WORKER._process is process


def test_a_pair_that_burns_processor_time_times_out_and_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert formulas_equal("a+b", "b+a") is True
    process = symbolic._WORKER._process
    assert process is not None
    monkeypatch.setattr(symbolic, "TIMEOUT_SECONDS", 0.3)
    for _ in range(2):
        with pytest.raises(SymbolicTimeout):
            formulas_equal(*BURNING)
    assert process.poll() == -signal.SIGPROF
    assert formulas_equal.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("commands", "message"),
    [
        (
            "echo 'ImportError: No module named math_verify' >&2; exit 1",
            r"status 1 \(ImportError: No module named math",
        ),
        ("kill -9 $$", r"status -9 \(without a message\)"),
        ("echo null; read request", "doesn't find 1 = 1"),
        ("ulimit -v 90000; exec " + sys.executable + ' "$@"', r"status 1 \(.*(MemoryError|Error)"),
    ],
    ids=["broken", "killed", "wrong", "too little memory"],
)
def test_a_worker_that_cannot_start_is_tried_twice_and_then_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commands: str, message: str
) -> None:
    stand_in(tmp_path, monkeypatch, commands, times=3)
    with pytest.raises(GradeError, match=f"(?s)can't be started.*{message}.*reinstall math-verify"):
        formulas_equal("a+b", "b+a")
    assert formulas_equal("a+b", "b+a") is True
    assert len((tmp_path / "starts").read_text().split()) == 4


@pytest.mark.parametrize("reason", ["timeout", "comparison failed"])
def test_a_row_not_compared_to_the_end_is_owed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    if reason == "timeout":
        monkeypatch.setattr(symbolic, "TIMEOUT_SECONDS", 0.0)
    else:
        stand_in(tmp_path, monkeypatch, "echo true; read request; kill -9 $$", times=2)
    row = {"question_id": "1", "question": LARGER.text, "answer": LARGER.answer, "answer_type": "open"}
    pool = tmp_path / "pool.jsonl"
    pool.write_text(json.dumps({**row, "candidates": [{"response": SAME_LARGER}, {"response": ""}]}) + "\n")
    command = ["run", "--task", "mathvista", "--critic", "self-consistency", "--pool", str(pool)]
    command += ["--output", str(tmp_path / "runs")]
    for expected in ({reason: 1, "empty response": 1}, {"empty response": 1}):
        done = CliRunner().invoke(main, command, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        (result,) = (tmp_path / "runs" / "results").glob("*/result.json")
        content = json.loads(result.read_text())
        assert content["errors"] == expected
        note = (
            "1 of 2 rows were not graded to the end and count as wrong; the same command tries them again; the first: "
        )
        notes = [text for text in content["notes"] if "graded to the end" in text]
        assert notes == [f"{note}question '1' candidate 0: {reason}"] * (reason in expected)
        monkeypatch.setattr(symbolic, "TIMEOUT_SECONDS", TIMEOUT_SECONDS)
