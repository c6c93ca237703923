"""Results in the layouts that other tools read, one file per layout."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from vpbench.errors import ConfigError
from vpbench.report.exports.every_eval_ever import every_eval_ever_files
from vpbench.report.exports.lm_eval import lm_eval_files
from vpbench.report.stored import StoredResult
from vpbench.store import write_atomic

Layout = Literal["lm-eval", "every-eval-ever"]
LAYOUTS: Mapping[Layout, Callable[[Sequence[StoredResult], Path], Iterator[tuple[Path, bytes]]]] = {
    "lm-eval": lm_eval_files,
    "every-eval-ever": every_eval_ever_files,
}


def export(results: Sequence[StoredResult], layout: Layout, into: Path) -> list[Path]:
    """Write the results under the folder `into`; the same results give the same bytes.

    Returns the files. Raises `ConfigError` for a result that is damaged, or two that would be the same file.
    """
    written: list[Path] = []
    for path, data in LAYOUTS[layout](results, into):
        if path in written:
            raise ConfigError(f"{path}: two results have this name; export them into folders of their own")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
        written.append(path)
    return written
