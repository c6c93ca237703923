"""Scores from a file, for critics that ran elsewhere.

The file is JSONL (optionally .gz) like a pool: `{question_id, index, step_scores | score}` per line, or one question
per line with `candidates`, each with `step_scores` or `score`; the pool itself will do if it carries them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import DataError
from vpbench.pools.formats import json_lines, read_bytes
from vpbench.records import RowKey, Score


@dataclass(frozen=True, slots=True)
class GivenScores:
    """Scores by row; `name` is the file's, which is what the critic is called."""

    name: str
    sha256: str
    scores: dict[RowKey, Score]


def read_scores(path: Path) -> GivenScores:
    """Read a score file. Raises `DataError` naming file, line and remedy."""
    data = read_bytes(path)
    scores: dict[RowKey, Score] = {}
    lines: dict[RowKey, str] = {}
    counts: dict[str, int] = {}
    for line, row in json_lines(path, data):
        if row.get("question_id") is None:
            raise DataError(
                f"{line}: no `question_id`; a line is {{question_id, index, step_scores}} or has `candidates`"
            )
        id = str(row["question_id"])
        for position, raw in enumerate(row.get("candidates", [row])):
            where = f"{line}, candidate {position}" if "candidates" in row else line
            key = (id, int(raw.get("index", counts.get(id, 0))))
            counts[id] = counts.get(id, 0) + 1
            score = _score(raw, where)
            if score is None:
                raise DataError(f"{where}: neither `step_scores` nor `score`; a file of scores needs one for every row")
            if key in scores:
                raise DataError(f"{where}: question {id!r} candidate {key[1]} already has a score at {lines[key]}")
            scores[key], lines[key] = score, where
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return GivenScores(stem, hashlib.sha256(data).hexdigest(), scores)


def _score(raw: Mapping[str, Any], where: str) -> Score | None:
    steps, value = raw.get("step_scores"), raw.get("score")
    if steps is None and value is None:
        return None
    numbers = [*(steps if isinstance(steps, list) else [steps]), value] if steps is not None else [value]
    for number in numbers:
        if number is not None and (isinstance(number, bool) or not isinstance(number, int | float) or number != number):
            raise DataError(f"{where}: {number!r} is not a score; `score` is a number, `step_scores` a list of numbers")
    if steps is not None and not isinstance(steps, list):
        raise DataError(f"{where}: `step_scores` must be a list of numbers")
    given = tuple(float(step) for step in steps) if steps else None
    if given is None and value is None:
        return Score(None, None, "no step scores given")
    return Score(None if value is None else float(value), given)
