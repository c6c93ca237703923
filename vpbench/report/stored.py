"""Results as they lie on disk, read back: the numbers of `result.json` and the curves behind its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.errors import ConfigError
from vpbench.records import Score
from vpbench.report.result import SCHEMA_VERSION, candidate_value, question_pool

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vpbench.stats import QuestionPool


@dataclass(frozen=True)
class StoredResult:
    """One result folder: its path, `result.json`, and its rows by question, in the data's order."""

    folder: Path
    result: dict[str, Any]
    rows: dict[str, list[dict[str, Any]]]

    @property
    def name(self) -> str:
        """Critic, selection and grading in one line."""
        parts = [self.result["critic"], self.result.get("selection"), self.result.get("grading")]
        return ", ".join(part for part in parts if part)


def read_result(path: Path) -> StoredResult:
    """Read a result from its folder or its `result.json`. Raises `ConfigError` naming what is missing."""
    import pyarrow.parquet as pq

    folder = path.parent if path.name == "result.json" else path
    try:
        result = json.loads((folder / "result.json").read_text())
        table = pq.read_table(folder / "rows.parquet").to_pylist()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a result folder with result.json and rows.parquet ({error})") from error
    if result.get("schema_version") != SCHEMA_VERSION:
        raise ConfigError(
            f"{folder}: schema version {result.get('schema_version')}, expected {SCHEMA_VERSION}; run it again"
        )
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in table:
        rows.setdefault(row["question_id"], []).append(row)
    return StoredResult(folder, result, rows)


def best_of_n_matrix(stored: StoredResult, questions: Sequence[str], ns: Sequence[int]) -> NDArray[np.float64]:
    """The critic's expected correctness [Q, len(ns)] per question and n, as the result computed it."""
    from vpbench.stats import curves

    result = stored.result
    pools = [_pool(id, stored.rows[id], result["aggregate"]) for id in questions]
    found = curves(pools, result["selection"], result["estimator"], ns, result["provenance"]["seed"])
    assert found.critic is not None
    return found.critic


def _pool(id: str, rows: Sequence[dict[str, Any]], how: str) -> QuestionPool:
    return question_pool(
        id,
        [row["correct"] for row in rows],
        [row["answer_class"] for row in rows],
        [candidate_value(Score(row["value"], tuple(row["steps"] or ()) or None), how) for row in rows],
        rows[0]["group"],
    )
