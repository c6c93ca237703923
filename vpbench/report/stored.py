"""Results as they lie on disk, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.report.result import SCHEMA_VERSION
from vpbench.report.units import Units, read_units


@dataclass(frozen=True)
class StoredResult:
    """One result folder: `result.json`, the units of a Best-of-N result, the rows of a step result by question."""

    result: dict[str, Any]
    units: Units | None
    rows: dict[str, dict[str, Any]]

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
        if result.get("schema_version") != SCHEMA_VERSION:
            raise ConfigError(
                f"{folder}: schema version {result.get('schema_version')}, expected {SCHEMA_VERSION}; run it again"
            )
        if "curves" in result:
            return StoredResult(result, read_units(pq.read_table(folder / "units.parquet")), {})
        rows = pq.read_table(folder / "rows.parquet").to_pylist()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a result folder with result.json and its Parquet files ({error})") from error
    return StoredResult(result, None, {row["question_id"]: row for row in rows})
