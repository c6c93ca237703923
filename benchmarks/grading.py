"""Speed of robust grading on real responses, beside math-verify's own rate on the same mix, in one run.

The rows are those of mathvista.jsonl.gz and mathvision.jsonl.gz in $VPBENCH_SHARED/conformance (default ../shared).
Our seconds are those of every response, from empty caches, with the processor time of symbolic workers; "no symbolic
step" are the responses that no worker was asked about. math-verify's are those of reading the gold answer, reading the
response and comparing them, for a sample drawn evenly over the same rows, scaled to all of them. All is processor time
of one thread; reading the data and importing the libraries isn't counted, starting a worker is.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tabulate import tabulate

from vpbench import Question
from vpbench.grade import grade_answer
from vpbench.grade.values import symbolic

SAMPLE = 1_000
Job = tuple[Question, int | None, str]


def jobs(path: Path) -> list[Job]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [(*question_of(row), row["response"]) for row in map(json.loads, lines) if "response" in row]


def question_of(row: dict[str, Any]) -> tuple[Question, int | None]:
    choices = tuple(row["choices"]) if row["choices"] else None
    gold = None
    if choices is not None:
        gold = choices.index(row["answer"]) if row["answer_type"] == "text" else ord(row["answer"]) - ord("A")
    precision = None if row["precision"] is None else int(row["precision"])
    question = Question(
        row["benchmark"],
        row["question_id"],
        row["question"] or "",
        choices=choices,
        answer=row["answer"],
        answer_type=row["answer_type"],
        precision=precision,
        unit=row["unit"],
    )
    return question, gold


def worker_seconds() -> float:
    """Processor time of the symbolic workers that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def our_seconds(work: list[Job], asks: Callable[[], int]) -> tuple[float, float, int]:
    """Seconds for all of `work`; seconds for, and number of, the responses without a symbolic step."""
    plain, plain_seconds, children = 0, 0.0, worker_seconds()
    started = last = time.process_time()
    for question, gold, response in work:
        before = asks()
        grade_answer(question, response, gold_choice=gold)
        now = time.process_time()
        if asks() == before:
            plain, plain_seconds = plain + 1, plain_seconds + now - last
        last = now
    symbolic.close()
    return time.process_time() - started + worker_seconds() - children, plain_seconds, plain


def math_verify_seconds(work: list[Job]) -> float:
    """What math-verify needs for all of `work`, from an evenly drawn sample."""
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    count = min(SAMPLE, len(work))
    sample = [work[number * len(work) // count] for number in range(count)]
    verify(parse("$1$"), parse("$1$"))
    started = time.process_time()
    for question, _, response in sample:
        verify(parse(f"${question.answer}$"), parse(response))
    return (time.process_time() - started) * len(work) / count


def main() -> None:
    shared = Path(os.environ.get("VPBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    files = [shared / "conformance" / f"{name}.jsonl.gz" for name in ("mathvista", "mathvision")]
    if not all(path.is_file() for path in files):
        print(f"no responses under {shared}; set VPBENCH_SHARED")
        return
    asked = symbolic.formulas_equal.cache_info
    measured = []
    for path in files:
        work = jobs(path)
        ours = our_seconds(work, lambda: asked().misses)
        measured.append((path.name, len(work), *ours, math_verify_seconds(work)))
    measured.append(("whole mix", *(sum(column) for column in list(zip(*measured, strict=True))[1:])))
    rows = [
        (
            name,
            count,
            f"{seconds:.2f}",
            f"{count / seconds:.0f}",
            f"{plain / plain_seconds:.0f} ({plain})",
            f"{theirs:.1f}",
            f"{count / theirs:.0f}",
            f"{theirs / seconds:.1f}",
        )
        for name, count, seconds, plain_seconds, plain, theirs in measured
    ]
    headers = [
        "file",
        "responses",
        "CPU s",
        "per s",
        "per s, no symbolic step",
        "math-verify CPU s",
        "per s",
        "times faster",
    ]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; one thread")
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
