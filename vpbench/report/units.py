"""The units that a metric counts, and the value of each at every N.

A unit is a question, or a group of questions where the metric is defined on groups (worst case over variants, say).
Intervals resample units (or the clusters they belong to), and two results are compared unit by unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vpbench.base import Task
from vpbench.errors import Boundary, PluginError
from vpbench.records import Question
from vpbench.stats import Curves

CURVES = ("critic", "vote", "random", "oracle", "first")
WORST = "worst"
"""The curve of the worst that any critic could do; files of earlier versions don't have it."""
ROUNDING = 1e-9
"""How far outside 0..1 rounding may have left a value, and a mean from that of a result."""


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Values [units, len(ns)] of every curve, as fractions of 1; `clusters` names the resampling cluster of each.

    There is no "vote" where the pool gives no answers; its column in the file is then null.
    """

    names: tuple[str, ...]
    clusters: tuple[str, ...]
    ns: tuple[int, ...]
    values: Mapping[str, NDArray[np.float64]]


def units_of(task: Task, questions: Sequence[Question], curves: Curves) -> Units:
    """The task's units out of the questions' curves, both in the same order."""
    by_question = {name: getattr(curves, name) for name in (*CURVES, WORST) if getattr(curves, name) is not None}
    groups: dict[str, list[int]] = {}
    for number, question in enumerate(questions):
        groups.setdefault(question.group or question.id, []).append(number)
    values = {name: _by_group(task, questions, groups, matrix) for name, matrix in by_question.items()}
    if any(matrix is None for matrix in values.values()):
        clusters = tuple(question.group or question.id for question in questions)
        return Units(tuple(question.id for question in questions), clusters, curves.ns, by_question)
    return Units(tuple(groups), tuple(groups), curves.ns, {name: np.array(rows) for name, rows in values.items()})


def _by_group(task: Task, questions: Sequence[Question], groups: Mapping[str, list[int]], matrix: Any) -> Any:
    rows = []
    for numbers in groups.values():
        with Boundary(f"task {task.name!r}: group_value"):
            value = task.group_value([questions[number] for number in numbers], matrix[numbers])
            if value is None:
                return None
            rows.append(np.asarray(value, dtype=np.float64))
        if rows[-1].shape != matrix.shape[1:] or not np.isfinite(rows[-1]).all():
            raise PluginError(f"task {task.name!r}: group_value gave {value!r}, expected {matrix.shape[1]} numbers")
    return rows


def units_table(units: Units) -> Any:
    """The units as an Arrow table: one row per unit and N."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "unit": [name for name in units.names for _ in units.ns],
        "cluster": [cluster for cluster in units.clusters for _ in units.ns],
        "n": list(units.ns) * len(units.names),
    }
    none = {} if "vote" in units.values else {"vote": pa.nulls(len(columns["n"]), pa.float64())}
    return pa.table({**columns, **none, **{name: matrix.ravel() for name, matrix in units.values.items()}})


def read_units(table: Any) -> Units:
    """The units of a table written by `units_table`. Raises ValueError for any other."""
    import pyarrow as pa

    curves: tuple[str, ...] = (*CURVES, WORST) if WORST in table.column_names else CURVES
    if 0 < table.num_rows == table.column("vote").null_count:
        curves = tuple(name for name in curves if name != "vote")
    types = {"unit": pa.string(), "cluster": pa.string(), "n": pa.int64(), **dict.fromkeys(curves, pa.float64())}
    columns = {name: table.column(name).to_pylist() for name in types}
    for name, arrow_type in types.items():
        # only what isn't as it was written is looked at value by value
        if table.column(name).type != arrow_type or table.column(name).null_count:
            _check_values(name, columns[name])
    names, ns = (tuple(dict.fromkeys(columns[name])) for name in ("unit", "n"))
    if not names or columns["unit"] != [name for name in names for _ in ns] or columns["n"] != list(ns) * len(names):
        raise ValueError("not one row for each unit and N")
    values = {name: np.array(columns[name], dtype=np.float64).reshape(-1, len(ns)) for name in curves}
    for name, matrix in values.items():
        outside = ~((matrix >= -ROUNDING) & (matrix <= 1 + ROUNDING))
        if outside.any():
            row, column = np.argwhere(outside)[0]
            raise ValueError(f"{name} of unit {names[row]!r} at N = {ns[column]} is {matrix[row, column]}, not in 0..1")
    return Units(names, tuple(columns["cluster"][:: len(ns)]), ns, values)


def _check_values(name: str, column: Sequence[Any]) -> None:
    kind = {"unit": str, "cluster": str, "n": int}.get(name, float)
    odd = next((row for row, value in enumerate(column) if type(value) is not kind), None)
    if odd is not None:
        raise ValueError(f"row {odd}, column {name!r}: {column[odd]!r:.60} is not of type {kind.__name__}")


def fraction(value: float) -> float:
    """The value without what rounding left outside 0..1."""
    return min(max(float(value), 0.0), 1.0)


def aligned(units: Units, order: Sequence[str], ns: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """Every curve's values [units, len(ns)] with the units in another `order`, which names the same ones."""
    row = {name: number for number, name in enumerate(units.names)}
    picked = np.ix_([row[name] for name in order], [units.ns.index(n) for n in ns])
    return {name: matrix[picked] for name, matrix in units.values.items()}
