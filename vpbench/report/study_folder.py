"""A study's own folder: `study.json` and `overview.txt` under `OUTPUT/studies`, beside the results it is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.report.codec import record_from_json
from vpbench.report.overview import Overview
from vpbench.store import folder_name, write_atomic

STUDY = "study.json"


def write_study(output: Path, overview: Overview, name: str | None = None) -> Path:
    """Write the overview under `output`/studies; the folder.

    It is called `name`, or by tasks and critics, and by a hash of the results and of what is shown of them, so that no
    other study is overwritten, and the same one is.
    """
    content = overview.as_json()
    shown = {"ns": overview.ns, "resamples": overview.resamples, "seed": overview.seed, "results": _folders(overview)}
    names = (
        [name] if name else [_several("task", _tasks(overview)), _several("critic", [r.name for r in overview.rows])]
    )
    folder = output / "studies" / folder_name(*names, key=shown)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "overview.txt", (overview.text() + "\n").encode())
    write_atomic(folder / STUDY, json.dumps(content, indent=1, allow_nan=False).encode())
    return folder


def read_study(folder: Path) -> Overview:
    """The overview in a study's folder. Raises `ConfigError` where it is missing, damaged or of another version."""
    file = folder / STUDY
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file}: not a study of vpbench ({error}); run it again") from error
    return record_from_json(Overview, content, file)


def results_of_study(folder: Path) -> list[Path]:
    """The folders of a study's results. Raises `ConfigError` as `read_study` does, and for a folder outside of it."""
    output = folder.resolve().parent.parent
    paths = [(output / name).resolve() for name in _folders(read_study(folder))]
    for path in paths:
        if output not in path.parents:
            raise ConfigError(f"{folder / STUDY}: the result {path} isn't under {output}; run the study again")
    return paths


def _folders(overview: Overview) -> list[str]:
    return [cell.folder for row in overview.rows for cell in (*row.cells, *row.steps) if cell.folder is not None]


def _tasks(overview: Overview) -> list[str]:
    return [column.task for column in (*overview.tasks, *overview.step_tasks)]


def _several(what: str, names: list[str]) -> str:
    return "-".join(names) if len(names) <= 3 else f"{len(names)}-{what}s"
