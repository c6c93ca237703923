"""Results as they lie on disk, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.report.result import READABLE_VERSIONS, SCHEMA_VERSION
from vpbench.report.units import Units, read_units


@dataclass(frozen=True)
class StoredResult:
    """One result folder: `result.json`, the units of a Best-of-N result, the rows of a step result by question."""

    result: dict[str, Any]
    units: Units | None
    rows: dict[str, dict[str, Any]]

    @property
    def name(self) -> str:
        """Critic, selection, grading and judge in one line."""
        judge = f"judge {self.result['judge']}" if "judge" in self.result else None
        parts = [self.result["critic"], self.result.get("selection"), self.result.get("grading"), judge]
        return ", ".join(part for part in parts if part)


def read_json(path: Path) -> dict[str, Any]:
    """A `result.json`. Raises `ConfigError` if it isn't one, or of a version that can't be read."""
    try:
        result: Any = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.parent}: not a result folder with result.json ({error})") from error
    if not isinstance(result, dict) or "schema_version" not in result:
        raise ConfigError(f"{path}: not a result of vpbench; take it out of the folder")
    if result["schema_version"] not in READABLE_VERSIONS:
        raise ConfigError(
            f"{path.parent}: schema version {result['schema_version']}, expected {SCHEMA_VERSION}; run it again"
        )
    return dict(result)


def read_result(path: Path) -> StoredResult:
    """Read a result from its folder or its `result.json`. Raises `ConfigError` naming what is missing."""
    import pyarrow.parquet as pq

    folder = path.parent if path.name == "result.json" else path
    result = read_json(folder / "result.json")
    try:
        if "curves" in result:
            return StoredResult(result, read_units(pq.read_table(folder / "units.parquet")), {})
        rows = pq.read_table(folder / "rows.parquet").to_pylist()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a result folder with result.json and its Parquet files ({error})") from error
    return StoredResult(result, None, {row["question_id"]: row for row in rows})
