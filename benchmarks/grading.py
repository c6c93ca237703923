"""Speed of robust grading: responses per second on real rows, and math-verify's own rate on a sample.

The rows are those of mathvista*.jsonl.gz and mathvision*.jsonl.gz in $VPBENCH_SHARED/conformance (default ../shared).
Processor time of one process that starts with empty caches; reading the data isn't counted.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import platform
import time
from pathlib import Path
from typing import Any

from tabulate import tabulate

from vpbench import Question
from vpbench.grade import grade_answer

SAMPLE = 300


def jobs(path: Path) -> list[tuple[Question, str, int | None]]:
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if "response" in row:
                found.append((*question_of(row), row["response"]))
    return [(question, response, gold) for question, gold, response in found]


def question_of(row: dict[str, Any]) -> tuple[Question, int | None]:
    choices = tuple(row["choices"]) if row["choices"] else None
    gold = None
    if choices is not None:
        gold = choices.index(row["answer"]) if row["answer_type"] == "text" else ord(row["answer"]) - ord("A")
    precision = None if row["precision"] is None else int(row["precision"])
    question = Question(
        row["benchmark"], row["question_id"], row["question"] or "", choices=choices, answer=row["answer"],
        answer_type=row["answer_type"], precision=precision, unit=row["unit"],
    )  # fmt: skip
    return question, gold


def math_verify_rate(work: list[tuple[Question, str, int | None]]) -> float:
    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    free = [(question, response) for question, response, gold in work if gold is None]
    sample = free[:: max(1, len(free) // SAMPLE)][:SAMPLE]
    parse("$1$")
    started = time.process_time()
    for question, response in sample:
        verify(parse(f"${question.answer}$"), parse(response[-4_000:]))
    return len(sample) / (time.process_time() - started)


def main() -> None:
    shared = Path(os.environ.get("VPBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    files = [
        path for name in ("mathvista", "mathvision") for path in sorted(shared.glob(f"conformance/{name}*.jsonl.gz"))
    ]
    if not files:
        print(f"no responses under {shared}; set VPBENCH_SHARED")
        return
    rows = []
    for path in files:
        work = jobs(path)
        if not work:
            continue
        started = time.process_time()
        for question, response, gold in work:
            grade_answer(question, response, gold_choice=gold)
        seconds = time.process_time() - started
        rate, theirs = len(work) / seconds, math_verify_rate(work)
        figures = f"{seconds:.2f}", f"{rate:.0f}", f"{theirs:.0f}", f"{rate / theirs:.1f}"
        rows.append([path.name, len(work), *figures])
    headers = ["file", "responses", "CPU s", "per s", "math-verify per s", "ratio"]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}; one process")
    print(tabulate(rows, headers, tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
