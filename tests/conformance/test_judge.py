"""Official grading through a judge, with the stored extraction as the judge's reply: the stored verdict comes out.

What is tested is who is asked, how a reply is read and what is made of it; a real judge may extract something else.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from shared_data import Row, missing, shared_rows

from vpbench import Task, Verdict
from vpbench.data.load import question_from_fields
from vpbench.plugins import find_task


def replies(pattern: str, *needed: str) -> list[Row]:
    rows = [row for row in shared_rows(pattern, *needed) if row.get("extraction_follows_response", True)]
    return rows or missing(f"no extractions of responses in {pattern}")


def judged(task: Task, row: Row, extraction: str) -> Verdict | None | str:
    """The verdict after the reply that names `extraction`; "rule" where nobody is asked."""
    question = question_from_fields(task, {**row, "question": row["question"] or "", "group": "-"}, "row", Path())
    dialogue = task.judge(question, row["response"] or "", None)
    if dialogue is None:
        return "rule"
    next(dialogue)
    with pytest.raises(StopIteration) as end:
        dialogue.send(f"Answer: {extraction or 'NONE'}")
    verdict: Verdict | None = end.value.value
    return verdict


@pytest.mark.parametrize(
    ("name", "verdict_field"), [("mathvista", "rerun_correct"), ("logicvista", "official_correct")]
)
def test_a_judge_that_extracts_as_the_official_one_gives_the_official_verdict(name: str, verdict_field: str) -> None:
    task = find_task(name).cls()
    assert isinstance(task, Task)
    counts: Counter[str] = Counter()
    off = []
    for row in replies(f"conformance/{name}*.jsonl.gz", "response", "official_extraction", verdict_field):
        given = row["official_extraction"]
        extraction = ", ".join(map(str, given)) if isinstance(given, list) else str(given or "")
        verdict = judged(task, row, " ".join(extraction.split()))
        counts["rule" if verdict == "rule" else "judge"] += 1
        if isinstance(verdict, Verdict) and verdict.correct == row[verdict_field] or verdict == "rule":
            continue
        off.append(f"{row['system']} question {row['question_id']}: {extraction!r} gives {verdict}")
    print(f"{name}: {counts['judge']} rows judged, {counts['rule']} decided by rule")
    assert counts["judge"] > 0
    assert not off, f"{len(off)} rows:\n" + "\n".join(off[:40])


def test_the_rows_that_fall_through_to_a_judge_are_the_ones_asked_about() -> None:
    task = find_task("dynamath").cls()
    assert isinstance(task, Task)
    found = replies("conformance/dynamath*.jsonl.gz", "response", "needs_judge_model")
    off = [row["question_id"] for row in found if (judged(task, row, "1") != "rule") != bool(row["needs_judge_model"])]
    assert not off
