"""Write the pool and the score files of `results/real` from the published step scores: numbers, no texts.

    python scripts/real_critics.py FOLDER       FOLDER holds PRM_gsm8k.jsonl.gz, one problem per line

The same files give the same bytes. Raises SystemExit where the four files don't hold the same verdicts.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REAL = Path(__file__).resolve().parent.parent / "results" / "real"
POOL = "strictprmbench-gsm8k"
SOURCES = {
    "qwen_prm_gsm8k": "qwen2.5-math-prm-7b",
    "skywork_prm_1_5b_gsm8k": "skywork-o1-prm-1.5b",
    "math_shepherd_gsm8k": "math-shepherd-7b",
    "internlm2_7b_reward_gsm8k": "internlm2-7b-reward",
}
"""The published files and what theirs are called here."""
NOT_PUBLISHED = "not part of the published scores"
"""What stands for a question's text and answer, which a pool that brings its questions has to say."""


def write(published: Path, folder: Path) -> None:
    """Write the five files into `folder`."""
    verdicts: dict[str, list[bool]] = {}
    for source, name in SOURCES.items():
        with gzip.open(published / f"{source}.jsonl.gz", "rt") as file:
            problems = [json.loads(line) for line in file]
        given = {row["problem_id"]: [candidate["correct"] for candidate in row["candidates"]] for row in problems}
        if verdicts and verdicts != given:
            sys.exit(f"{source}: its verdicts aren't those of the other files")
        verdicts = given
        _write(folder / f"{name}.jsonl.gz", map(_scores, problems))
    _write(folder / f"{POOL}.jsonl.gz", (_verdicts(id, correct) for id, correct in verdicts.items()))


def _scores(problem: dict[str, Any]) -> dict[str, Any]:
    candidates = [{"step_scores": candidate["step_scores"]} for candidate in problem["candidates"]]
    return {"task": "gsm8k", "question_id": problem["problem_id"], "candidates": candidates}


def _verdicts(id: str, correct: list[bool]) -> dict[str, Any]:
    fields = {"task": "gsm8k", "question_id": id, "question": NOT_PUBLISHED, "answer": NOT_PUBLISHED}
    return {**fields, "candidates": [{"correct": verdict} for verdict in correct]}


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    lines = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    path.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))


if __name__ == "__main__":
    write(Path(sys.argv[1]), REAL)
