"""Verdicts, labels and scores as the browser of questions has them: an index of every question, and chunks.

Verdicts are those of all critics on the same rows under the same grading, and are written once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.records import Score
from vpbench.report.exports.picks import picked
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult
from vpbench.run.prepared import candidate_value
from vpbench.site.browser_pool import PoolTexts
from vpbench.site.chunks import DataFolder, number

_FORMAT = 1
_VERDICTS = ("extracted", "answer_class", "correct", "reason")
_SCORES = ("value", "steps", "score_reason")


@dataclass(frozen=True, slots=True)
class WrittenRows:
    """The folders of a result's verdicts and scores, and the range of its step scores."""

    verdicts: str
    scores: str
    range: tuple[Any, Any] | None


def rows_of_pool(stored: StoredResult, pool: PoolTexts) -> Any:
    """The result's rows as an Arrow table in the order of its pool's. Raises `ConfigError` for rows of another pool."""
    marks = ("labels", "source") if isinstance(stored.result, StepResult) else _VERDICTS
    rows = stored.table("rows", ("question_id", "index", *marks, "steps", "score_reason"))
    if all(rows.column(name).equals(pool.candidates.column(name)) for name in ("question_id", "index")):
        return rows
    position = {key: number for number, key in enumerate(_keys(rows))}
    wanted = _keys(pool.candidates)
    if len(position) != len(wanted) or not position.keys() >= set(wanted):
        raise ConfigError(f"{stored.folder}: its rows aren't those of {pool.folder}; run it again")
    return rows.take([position[key] for key in wanted])


def write_rows(stored: StoredResult, rows: Any, pool: PoolTexts, site: Path) -> WrittenRows:
    """Write what a result says of the rows of its pool, `rows` in their order."""
    result = stored.result
    best = isinstance(result, BestOfNResult)
    marks = rows.select(_VERDICTS if best else ["labels"])
    verdicts = DataFolder(site, f"verdicts-{_digest(marks, pool.ids)}")
    if not verdicts.whole:
        index = _verdict_index(marks, pool) if best else _label_index(marks, pool)
        verdicts.write(_column_chunks(marks, pool), index)
    kept = rows.select([name for name in _SCORES if name in rows.column_names])
    rule = _rule(result)
    scores = DataFolder(site, f"scores-{_digest(kept, [verdicts.key, *rule])}")
    steps = kept.column("steps").to_pylist()
    if not scores.whole:
        raw = kept.column("value").to_pylist() if "value" in kept.column_names else [None] * len(steps)
        reasons = kept.column("score_reason").to_pylist()
        if isinstance(result, BestOfNResult):
            values = [candidate_value(Score(*row), result.aggregate) for row in zip(raw, steps, strict=True)]
            index = _pick_index(values, rows, result, pool)
        else:
            values = [None] * len(steps)
            index = _step_index(steps, result, pool)
        scores.write(_score_chunks(values, steps, reasons, pool), index)
    ends = [end for row in steps if row for end in (min(row), max(row))]
    return WrittenRows(verdicts.key, scores.key, (number(min(ends)), number(max(ends))) if ends else None)


def _keys(table: Any) -> list[tuple[str, int]]:
    return list(zip(table.column("question_id").to_pylist(), table.column("index").to_pylist(), strict=True))


def _rule(result: BestOfNResult | StepResult) -> list[Any]:
    """What decides, beside the scores, what is picked, or which steps are called wrong."""
    if isinstance(result, StepResult):
        return [_FORMAT, result.step_f1.threshold]
    return [_FORMAT, result.aggregate, result.selection, result.link, result.estimator, result.ns[-1]]


def _digest(table: Any, beside: Sequence[Any]) -> str:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    digest = hashlib.sha256(sink.getvalue())
    digest.update(json.dumps(beside).encode())
    return digest.hexdigest()[:16]


def _spans(pool: PoolTexts) -> Iterator[tuple[int, int]]:
    return pairwise(pool.starts)


def _verdict_index(marks: Any, pool: PoolTexts) -> dict[str, Any]:
    """By question: the vote's pick, its class and verdict, and how many candidates are right or have no answer.

    A pool that gives no answers at all has none that couldn't be read.
    """
    classes, correct = marks.column("answer_class").to_pylist(), marks.column("correct").to_pylist()
    answers_given = any(name is not None for name in classes)
    index: dict[str, list[Any]] = {name: [] for name in ("vote", "voteClass", "voteRight", "right", "unread")}
    for start, end in _spans(pool):
        answers = classes[start:end]
        voted = any(answer is not None for answer in answers)
        vote = picked([1.0] * len(answers), answers, "vote") if voted else None
        index["vote"].append(vote)
        index["voteClass"].append(None if vote is None else _class_number(answers, vote))
        index["voteRight"].append(None if vote is None else int(correct[start + vote]))
        index["right"].append(sum(map(bool, correct[start:end])))
        index["unread"].append(answers.count(None) if answers_given else 0)
    return index


def _label_index(marks: Any, pool: PoolTexts) -> dict[str, Any]:
    """By question the labels of its steps, a sign each."""
    labels = marks.column("labels").to_pylist()
    return {"labels": ["".join("-0+"[int(label) + 1] for label in labels[start]) for start, _ in _spans(pool)]}


def _class_number(answers: Sequence[str | None], position: int) -> int | None:
    """The number of a candidate's answer among the question's answers in the order in which they appear."""
    answer = answers[position]
    return None if answer is None else list(dict.fromkeys(name for name in answers if name is not None)).index(answer)


def _pick_index(values: Sequence[float | None], rows: Any, result: BestOfNResult, pool: PoolTexts) -> dict[str, Any]:
    """By question: the critic's pick, its class, verdict and value, and how many candidates have no score."""
    classes, correct = rows.column("answer_class").to_pylist(), rows.column("correct").to_pylist()
    index: dict[str, list[Any]] = {name: [] for name in ("pick", "pickClass", "pickRight", "value", "failed")}
    for start, end in _spans(pool):
        last = min(end, start + result.ns[-1]) if result.estimator == "prefix" else end
        answers = classes[start:end]
        pick = picked(values[start:last], classes[start:last], result.selection, result.link)
        index["pick"].append(pick)
        index["pickClass"].append(_class_number(answers, pick))
        index["pickRight"].append(int(correct[start + pick]))
        index["value"].append(number(values[start + pick]))
        index["failed"].append(sum(value is None for value in values[start:end]))
    return index


def _step_index(steps: Sequence[list[float] | None], result: StepResult, pool: PoolTexts) -> dict[str, Any]:
    """By question: whether the critic calls each step right, a sign each, and whether it has no scores."""
    threshold = result.step_f1.threshold
    rows = [steps[start] or [] for start, _ in _spans(pool)]
    return {
        "calls": ["".join("+" if value > threshold else "-" for value in row) for row in rows],
        "value": [number(min(row)) if row else None for row in rows],
        "failed": [int(not row) for row in rows],
    }


def _column_chunks(table: Any, pool: PoolTexts) -> Iterator[Any]:
    for first, last in pairwise([*pool.chunks, len(pool.ids)]):
        begin = pool.starts[first]
        rows = table.slice(begin, pool.starts[last] - begin)
        columns = {name: rows.column(name).to_pylist() for name in rows.column_names}
        yield [
            {name: column[start - begin : end - begin] for name, column in columns.items()}
            for start, end in pairwise(pool.starts[first : last + 1])
        ]


def _score_chunks(
    values: Sequence[float | None], steps: Sequence[list[float] | None], reasons: Sequence[str | None], pool: PoolTexts
) -> Iterator[Any]:
    for first, last in pairwise([*pool.chunks, len(pool.ids)]):
        chunk = []
        for start, end in pairwise(pool.starts[first : last + 1]):
            said = {k: reason for k, reason in enumerate(reasons[start:end]) if reason is not None}
            chunk.append(
                {
                    "values": [number(value) for value in values[start:end]],
                    "steps": [None if row is None else [number(value) for value in row] for row in steps[start:end]],
                    **({"reasons": said} if said else {}),
                }
            )
        yield chunk
