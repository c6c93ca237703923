"""Results as they lie on disk, read back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vpbench.errors import ConfigError
from vpbench.report.codec import from_json
from vpbench.report.result import READABLE_VERSIONS, SCHEMA_VERSION, BestOfNResult, StepResult
from vpbench.report.units import CURVES, ROUNDING, Units, fraction, read_units
from vpbench.store import table_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class StoredResult:
    """A result and its folder; the files beside `result.json` are read when they are asked for."""

    folder: Path
    result: BestOfNResult | StepResult

    @cached_property
    def units(self) -> Units:
        """The units of a Best-of-N result. Raises `ConfigError` if the file is missing, damaged or another result's."""
        file = self.folder / "units.parquet"
        try:
            units = read_units(self.table("units", ("unit", "cluster", "n", *CURVES)))
        except ValueError as error:
            raise ConfigError(f"{file}: not the units of a result ({error}); run the result again") from error
        # a result of an earlier version has no checksum of the file, but its means
        points = self.result.curves["critic"] if isinstance(self.result, BestOfNResult) else ()
        means = dict(zip(units.ns, units.values["critic"].mean(axis=0), strict=True))
        if [point.n for point in points] != list(means) or any(
            abs(fraction(means[point.n]) - point.value) > ROUNDING for point in points
        ):
            raise ConfigError(f"{file}: its means aren't those of result.json; run the result again")
        return units

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
        file = f"{name}.parquet"
        files = self.result.files
        if files is not None and file not in files:
            raise ConfigError(f"{self.folder / 'result.json'}: key 'files.{file}' is missing; run it again")
        return read_table(self.folder / file, columns, None if files is None else files[file])


def read_table(path: Path, columns: Collection[str], sha256: str | None = None) -> Any:
    """A Parquet file as an Arrow table.

    Raises `ConfigError` if it is missing or damaged, hasn't the checksum `sha256`, or lacks a column.
    """
    import pyarrow as pa

    if not path.is_file():
        raise ConfigError(f"{path}: missing or damaged (no such file); run the result again")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: missing or damaged ({error}); run the result again") from error
    # before it is parsed, so that the parser never sees what was changed
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ConfigError(f"{path}: missing or damaged (its SHA-256 isn't that in result.json); run the result again")
    try:
        table = table_of(data)
    except (OSError, ValueError, MemoryError, pa.ArrowException) as error:
        raise ConfigError(f"{path}: missing or damaged ({error}); run the result again") from error
    for column in columns:
        if column not in table.column_names:
            raise ConfigError(f"{path}: no column {column!r}; run the result again")
    return table


def read_result(path: Path) -> StoredResult:
    """Read a result from its folder or its `result.json`.

    Raises `ConfigError` if it isn't one, if a key is missing, unknown, out of its range or changed, or if its version
    can't be read.
    """
    folder = path.parent if path.name == "result.json" else path
    file = folder / "result.json"
    # neither a folder nor a pipe is opened
    if not file.is_file():
        raise ConfigError(f"{folder}: not a result folder with result.json{_results_in(folder)}")
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse)
        if not isinstance(content, dict) or "schema_version" not in content:
            raise ConfigError(f"{file}: not a result of vpbench; take it out of the folder")
        if content["schema_version"] not in READABLE_VERSIONS:
            raise ConfigError(
                f"{folder}: schema version {content['schema_version']}, expected {SCHEMA_VERSION}; run it again"
            )
        return StoredResult(folder, from_json(content, file))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{folder}: not a result folder with result.json ({error})") from error


def _results_in(folder: Path) -> str:
    """What is said of a run's folder, or a folder of results, where a result is meant."""
    files = sorted((*folder.glob("results/*/result.json"), *folder.glob("*/result.json")))
    return f"; give one of its {len(files)} results:\n" + "\n".join(f"  {f.parent}" for f in files) if files else ""


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of a result")
