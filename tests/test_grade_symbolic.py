"""The killable worker: what it decides, that it is killed in time, and that it leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vpbench import Question
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
    question = Question("test", "1", "Which set?", answer="x\\in(3,4)\\cup(5,6)", answer_type="open")
    assert grade_answer(question, "\\boxed{x\\in(5,6)\\cup(3,4)}").reason == "timeout"
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
