"""Speed of robust grading: responses per second on real rows, and math-verify's own rate on a sample.

Usage: python benchmarks/grading.py [FOLDER WITH mathvista*.jsonl.gz AND mathvision*.jsonl.gz]
Processor time of one process, caches warm from nothing; the data's reading isn't counted.
"""

from __future__ import annotations

import gzip
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

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
    default = Path(__file__).resolve().parents[2] / "shared" / "conformance"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    print(f"{'file':34s} {'responses':>9s} {'seconds':>8s} {'per s':>8s} {'math-verify per s':>18s} {'ratio':>7s}")
    for path in sorted([*folder.glob("mathvista*.jsonl.gz"), *folder.glob("mathvision*.jsonl.gz")]):
        work = jobs(path)
        if not work:
            continue
        started = time.process_time()
        for question, response, gold in work:
            grade_answer(question, response, gold_choice=gold)
        seconds = time.process_time() - started
        theirs = math_verify_rate(work)
        rate = len(work) / seconds
        print(f"{path.name:34s} {len(work):9d} {seconds:8.2f} {rate:8.0f} {theirs:18.0f} {rate / theirs:7.1f}")


if __name__ == "__main__":
    main()
