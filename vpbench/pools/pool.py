"""Candidate pools: what a policy, or several, answered to each question.

A pool is JSONL (optionally .gz), one question per line with its `candidates`, or one candidate per line; other tools'
files are read as well (`formats`). Verdicts that a line carries are kept, and used only where the user says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import DataError
from vpbench.pools.formats import read_lines
from vpbench.records import Candidate, Verdict


@dataclass(frozen=True, slots=True)
class PoolRow:
    """A candidate with what the pool says of it: official extraction and verdict, each None if not given."""

    candidate: Candidate
    where: str
    extraction: str | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """All candidates by question id, in index order; `question_fields` where lines carry their question's fields.

    `key` says where the candidates come from, and stays when more are added; `sha256` is of all their content.
    """

    name: str
    key: Mapping[str, Any]
    sha256: str
    rows: dict[str, list[PoolRow]]
    question_fields: dict[str, tuple[Mapping[str, Any], str]]


def read_pool(path: Path) -> Pool:
    """Read a pool file. Raises `DataError` naming file, line and remedy for a malformed or contradicting line."""
    data, lines = read_lines(path)
    rows: dict[str, dict[int, PoolRow]] = {}
    fields: dict[str, tuple[Mapping[str, Any], str]] = {}
    for line in lines:
        id = str(line.question_id)
        indexed = rows.setdefault(id, {})
        if line.question is not None and id not in fields:
            fields[id] = (line.question, line.where)
        for position, candidate in enumerate(line.candidates):
            where = f"{line.where}, candidate {position}" if line.grouped else line.where
            row = _row(id, len(indexed), candidate, where)
            if row.candidate.index in indexed:
                other = indexed[row.candidate.index].where
                raise DataError(
                    f"{where}: question {id!r} already has a candidate with index {row.candidate.index} at {other}; "
                    "give every candidate of a question its own index, or leave `index` out"
                )
            indexed[row.candidate.index] = row
    if not rows:
        raise DataError(f"{path}: no candidates; expected one JSON object per line")
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    ordered = {id: [indexed[index] for index in sorted(indexed)] for id, indexed in rows.items()}
    return Pool(stem, {"file": str(path.resolve())}, hashlib.sha256(data).hexdigest(), ordered, fields)


def _row(id: str, index: int, raw: Mapping[str, Any], where: str) -> PoolRow:
    if "response" not in raw:
        raise DataError(f"{where}: a candidate without `response`; it has {', '.join(raw) or 'no fields'}")
    response = raw["response"]
    if response is not None and not isinstance(response, str):
        raise DataError(f"{where}: `response` is a {type(response).__name__}, expected a string")
    steps = raw.get("steps")
    if steps is not None and not (isinstance(steps, list) and all(isinstance(step, str) for step in steps)):
        raise DataError(f"{where}: `steps` must be a list of strings")
    given = raw.get("index", index)
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise DataError(f"{where}: `index` is {given!r}, expected a whole number from 0")
    candidate = Candidate(
        question_id=id,
        index=given,
        response=response or "",
        policy=str(raw.get("policy") or raw.get("system") or ""),
        finish_reason=raw.get("finish_reason"),
        tokens=raw.get("tokens"),
        steps=None if steps is None else tuple(steps),
    )
    extraction = raw.get("extraction")
    return PoolRow(candidate, where, None if extraction is None else str(extraction), _verdict(raw, where))


def _verdict(raw: Mapping[str, Any], where: str) -> Verdict | None:
    correct = raw.get("correct")
    if correct is None:
        return None
    if not isinstance(correct, bool) and correct not in (0, 1):
        raise DataError(f"{where}: `correct` is {correct!r}, expected true or false")
    answer = raw["prediction"] if "prediction" in raw else raw.get("extraction")
    answer = None if answer is None or answer == "" else str(answer)
    return Verdict(answer, answer, bool(correct), "given" if answer else "no answer given")
