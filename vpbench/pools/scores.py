"""Scores from a file, for critics that ran elsewhere.

The file is a pool's like (JSONL, CSV, TSV, Excel, Parquet): `{question_id, index, step_scores | score}` per row, or one
question per row with `candidates`, each with `step_scores` or `score`; the pool itself will do if it carries them. A
row whose score is null, or whose list of step scores is empty, is one that the critic failed on.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpbench.errors import DataError
from vpbench.pools.formats import Statement, read_lines
from vpbench.pools.pool import keep_statement, read_index
from vpbench.records import RowKey, Score


@dataclass(frozen=True, slots=True)
class GivenScores:
    """Scores by row; `name` is the file's, which is what the critic is called.

    `lines` are the rows' places, `statements` what the lines say of their questions.
    """

    name: str
    sha256: str
    scores: dict[RowKey, Score]
    lines: dict[RowKey, str] = field(default_factory=dict)
    statements: dict[str, list[Statement]] = field(default_factory=dict)


def read_scores(path: Path) -> GivenScores:
    """Read a score file. Raises `DataError` naming file, line and remedy."""
    data, rows = read_lines(path)
    scores: dict[RowKey, Score] = {}
    lines: dict[RowKey, str] = {}
    counts: dict[str, int] = {}
    first: dict[str, str] = {}
    statements: dict[str, list[Statement]] = {}
    for line in rows:
        id = line.question_id
        if first.setdefault(id, line.where) != line.where and line.grouped:
            raise DataError(f"{line.where}: question {id!r} stands at {first[id]} already; keep one of the two lines")
        keep_statement(statements, line)
        for position, raw in enumerate(line.candidates):
            where = f"{line.where}, candidate {position}" if line.grouped else line.where
            key = (id, read_index(raw, counts.get(id, 0), where))
            counts[id] = counts.get(id, 0) + 1
            if key in scores:
                raise DataError(f"{where}: question {id!r} candidate {key[1]} already has a score at {lines[key]}")
            scores[key], lines[key] = _score(raw, where), where
    if not scores:
        raise DataError(f"{path}: no scores; expected a row for every candidate")
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return GivenScores(stem, hashlib.sha256(data).hexdigest(), scores, lines, statements)


def _score(raw: Mapping[str, Any], where: str) -> Score:
    if "step_scores" not in raw and "score" not in raw:
        raise DataError(f"{where}: neither `step_scores` nor `score`; a file of scores needs one for every row")
    steps, value = raw.get("step_scores"), raw.get("score")
    if steps is not None and not isinstance(steps, list):
        raise DataError(f"{where}: `step_scores` must be a list of numbers, is {repr(steps)[:40]}")
    number = None if value is None else _number(value, where)
    numbers = [None if step is None else _number(step, where) for step in steps or ()]
    given = tuple(step for step in numbers if step is not None)
    if len(given) < len(numbers):
        return Score(None, None, "a step without score given")
    if given or number is not None:
        return Score(number, given or None)
    return Score(None, None, "no score given" if steps is None else "no step scores given")


def _number(value: Any, where: str) -> float:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:
        pass  # a whole number beyond all floats is told like infinity
    raise DataError(
        f"{where}: {repr(value)[:40]} is not a score; `score` is a finite number, `step_scores` a list of them, and "
        "null stands for a row that failed"
    )
