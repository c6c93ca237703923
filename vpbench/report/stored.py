"""Results as they lie on disk, read back."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.errors import ConfigError
from vpbench.report.codec import from_json
from vpbench.report.result import READABLE_VERSIONS, SCHEMA_VERSION, BestOfNResult, StepResult
from vpbench.report.units import CURVES, Units, read_units

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StoredResult:
    """A result and its folder; the files beside `result.json` are read when they are asked for."""

    folder: Path
    result: BestOfNResult | StepResult

    @cached_property
    def units(self) -> Units:
        """The units of a Best-of-N result. Raises `ConfigError` if the file is missing or damaged."""
        try:
            return read_units(self.table("units", ("unit", "cluster", "n", *CURVES)))
        except ValueError as error:
            raise ConfigError(f"{self.folder / 'units.parquet'}: not the units of a result ({error})") from error

    def curves(self) -> pd.DataFrame:
        """A row per curve (the critic's and the controls') and N: `curve`, `n`, `value`, `low`, `high`.

        Empty for a step result.
        """
        import pandas as pd

        curves = self.result.curves if isinstance(self.result, BestOfNResult) else {}
        rows = [{"curve": name, **asdict(point)} for name, points in curves.items() for point in points]
        return pd.DataFrame(rows, columns=["curve", "n", "value", "low", "high"])

    def rows(self) -> pd.DataFrame:
        """A row per candidate: verdict, score, step scores. Raises `ConfigError` for a missing or damaged file."""
        frame: pd.DataFrame = self.table("rows", ("question_id", "index", "policy")).to_pandas()
        return frame

    def table(self, name: str, columns: Collection[str]) -> Any:
        """The Arrow table `name`.parquet. Raises `ConfigError` as `read_table` does."""
        return read_table(self.folder / f"{name}.parquet", columns)


def read_table(path: Path, columns: Collection[str]) -> Any:
    """A Parquet file as an Arrow table. Raises `ConfigError` if it is missing or damaged, or lacks a column."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: missing or damaged ({error}); run the result again") from error
    for column in columns:
        if column not in table.column_names:
            raise ConfigError(f"{path}: no column {column!r}; run the result again")
    return table


def read_result(path: Path) -> StoredResult:
    """Read a result from its folder or its `result.json`.

    Raises `ConfigError` if it isn't one, if a key is missing or unknown, or if its version can't be read.
    """
    folder = path.parent if path.name == "result.json" else path
    file = folder / "result.json"
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{folder}: not a result folder with result.json ({error})") from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise ConfigError(f"{file}: not a result of vpbench; take it out of the folder")
    if content["schema_version"] not in READABLE_VERSIONS:
        raise ConfigError(
            f"{folder}: schema version {content['schema_version']}, expected {SCHEMA_VERSION}; run it again"
        )
    return StoredResult(folder, from_json(content, file))
