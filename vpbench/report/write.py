"""What a result leaves on disk: `result.json`, rows and units as Parquet, `table.txt`, the curve as SVG and PNG."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, replace
from typing import Any

from vpbench.records import RowKey
from vpbench.report.codec import as_json
from vpbench.report.plots import best_of_n_plot, step_plot
from vpbench.report.result import BestOfNResult, StepResult
from vpbench.report.stored import StoredResult
from vpbench.report.summary import summary
from vpbench.report.texts import write_texts
from vpbench.report.units import Units, units_table
from vpbench.run.analysis import Analysis
from vpbench.run.prepared import Prepared, PreparedSteps, Scored
from vpbench.store import folder_name, parquet_bytes, table_bytes, write_atomic

_ROWS = {
    "group": "string",
    "policy": "string",
    "extracted": "string",
    "answer_class": "string",
    "correct": "bool",
    "reason": "string",
    "value": "double",
    "steps": "list",
    "score_reason": "string",
}
_STEP_ROWS = {
    "group": "string",
    "source": "string",
    "policy": "string",
    "labels": "list",
    "steps": "list",
    "score_reason": "string",
}


def write_result(
    prepared: Prepared | PreparedSteps,
    scored: Scored,
    analysis: Analysis,
    result: BestOfNResult | StepResult,
    units: Units | None,
) -> StoredResult:
    """Write the result's folder; its name holds the hash of all that determines the result."""
    started = time.perf_counter()
    labelled = {} if scored.label is None else {"label": scored.label}
    key: dict[str, Any] = {**scored.key, "critic": scored.critic, **labelled, "analysis": asdict(analysis)}
    names = [prepared.task.name, result.row]
    if isinstance(prepared, Prepared):
        assert isinstance(result, BestOfNResult)
        key |= {"grading": result.grading, "questions": sorted(prepared.questions), "sha256": prepared.pool_sha256}
        if prepared.judge is not None:
            key["judge"] = prepared.judge["identity"]
        names = [prepared.task.name, prepared.policy, result.row, result.selection, result.grading]
        rows, columns = _rows(prepared, scored), _ROWS
    else:
        rows, columns = _step_rows(prepared, scored), _STEP_ROWS
    folder = prepared.request.output / "results" / folder_name(*names, key=key)
    folder.mkdir(parents=True, exist_ok=True)
    write_texts(prepared)
    tables = {"rows.parquet": parquet_bytes(rows, columns)}
    if units is not None:
        tables["units.parquet"] = table_bytes(units_table(units))
    for name, data in tables.items():
        write_atomic(folder / name, data)
    result = replace(result, files={name: hashlib.sha256(data).hexdigest() for name, data in tables.items()})
    pictures = best_of_n_plot(result) if isinstance(result, BestOfNResult) else step_plot(result)
    for suffix, data in pictures.items():
        write_atomic(folder / f"curve.{suffix}", data)
    write_atomic(folder / "table.txt", (summary(result) + "\n").encode())
    seconds = {**result.provenance.seconds, "write": time.perf_counter() - started}
    result = replace(result, provenance=replace(result.provenance, seconds=seconds))
    write_atomic(folder / "result.json", json.dumps(as_json(result), indent=1, allow_nan=False).encode())
    return StoredResult(folder, result)


def _rows(prepared: Prepared, scored: Scored) -> dict[RowKey, dict[str, Any]]:
    rows: dict[RowKey, dict[str, Any]] = {}
    for candidates in prepared.rows.values():
        for row in candidates:
            key = row.candidate.key
            verdict, score = prepared.verdicts[key], scored.scores[key]
            rows[key] = {
                "group": prepared.questions[key[0]].group,
                "policy": row.candidate.policy,
                "extracted": verdict.extracted,
                "answer_class": verdict.answer_class,
                "correct": verdict.correct,
                "reason": verdict.reason,
                "value": score.value,
                "steps": None if score.steps is None else list(score.steps),
                "score_reason": score.reason,
            }
    return rows


def _step_rows(prepared: PreparedSteps, scored: Scored) -> dict[RowKey, dict[str, Any]]:
    rows: dict[RowKey, dict[str, Any]] = {}
    for solution in prepared.solutions:
        score = scored.scores[solution.candidate.key]
        rows[solution.candidate.key] = {
            "group": solution.question.group,
            "source": solution.source,
            "policy": solution.candidate.policy,
            "labels": [float(label) for label in solution.labels],
            "steps": None if score.steps is None else list(score.steps),
            "score_reason": score.reason,
        }
    return rows
