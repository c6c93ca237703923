"""Data from outside that conformance tests compare with: where it lies, its files and rows, what was compared.

What isn't there skips a test with the reason. With `VPBENCH_REQUIRE_SHARED=1` it fails the test instead, so that a
wrong path or a renamed file can't make the suite vanish. `conftest.py` prints the counts after a run.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any, NoReturn

import pytest

Row = dict[str, Any]
Counts = dict[str, dict[str, int]]

SHARED = Path(os.environ.get("VPBENCH_SHARED", Path(__file__).resolve().parents[2] / "shared")).resolve()
REQUIRED = os.environ.get("VPBENCH_REQUIRE_SHARED") == "1"
COUNTS: Counts = {}
"""How many of a kind ("rows") were compared, by name ("mmmu.jsonl.gz"): the most that one test took."""


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where the data has to be there."""
    if REQUIRED:
        pytest.fail(f"{reason}; VPBENCH_REQUIRE_SHARED=1 asks for it", pytrace=False)
    pytest.skip(f"{reason}; set VPBENCH_SHARED")


def compared(kind: str, name: str, number: int = 1) -> None:
    """Count what is compared. The same name counts once, with its largest number."""
    numbers = COUNTS.setdefault(kind, {})
    numbers[name] = max(number, numbers.get(name, 0))


def shared_files(pattern: str) -> list[Path]:
    """Files that match `pattern`, sorted, at least one."""
    return sorted(SHARED.glob(pattern)) or missing(f"no {pattern} in {SHARED}")


def shared_table(name: str) -> Any:
    """The content of a JSON file."""
    (path,) = shared_files(name)
    compared("tables", name)
    return json.loads(path.read_text(encoding="utf-8"))


def read_rows(path: Path, *needed: str) -> list[Row]:
    """Rows of a file (JSON lines, gzip) that have all `needed` fields."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if all(field in row for field in needed)]
    compared("rows", path.name, len(rows))
    for system in {row["system"] for row in rows if "system" in row}:
        compared("systems", system)
    return rows


def shared_rows(pattern: str, *needed: str) -> list[Row]:
    """Rows with all `needed` fields of the files that match `pattern`, at least one."""
    rows = [row for path in shared_files(pattern) for row in read_rows(path, *needed)]
    return rows or missing(f"no rows with {', '.join(needed)} in {SHARED / pattern}")


def rows_by_system(pattern: str, *needed: str) -> dict[str, list[Row]]:
    """The same by "file: system"."""
    systems: dict[str, list[Row]] = defaultdict(list)
    for path in shared_files(pattern):
        for row in read_rows(path, *needed):
            systems[f"{path.name}: {row['system']}"].append(row)
    return systems or missing(f"no rows with {', '.join(needed)} in {SHARED / pattern}")
