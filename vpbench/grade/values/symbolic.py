"""Symbolic equality, by math-verify in a process that can be killed.

`formulas_equal` is the last resort for answers our own parser can't evaluate: equations, sets, matrices. The worker
starts with the first such pair, serves one pair at a time, is ended by the system when a pair takes more than
TIMEOUT_SECONDS of its processor time, and ends with this process (its input closes) or at exit. How busy the machine
is decides nothing: a worker that died or stood still is replaced, and the pair tried once more. What is sent is bounded
in length, nesting, digits and alphabet, and travels as JSON text; nothing comes back but true, false or null.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
from functools import lru_cache
from pathlib import Path

from vpbench.errors import GradeError

# Of the worker's processor time, for one pair.
TIMEOUT_SECONDS = 1.5
# Of wall time, with room for a cold network disk and a crowded machine. A worker that is later than this is taken to
# hang, which is never a verdict.
START_SECONDS = 300.0
STALL_SECONDS = 120.0
MAX_CHARACTERS = 300
MAX_NESTING = 12
MAX_MESSAGE = 500
_LONG_NUMBER = re.compile(r"\d{30}")
_TOWER = re.compile(r"\^\s*\{?\s*-?\d+\s*\}?\s*\}?\s*\^|\^\s*\{?\s*\d{5}|\d{5}\s*!|!\s*!")
_ALPHABET = re.compile(r"[A-Za-z0-9\s\\{}()\[\]+\-*/^_=<>.,:;|!%&°πθαβγλ∪∩∞≤≥±√×·÷]*")


class SymbolicTimeout(Exception):
    """The comparison took more than TIMEOUT_SECONDS of processor time and was killed."""


class WorkerFailed(Exception):
    """The worker died or stood still, which says nothing about the formulas."""


def admissible(text: str) -> bool:
    """Whether `text` is within the bounds of what a worker is given."""
    if not 0 < len(text) <= MAX_CHARACTERS or not _ALPHABET.fullmatch(text) or "__" in text:
        return False
    if _LONG_NUMBER.search(text) or _TOWER.search(text):
        return False
    depth = deepest = 0
    for sign in text:
        depth += (sign in "{([") - (sign in "})]")
        deepest = max(deepest, depth)
    return deepest <= MAX_NESTING


@lru_cache(maxsize=4_096)
def formulas_equal(gold: str, answer: str) -> bool | None:
    """Whether two LaTeX formulas are equal; None if one isn't understood.

    Raises `SymbolicTimeout`, `WorkerFailed` if two workers in turn failed, and `GradeError` if none can be started.
    """
    if not admissible(gold) or not admissible(answer):
        return None
    return _WORKER.ask(gold, answer)


class _Worker:
    """One child process; a lock lets one thread speak to it at a time. A child belongs to the process that began it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0

    def ask(self, gold: str, answer: str) -> bool | None:
        """Whether the two are equal, by a second worker if the first one fails."""
        with self._lock:
            try:
                return self._compare(gold, answer)
            except WorkerFailed:
                return self._compare(gold, answer)

    def _compare(self, gold: str, answer: str) -> bool | None:
        if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
            self._start()
        process = self._process
        assert process is not None and process.stdin is not None
        try:
            process.stdin.write((json.dumps([gold, answer, TIMEOUT_SECONDS]) + "\n").encode())
            process.stdin.flush()
        except BrokenPipeError:
            self._stop()
            raise WorkerFailed("it had died before it was asked") from None
        return self._answer(STALL_SECONDS)

    def _start(self) -> None:
        """A fresh child, at two tries. Raises `GradeError` that says what the second one died of."""
        with contextlib.suppress(WorkerFailed):
            self._start_once()
            return
        try:
            self._start_once()
        except WorkerFailed as error:
            raise GradeError(
                f"the worker that compares formulas by math-verify can't be started (two tries): {error}. Free memory "
                "or raise its limit (ulimit -v), reinstall math-verify (pip install --force-reinstall math-verify), "
                "and run again"
            ) from error

    def _start_once(self) -> None:
        """A child that has loaded math-verify. Raises `WorkerFailed` with its last words."""
        script = Path(__file__).with_name("symbolic_worker.py")
        with tempfile.TemporaryFile() as messages:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", str(script)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=messages,
                    env={"OMP_NUM_THREADS": "1", "PATH": os.environ.get("PATH", "")},
                )
                self._owner = os.getpid()
                if self._answer(START_SECONDS) is not True:
                    self._stop()
                    raise WorkerFailed("it doesn't find 1 = 1")
            except (OSError, WorkerFailed) as error:
                messages.seek(0)
                last = messages.read().decode(errors="replace").strip()[-MAX_MESSAGE:]
                raise WorkerFailed(f"{error} ({last or 'without a message'})") from error

    def _answer(self, seconds: float) -> bool | None:
        """The worker's next answer. Without one it is stopped, so that a late answer never meets another pair."""
        process = self._process
        assert process is not None and process.stdout is not None
        try:
            ready, _, _ = select.select([process.stdout], [], [], seconds)
            line = process.stdout.readline() if ready else b""
        except BaseException:
            self._stop()
            raise
        if line:
            verdict = json.loads(line)
            return verdict if isinstance(verdict, bool) else None
        self._stop()
        if process.returncode == -signal.SIGPROF:
            raise SymbolicTimeout(f"no answer within {TIMEOUT_SECONDS} s of processor time")
        raise WorkerFailed(f"it ended with status {process.returncode}" if ready else f"no answer within {seconds:g} s")

    def _stop(self) -> None:
        """Kill the child and collect it."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def close(self) -> None:
        with self._lock:
            self._stop()


def close() -> None:
    """End the worker if there is one; the next comparison starts another."""
    _WORKER.close()


_WORKER = _Worker()
atexit.register(close)
