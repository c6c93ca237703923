"""Two step results on the same solutions: macro-F1 at their fixed thresholds, and at held-out ones."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from vpbench.errors import ConfigError
from vpbench.records import RowKey
from vpbench.report.result import StepResult
from vpbench.report.step_result import FOLDS, step_scores
from vpbench.report.stored import StoredResult
from vpbench.report.units import ROUNDING
from vpbench.stats import Difference, cross_fitted_threshold, macro_f1_difference, step_f1

FIXED, HELD_OUT = "macro-F1 pooled", "macro-F1 held out"
Rows = Mapping[RowKey, Mapping[str, Any]]


def step_rows(stored: StoredResult) -> Rows:
    """A step result's solutions with `group`, `labels` and `steps`, in the file's order.

    Raises `ConfigError` for a file that is missing, damaged or another result's.
    """
    file = stored.folder / "rows.parquet"
    rows = {}
    for number, row in enumerate(
        stored.table("rows", ("question_id", "index", "group", "labels", "steps")).to_pylist()
    ):
        wrong = _wrong(row)
        if wrong:
            raise ConfigError(f"{file} row {number}: {wrong}; run the result again")
        rows[row["question_id"], row["index"]] = row
    if len(rows) != stored.result.candidates:
        raise ConfigError(f"{file}: {len(rows)} solutions, result.json says {stored.result.candidates}; run it again")
    return rows


def _wrong(row: Mapping[str, Any]) -> str | None:
    id, index, group, labels, steps = (row[name] for name in ("question_id", "index", "group", "labels", "steps"))
    if type(id) is not str or type(index) is not int or not isinstance(group, str | None):
        return "question, index or group isn't of its type"
    if not isinstance(labels, list) or any(label not in (1, 0, -1) for label in labels):
        return f"labels {labels!r:.60} aren't 1, 0 or -1"
    # a critic's score may be infinite, never not a number
    if steps is not None and any(type(step) is not float or math.isnan(step) for step in steps):
        return f"step scores {steps!r:.60} aren't all numbers"
    return None


def step_differences(one: StoredResult, two: StoredResult, resamples: int) -> dict[str, Difference]:
    """Second minus first by label; none at held-out thresholds where there are too few questions to deal into folds.

    Raises `ConfigError` unless both are about the same solutions with the same labels.
    """
    assert isinstance(one.result, StepResult) and isinstance(two.result, StepResult)
    baseline, rows = step_rows(one), step_rows(two)
    check_same(*([f"{id}, solution {index}" for id, index in keys] for keys in (baseline, rows)))
    for key, row in rows.items():
        if baseline[key]["labels"] != row["labels"]:
            raise ConfigError(f"can't compare: the labels of question {key[0]!r}, solution {key[1]}, differ")
    labels = [[int(label) for label in row["labels"]] for row in rows.values()]
    first, second = (
        [step_scores(scored[key]["steps"], len(given)) for key, given in zip(rows, labels, strict=True)]
        for scored in (baseline, rows)
    )
    for stored, values in ((one, first), (two, second)):
        _check_figure(stored, labels, values)
    groups = [row["group"] or id for (id, _), row in rows.items()]
    fixed = (two.result.step_f1.threshold, one.result.step_f1.threshold)
    differences = {FIXED: macro_f1_difference(labels, (second, first), fixed, groups, resamples=resamples)}
    if one.result.step_f1.held_out_threshold is not None and two.result.step_f1.held_out_threshold is not None:
        seed = two.result.provenance.seed
        fitted = [
            cross_fitted_threshold(labels, values, clusters=groups, folds=FOLDS, seed=seed).by_solution
            for values in (second, first)
        ]
        held_out = (fitted[0], fitted[1])
        differences[HELD_OUT] = macro_f1_difference(labels, (second, first), held_out, groups, resamples=resamples)
    return differences


def _check_figure(stored: StoredResult, labels: list[list[int]], values: list[list[float | None]]) -> None:
    # a result of an earlier version has no checksum of its rows, but their figure
    assert isinstance(stored.result, StepResult)
    report = stored.result.step_f1
    if abs(step_f1(labels, values, report.threshold).pooled.macro_f1 - report.pooled.macro_f1) > ROUNDING:
        file = stored.folder / "rows.parquet"
        raise ConfigError(f"{file}: its macro-F1 isn't that of result.json; run the result again")


def check_same(first: Collection[str], second: Collection[str]) -> None:
    """Raises `ConfigError` unless both name the same questions."""
    differ = sorted(set(first) ^ set(second))
    if differ:
        raise ConfigError(
            f"can't compare: the questions differ ({len(first)} and {len(second)}); {differ[0]!r} is in one result "
            "only. Run both on the same data and pool."
        )
