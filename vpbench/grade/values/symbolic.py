"""Symbolic equality, by math-verify in a process that can be killed.

`formulas_equal` is the last resort for answers our own parser can't evaluate: equations, sets, matrices. The worker
starts with the first such pair, serves one pair at a time, is killed and forgotten when a pair takes longer than
TIMEOUT_SECONDS, and ends with this process (its input closes) or at exit. What is sent is bounded in length, nesting,
digits and alphabet, and travels as JSON text; nothing comes back but true, false or null.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import select
import subprocess
import sys
import threading
from functools import lru_cache
from pathlib import Path

TIMEOUT_SECONDS = 1.5
START_SECONDS = 30.0
MAX_CHARACTERS = 300
MAX_NESTING = 12
_LONG_NUMBER = re.compile(r"\d{30}")
_TOWER = re.compile(r"\^\s*\{?\s*-?\d+\s*\}?\s*\}?\s*\^|\^\s*\{?\s*\d{5}|\d{5}\s*!|!\s*!")
_ALPHABET = re.compile(r"[A-Za-z0-9\s\\{}()\[\]+\-*/^_=<>.,:;|!%&°πθαβγλ∪∩∞≤≥±√×·÷]*")


class SymbolicTimeout(Exception):
    """The comparison took longer than TIMEOUT_SECONDS and was killed."""


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
    """Whether two LaTeX formulas are equal; None if one isn't understood. Raises `SymbolicTimeout`."""
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
        with self._lock:
            if self._process is None or self._process.poll() is not None or self._owner != os.getpid():
                self._start()
            try:
                return self._exchange(gold, answer, TIMEOUT_SECONDS)
            except BrokenPipeError:
                self._stop()
                return None

    def _start(self) -> None:
        """A fresh child, waited for until it has loaded math-verify."""
        script = Path(__file__).with_name("symbolic_worker.py")
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_NUM_THREADS": "1", "PATH": os.environ.get("PATH", "")},
        )
        self._owner = os.getpid()
        self._exchange("1", "1", START_SECONDS)

    def _exchange(self, gold: str, answer: str, seconds: float) -> bool | None:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write((json.dumps([gold, answer]) + "\n").encode())
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], seconds)
        if not ready:
            self._stop()
            raise SymbolicTimeout(f"no answer within {seconds} s")
        line = process.stdout.readline()
        if not line:
            self._stop()
            return None
        verdict = json.loads(line)
        return verdict if isinstance(verdict, bool) else None

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
