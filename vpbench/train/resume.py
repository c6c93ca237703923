"""Whose folder it is, and where its run stopped.

A run is resumed with the settings it was started with, since any other would be another run: base, data, recipe, and
how many processes there are, which is how its micro-batches are dealt out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vpbench.errors import ConfigError
from vpbench.models.checkpoint import checkpoint_fingerprint
from vpbench.recipe import Recipe
from vpbench.store import write_atomic
from vpbench.train.card import file_record

SETTINGS = "run.json"


def run_settings(
    critic: str, base: Path, model: str, data: Sequence[Path], recipe: Recipe, processes: int
) -> dict[str, Any]:
    """What a run is identified by. `base` is the folder of `model`. Raises `DataError` for a file that isn't there."""
    return {
        "critic": critic,
        "base": base.name if Path(model).is_dir() else model,
        "base_fingerprint": checkpoint_fingerprint(base),
        "data": [file_record(path) for path in data],
        "recipe": dataclasses.asdict(recipe),
        "processes": processes,
    }


def keep_settings(output: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings into the run's folder."""
    output.mkdir(parents=True, exist_ok=True)
    write_atomic(output / SETTINGS, (json.dumps(settings, indent=2) + "\n").encode())


def refuse_another_run(output: Path, settings: Mapping[str, Any], resume: bool) -> None:
    """Compare with the settings kept in the folder, if any. Raises `ConfigError` if it's another run's."""
    path = output / SETTINGS
    if not path.exists():
        return
    if not resume:
        raise ConfigError(f"{output} holds a training run; go on with it by --resume, or give another --output")
    known = json.loads(path.read_text(encoding="utf-8"))
    changed = [name for name in settings if json.loads(json.dumps(settings[name])) != known.get(name)]
    if changed:
        raise ConfigError(
            f"{path}: the run there has another {', '.join(changed)}; give its settings or another --output"
        )


def last_checkpoint(folder: Path) -> Path | None:
    """The last checkpoint in a folder that was written to its end; its state file is what is written last."""
    found: dict[int, Path] = {}
    for path in folder.glob("checkpoint-*/trainer_state.json"):
        with contextlib.suppress(ValueError):
            found[int(json.loads(path.read_text(encoding="utf-8"))["global_step"])] = path.parent
    return found[max(found)] if found else None
