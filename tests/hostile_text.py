"""Responses made to be slow or to break a grader, and the processor time that grading one takes."""

from __future__ import annotations

import resource
import time

HOSTILE = [
    "(" * 100_000,
    "9" * 1_000_000,
    "9," * 300_000,
    "a=" * 300_000,
    "\x00\ud800 is \udfff",
    "is " * 300_000,
    "\n" * 500_000,
    "\\boxed{" * 50_000,
    "9^{9^{9^{9}}}",
    "[1,2] \\cup " * 50_000,
    "(1,2)" * 100_000,
    "-1e" * 200_000,
    "$=" * 200_000,
    "domain " * 100_000,
    "N 3 " * 100_000,
    "1.1." * 200_000,
    "<" * 300_000,
    "Answer:" * 100_000,
]


def processor_seconds() -> float:
    """Of this process and of symbolic workers that were killed, so that a busy machine changes nothing."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
