"""Candidate pools: what a policy, or several, answered to each question.

A pool is JSONL or a table (either may be gzip), one question per line with its `candidates`, or one candidate per line;
other tools' files are read as well (`formats`). Verdicts that a line carries are kept, and used only where the user
says so; a pool may hold nothing else, the responses withheld.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpbench.errors import DataError
from vpbench.pools.formats import Line, Statement, check_text, read_lines
from vpbench.records import Candidate, Verdict

LARGEST_INDEX = 2**63 - 1


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
    `statements` are what the lines say of each question, every different one once.
    """

    name: str
    key: Mapping[str, Any]
    sha256: str
    rows: dict[str, list[PoolRow]]
    question_fields: dict[str, tuple[Mapping[str, Any], str]]
    statements: dict[str, list[Statement]] = field(default_factory=dict)


def read_pool(path: Path) -> Pool:
    """Read a pool file. Raises `DataError` naming file, line and remedy for a malformed or contradicting line."""
    data, lines = read_lines(path)
    rows: dict[str, dict[int, PoolRow]] = {}
    fields: dict[str, tuple[Mapping[str, Any], str]] = {}
    statements: dict[str, list[Statement]] = {}
    grouped: dict[str, bool] = {}
    for line in lines:
        id = line.question_id
        if id in grouped and (line.grouped or grouped[id]):
            raise DataError(
                f"{line.where}: question {id!r} stands at {next(iter(rows[id].values())).where} already; keep one of "
                "the two lines, or join their candidates in one"
            )
        grouped[id] = line.grouped
        if not line.candidates:
            raise DataError(f"{line.where}: question {id!r} has no candidates; remove the line or add some")
        if line.question is not None and id not in fields:
            fields[id] = (line.question, line.where)
        keep_statement(statements, line)
        _add(rows.setdefault(id, {}), line)
    if not rows:
        raise DataError(f"{path}: no candidates; expected one JSON object per line")
    stem = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    ordered = {id: [indexed[index] for index in sorted(indexed)] for id, indexed in rows.items()}
    digest = hashlib.sha256(data).hexdigest()
    return Pool(stem, {"file": str(path.resolve())}, digest, ordered, fields, statements)


def keep_statement(statements: dict[str, list[Statement]], line: Line) -> None:
    """Add what a line says of its question, unless the line before said the same."""
    stated = statements.setdefault(line.question_id, [])
    if not stated or stated[-1] != line.statement:
        stated.append(line.statement)


def _add(indexed: dict[int, PoolRow], line: Line) -> None:
    for position, candidate in enumerate(line.candidates):
        where = f"{line.where}, candidate {position}" if line.grouped else line.where
        row = _row(line.question_id, len(indexed), candidate, where)
        if row.candidate.index in indexed:
            other = indexed[row.candidate.index].where
            raise DataError(
                f"{where}: question {line.question_id!r} already has a candidate with index {row.candidate.index} at "
                f"{other}; give every candidate of a question its own index, or leave `index` out"
            )
        indexed[row.candidate.index] = row


def _row(id: str, index: int, raw: Mapping[str, Any], where: str) -> PoolRow:
    withheld = "response" not in raw and raw.get("correct") is not None
    if "response" not in raw and not withheld:
        raise DataError(f"{where}: a candidate without `response`; it has {', '.join(raw) or 'no fields'}")
    response = raw.get("response")
    if response is not None and not isinstance(response, str):
        raise DataError(f"{where}: `response` is a {type(response).__name__}, expected a string")
    steps = raw.get("steps")
    if steps is not None and not (isinstance(steps, list) and all(isinstance(step, str) for step in steps)):
        raise DataError(f"{where}: `steps` must be a list of strings")
    finish_reason = raw.get("finish_reason")
    candidate = Candidate(
        question_id=id,
        index=read_index(raw, index, where),
        response=response or "",
        policy=check_text(str(raw.get("policy") or raw.get("system") or ""), "the policy's name", where),
        finish_reason=None if finish_reason is None else check_text(str(finish_reason), "`finish_reason`", where),
        tokens=_tokens(raw.get("tokens"), where),
        steps=None if steps is None else tuple(steps),
        withheld=withheld,
    )
    extraction = raw.get("extraction")
    return PoolRow(candidate, where, None if extraction is None else str(extraction), _verdict(raw, where))


def read_index(raw: Mapping[str, Any], default: int, where: str) -> int:
    """A candidate's number among those of its question, `default` where it gives none. Raises `DataError`."""
    index = raw.get("index", default)
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index <= LARGEST_INDEX:
        raise DataError(
            f"{where}: `index` is {repr(index)[:40]}, expected a whole number from 0 to {LARGEST_INDEX}; correct it, "
            "or leave `index` out of all lines"
        )
    return index


def _tokens(value: Any, where: str) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_INDEX):
        return value
    raise DataError(f"{where}: `tokens` is {repr(value)[:40]}, expected how many there are; correct it or leave it out")


def _verdict(raw: Mapping[str, Any], where: str) -> Verdict | None:
    correct = raw.get("correct")
    if correct is None:
        return None
    if not isinstance(correct, bool) and correct not in (0, 1):
        raise DataError(f"{where}: `correct` is {correct!r}, expected true or false")
    answer = raw["prediction"] if "prediction" in raw else raw.get("extraction")
    # What a model wrote may hold half a surrogate pair; it is kept as stores keep it.
    answer = None if answer is None or answer == "" else str(answer).encode("utf-8", "replace").decode()
    return Verdict(answer, answer, bool(correct), "given" if answer else "no answer given")
